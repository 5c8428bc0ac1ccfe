//! The 256 words of IDENTIFY PACKET DEVICE: ATA/ATAPI-6, 8.16.

use crate::piix3_ide::identify::{active_mode, bytes, set_text};

pub(super) const MODEL: &str = "POSADA DVD-ROM";

pub(super) fn identify(number: u8, transfer_mode: u8) -> Vec<u8> {
    let mut words = [0u16; 256];
    // Packet device, CD-ROM, removable, DRQ within 50 us of PACKET and without an interrupt, packets of 12 bytes.
    words[0] = 0x85C0;
    set_text(&mut words[10..20], &format!("PSC{number:05}"));
    set_text(&mut words[23..27], env!("CARGO_PKG_VERSION"));
    set_text(&mut words[27..47], MODEL);
    words[49] = 0x0F00; // IORDY, LBA, DMA
    words[51] = 0x0200; // PIO timing of old editions
    words[53] = 0x0002; // words 64-70 are valid; 88 is not
    words[63] = 0x0007 | active_mode(transfer_mode); // multiword DMA 0-2
    words[64] = 0x0003; // PIO 3 and 4
    words[65..69].fill(120); // ns a cycle
    words[80] = 0x007E; // ATA-1 to ATA/ATAPI-6
    (words[82], words[85]) = (0x0218, 0x0218); // power management, PACKET, DEVICE RESET
    (words[83], words[84], words[87]) = (0x4000, 0x4000, 0x4000);
    bytes(&words)
}
