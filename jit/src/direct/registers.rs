//! Which guest registers live in which host registers while a region runs.
//!
//! RDI holds the `Cpu`, R15 the budget, FA and FB what the flags are made of; RAX, RCX and RDX are scratch. The guest's
//! most used registers have a host register for the whole region; the others stay in the `Cpu`.

use super::Direct;
use super::asm::*;
use crate::facts::Facts;
use crate::region::Region;
use emu_core::interpreter::layout;
use iced_x86::{InstructionInfoFactory, OpAccess, Register};

pub const CPU: Reg = RDI;
pub const BUDGET: Reg = R15;
pub const FA: Reg = R13;
pub const FB: Reg = R14;
const POOL: [Reg; 8] = [RBX, RBP, RSI, R8, R9, R10, R11, R12];
/// XMM0 and XMM1 are scratch.
const XMM_POOL: std::ops::Range<Reg> = 2..16;

/// Guest registers and their host registers.
pub struct Pins {
    pub general: [Option<Reg>; 16],
    pub vector: [Option<Reg>; 16],
    /// Registers that some instruction of the region may write.
    pub written: u16,
    pub vector_written: u16,
}

/// How much more an instruction in a loop counts.
const LOOP_WEIGHT: u64 = 8;

impl Pins {
    pub fn of(region: &Region, facts: &Facts) -> Self {
        let mut info = InstructionInfoFactory::new();
        let (mut uses, mut vectors) = ([0u64; 16], [0u64; 16]);
        let (mut written, mut vector_written) = (0, 0);
        for block in &facts.order {
            let weight = if facts.in_loop(region, *block) { LOOP_WEIGHT } else { 1 };
            for insn in &region.blocks[*block].insns {
                for used in info.info(&insn.instruction).used_registers() {
                    let writes = !matches!(
                        used.access(),
                        OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
                    );
                    let register = used.register();
                    let n = register.number();
                    if register.is_gpr() {
                        let n = register.full_register().number();
                        uses[n] += weight;
                        written |= u16::from(writes) << n;
                    } else if register.is_vector_register() && n < 16 {
                        vectors[n] += weight;
                        vector_written |= u16::from(writes) << n;
                    }
                }
            }
        }
        // Not all instructions tell of the stack pointer.
        uses[4] += 1;
        written |= 1 << 4;
        let general = assign(&uses, POOL.into_iter());
        let vector = assign(&vectors, XMM_POOL);
        Self { general, vector, written, vector_written }
    }
}

/// Gives the most used registers what the pool has.
fn assign(uses: &[u64; 16], mut pool: impl Iterator<Item = Reg>) -> [Option<Reg>; 16] {
    let mut order: Vec<usize> = (0..16).filter(|n| uses[*n] > 0).collect();
    order.sort_by_key(|n| std::cmp::Reverse(uses[*n]));
    let mut pins = [None; 16];
    for n in order {
        pins[n] = pool.next();
    }
    pins
}

/// The part of the `Cpu` that holds a general register.
pub fn slot_of(slot: usize) -> Mem {
    at(CPU, layout::REGISTERS + 8 * slot)
}

pub fn number(register: Register) -> usize {
    register.full_register().number()
}

pub fn is_high_byte(register: Register) -> bool {
    matches!(register, Register::AH | Register::CH | Register::DH | Register::BH)
}

/// The host's register of this number and width, for the encoder.
pub fn named(w: Width, reg: Reg) -> Register {
    let base = match w {
        Width::B => {
            const LOW: [Register; 16] = [
                Register::AL,
                Register::CL,
                Register::DL,
                Register::BL,
                Register::SPL,
                Register::BPL,
                Register::SIL,
                Register::DIL,
                Register::R8L,
                Register::R9L,
                Register::R10L,
                Register::R11L,
                Register::R12L,
                Register::R13L,
                Register::R14L,
                Register::R15L,
            ];
            return LOW[reg as usize & 15];
        }
        Width::W => Register::AX,
        Width::D => Register::EAX,
        Width::Q => Register::RAX,
    };
    base + u32::from(reg)
}

pub fn named_xmm(reg: Reg) -> Register {
    Register::XMM0 + u32::from(reg)
}

impl Direct<'_> {
    /// Copies a guest register to a host register. Flags stay.
    pub fn get(&mut self, w: Width, to: Reg, slot: usize) {
        match self.pins[slot] {
            Some(pin) if pin == to => {}
            Some(pin) => self.asm.mov(w, to, pin),
            None => self.asm.load(w, to, slot_of(slot)),
        }
    }

    /// Writes all 64 bits of a guest register. Flags stay.
    pub fn set(&mut self, slot: usize, from: Reg) {
        match self.pins[slot] {
            Some(pin) if pin == from => {}
            Some(pin) => self.asm.mov(Width::Q, pin, from),
            None => self.asm.store(Width::Q, slot_of(slot), from),
        }
    }

    /// Adds to a guest register that holds an address. Flags stay.
    pub fn move_by(&mut self, slot: usize, by: i32) {
        let w = self.address_width();
        match self.pins[slot] {
            Some(pin) => self.asm.lea(w, pin, Mem { base: pin, disp: by }),
            None => {
                self.asm.load(Width::Q, RCX, slot_of(slot));
                self.asm.lea(w, RCX, Mem { base: RCX, disp: by });
                self.asm.store(Width::Q, slot_of(slot), RCX);
            }
        }
    }

    /// Writes back what the region may have changed. Flags stay.
    pub fn spill(&mut self) {
        for slot in 0..16 {
            if let (Some(pin), true) = (self.pins[slot], self.written >> slot & 1 != 0) {
                self.asm.store(Width::Q, slot_of(slot), pin);
            }
        }
        for n in 0..16 {
            if let (Some(pin), true) = (self.vectors[n], self.vector_written >> n & 1 != 0) {
                self.asm.movups(true, pin, at(CPU, layout::XMM + 16 * n));
            }
        }
    }

    /// Loads what the region keeps. Flags stay.
    pub fn reload(&mut self) {
        for slot in 0..16 {
            if let Some(pin) = self.pins[slot] {
                self.asm.load(Width::Q, pin, slot_of(slot));
            }
        }
        for n in 0..16 {
            if let Some(pin) = self.vectors[n] {
                self.asm.movups(false, pin, at(CPU, layout::XMM + 16 * n));
            }
        }
    }
}
