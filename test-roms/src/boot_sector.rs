//! A boot sector that says hello on the screen and on COM1, and reads the sector after it through INT 13h.

use crate::{exit, port};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// Bytes in a sector.
pub const SECTOR: usize = 512;
/// Bytes on a 1.44 MB diskette.
const DISKETTE: usize = 2880 * SECTOR;

/// What appears on the screen and on COM1 when the sector runs.
pub const HELLO: &str = "POSADA TEST SECTOR OK\r\n";
/// ... and when the second sector was read and is right.
pub const SECOND_GOOD: &str = "SECOND SECTOR OK\r\n";
pub const SECOND_WRONG: &str = "SECOND SECTOR WRONG\r\n";
pub const READ_ERROR: &str = "READ ERROR\r\n";

const TEXT: [&str; 4] = [HELLO, SECOND_GOOD, SECOND_WRONG, READ_ERROR];

/// Where a BIOS loads the boot sector, and below it our stack.
const ORIGIN: u64 = 0x7C00;
/// Where the texts start in the sector; code must end before.
const TEXTS: usize = 0x100;
/// Where the second sector goes.
const BUFFER: u32 = 0x8000;
/// The first byte of the partition table of a hard disk: code must end before it.
const PARTITION_TABLE: usize = 0x1BE;

/// What the second sector holds at `n`.
const fn pattern(n: usize) -> u8 {
    (n as u8).wrapping_mul(7).wrapping_add(3)
}

/// Both sectors.
///
/// # Panics
/// Never: the program is a constant, and the test below assembles it.
pub fn sectors() -> Vec<u8> {
    let mut image = assemble().expect("the program is a constant that assembles");
    assert!(image.len() <= TEXTS, "the program ends before its texts");
    image.resize(TEXTS, 0);
    for text in TEXT {
        image.extend(text.bytes().chain([0]));
    }
    assert!(image.len() <= PARTITION_TABLE, "the texts end before the partition table");
    image.resize(SECTOR - 2, 0);
    image.extend([0x55, 0xAA]);
    image.extend((0..SECTOR).map(pattern));
    image
}

/// A 1.44 MB diskette that starts with the two sectors.
pub fn diskette() -> Vec<u8> {
    let mut image = sectors();
    image.resize(DISKETTE, 0);
    image
}

/// A disk of `sectors` sectors, at least two, that starts with the two sectors. It has no partitions.
pub fn disk(sectors: usize) -> Vec<u8> {
    let mut image = self::sectors();
    image.resize(image.len().max(sectors.saturating_mul(SECTOR)), 0);
    image
}

/// Where each text is, as [`sectors`] lays them out.
fn texts() -> [u32; 4] {
    let mut at = ORIGIN as u32 + TEXTS as u32;
    TEXT.map(|text| {
        let here = at;
        at += text.len() as u32 + 1;
        here
    })
}

fn assemble() -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    let mut print = a.create_label();
    let [hello, good, wrong, error] = texts();
    let [mut read, mut is_read, mut compare, mut is_wrong, mut leave] =
        std::array::from_fn(|_| a.create_label());

    // Flat segments; the drive number stays in DL.
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, ORIGIN as u32)?;
    a.cld()?;
    a.mov(si, hello)?;
    a.call(print)?;

    // INT 13h AH=02h: one sector, cylinder 0, head 0, sector 2. Diskettes may fail at first: three tries.
    a.mov(di, 3)?;
    a.set_label(&mut read)?;
    a.mov(ax, 0x0201)?;
    a.mov(bx, BUFFER)?;
    a.mov(cx, 0x0002)?;
    a.mov(dh, 0)?;
    a.int(0x13)?;
    a.jnc(is_read)?;
    a.mov(ah, 0)?;
    a.int(0x13)?;
    a.dec(di)?;
    a.jnz(read)?;
    a.mov(si, error)?;
    a.mov(bp, u32::from(exit::READ_ERROR))?;
    a.jmp(leave)?;

    // The pattern: 7 n + 3.
    a.set_label(&mut is_read)?;
    a.mov(si, BUFFER)?;
    a.mov(cx, SECTOR as u32)?;
    a.mov(ah, u32::from(pattern(0)))?;
    a.set_label(&mut compare)?;
    a.lodsb()?;
    a.cmp(al, ah)?;
    a.jne(is_wrong)?;
    a.add(ah, 7)?;
    a.loop_(compare)?;
    a.mov(si, good)?;
    a.mov(bp, u32::from(exit::PASSED))?;
    a.jmp(leave)?;
    a.set_label(&mut is_wrong)?;
    a.mov(si, wrong)?;
    a.mov(bp, u32::from(exit::WRONG_CONTENT))?;

    a.set_label(&mut leave)?;
    a.call(print)?;
    leave_with_bp(&mut a)?;
    print_routine(&mut a, &mut print)?;
    a.assemble(ORIGIN)
}

/// Ends the emulator with the value in BP; where there is no such port, halts.
fn leave_with_bp(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let mut for_ever = a.create_label();
    a.mov(ax, bp)?;
    a.mov(dx, u32::from(port::DEBUG_EXIT))?;
    a.out(dx, al)?;
    a.set_label(&mut for_ever)?;
    a.cli()?;
    a.hlt()?;
    a.jmp(for_ever)
}

/// Prints the string at SI, up to its zero, by INT 10h AH=0Eh and on COM1. Keeps DX.
fn print_routine(a: &mut CodeAssembler, print: &mut CodeLabel) -> Result<(), IcedError> {
    let [mut next, mut wait, mut done] = std::array::from_fn(|_| a.create_label());
    a.set_label(print)?;
    a.push(dx)?;
    a.set_label(&mut next)?;
    a.lodsb()?;
    a.test(al, al)?;
    a.jz(done)?;
    a.push(ax)?;
    a.mov(ah, 0x0E)?;
    a.mov(bx, 7)?;
    a.int(0x10)?;
    // LSR.THRE; reads as one where there is no UART.
    a.mov(dx, u32::from(port::COM1 + 5))?;
    a.set_label(&mut wait)?;
    a.in_(al, dx)?;
    a.test(al, 0x20)?;
    a.jz(wait)?;
    a.pop(ax)?;
    a.mov(dx, u32::from(port::COM1))?;
    a.out(dx, al)?;
    a.jmp(next)?;
    a.set_label(&mut done)?;
    a.pop(dx)?;
    a.ret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sectors_are_a_boot_sector_and_its_pattern() {
        let image = sectors();
        assert_eq!(image.len(), 2 * SECTOR);
        assert_eq!(image[510..512], [0x55, 0xAA]);
        assert_eq!(image[512..515], [3, 10, 17]);
        assert!(image.windows(HELLO.len()).any(|part| part == HELLO.as_bytes()));
        assert!(image[PARTITION_TABLE..510].iter().all(|byte| *byte == 0), "no partitions");
    }

    #[test]
    fn images_have_the_size_asked_for() {
        assert_eq!(diskette().len(), 1_474_560);
        assert_eq!(disk(4096).len(), 4096 * SECTOR);
        assert_eq!(disk(0).len(), 2 * SECTOR);
    }
}
