//! What a host sets in an ATA disk: translation, block size, transfer mode, write cache. ATA/ATAPI-6, 8.46 "SET FEATURES",
//! 8.49 "SET MULTIPLE MODE", and INITIALIZE DEVICE PARAMETERS of ATA-5.

use super::ata_disk::{AtaDisk, MULTIPLE_MAX};
use super::drive::{XFER_MWDMA, XFER_PIO, error};
use super::task_file::Translation;

impl AtaDisk {
    pub(super) fn initialize_parameters(&mut self) {
        let (sectors, heads) = (self.front.regs.sector_count[0], self.front.regs.device().head() + 1);
        if sectors == 0 {
            return self.fail(error::ABRT);
        }
        self.translation = Translation { heads, sectors };
        self.done();
    }

    pub(super) fn set_multiple(&mut self, sectors: u8) {
        if sectors != 0 && !(sectors.is_power_of_two() && sectors <= MULTIPLE_MAX) {
            return self.fail(error::ABRT);
        }
        self.multiple = sectors;
        self.done();
    }

    pub(super) fn set_features(&mut self) {
        let mode = self.front.regs.sector_count[0];
        match self.front.regs.features[0] {
            0x02 => self.write_cache = true,
            // ATA/ATAPI-6, 8.46.4: what is in the cache is written first.
            0x82 => {
                self.write_cache = false;
                return self.flush();
            }
            // Look-ahead, and whether a software reset reverts settings: nothing to see from outside.
            0x55 | 0xAA | 0x66 | 0xCC => {}
            0x03 if mode <= 1 => self.transfer_mode = *XFER_PIO.start(),
            0x03 if XFER_PIO.contains(&mode) || XFER_MWDMA.contains(&mode) => self.transfer_mode = mode,
            _ => return self.fail(error::ABRT),
        }
        self.done();
    }
}
