//! The firmware of a script: starts the ROM as a system BIOS would, then does step after step.

use crate::bench::Step;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// Where the firmware starts, below 1 MiB; the ROM's image is 64 KiB before it.
const FIRMWARE: usize = 0x1_0000;
/// What calls and port reads gave, one slot after another.
pub const RESULTS: u64 = 0x6_0000;
pub const SLOT: u64 = 32;
/// What comes out of the exit port after the script if the caller's stack and data segment are as they were.
pub const GOOD: u32 = 0x51;

/// 128 KiB: the ROM, and 64 KiB later what runs the script.
pub fn firmware(steps: &[Step]) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    start(&mut a)?;
    adapter(&mut a)?;
    // CALL C000:0003.
    a.db(&[0x9A, 0x03, 0x00, 0x00, 0xC0])?;
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    let mut slot = 0;
    for step in steps {
        emit(&mut a, *step, slot)?;
        slot += i32::from(step.is_answered());
    }
    finish(&mut a)?;
    let code = a.assemble(0)?;
    let mut image = bios::video::rom();
    image.resize(FIRMWARE, 0);
    image.extend(code);
    assert!(image.len() <= 2 * FIRMWARE - 16, "the script is too long");
    image.resize(2 * FIRMWARE, 0);
    // JMP F000:0000.
    image[2 * FIRMWARE - 16..][..5].copy_from_slice(&[0xEA, 0, 0, 0x00, 0xF0]);
    Ok(image)
}

/// A stack, RAM at C0000h (82441FX, "PAM"), the ROM in it, and PS/2 style vectors that do nothing.
fn start(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.cli()?;
    a.cld()?;
    a.xor(ax, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, 0x7C00)?;
    configuration(a, 0x8000_0058)?;
    a.mov(dx, 0xCFE)?;
    a.mov(ax, 0x3333)?;
    a.out(dx, ax)?;
    a.push(0xE000)?;
    a.pop(ds)?;
    a.push(0xC000)?;
    a.pop(es)?;
    a.xor(si, si)?;
    a.xor(di, di)?;
    a.mov(cx, 0x4000)?;
    a.rep().movsw()
}

/// Gives the display adapter its addresses, wherever it is on bus 0.
fn adapter(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let [mut next, mut found, mut done] = std::array::from_fn(|_| a.create_label());
    a.mov(ebx, 0x8000_0000_u32)?;
    a.set_label(&mut next)?;
    a.mov(eax, ebx)?;
    a.mov(dx, 0xCF8)?;
    a.out(dx, eax)?;
    a.mov(dx, 0xCFC)?;
    a.in_(eax, dx)?;
    a.cmp(eax, 0x1111_1234_u32)?;
    a.je(found)?;
    a.add(ebx, 0x800)?;
    a.cmp(ebx, 0x8001_0000_u32)?;
    a.jb(next)?;
    a.jmp(done)?;
    a.set_label(&mut found)?;
    for (register, value) in [(0x10, 0xE000_0000_u32), (0x18, 0xFEB0_0000), (0x04, 3)] {
        a.lea(eax, ptr(ebx + register))?;
        a.mov(dx, 0xCF8)?;
        a.out(dx, eax)?;
        a.mov(dx, 0xCFC)?;
        a.mov(eax, value)?;
        a.out(dx, eax)?;
    }
    a.set_label(&mut done)?;
    a.nop()
}

fn configuration(a: &mut CodeAssembler, address: u32) -> Result<(), IcedError> {
    a.mov(eax, address)?;
    a.mov(dx, 0xCF8)?;
    a.out(dx, eax)
}

fn emit(a: &mut CodeAssembler, step: Step, slot: i32) -> Result<(), IcedError> {
    match step {
        Step::Call(registers) => {
            a.push(0x2000)?;
            a.pop(es)?;
            a.mov(bp, u32::from(registers.bp))?;
            a.mov(di, u32::from(registers.di))?;
            a.mov(si, u32::from(registers.si))?;
            a.mov(dx, u32::from(registers.dx))?;
            a.mov(cx, u32::from(registers.cx))?;
            a.mov(bx, u32::from(registers.bx))?;
            a.mov(ax, u32::from(registers.ax))?;
            a.int(0x10)?;
        }
        Step::Out(port, value) => {
            a.mov(dx, u32::from(port))?;
            a.mov(al, u32::from(value))?;
            return a.out(dx, al);
        }
        Step::In(port) => {
            a.mov(dx, u32::from(port))?;
            a.in_(al, dx)?;
        }
        Step::Poke(address, value) => {
            a.push((address >> 4) as i32)?;
            a.pop(es)?;
            return a.mov(byte_ptr(address & 15).es(), u32::from(value));
        }
        Step::Peek(address) => {
            a.push((address >> 4) as i32)?;
            a.pop(es)?;
            a.mov(al, byte_ptr(address & 15).es())?;
        }
    }
    store(a, slot)
}

/// All registers, into slot `slot` of the results.
fn store(a: &mut CodeAssembler, slot: i32) -> Result<(), IcedError> {
    let at = slot * SLOT as i32;
    a.push(ds)?;
    a.push((RESULTS >> 4) as i32)?;
    a.pop(ds)?;
    a.mov(word_ptr(at), ax)?;
    a.mov(word_ptr(at + 2), bx)?;
    a.mov(word_ptr(at + 4), cx)?;
    a.mov(word_ptr(at + 6), dx)?;
    a.mov(word_ptr(at + 8), si)?;
    a.mov(word_ptr(at + 10), di)?;
    a.mov(word_ptr(at + 12), bp)?;
    a.mov(word_ptr(at + 14), es)?;
    a.pop(ds)
}

/// Ends the machine, with the good value if SP and DS are what they were.
fn finish(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let [mut bad, mut for_ever] = std::array::from_fn(|_| a.create_label());
    a.mov(bx, GOOD)?;
    a.cmp(sp, 0x7C00)?;
    a.jne(bad)?;
    a.mov(ax, ds)?;
    a.test(ax, ax)?;
    let mut good = a.create_label();
    a.jz(good)?;
    a.set_label(&mut bad)?;
    a.mov(bx, GOOD + 1)?;
    a.set_label(&mut good)?;
    a.mov(al, bl)?;
    a.mov(dx, 0x501)?;
    a.out(dx, al)?;
    a.set_label(&mut for_ever)?;
    a.hlt()?;
    a.jmp(for_ever)
}
