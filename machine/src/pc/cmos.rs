//! What a PC keeps in CMOS beside the clock (IBM PC/AT Technical Reference, "CMOS RAM Address Map"; QEMU and SeaBIOS
//! for the registers above 4 GiB and the boot order).

use super::layout::{EBDA, Layout, MEGABYTE};

/// Register numbers.
mod register {
    pub(super) const DISKETTE_TYPES: u8 = 0x10;
    pub(super) const EQUIPMENT: u8 = 0x14;
    pub(super) const BASE_KIB: u8 = 0x15;
    pub(super) const EXTENDED_KIB: [u8; 2] = [0x17, 0x30];
    pub(super) const ABOVE_16_MIB: u8 = 0x34;
    pub(super) const BOOT_THIRD: u8 = 0x38;
    pub(super) const BOOT_FIRST_SECOND: u8 = 0x3D;
    pub(super) const ABOVE_4_GIB: u8 = 0x5B;
    pub(super) const MORE_CPUS: u8 = 0x5F;
}

/// Equipment byte: diskette drives present, 80x25 colour left to the VGA's BIOS, coprocessor, keyboard and display.
const DISKETTE: u8 = 1 << 0;
const COPROCESSOR: u8 = 1 << 1;
const DISPLAY_KEYBOARD: u8 = 0b11 << 2;
const SECOND_DISKETTE: u8 = 1 << 6;

/// Boot devices as SeaBIOS numbers them: 1 diskette, 2 hard disk, 3 CD-ROM. Bit 0 of the third's register would
/// switch the signature check of diskettes off.
const FIRST_SECOND: u8 = 0x12;
const THIRD: u8 = 0x30;

fn word(low: u8, value: u64) -> [(u8, u8); 2] {
    let [a, b] = u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes();
    [(low, a), (low + 1, b)]
}

/// Register and value of everything that the board sets. `drives` are the diskette drive types.
pub(super) fn contents(layout: &Layout, drives: [u8; 2]) -> Vec<(u8, u8)> {
    let low = layout.low_end();
    let extended = low.saturating_sub(MEGABYTE) >> 10;
    let [a, b, c, _] = u32::try_from(layout.high() >> 16).unwrap_or(u32::MAX).to_le_bytes();
    let present = |drive: u8, bit: u8| if drive == 0 { 0 } else { bit };
    let equipment =
        DISPLAY_KEYBOARD | COPROCESSOR | present(drives[0], DISKETTE) | present(drives[1], SECOND_DISKETTE);
    let mut bytes = vec![
        (register::DISKETTE_TYPES, drives[0] << 4 | drives[1]),
        (register::EQUIPMENT, equipment),
        (register::BOOT_THIRD, THIRD),
        (register::BOOT_FIRST_SECOND, FIRST_SECOND),
        (register::ABOVE_4_GIB, a),
        (register::ABOVE_4_GIB + 1, b),
        (register::ABOVE_4_GIB + 2, c),
        (register::MORE_CPUS, 0),
    ];
    bytes.extend(word(register::BASE_KIB, EBDA.next_multiple_of(1 << 16) >> 10));
    for low in register::EXTENDED_KIB {
        bytes.extend(word(low, extended));
    }
    bytes.extend(word(register::ABOVE_16_MIB, low.saturating_sub(16 << 20) >> 16));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(memory: u64, register: u8) -> u8 {
        let bytes = contents(&Layout::new(memory), [4, 0]);
        bytes.iter().find(|(index, _)| *index == register).expect("set").1
    }

    #[test]
    fn five_gibibytes() {
        let memory = 5 << 30;
        assert_eq!([register(memory, 0x15), register(memory, 0x16)], 640u16.to_le_bytes());
        assert_eq!([register(memory, 0x30), register(memory, 0x31)], [0xFF; 2]);
        // 3 GiB - 16 MiB in units of 64 KiB.
        assert_eq!([register(memory, 0x34), register(memory, 0x35)], 0xBF00u16.to_le_bytes());
        // 2 GiB in units of 64 KiB.
        assert_eq!([0x5B, 0x5C, 0x5D].map(|n| register(memory, n)), [0x00, 0x80, 0x00]);
    }

    #[test]
    fn eight_mebibytes() {
        let memory = 8 << 20;
        assert_eq!([register(memory, 0x17), register(memory, 0x18)], 7168u16.to_le_bytes());
        assert_eq!([register(memory, 0x34), register(memory, 0x35)], [0, 0]);
        assert_eq!((register(memory, 0x10), register(memory, 0x14)), (0x40, 0x0F));
    }
}
