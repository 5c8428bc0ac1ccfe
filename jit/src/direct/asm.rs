//! A small assembler for x86-64: what the templates need, and iced-x86's encoder for re-encoded guest instructions.

use iced_x86::{Encoder, Instruction};

/// Names and numbers of the host's general registers (Intel SDM Vol. 2A table 2-2 and 3-1).
pub type Reg = u8;
pub const RAX: Reg = 0;
pub const RCX: Reg = 1;
pub const RDX: Reg = 2;
pub const RBX: Reg = 3;
pub const RSP: Reg = 4;
pub const RBP: Reg = 5;
pub const RSI: Reg = 6;
pub const RDI: Reg = 7;
pub const R8: Reg = 8;
pub const R9: Reg = 9;
pub const R10: Reg = 10;
pub const R11: Reg = 11;
pub const R12: Reg = 12;
pub const R13: Reg = 13;
pub const R14: Reg = 14;
pub const R15: Reg = 15;

/// Width of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    B,
    W,
    D,
    Q,
}

impl Width {
    pub fn of_bytes(bytes: usize) -> Option<Self> {
        Some(match bytes {
            1 => Self::B,
            2 => Self::W,
            4 => Self::D,
            8 => Self::Q,
            _ => return None,
        })
    }
}

/// Base and displacement.
#[derive(Clone, Copy, Debug)]
pub struct Mem {
    pub base: Reg,
    pub disp: i32,
}

pub fn at(base: Reg, disp: usize) -> Mem {
    beside(base, disp as i32)
}

pub fn beside(base: Reg, disp: i32) -> Mem {
    Mem { base, disp }
}

/// RDI is so many bytes behind the start of the `Cpu`: twice as much of it is within a displacement of one byte.
pub const BIAS: i32 = 128;

/// A place in the `Cpu`.
pub fn of_cpu(offset: usize) -> Mem {
    beside(RDI, offset as i32 - BIAS)
}

/// The eight operations of opcodes 00-3F and 80-83, by their number (Intel SDM Vol. 2D table A-6, group 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Alu {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Group 2: shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shift {
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Conditions by their encoding (Intel SDM Vol. 1 table B-1).
pub mod cc {
    pub const E: u8 = 4;
    pub const NE: u8 = 5;
    pub const B: u8 = 2;
    pub const AE: u8 = 3;
    pub const BE: u8 = 6;
    pub const A: u8 = 7;
    pub const L: u8 = 12;
}

/// Code outside of a region that it jumps to or calls; see `routines`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routine {
    /// RAX: a link that leads nowhere, or not for this address space.
    Unlinked,
    /// Leaves. RCX: RIP, from byte 0 of the page of the entry; EAX: how.
    Out,
    /// Called: RAX linear, RDX the cell to fill: for an access of `size` bytes. ZF is clear if the TLB hits; then RAX
    /// is the address in this process. Else RAX stays. Changes RCX, RDX and XMM0-1 only.
    Probe { size: u8, write: bool },
    /// Called: as `Probe`, for an access that no cell is kept for.
    Tlb { size: u8, write: bool },
    /// Called: as `Probe` for the write of a byte, but page tables are not looked at: that would make the page dirty, and
    /// the write is only yet to come.
    Foresee,
    /// Called: RAX: an address. ZF is set if the jump cache knows it: then RDX is the code, and RIP_BASE goes there.
    /// Changes RCX.
    Lookup,
    /// Called: gives the host's MXCSR the guest's value. ZF is clear if the guest has unmasked an exception. Changes RCX.
    LoadFloat,
    /// Called: EAX = AH, AL as LAHF and SETO leave them, of the lazy flags. Changes RCX, RDX and XMM0-1 only.
    Status,
    /// Called: RAX: a [`emu_core::interpreter::tier::Single`], EDX: see there. EAX as
    /// [`emu_core::interpreter::tier::interpret`] answers. The guest's registers are where regions expect them, before
    /// and after.
    Interpret,
    /// RAX: a [`emu_core::interpreter::tier::Single`]. Goes on where [`emu_core::interpreter::tier::transfer`] says.
    Transfer,
    /// Runs a function of Cranelift's, in RAX, as a region.
    Optimised,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(u32);

/// Machine code in the making.
pub struct Asm {
    pub code: Vec<u8>,
    labels: Vec<Option<usize>>,
    uses: Vec<(usize, Label)>,
    pub relocations: Vec<(usize, Routine)>,
    /// Where code begins that runs rarely.
    pub cold: usize,
    /// Distances between it and the rest.
    pub crossing: Vec<usize>,
    encoder: Encoder,
}

impl Asm {
    pub fn new() -> Self {
        Self {
            code: Vec::with_capacity(4096),
            labels: Vec::new(),
            uses: Vec::new(),
            relocations: Vec::new(),
            cold: usize::MAX,
            crossing: Vec::new(),
            encoder: Encoder::new(64),
        }
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() as u32 - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.labels[label.0 as usize] = Some(self.code.len());
    }

    /// Where a label has been bound.
    pub fn place_of(&self, label: Label) -> Option<usize> {
        self.labels[label.0 as usize]
    }

    pub fn here(&mut self) -> Label {
        let label = self.label();
        self.bind(label);
        label
    }

    /// Writes the distances to labels; `None` if one was never bound.
    pub fn link(&mut self) -> Option<()> {
        for (at, label) in std::mem::take(&mut self.uses) {
            let target = self.labels[label.0 as usize]?;
            if (at < self.cold) != (target < self.cold) {
                self.crossing.push(at);
            }
            let distance = target as i64 - (at as i64 + 4);
            self.code[at..at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
        }
        Some(())
    }

    // ---- bytes -------------------------------------------------------------------------------------------------

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    fn imm32(&mut self, value: i32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Prefixes for an operation on a register field, and a register or base.
    fn prefixes(&mut self, w: Width, reg: Reg, rm: Reg, byte_registers: bool) {
        if w == Width::W {
            self.code.push(0x66);
        }
        let rex = 0x40 | u8::from(w == Width::Q) << 3 | (reg >> 3) << 2 | rm >> 3;
        if rex != 0x40 || byte_registers {
            self.code.push(rex);
        }
    }

    /// An instruction with two register operands.
    pub fn rr(&mut self, w: Width, opcode: &[u8], reg: Reg, rm: Reg) {
        let byte = w == Width::B && (reg >= 4 || rm >= 4);
        self.prefixes(w, reg, rm, byte);
        self.bytes(opcode);
        self.code.push(0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /// An instruction with a register operand and one in memory.
    pub fn rm(&mut self, w: Width, opcode: &[u8], reg: Reg, mem: Mem) {
        self.prefixes(w, reg, mem.base, w == Width::B && reg >= 4);
        self.bytes(opcode);
        self.modrm(reg, mem);
    }

    fn modrm(&mut self, reg: Reg, Mem { base, disp }: Mem) {
        let short = i8::try_from(disp);
        let mode = match short {
            Ok(0) if base & 7 != RBP => 0,
            Ok(_) => 0x40,
            Err(_) => 0x80,
        };
        self.code.push(mode | (reg & 7) << 3 | base & 7);
        if base & 7 == RSP {
            self.code.push(0x24);
        }
        match (mode, short) {
            (0, _) => {}
            (_, Ok(short)) => self.code.push(short as u8),
            (_, Err(_)) => self.imm32(disp),
        }
    }

    /// A re-encoded guest instruction; false if it cannot be encoded.
    pub fn instruction(&mut self, i: &Instruction) -> bool {
        self.encoder.set_buffer(std::mem::take(&mut self.code));
        let done = self.encoder.encode(i, 0).is_ok();
        self.code = self.encoder.take_buffer();
        done
    }

    // ---- moves -------------------------------------------------------------------------------------------------

    pub fn mov(&mut self, w: Width, to: Reg, from: Reg) {
        if w == Width::Q && to == from {
            return;
        }
        let opcode = if w == Width::B { 0x88 } else { 0x89 };
        self.rr(w, &[opcode], from, to);
    }

    pub fn load(&mut self, w: Width, to: Reg, mem: Mem) {
        let opcode = if w == Width::B { 0x8A } else { 0x8B };
        self.rm(w, &[opcode], to, mem);
    }

    pub fn store(&mut self, w: Width, mem: Mem, from: Reg) {
        let opcode = if w == Width::B { 0x88 } else { 0x89 };
        self.rm(w, &[opcode], from, mem);
    }

    pub fn store_byte(&mut self, mem: Mem, value: u8) {
        self.rm(Width::B, &[0xC6], 0, mem);
        self.code.push(value);
    }

    /// Stores a sign-extended constant, of 64 bits.
    pub fn store_imm(&mut self, mem: Mem, value: i32) {
        self.rm(Width::Q, &[0xC7], 0, mem);
        self.imm32(value);
    }

    /// Zero-extends.
    pub fn movzx(&mut self, w: Width, to: Reg, from: Reg) {
        match w {
            Width::B => self.extend_byte(Width::D, 0xB6, to, from),
            Width::W => self.rr(Width::D, &[0x0F, 0xB7], to, from),
            Width::D | Width::Q => self.mov(w, to, from),
        }
    }

    /// Zero-extends from memory.
    pub fn load_zx(&mut self, w: Width, to: Reg, mem: Mem) {
        match w {
            Width::B => self.rm(Width::D, &[0x0F, 0xB6], to, mem),
            Width::W => self.rm(Width::D, &[0x0F, 0xB7], to, mem),
            Width::D | Width::Q => self.load(w, to, mem),
        }
    }

    fn extend_byte(&mut self, w: Width, opcode: u8, to: Reg, from: Reg) {
        self.prefixes(w, to, from, from >= 4);
        self.bytes(&[0x0F, opcode, 0xC0 | (to & 7) << 3 | from & 7]);
    }

    /// A constant, in the shortest form. Flags stay.
    pub fn constant(&mut self, to: Reg, value: u64) {
        if let Ok(value) = u32::try_from(value) {
            self.prefixes(Width::D, 0, to, false);
            self.code.push(0xB8 | to & 7);
            self.bytes(&value.to_le_bytes());
        } else if i32::try_from(value as i64).is_ok() {
            self.rr(Width::Q, &[0xC7], 0, to);
            self.imm32(value as i32);
        } else {
            self.prefixes(Width::Q, 0, to, false);
            self.code.push(0xB8 | to & 7);
            self.bytes(&value.to_le_bytes());
        }
    }

    pub fn lea(&mut self, w: Width, to: Reg, mem: Mem) {
        self.rm(w, &[0x8D], to, mem);
    }

    /// LEA with base, index x 2^scale and displacement. The index is not RSP.
    pub fn lea_indexed(&mut self, w: Width, to: Reg, base: Option<Reg>, index: Reg, scale: u8, disp: i32) {
        if w == Width::W {
            self.code.push(0x66);
        }
        let high = base.unwrap_or(0) >> 3;
        let rex = 0x40 | u8::from(w == Width::Q) << 3 | (to >> 3) << 2 | (index >> 3) << 1 | high;
        let mode = if base.is_some() { 0x84 } else { 0x04 };
        self.bytes(&[rex, 0x8D, mode | (to & 7) << 3]);
        self.code.push(scale << 6 | (index & 7) << 3 | base.map_or(5, |base| base & 7));
        self.imm32(disp);
    }

    // ---- arithmetic --------------------------------------------------------------------------------------------

    pub fn alu(&mut self, w: Width, op: Alu, to: Reg, from: Reg) {
        let opcode = (op as u8) << 3 | u8::from(w != Width::B);
        self.rr(w, &[opcode], from, to);
    }

    pub fn alu_mem(&mut self, w: Width, op: Alu, to: Reg, from: Mem) {
        let opcode = (op as u8) << 3 | 2 | u8::from(w != Width::B);
        self.rm(w, &[opcode], to, from);
    }

    /// With a sign-extended immediate.
    pub fn alu_imm(&mut self, w: Width, op: Alu, to: Reg, value: i32) {
        match (w, i8::try_from(value)) {
            (Width::B, _) => {
                self.rr(w, &[0x80], op as u8, to);
                self.code.push(value as u8);
            }
            (_, Ok(short)) => {
                self.rr(w, &[0x83], op as u8, to);
                self.code.push(short as u8);
            }
            (Width::W, _) => {
                self.rr(w, &[0x81], op as u8, to);
                self.bytes(&(value as i16).to_le_bytes());
            }
            _ => {
                self.rr(w, &[0x81], op as u8, to);
                self.imm32(value);
            }
        }
    }

    /// With an immediate, in memory.
    pub fn alu_to_mem(&mut self, w: Width, op: Alu, mem: Mem, value: i32) {
        self.rm(w, &[0x81], op as u8, mem);
        self.imm32(value);
    }

    /// Compares a byte in memory with an immediate.
    pub fn cmp_byte(&mut self, mem: Mem, value: u8) {
        self.rm(Width::B, &[0x80], Alu::Cmp as u8, mem);
        self.code.push(value);
    }

    pub fn test(&mut self, w: Width, a: Reg, b: Reg) {
        let opcode = if w == Width::B { 0x84 } else { 0x85 };
        self.rr(w, &[opcode], b, a);
    }

    pub fn shift(&mut self, w: Width, op: Shift, to: Reg, count: u8) {
        let opcode = if w == Width::B { 0xC0 } else { 0xC1 };
        self.rr(w, &[opcode], op as u8, to);
        self.code.push(count);
    }

    /// INC or DEC.
    pub fn step(&mut self, w: Width, down: bool, to: Reg) {
        let opcode = if w == Width::B { 0xFE } else { 0xFF };
        self.rr(w, &[opcode], down.into(), to);
    }

    // ---- flags -------------------------------------------------------------------------------------------------

    /// AX = status flags: AH as LAHF, AL = OF.
    pub fn save_flags(&mut self) {
        self.bytes(&[0x9F, 0x0F, 0x90, 0xC0]); // lahf; seto al
    }

    /// The status flags from AX as [`Self::save_flags`] leaves it. Changes AL.
    pub fn restore_flags(&mut self) {
        self.bytes(&[0x04, 0x7F, 0x9E]); // add al, 7Fh: overflows for 1; sahf
    }

    // ---- control -----------------------------------------------------------------------------------------------

    pub fn jcc(&mut self, condition: u8, to: Label) {
        self.bytes(&[0x0F, 0x80 | condition]);
        self.distance(to);
    }

    pub fn jmp(&mut self, to: Label) {
        self.code.push(0xE9);
        self.distance(to);
    }

    fn distance(&mut self, to: Label) {
        self.uses.push((self.code.len(), to));
        self.imm32(0);
    }

    pub fn jcc_routine(&mut self, condition: u8, to: Routine) {
        self.bytes(&[0x0F, 0x80 | condition]);
        self.relocate(to);
    }

    pub fn call_routine(&mut self, to: Routine) {
        self.code.push(0xE8);
        self.relocate(to);
    }

    pub fn jmp_routine(&mut self, to: Routine) {
        self.code.push(0xE9);
        self.relocate(to);
    }

    fn relocate(&mut self, to: Routine) {
        self.relocations.push((self.code.len(), to));
        self.imm32(0);
    }

    pub fn jmp_reg(&mut self, to: Reg) {
        self.rr(Width::D, &[0xFF], 4, to);
    }

    pub fn call_reg(&mut self, to: Reg) {
        self.rr(Width::D, &[0xFF], 2, to);
    }

    /// MOVUPS from memory and to memory, through XMM0.
    pub fn copy16(&mut self, to: Mem, from: Mem) {
        self.movups(false, 0, from);
        self.movups(true, 0, to);
    }

    pub fn push(&mut self, reg: Reg) {
        self.prefixes(Width::D, 0, reg, false);
        self.code.push(0x50 | reg & 7);
    }

    pub fn pop(&mut self, reg: Reg) {
        self.prefixes(Width::D, 0, reg, false);
        self.code.push(0x58 | reg & 7);
    }

    pub fn ret(&mut self) {
        self.code.push(0xC3);
    }

    /// MOVUPS between an XMM register and memory.
    pub fn movups(&mut self, store: bool, xmm: Reg, mem: Mem) {
        self.rm(Width::D, &[0x0F, if store { 0x11 } else { 0x10 }], xmm, mem);
    }
}
