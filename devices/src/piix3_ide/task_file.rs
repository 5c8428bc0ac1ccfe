//! The command block registers: ATA/ATAPI-6, 7 "Interface register definitions". Each device has its own; both take
//! every write.

use bitfield_struct::bitfield;
use serde::{Deserialize, Serialize};

/// An offset in the command block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Data,
    /// Read Error, write Features.
    ErrorFeatures,
    SectorCount,
    LbaLow,
    LbaMid,
    LbaHigh,
    Device,
    /// Read Status, write Command.
    StatusCommand,
}

impl Register {
    pub(super) fn decode(offset: u64) -> Self {
        match offset & 7 {
            0 => Self::Data,
            1 => Self::ErrorFeatures,
            2 => Self::SectorCount,
            3 => Self::LbaLow,
            4 => Self::LbaMid,
            5 => Self::LbaHigh,
            6 => Self::Device,
            _ => Self::StatusCommand,
        }
    }
}

/// The Device register (Device/Head in older editions).
#[bitfield(u8)]
pub(super) struct DeviceRegister {
    #[bits(4)]
    pub(super) head: u8,
    /// DEV: device 1 is selected.
    pub(super) second: bool,
    __: bool,
    pub(super) lba: bool,
    __: bool,
}

/// The Device Control register.
#[bitfield(u8)]
pub(super) struct DeviceControl {
    __: bool,
    /// nIEN: INTRQ is not driven.
    pub(super) interrupts_off: bool,
    pub(super) software_reset: bool,
    #[bits(4)]
    __: u8,
    /// HOB: the previous content of the two-deep registers is read.
    pub(super) high_order_byte: bool,
}

/// A register that remembers its previous content (48-bit Address feature set).
pub(super) type TwoDeep = [u8; 2];

/// How many sectors a command is for, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressing {
    /// 28-bit LBA or CHS; 8-bit count.
    Bits28,
    /// The EXT commands: 48-bit LBA, 16-bit count.
    Bits48,
}

/// Cylinders do not bound an address: the size of the disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Translation {
    /// 1 to 16.
    pub(super) heads: u8,
    /// 1 to 255.
    pub(super) sectors: u8,
}

/// ATA/ATAPI-6, 9.12 "Signature and persistence".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Ata,
    Packet,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskFile {
    pub(super) features: TwoDeep,
    pub(super) sector_count: TwoDeep,
    pub(super) lba_low: TwoDeep,
    pub(super) lba_mid: TwoDeep,
    pub(super) lba_high: TwoDeep,
    pub(super) device: u8,
}

impl TaskFile {
    pub(super) fn device(&self) -> DeviceRegister {
        DeviceRegister::from_bits(self.device)
    }

    /// What a device leaves after a reset or diagnostic. The Device register is the channel's to clear: a packet
    /// device shows its signature also when it must not be deselected.
    pub(super) fn set_signature(&mut self, signature: Signature) {
        let [mid, high] = match signature {
            Signature::Ata => [0x00, 0x00],
            Signature::Packet => [0x14, 0xEB],
        };
        (self.sector_count, self.lba_low) = ([1, 0], [1, 0]);
        (self.lba_mid, self.lba_high) = ([mid, 0], [high, 0]);
    }

    pub(super) fn count(&self, addressing: Addressing) -> u32 {
        let [low, high] = self.sector_count;
        match addressing {
            Addressing::Bits28 if low == 0 => 256,
            Addressing::Bits28 => low.into(),
            Addressing::Bits48 if low == 0 && high == 0 => 65_536,
            Addressing::Bits48 => u16::from_le_bytes([low, high]).into(),
        }
    }

    /// The first sector; `None` if the CHS address cannot exist.
    pub(super) fn address(&self, addressing: Addressing, translation: Translation) -> Option<u64> {
        let ([low, low2], [mid, mid2], [high, high2]) = (self.lba_low, self.lba_mid, self.lba_high);
        let head = self.device().head();
        match addressing {
            Addressing::Bits48 => Some(u64::from_le_bytes([low, mid, high, low2, mid2, high2, 0, 0])),
            Addressing::Bits28 if self.device().lba() => {
                Some(u32::from_le_bytes([low, mid, high, head]).into())
            }
            Addressing::Bits28 => {
                let Translation { heads, sectors } = translation;
                let exists = head < heads && (1..=sectors).contains(&low);
                let track = u64::from(u16::from_le_bytes([mid, high])) * u64::from(heads) + u64::from(head);
                exists.then(|| track * u64::from(sectors) + u64::from(low) - 1)
            }
        }
    }

    /// Shows where a command has stopped, in the terms it was given in.
    pub(super) fn show_address(&mut self, lba: u64, addressing: Addressing, translation: Translation) {
        let [b0, b1, b2, b3, b4, b5, _, _] = lba.to_le_bytes();
        match addressing {
            Addressing::Bits48 => {
                (self.lba_low, self.lba_mid, self.lba_high) = ([b0, b3], [b1, b4], [b2, b5]);
            }
            Addressing::Bits28 if self.device().lba() => {
                (self.lba_low[0], self.lba_mid[0], self.lba_high[0]) = (b0, b1, b2);
                self.device = self.device().with_head(b3 & 0xF).into_bits();
            }
            Addressing::Bits28 => {
                let Translation { heads, sectors } = translation;
                let (track, sector) = (lba / u64::from(sectors), lba % u64::from(sectors));
                let [c0, c1, ..] = (track / u64::from(heads)).to_le_bytes();
                self.lba_low[0] = (sector as u8).wrapping_add(1);
                (self.lba_mid[0], self.lba_high[0]) = (c0, c1);
                self.device = self.device().with_head((track % u64::from(heads)) as u8 & 0xF).into_bits();
            }
        }
    }

    /// Reads a register that is the task file's; of a two-deep one the previous content if `deep`.
    pub(super) fn read(&self, register: Register, deep: bool) -> u8 {
        let deep = usize::from(deep);
        match register {
            Register::SectorCount => self.sector_count[deep],
            Register::LbaLow => self.lba_low[deep],
            Register::LbaMid => self.lba_mid[deep],
            Register::LbaHigh => self.lba_high[deep],
            // Bits 7 and 5 read as ones since ATA-1.
            Register::Device => self.device | 0xA0,
            Register::Data | Register::ErrorFeatures | Register::StatusCommand => 0xFF,
        }
    }

    /// Writes a two-deep register or the device register; the others are not the task file's.
    pub(super) fn write(&mut self, register: Register, value: u8) {
        let push = |two: &mut TwoDeep| *two = [value, two[0]];
        match register {
            Register::ErrorFeatures => push(&mut self.features),
            Register::SectorCount => push(&mut self.sector_count),
            Register::LbaLow => push(&mut self.lba_low),
            Register::LbaMid => push(&mut self.lba_mid),
            Register::LbaHigh => push(&mut self.lba_high),
            Register::Device => self.device = value,
            Register::Data | Register::StatusCommand => {}
        }
    }
}
