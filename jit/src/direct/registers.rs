//! Which guest registers live in which host registers.
//!
//! RDI points into the `Cpu`, R15 holds the budget, FA and FB what the flags are made of; RAX, RCX and RDX are scratch.
//! RAX to RDI of the guest have host registers at every way from region to region ([`HOMES`]), so nothing has to be moved
//! there. A region that uses others more, in a loop, gives them host registers of those while it runs. What has no host
//! register stays in the `Cpu`. Vector registers have host registers inside of a region only.

use super::Direct;
use super::asm::*;
use crate::facts::Facts;
use crate::opcode;
use crate::region::Region;
use emu_core::interpreter::layout;
use iced_x86::Register;

pub const BUDGET: Reg = R15;
pub const FA: Reg = R13;
pub const FB: Reg = R14;
/// Where RAX, RCX, RDX, RBX, RSP, RBP, RSI and RDI of the guest are. None is a register that C functions use for
/// arguments; the most used ones need no prefix in 32-bit operations.
pub const HOMES: [Reg; 8] = [RBX, RSI, RBP, R12, R9, R10, R11, R8];
/// XMM0 and XMM1 are scratch.
const XMM_POOL: std::ops::Range<Reg> = 2..16;

/// A guest register, or what a window needs, in the home of another one, for the time of a region.
#[derive(Clone, Copy)]
pub struct Lodger {
    guest: Option<usize>,
    /// Whose home it is, and where that is.
    host: usize,
    home: Reg,
}

/// Guest registers and their host registers.
pub struct Pins {
    pub general: [Option<Reg>; 16],
    pub lodgers: Vec<Lodger>,
    /// Points to a window.
    pub window: Option<Reg>,
    pub vector: [Option<Reg>; 16],
    /// Registers that some instruction of the region may write.
    pub written: u16,
    pub vector_written: u16,
}

/// How much more an instruction in a loop counts.
const LOOP_WEIGHT: u64 = 8;
/// Uses of a register in memory that cost as much as looking an address up.
const SAVED_LOOKUP: u64 = 3;
/// Uses that pay for moving two registers at the ways in and out.
const MOVE: u64 = 6;

impl Pins {
    /// `savings`: lookups of memory that a register for windows would save.
    pub fn of(region: &Region, facts: &Facts, savings: u64) -> Self {
        let (mut uses, mut vectors) = ([0u64; 16], [0u64; 16]);
        let (mut written, mut vector_written) = (0, 0);
        for block in &facts.order {
            let weight = if facts.in_loop[*block] { LOOP_WEIGHT } else { 1 };
            for insn in &region.blocks[*block].insns {
                opcode::each_register(&insn.instruction, |register, writes| {
                    let n = register.number();
                    if register.is_gpr() {
                        let n = register.full_register().number();
                        uses[n] += weight;
                        written |= u16::from(writes) << n;
                    } else if register.is_vector_register() && n < 16 {
                        vectors[n] += weight;
                        vector_written |= u16::from(writes) << n;
                    }
                });
            }
        }
        let lodgers = lodge(&uses, savings);
        let mut general = [None; 16];
        for (n, home) in HOMES.into_iter().enumerate() {
            general[n] = Some(home);
        }
        let mut window = None;
        for Lodger { guest, host, home } in &lodgers {
            general[*host] = None;
            match guest {
                Some(guest) => general[*guest] = Some(*home),
                None => window = Some(*home),
            }
        }
        let vector = assign(&vectors, XMM_POOL);
        Self { general, lodgers, window, vector, written, vector_written }
    }
}

/// Gives a window, if it saves so much, and the most used of R8 to R15 the homes of the least used others, but not that of
/// the stack pointer.
fn lodge(uses: &[u64; 16], savings: u64) -> Vec<Lodger> {
    let mut guests: Vec<(Option<usize>, u64)> = (8..16).map(|n| (Some(n), uses[n])).collect();
    guests.sort_by_key(|(_, uses)| std::cmp::Reverse(*uses));
    guests.insert(0, (None, SAVED_LOOKUP * savings));
    let mut hosts: Vec<usize> = (0..8).filter(|n| *n != super::stack::SP).collect();
    hosts.sort_by_key(|n| uses[*n]);
    let mut hosts = hosts.into_iter().peekable();
    let mut lodgers = Vec::new();
    for (guest, worth) in guests {
        let Some(host) = hosts.next_if(|host| worth >= uses[*host] + MOVE) else { continue };
        lodgers.push(Lodger { guest, host, home: HOMES[host] });
    }
    lodgers
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
    of_cpu(layout::REGISTERS + 8 * slot)
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
            Some(pin) => self.asm.lea(w, pin, beside(pin, by)),
            None => {
                self.asm.load(Width::Q, RCX, slot_of(slot));
                self.asm.lea(w, RCX, beside(RCX, by));
                self.asm.store(Width::Q, slot_of(slot), RCX);
            }
        }
    }

    /// Brings the guest's registers to where all regions expect them. Flags stay.
    pub fn check_out(&mut self) {
        for Lodger { guest, host, home } in self.lodgers.clone() {
            if let Some(guest) = guest.filter(|guest| self.written >> guest & 1 != 0) {
                self.asm.store(Width::Q, slot_of(guest), home);
            }
            self.asm.load(Width::Q, home, slot_of(host));
        }
        for n in 0..16 {
            if let (Some(pin), true) = (self.vectors[n], self.vector_written >> n & 1 != 0) {
                self.asm.movups(true, pin, of_cpu(layout::XMM + 16 * n));
            }
        }
    }

    /// Brings the guest's registers to where this region wants them. Flags stay.
    pub fn check_in(&mut self) {
        for Lodger { guest, host, home } in self.lodgers.clone() {
            self.asm.store(Width::Q, slot_of(host), home);
            if let Some(guest) = guest {
                self.asm.load(Width::Q, home, slot_of(guest));
            }
        }
        for n in 0..16 {
            if let Some(pin) = self.vectors[n] {
                self.asm.movups(false, pin, of_cpu(layout::XMM + 16 * n));
            }
        }
    }

    /// [`Self::check_out`] has nothing to do.
    pub fn is_at_home(&self) -> bool {
        let vectors = (0..16).any(|n| self.vectors[n].is_some() && self.vector_written >> n & 1 != 0);
        self.lodgers.is_empty() && !vectors
    }
}
