//! The guest's status flags in direct code: how they could be computed, until somebody wants them.
//!
//! Beside this, the host's own flags may still be the guest's: `Direct::held` says which.

use super::Direct;
use super::asm::*;
use super::registers::{FA, FB};
use emu_core::interpreter::layout;
use emu_core::isa::flags::Deferred;
use emu_core::vcpu::rflags;

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loc {
    /// The current value of a guest register, low part.
    Guest(usize),
    /// A host register of its own.
    Host(Reg),
    Imm(i32),
}

/// The status flags at some point of the translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lazy {
    /// In the interpreter's lazy flags.
    Memory,
    /// Nobody wants them.
    Dead,
    /// Of a + b or a - b, from both operands.
    Operands {
        sub: bool,
        w: Width,
        a: Loc,
        b: Loc,
    },
    /// Of r = a + b or r = a - b, from r and b.
    Result {
        sub: bool,
        w: Width,
        r: Loc,
        b: Loc,
    },
    Logic {
        w: Width,
        r: Loc,
    },
    /// Of a shift of `a` by `count`, which is not 0.
    Shifted {
        op: Shift,
        w: Width,
        a: Loc,
        count: u8,
    },
    /// Of INC or DEC with this result; CF is that of `carry`.
    Step {
        down: bool,
        w: Width,
        r: Loc,
        carry: Box<Lazy>,
    },
    /// In FA, as LAHF and SETO leave them in AX.
    Known,
}

/// Bits of `Direct::held`.
pub mod held {
    pub const CF: u8 = 1;
    /// PF, AF, ZF and SF.
    pub const RESULT: u8 = 2;
    pub const OF: u8 = 4;
    pub const ALL: u8 = 7;
}

/// Which of the host's flags a condition looks at.
pub fn looks_at(condition: u8) -> u8 {
    match condition >> 1 {
        0 => held::OF,
        1 => held::CF,
        2 | 4 | 5 => held::RESULT,
        3 => held::CF | held::RESULT,
        _ => held::OF | held::RESULT,
    }
}

impl Lazy {
    /// Where the values are that it is made of.
    fn locs(&self) -> Vec<Loc> {
        match self {
            Self::Memory | Self::Dead => Vec::new(),
            Self::Operands { a, b, .. } => vec![*a, *b],
            Self::Result { r, b, .. } => vec![*r, *b],
            Self::Logic { r, .. } => vec![*r],
            Self::Shifted { a, .. } => vec![*a],
            Self::Step { r, carry, .. } => [vec![*r], carry.locs()].concat(),
            Self::Known => vec![Loc::Host(FA)],
        }
    }

    fn replace(&mut self, from: Loc, to: Loc) {
        let change = |loc: &mut Loc| {
            if *loc == from {
                *loc = to;
            }
        };
        match self {
            Self::Memory | Self::Dead | Self::Known => {}
            Self::Operands { a, b, .. } => {
                change(a);
                change(b);
            }
            Self::Result { r, b, .. } => {
                change(r);
                change(b);
            }
            Self::Logic { r, .. } => change(r),
            Self::Shifted { a, .. } => change(a),
            Self::Step { r, carry, .. } => {
                change(r);
                carry.replace(from, to);
            }
        }
    }
}

impl Direct<'_> {
    /// New flags, of which the host holds some.
    pub fn set_lazy(&mut self, lazy: Lazy, held: u8) {
        self.lazy = lazy;
        self.held = held;
    }

    /// A guest register is about to change while the flags may be wanted: whatever of them stands in it moves. Keeps the
    /// host's flags, or says so.
    pub fn rescue(&mut self, slot: usize) {
        let from = Loc::Guest(slot);
        let locs = self.lazy.locs();
        if !locs.contains(&from) {
            return;
        }
        match [FA, FB].into_iter().find(|host| !locs.contains(&Loc::Host(*host))) {
            Some(host) => {
                self.get(Width::Q, host, slot);
                self.lazy.replace(from, Loc::Host(host));
            }
            None => self.know(),
        }
    }

    /// Guest registers are about to change by an instruction that leaves the flags alone, or some of them.
    pub fn rescue_if_live(&mut self, slots: &[usize]) {
        if self.live {
            slots.iter().for_each(|slot| self.rescue(*slot));
        }
    }

    /// A value in a register: its own, or `spare`.
    fn in_register(&mut self, loc: Loc, spare: Reg) -> Reg {
        match loc {
            Loc::Host(host) => host,
            Loc::Guest(slot) => match self.pins[slot] {
                Some(host) => host,
                None => {
                    self.get(Width::Q, spare, slot);
                    spare
                }
            },
            Loc::Imm(value) => {
                self.asm.constant(spare, value as i64 as u64);
                spare
            }
        }
    }

    /// Copies a value.
    pub fn copy(&mut self, loc: Loc, to: Reg) {
        let from = self.in_register(loc, to);
        if from != to {
            self.asm.mov(Width::Q, to, from);
        }
    }

    pub fn operate(&mut self, w: Width, op: Alu, to: Reg, loc: Loc) {
        match loc {
            Loc::Imm(value) => self.asm.alu_imm(w, op, to, value),
            _ => {
                let from = self.in_register(loc, RDX);
                self.asm.alu(w, op, to, from);
            }
        }
    }

    /// Makes these of the host's flags the guest's. Changes RAX, RCX and RDX.
    pub fn hold(&mut self, wanted: u8) {
        if wanted & !self.held == 0 {
            return;
        }
        let lazy = self.lazy.clone();
        self.held = self.regenerate(&lazy, wanted);
    }

    /// [`Self::hold`] may change RCX and RDX too.
    pub fn needs_more_than_rax(&self) -> bool {
        let unpinned = |loc: &Loc| matches!(loc, Loc::Guest(slot) if self.pins[*slot].is_none());
        match &self.lazy {
            Lazy::Memory => true,
            Lazy::Step { carry, .. } if **carry == Lazy::Memory => true,
            lazy => lazy.locs().iter().any(unpinned),
        }
    }

    /// Computes flags again; which of them the host has now.
    fn regenerate(&mut self, lazy: &Lazy, wanted: u8) -> u8 {
        match lazy {
            Lazy::Dead => {
                self.refuse();
                held::ALL
            }
            Lazy::Memory => {
                self.asm.call_routine(Routine::Status);
                self.asm.restore_flags();
                held::ALL
            }
            Lazy::Known => {
                self.asm.mov(Width::D, RAX, FA);
                self.asm.restore_flags();
                held::ALL
            }
            Lazy::Operands { sub: true, w, a, b } => {
                let left = self.in_register(*a, RAX);
                self.operate(*w, Alu::Cmp, left, *b);
                held::ALL
            }
            Lazy::Operands { sub: false, w, a, b } => {
                self.copy(*a, RAX);
                self.operate(*w, Alu::Add, RAX, *b);
                held::ALL
            }
            Lazy::Result { w, r, .. } | Lazy::Step { w, r, .. } if wanted == held::RESULT => {
                let r = self.in_register(*r, RAX);
                self.asm.test(*w, r, r);
                held::RESULT
            }
            Lazy::Result { sub, w, r, b } => {
                let (back, forth) = if *sub { (Alu::Add, Alu::Cmp) } else { (Alu::Sub, Alu::Add) };
                self.copy(*r, RAX);
                self.operate(*w, back, RAX, *b);
                self.operate(*w, forth, RAX, *b);
                held::ALL
            }
            Lazy::Logic { w, r } => {
                let r = self.in_register(*r, RAX);
                self.asm.test(*w, r, r);
                held::ALL
            }
            Lazy::Shifted { op, w, a, count } => {
                self.copy(*a, RAX);
                self.asm.shift(*w, *op, RAX, *count);
                held::ALL
            }
            Lazy::Step { carry, .. } if wanted == held::CF => {
                self.regenerate(carry, held::CF);
                held::CF
            }
            Lazy::Step { down, w, r, carry } => {
                self.regenerate(carry, held::CF);
                self.copy(*r, RAX);
                self.asm.lea(Width::Q, RAX, beside(RAX, if *down { 1 } else { -1 }));
                self.asm.step(*w, *down, RAX);
                held::ALL
            }
        }
    }

    /// All flags in FA as LAHF and SETO leave them. Changes RAX, RCX and RDX.
    pub fn know(&mut self) {
        if self.lazy == Lazy::Known {
            return;
        }
        self.hold(held::ALL);
        self.save_known();
    }

    /// The host's flags are the guest's: keeps them in FA.
    pub fn save_known(&mut self) {
        self.asm.save_flags();
        self.asm.movzx(Width::W, FA, RAX);
        let shifted = matches!(self.lazy, Lazy::Shifted { .. });
        if shifted {
            self.clear_af();
        }
        self.set_lazy(Lazy::Known, if shifted { 0 } else { held::ALL });
    }

    /// AF is clear after shifts and multiplications.
    pub fn clear_af(&mut self) {
        self.asm.alu_imm(Width::D, Alu::And, FA, !((rflags::AF as i32) << 8));
        self.held = 0;
    }

    // ---- for others --------------------------------------------------------------------------------------------

    /// Leaves the flags in the `Cpu`, see [`Deferred`]. Changes RAX; and RCX and RDX, if
    /// [`Self::needs_more_than_rax`].
    pub fn store_flags(&mut self, lazy: &Lazy) {
        match lazy {
            Lazy::Memory => {}
            Lazy::Operands { sub, w, a, b } => {
                let form = if *sub { Deferred::Difference } else { Deferred::Sum };
                self.defer(form, *w, *a, Some(*b));
            }
            Lazy::Result { sub, w, r, b } => {
                let form = if *sub { Deferred::DifferenceResult } else { Deferred::SumResult };
                self.defer(form, *w, *r, Some(*b));
            }
            Lazy::Logic { w, r } => self.defer(Deferred::Logic, *w, *r, None),
            Lazy::Known => self.defer(Deferred::Image, Width::Q, Loc::Host(FA), None),
            _ => {
                self.regenerate(lazy, held::ALL);
                self.asm.save_flags();
                if matches!(lazy, Lazy::Shifted { .. }) {
                    self.asm.alu_imm(Width::D, Alu::And, RAX, !((rflags::AF as i32) << 8));
                }
                self.held = 0;
                self.defer(Deferred::Image, Width::Q, Loc::Host(RAX), None);
            }
        }
    }

    /// As [`Self::store_flags`]; RAX stays.
    pub fn store_flags_beside_rax(&mut self, lazy: &Lazy) {
        let unpinned = |loc: &Loc| matches!(loc, Loc::Guest(slot) if self.pins[*slot].is_none());
        let plain = matches!(
            lazy,
            Lazy::Memory | Lazy::Operands { .. } | Lazy::Result { .. } | Lazy::Logic { .. } | Lazy::Known
        );
        if plain && !lazy.locs().iter().any(unpinned) {
            return self.store_flags(lazy);
        }
        self.asm.store(Width::Q, of_cpu(layout::RIP), RAX);
        self.store_flags(lazy);
        self.asm.load(Width::Q, RAX, of_cpu(layout::RIP));
    }

    /// Writes what the flags are made of. The host's flags stay.
    fn defer(&mut self, form: Deferred, w: Width, a: Loc, b: Option<Loc>) {
        let places = [(layout::FLAGS_A, Some(a)), (layout::FLAGS_B, b)];
        for (place, loc) in places.into_iter().filter_map(|(place, loc)| Some((place, loc?))) {
            match loc {
                Loc::Imm(value) => self.asm.store_imm(of_cpu(place), value),
                _ => {
                    let from = self.in_register(loc, RAX);
                    self.asm.store(Width::Q, of_cpu(place), from);
                }
            }
        }
        self.asm.store_byte(of_cpu(layout::DEFERRED), form.of_width(w as u8));
    }
}
