//! The video BIOS: an option ROM at C0000h for the VGA with Bochs VBE extensions, PCI 1234:1111.
//!
//! INT 10h follows the "IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference", "Interrupt
//! 10h", and Ralf Brown's Interrupt List; `vbe` follows VESA's "VBE Core Functions Standard, Version 3.0". Registers
//! are the VGA's; VBE modes are set by the DISPI ports (QEMU, docs/specs/standard-vga).
//!
//! Left out: the light pen, other adapters beside this one, the alternate print screen routine, fonts and palettes of
//! a save pointer table, and the protected-mode interface of VBE. In VBE modes with more than 8 bits per dot, the
//! characters of INT 10h are white.

mod alternate;
mod assembler;
mod characters;
mod cursor;
mod entry;
pub mod font;
mod font_functions;
mod glyphs;
mod layout;
mod mode_set;
mod modes;
mod palette;
mod palette_functions;
mod pixels;
mod registers;
mod scroll;
mod state;
mod tables;
mod teletype;
mod vbe;

use assembler::{Assembled, Assembler};
use iced_x86::IcedError;

/// Bytes of the ROM.
pub const SIZE: usize = 32 << 10;
/// Where the ROM is seen.
const SEGMENT: u16 = 0xC000;
/// Offset of the byte that makes the sum of all bytes zero.
const CHECKSUM: usize = 6;
/// Offset of the PCI data structure.
const PCI_DATA: usize = 0x40;

/// The ROM image.
///
/// # Panics
/// Never: tables and routines are constants, and the test below assembles them.
pub fn rom() -> Vec<u8> {
    let (tables, bytes, start) = tables::build();
    let Assembled { code, jumps } =
        assemble(tables, start).expect("the routines are constants that assemble");
    let mut rom = vec![0; SIZE];
    assert!(start + code.len() <= SIZE, "code ends at {:#x}", start + code.len());
    tables::place(&mut rom, &bytes, &jumps);
    rom[start..start + code.len()].copy_from_slice(&code);
    header(&mut rom, start);
    let sum = rom.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    rom[CHECKSUM] = sum.wrapping_neg();
    rom
}

/// All routines; the first is the one that the ROM starts with.
fn assemble(tables: tables::Tables, origin: usize) -> Result<Assembled, IcedError> {
    let a = &mut Assembler::new(tables)?;
    for part in [
        entry::emit,
        mode_set::emit,
        registers::emit,
        cursor::emit,
        scroll::emit,
        characters::emit,
        glyphs::emit,
        pixels::emit,
        teletype::emit,
        palette_functions::emit,
        font_functions::emit,
        alternate::emit,
        state::emit,
        vbe::emit,
    ] {
        part(a)?;
    }
    std::mem::replace(a, Assembler::new(tables)?).assemble(origin)
}

/// The first 60h bytes (PCI Firmware Specification 3.0, 5.1, "PCI Expansion ROM Contents").
fn header(rom: &mut [u8], start: usize) {
    let blocks = u8::try_from(SIZE / 512).expect("64 blocks");
    rom[..3].copy_from_slice(&[0x55, 0xAA, blocks]);
    let jump = u16::try_from(start - CHECKSUM).expect("the ROM has 32 KiB").to_le_bytes();
    rom[3..6].copy_from_slice(&[0xE9, jump[0], jump[1]]);
    rom[0x18] = u8::try_from(PCI_DATA).expect("in the first 256 bytes");
    // Programs look for these letters here to know a VGA from older adapters.
    rom[0x1E..0x30].copy_from_slice(b"IBM VGA compatible");
    let data = &mut rom[PCI_DATA..PCI_DATA + 0x18];
    data[..4].copy_from_slice(b"PCIR");
    // Vendor and device; length and revision of the structure; class code: VGA display.
    data[4..8].copy_from_slice(&[0x34, 0x12, 0x11, 0x11]);
    data[0x0A..0x10].copy_from_slice(&[0x18, 0, 0, 0x00, 0x00, 0x03]);
    // Image length, code revision, PC-AT code, last image.
    data[0x10..0x16].copy_from_slice(&[blocks, 0, 0, 0, 0x00, 0x80]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rom_is_an_option_rom() {
        let rom = rom();
        assert_eq!(rom.len(), SIZE);
        assert_eq!(rom[..3], [0x55, 0xAA, 64]);
        assert_eq!(rom.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
        assert_eq!(rom[PCI_DATA..PCI_DATA + 8], *b"PCIR\x34\x12\x11\x11");
        assert_eq!(usize::from(rom[0x18]), PCI_DATA);
        let free = rom.iter().rev().take_while(|byte| **byte == 0).count();
        assert!(free > 256, "{free} bytes are left");
    }
}
