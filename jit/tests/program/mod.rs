//! Random loops: instructions of all translated families and some that are not, with branches, calls and pushes.

mod any;
pub mod x87;

pub use any::richest;

use crate::numbers::Numbers;
use iced_x86::{Decoder, DecoderOptions, FlowControl, InstructionInfoFactory, OpAccess, Register};

/// Opcodes with a ModRM byte; those of two bytes begin with 0F.
const WITH_MODRM: &[&[u8]] = &[
    &[0x00],
    &[0x01],
    &[0x02],
    &[0x03],
    &[0x08],
    &[0x09],
    &[0x0A],
    &[0x0B],
    &[0x10],
    &[0x11],
    &[0x12],
    &[0x13],
    &[0x18],
    &[0x19],
    &[0x1A],
    &[0x1B],
    &[0x20],
    &[0x21],
    &[0x22],
    &[0x23],
    &[0x28],
    &[0x29],
    &[0x2A],
    &[0x2B],
    &[0x30],
    &[0x31],
    &[0x32],
    &[0x33],
    &[0x38],
    &[0x39],
    &[0x3A],
    &[0x3B],
    &[0x80],
    &[0x81],
    &[0x83],
    &[0x84],
    &[0x85],
    &[0x86],
    &[0x87],
    &[0x88],
    &[0x89],
    &[0x8A],
    &[0x8B],
    &[0x8D],
    &[0xC0],
    &[0xC1],
    &[0xD0],
    &[0xD1],
    &[0xD2],
    &[0xD3],
    &[0xC6],
    &[0xC7],
    &[0xF6],
    &[0xF7],
    &[0xFE],
    &[0x69],
    &[0x6B],
    &[0x63],
    &[0x0F, 0xA3],
    &[0x0F, 0xAB],
    &[0x0F, 0xB3],
    &[0x0F, 0xBB],
    &[0x0F, 0xBA],
    &[0x0F, 0xA4],
    &[0x0F, 0xA5],
    &[0x0F, 0xAC],
    &[0x0F, 0xAD],
    &[0x0F, 0xAF],
    &[0x0F, 0xB0],
    &[0x0F, 0xB1],
    &[0x0F, 0xB6],
    &[0x0F, 0xB7],
    &[0x0F, 0xBE],
    &[0x0F, 0xBF],
    &[0x0F, 0xBC],
    &[0x0F, 0xBD],
    &[0x0F, 0xB8],
    &[0x0F, 0xC0],
    &[0x0F, 0xC1],
    &[0x0F, 0x1F],
];
/// Opcodes without one; a register may be added to those of a row of eight.
const WITHOUT: &[&[u8]] = &[
    &[0x04],
    &[0x05],
    &[0x14],
    &[0x15],
    &[0x1C],
    &[0x1D],
    &[0x24],
    &[0x25],
    &[0x2C],
    &[0x2D],
    &[0x3C],
    &[0x3D],
    &[0xA8],
    &[0xA9],
    &[0x98],
    &[0x99],
    &[0xF5],
    &[0xF8],
    &[0xF9],
    &[0x90],
    &[0x9E],
    &[0x9F],
    &[0x27],
];
const ROWS: &[&[u8]] = &[&[0x40], &[0x48], &[0x90], &[0xB0], &[0xB8], &[0x0F, 0xC8]];

/// Registers that hold the data's address, the counter and the stack pointer: programs do not write them.
pub const KEPT: [Register; 5] = [Register::RBX, Register::RSP, Register::RBP, Register::RSI, Register::RDI];

pub struct Program<'a> {
    pub numbers: &'a mut Numbers,
    pub bits: u32,
    pub kind: Kind,
    info: InstructionInfoFactory,
}

/// What a program is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// General instructions, mostly translated ones.
    General,
    /// Two of three instructions are x87's.
    X87,
    /// Half are any that the richest CPU model has: MMX, SSE, AVX, what only the interpreter knows.
    Any,
}

impl<'a> Program<'a> {
    pub fn new(numbers: &'a mut Numbers, bits: u32, kind: Kind) -> Self {
        Self { numbers, bits, kind, info: InstructionInfoFactory::new() }
    }

    fn pick<'b>(&mut self, from: &[&'b [u8]]) -> &'b [u8] {
        from[self.numbers.below(from.len() as u64) as usize]
    }

    /// Bytes that may be an instruction.
    fn draft(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.numbers.one_in(6) {
            bytes.push(0x66);
        }
        let kind = self.numbers.below(10);
        let conditional = self.numbers.one_in(8);
        let opcode: Vec<u8> = match kind {
            _ if conditional => {
                let row = if self.numbers.one_in(2) { 0x40 } else { 0x90 };
                vec![0x0F, row + self.numbers.below(16) as u8]
            }
            0 => self.pick(WITHOUT).to_vec(),
            1 => {
                let mut row = self.pick(ROWS).to_vec();
                *row.last_mut().expect("an opcode") += self.numbers.below(8) as u8;
                row
            }
            _ => self.pick(WITH_MODRM).to_vec(),
        };
        let counts = [&[0x0F, 0xBC][..], &[0x0F, 0xBD], &[0x0F, 0xB8]].contains(&&opcode[..]);
        if counts && self.numbers.one_in(2) {
            bytes.push(0xF3);
        }
        let memory = self.numbers.one_in(2);
        if self.bits == 64 && self.numbers.one_in(2) {
            // No other base register than those that hold addresses.
            let rex = 0x40 | self.numbers.below(16) as u8;
            bytes.push(if memory { rex & !3 } else { rex });
        }
        bytes.extend(&opcode);
        self.operands(&mut bytes, memory);
        bytes
    }

    /// A ModRM byte with what belongs to it, and bytes for an immediate.
    fn operands(&mut self, bytes: &mut Vec<u8>, memory: bool) {
        let reg = self.numbers.below(8) as u8;
        if memory {
            // BX, SI and DI
            let bases = if self.bits == 16 { [7, 4, 5] } else { [3, 6, 7] };
            bytes.push(0x40 | reg << 3 | bases[self.numbers.below(3) as usize]);
            bytes.push(self.numbers.next() as u8);
        } else {
            bytes.push(0xC0 | reg << 3 | self.numbers.below(8) as u8);
        }
        bytes.extend(self.numbers.next().to_le_bytes());
    }

    /// One instruction that leaves the kept registers alone.
    pub fn instruction(&mut self) -> Vec<u8> {
        loop {
            let any = self.kind == Kind::Any && self.numbers.one_in(2);
            let mut bytes = if any { any::draft(self) } else { self.draft() };
            let i = Decoder::new(self.bits, &bytes, DecoderOptions::NONE).decode();
            if i.is_invalid() || i.flow_control() != FlowControl::Next || any::is_unfit(&i) {
                continue;
            }
            if any::may_end_the_run(&i) && !self.numbers.one_in(4) {
                continue;
            }
            let writes = |access| {
                !matches!(
                    access,
                    OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
                )
            };
            let used = self.info.info(&i).used_registers();
            if used.iter().any(|r| writes(r.access()) && KEPT.contains(&r.register().full_register())) {
                continue;
            }
            bytes.truncate(i.len());
            return bytes;
        }
    }

    fn piece(&mut self) -> Vec<u8> {
        if self.kind == Kind::X87 && !self.numbers.one_in(3) {
            x87::piece(self.numbers, self.bits)
        } else {
            self.instruction()
        }
    }

    fn run(&mut self, most: u64) -> Vec<u8> {
        let count = 1 + self.numbers.below(most);
        (0..count).flat_map(|_| self.piece()).collect()
    }

    /// Bytes of a near transfer's distance.
    fn distance(&self) -> usize {
        if self.bits == 16 { 2 } else { 4 }
    }

    /// `l: ...; dec ebp; jnz l; jmp $; f: ...; ret`.
    pub fn looping(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut calls = Vec::new();
        for _ in 0..2 + self.numbers.below(8) {
            match self.numbers.below(8) {
                0 => {
                    let skipped = self.run(3);
                    // Jcc, LOOPcc, LOOP or JrCXZ
                    let transfer = match self.numbers.below(5) {
                        0 => 0xE0 + self.numbers.below(4) as u8,
                        _ => 0x70 + self.numbers.below(16) as u8,
                    };
                    body.extend([transfer, skipped.len() as u8]);
                    body.extend(skipped);
                }
                1 => {
                    calls.push(body.len());
                    body.push(0xE8);
                    body.extend(vec![0; self.distance()]);
                }
                2 => {
                    let register = self.numbers.below(3) as u8;
                    if self.numbers.one_in(4) {
                        body.push(0x9C); // PUSHF
                    } else if self.numbers.one_in(3) {
                        body.extend([0xFF, 0x73, self.numbers.next() as u8]); // [ebx + n]
                    } else {
                        body.push(0x50 + register);
                    }
                    body.extend(self.run(2));
                    body.push(0x58 + register);
                }
                3 if self.bits == 64 => body.extend([0x0F, 0x01, 0xF8]), // SWAPGS
                4 if self.numbers.one_in(4) => body.push(0xFA),          // CLI
                _ => body.extend(self.run(2)),
            }
        }
        body.extend([0xFF, 0xCD, 0x0F, 0x85]);
        let distance = self.distance();
        let back = -((body.len() + distance) as i32);
        body.extend(&back.to_le_bytes()[..distance]);
        body.extend([0xEB, 0xFE]);
        let function = body.len();
        for call in calls {
            let far = (function - call - 1 - distance) as u32;
            body[call + 1..call + 1 + distance].copy_from_slice(&far.to_le_bytes()[..distance]);
        }
        body.extend(self.run(4));
        body.push(0xC3);
        body
    }
}
