//! `$PIR`: how the pins of PCI slots reach interrupts (Microsoft, "PCI IRQ Routing Table Specification" 1.0).

use super::image::checksum;

const HEADER: usize = 32;
const SLOT: usize = 16;
/// Devices 1 to 31 of bus 0; device 0 is the host bridge.
const SLOTS: u8 = 31;
/// The PIIX3's "PIRQRCx" registers are the links' names.
const LINKS: u8 = 0x60;
const CHECKSUM: usize = 31;

/// The table: all pins rotate over the four links.
pub(super) fn table(pirq: [u8; 4]) -> Vec<u8> {
    let size = HEADER + SLOT * usize::from(SLOTS);
    let mut table = Vec::with_capacity(size);
    table.extend_from_slice(b"$PIR");
    table.extend_from_slice(&[0x00, 0x01]); // version 1.0
    table.extend_from_slice(&u16::try_from(size).expect("528").to_le_bytes());
    table.extend_from_slice(&[0, 1 << 3]); // the router: bus 0, device 1, function 0
    table.extend_from_slice(&[0, 0]); // no interrupt is PCI's alone
    table.extend_from_slice(&0x122E_8086u32.to_le_bytes()); // compatible with the PIIX
    table.resize(HEADER, 0);
    let mask = pirq.iter().fold(0u16, |mask, irq| mask | 1u16.checked_shl((*irq).into()).unwrap_or(0));
    for device in 1..=SLOTS {
        table.extend_from_slice(&[0, device << 3]);
        for pin in 0..4 {
            table.push(LINKS + (device - 1 + pin) % 4);
            table.extend_from_slice(&mask.to_le_bytes());
        }
        table.extend_from_slice(&[0, 0]); // on the board
    }
    table[CHECKSUM] = checksum(&table);
    table
}
