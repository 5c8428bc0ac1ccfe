//! Pieces of x87 code for random programs, and data that is worth computing with.

use super::Numbers;
use iced_x86::{Decoder, DecoderOptions, Mnemonic};

/// Contents of memory: numbers of all three formats, small integers, and what is at the edges.
pub fn data(numbers: &mut Numbers, bytes: usize) -> Vec<u8> {
    let mut data = Vec::new();
    while data.len() < bytes {
        match numbers.below(8) {
            0 => data.extend(numbers.next().to_le_bytes()),
            1 => data.extend((numbers.below(200) as f32 - 100.0).to_le_bytes()),
            2 => data.extend(f32::from_bits(edge32(numbers)).to_le_bytes()),
            3 | 4 => data.extend((numbers.below(2000) as f64 / 7.0 - 100.0).to_le_bytes()),
            5 => data.extend(edge64(numbers).to_le_bytes()),
            6 => {
                data.extend((numbers.next() | 1 << 63).to_le_bytes());
                data.extend((0x3FF0 + numbers.below(32) as u16).to_le_bytes());
            }
            _ => {
                data.extend((edge64(numbers) << 11).to_le_bytes());
                data.extend(
                    [0u16, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFE][numbers.below(6) as usize].to_le_bytes(),
                );
            }
        }
    }
    data.truncate(bytes);
    data
}

const fn exponents(numbers: u64) -> u64 {
    [0, 1, 0x7FF, 0x7FE][numbers as usize]
}

fn edge64(numbers: &mut Numbers) -> u64 {
    let significand = [0, 1, 1 << 51, (1 << 52) - 1, 3 << 50][numbers.below(5) as usize];
    numbers.below(2) << 63 | exponents(numbers.below(4)) << 52 | significand
}

fn edge32(numbers: &mut Numbers) -> u32 {
    let significand = [0, 1, 1 << 22, (1 << 23) - 1][numbers.below(4) as usize];
    (numbers.below(2) as u32) << 31 | (exponents(numbers.below(4)) as u32 & 0xFF) << 23 | significand
}

/// A register file with something in it; all exceptions masked.
pub fn state(numbers: &mut Numbers) -> emu_core::vcpu::X87 {
    let mut x87 = emu_core::vcpu::X87::default();
    for r in &mut x87.r {
        let bytes = data(numbers, 10);
        r.significand = u64::from_le_bytes(std::array::from_fn(|n| bytes[n]));
        r.exponent = u16::from_le_bytes([bytes[8], bytes[9]]);
    }
    x87.empty = numbers.next() as u8;
    x87.status = numbers.next() as u16 & 0x7F7F;
    x87.control = control(numbers);
    (x87.ip, x87.dp, x87.opcode) = (numbers.below(1 << 32), numbers.below(1 << 32), 0x123);
    x87
}

/// A control word with all exceptions masked.
fn control(numbers: &mut Numbers) -> u16 {
    0x007F
        | (numbers.below(4) as u16) << 8
        | (numbers.below(4) as u16) << 10
        | (numbers.below(2) as u16) << 12
}

fn pick<'a>(numbers: &mut Numbers, from: &[&'a [u8]]) -> &'a [u8] {
    from[numbers.below(from.len() as u64) as usize]
}

/// An operand of `size` bytes at a register that programs keep; the last one points to the end of a page.
fn memory(numbers: &mut Numbers, reg: u8) -> [u8; 2] {
    let base = [3, 6, 7][numbers.below(3) as usize];
    [0x40 | reg << 3 | base, numbers.next() as u8]
}

/// One or a few instructions.
pub fn piece(numbers: &mut Numbers, bits: u32) -> Vec<u8> {
    const LOADS: &[&[u8]] = &[
        &[0xD9, 0xE8],
        &[0xD9, 0xEB],
        &[0xD9, 0xE9],
        &[0xD9, 0xEA],
        &[0xD9, 0xEC],
        &[0xD9, 0xED],
        &[0xD9, 0xEE],
    ];
    const OFTEN: &[&[u8]] = &[
        &[0xDF, 0xE0],             // fnstsw ax
        &[0xDF, 0xE0, 0x9E],       // and sahf
        &[0xDB, 0xE2],             // fnclex
        &[0xD9, 0xE5],             // fxam
        &[0xD9, 0xFA],             // fsqrt
        &[0xD9, 0xFC],             // frndint
        &[0xD9, 0xFD],             // fscale
        &[0xDD, 0xC0],             // ffree st(0)
        &[0xDD, 0xC3],             // ffree st(3)
        &[0xD9, 0xF6],             // fdecstp
        &[0xD9, 0xF7],             // fincstp
        &[0x9B],                   // fwait
        &[0x0F, 0xFC, 0xC8],       // paddb mm1, mm0
        &[0x0F, 0x6F, 0x43, 0x08], // movq mm0, [rbx+8]
        &[0x0F, 0x77],             // emms
    ];
    match numbers.below(24) {
        0 => pick(numbers, LOADS).to_vec(),
        1 | 2 => pick(numbers, OFTEN).to_vec(),
        3 => {
            // mov word [rbx+d], control; fldcw [rbx+d]
            let d = numbers.next() as u8;
            let word = if numbers.below(40) == 0 { numbers.next() as u16 & 0xFF3F } else { control(numbers) };
            let [low, high] = word.to_le_bytes();
            vec![0x66, 0xC7, 0x43, d, low, high, 0xD9, 0x6B, d]
        }
        4 => {
            let d = numbers.below(8) as u8 * 16;
            match numbers.below(4) {
                0 => vec![0x0F, 0xAE, 0x43, d], // fxsave, fxrstor
                1 => vec![0x0F, 0xAE, 0x43, d, 0x0F, 0xAE, 0x4B, d],
                2 => vec![0xD9, 0x73, d, 0xD9, 0x63, d], // fnstenv, fldenv
                _ => vec![0xDD, 0x73, d, 0xDD, 0x63, d], // fnsave, frstor
            }
        }
        5 => vec![0xDB, 0xE3, 0xDD, 0x43, numbers.next() as u8, 0xDD, 0x46, numbers.next() as u8],
        _ => instruction(numbers, bits),
    }
}

/// Any x87 instruction but those that load a whole environment.
fn instruction(numbers: &mut Numbers, bits: u32) -> Vec<u8> {
    loop {
        let mut bytes = Vec::new();
        if numbers.below(8) == 0 {
            bytes.push([0x64, 0x36, 0x3E][numbers.below(3) as usize]);
        }
        bytes.push(0xD8 + numbers.below(8) as u8);
        let reg = numbers.below(8) as u8;
        if numbers.below(2) == 0 {
            bytes.extend(memory(numbers, reg));
        } else {
            bytes.push(0xC0 | reg << 3 | numbers.below(8) as u8);
        }
        let i = Decoder::new(bits, &bytes, DecoderOptions::NONE).decode();
        let whole = matches!(i.mnemonic(), Mnemonic::Fldenv | Mnemonic::Frstor | Mnemonic::Fldcw);
        let rare = matches!(i.mnemonic(), Mnemonic::Fninit | Mnemonic::Fnsave);
        if !i.is_invalid() && !whole && (!rare || numbers.below(8) == 0) {
            return bytes;
        }
    }
}
