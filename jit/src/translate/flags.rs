//! The flags of `crate::flags` as IR: single flags, conditions, and the interpreter's lazy form.

use super::Translator;
use crate::flags::{Carried, Flag, Flags, Shape};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use emu_core::interpreter::layout;
use emu_core::isa::flags::Kind;
use emu_core::vcpu::rflags;
use std::rc::Rc;

const ALL: [(Flag, u64); 6] = [
    (Flag::Cf, rflags::CF),
    (Flag::Pf, rflags::PF),
    (Flag::Af, rflags::AF),
    (Flag::Zf, rflags::ZF),
    (Flag::Sf, rflags::SF),
    (Flag::Of, rflags::OF),
];

impl Translator<'_> {
    /// The values that are passed for flags of a shape, as 64-bit integers.
    pub fn flags_as(&mut self, shape: Shape) -> Option<Vec<Value>> {
        let parts = match (shape, &self.flags) {
            (Shape::Add(width), Flags::Add { a, b, r }) | (Shape::Sub(width), Flags::Sub { a, b, r })
                if self.width(*r) == width =>
            {
                vec![*a, *b, *r]
            }
            (Shape::Logic(width), Flags::Logic { r }) if self.width(*r) == width => vec![*r],
            (Shape::Step { width, down, carried }, Flags::Step { r, down: is_down, before })
                if self.width(*r) == width && down == *is_down =>
            {
                let (r, before) = (*r, before.clone());
                match (carried, self.carry_of(&before)?) {
                    (Carried::Clear, None) => vec![r],
                    (Carried::Below(width), Some((x, y))) if self.width(x) == width => vec![r, x, y],
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(parts.into_iter().map(|part| self.extend(part, I64, false)).collect())
    }

    /// CF as a comparison: `None` in it for clear, or (x, y) for x < y.
    fn carry_of(&self, flags: &Flags) -> Option<Option<(Value, Value)>> {
        match flags {
            Flags::Add { a, r, .. } => Some(Some((*r, *a))),
            Flags::Sub { a, b, .. } => Some(Some((*a, *b))),
            Flags::Logic { .. } => Some(None),
            Flags::Step { before, .. } => self.carry_of(before),
            _ => None,
        }
    }

    /// The flags from the parts that [`Self::flags_as`] gave.
    pub fn flags_from(&mut self, shape: Shape, parts: &[Value; 3]) -> Flags {
        let mut part = |n: usize, width| self.truncate(parts[n], width);
        match shape {
            Shape::Memory => Flags::Memory,
            Shape::Add(w) => Flags::Add { a: part(0, w), b: part(1, w), r: part(2, w) },
            Shape::Sub(w) => Flags::Sub { a: part(0, w), b: part(1, w), r: part(2, w) },
            Shape::Logic(w) => Flags::Logic { r: part(0, w) },
            Shape::Step { width, down, carried } => {
                let before = match carried {
                    Carried::Clear => Flags::Logic { r: part(0, width) },
                    // Only CF of it is looked at: the first below the second.
                    Carried::Below(w) => Flags::Sub { a: part(1, w), b: part(2, w), r: part(1, w) },
                };
                Flags::Step { r: part(0, width), down, before: Rc::new(before) }
            }
        }
    }

    // ---- single flags, as bytes of 0 or 1 ----------------------------------------------------------------------

    fn compare(&mut self, cc: IntCC, a: Value, b: Value) -> Value {
        self.fb.ins().icmp(cc, a, b)
    }

    pub fn is_zero(&mut self, value: Value) -> Value {
        let zero = self.constant(self.width(value), 0);
        self.compare(IntCC::Equal, value, zero)
    }

    pub fn is_negative(&mut self, value: Value) -> Value {
        let zero = self.constant(self.width(value), 0);
        self.compare(IntCC::SignedLessThan, value, zero)
    }

    fn is_even(&mut self, value: Value) -> Value {
        let low = self.truncate(value, I8);
        let ones = self.fb.ins().popcnt(low);
        let odd = self.and_imm(ones, 1);
        self.xor_imm(odd, 1)
    }

    fn bit_of(&mut self, status: Value, bit: u64) -> Value {
        let shifted = self.shr_imm(status, u64::from(bit.trailing_zeros()));
        let low = self.truncate(shifted, I8);
        self.and_imm(low, 1)
    }

    /// The sign of `(a ^ x) & (b ^ y)`.
    fn sign_of_both(&mut self, a: Value, x: Value, b: Value, y: Value) -> Value {
        let left = self.fb.ins().bxor(a, x);
        let right = self.fb.ins().bxor(b, y);
        let both = self.fb.ins().band(left, right);
        self.is_negative(both)
    }

    fn carry_out_of_bit_3(&mut self, a: Value, b: Value, r: Value) -> Value {
        let ab = self.fb.ins().bxor(a, b);
        let abr = self.fb.ins().bxor(ab, r);
        let low = self.truncate(abr, I8);
        self.bit_of(low, rflags::AF)
    }

    /// The sum `a + b + carry` or `a - b - borrow` leaves its carry here: the top bit of each column's.
    fn carry_out(&mut self, a: Value, b: Value, r: Value, sub: bool) -> Value {
        // Sum: (a & b) | ((a | b) & !r). Difference: (!a & b) | ((!a | b) & r).
        let (x, z) = if sub { (self.fb.ins().bnot(a), r) } else { (a, self.fb.ins().bnot(r)) };
        let both = self.fb.ins().band(x, b);
        let either = self.fb.ins().bor(x, b);
        let passed = self.fb.ins().band(either, z);
        let out = self.fb.ins().bor(both, passed);
        self.is_negative(out)
    }

    pub fn flag(&mut self, flags: &Flags, flag: Flag) -> Value {
        match flags {
            Flags::Dead => {
                self.refuse();
                self.constant(I8, 0)
            }
            Flags::Memory => self.flag_in_memory(flag),
            Flags::Only { flag: only, value, before } => {
                if *only == flag {
                    value(self)
                } else {
                    self.flag(before, flag)
                }
            }
            Flags::Choice { keep, before, after } => {
                let old = self.flag(before, flag);
                let new = self.flag(after, flag);
                let keep = keep(self);
                self.fb.ins().select(keep, old, new)
            }
            Flags::Add { r, .. }
            | Flags::Sub { r, .. }
            | Flags::Logic { r }
            | Flags::Carry { r, .. }
            | Flags::Step { r, .. }
            | Flags::Result { r, .. } => match flag {
                Flag::Zf => self.is_zero(*r),
                Flag::Sf => self.is_negative(*r),
                Flag::Pf => self.is_even(*r),
                Flag::Cf | Flag::Of | Flag::Af => self.carry_flag(flags, flag),
            },
        }
    }

    /// CF, OF or AF of those that differ in them.
    fn carry_flag(&mut self, flags: &Flags, flag: Flag) -> Value {
        match (flags, flag) {
            (Flags::Add { a, r, .. }, Flag::Cf) => self.compare(IntCC::UnsignedLessThan, *r, *a),
            (Flags::Sub { a, b, .. }, Flag::Cf) => self.compare(IntCC::UnsignedLessThan, *a, *b),
            (Flags::Carry { a, b, r, sub, .. }, Flag::Cf) => self.carry_out(*a, *b, *r, *sub),
            (Flags::Add { a, b, r } | Flags::Carry { a, b, r, sub: false, .. }, Flag::Of) => {
                self.sign_of_both(*a, *r, *b, *r)
            }
            (Flags::Sub { a, b, r } | Flags::Carry { a, b, r, sub: true, .. }, Flag::Of) => {
                self.sign_of_both(*a, *b, *a, *r)
            }
            (Flags::Add { a, b, r } | Flags::Sub { a, b, r } | Flags::Carry { a, b, r, .. }, _) => {
                self.carry_out_of_bit_3(*a, *b, *r)
            }
            (Flags::Step { before, .. }, Flag::Cf) => self.flag(before, Flag::Cf),
            (Flags::Step { r, down, .. }, Flag::Of) => self.stepped_over(*r, *down),
            (Flags::Step { r, down, .. }, _) => {
                let low = self.truncate(*r, I8);
                let digit = self.and_imm(low, 15);
                let wrapped = self.constant(I8, if *down { 15 } else { 0 });
                self.compare(IntCC::Equal, digit, wrapped)
            }
            (Flags::Result { cf, .. }, Flag::Cf) => cf(self),
            (Flags::Result { of, .. }, Flag::Of) => of(self),
            _ => self.constant(I8, 0), // LOGIC, and AF of a result
        }
    }

    /// OF of INC and DEC: the sign has changed by a step of one.
    fn stepped_over(&mut self, r: Value, down: bool) -> Value {
        let width = self.width(r);
        let lowest = 1u64 << (width.bits() - 1);
        let after = self.constant(width, if down { lowest - 1 } else { lowest });
        self.compare(IntCC::Equal, r, after)
    }

    /// A flag of the interpreter's, whatever its kind.
    fn flag_in_memory(&mut self, flag: Flag) -> Value {
        let kind = self.load_cpu(I8, layout::FLAGS_KIND);
        let a = self.load_cpu(I64, layout::FLAGS_A);
        let given = self.bit_of(a, bit(flag));
        let is = |t: &mut Self, which: Kind| {
            let which = t.constant(I8, which as u64);
            t.compare(IntCC::Equal, kind, which)
        };
        let r = self.load_cpu(I64, layout::FLAGS_R);
        if matches!(flag, Flag::Zf | Flag::Sf | Flag::Pf) {
            let of_result = match flag {
                Flag::Zf => self.is_zero(r),
                Flag::Sf => self.is_negative(r),
                _ => self.is_even(r),
            };
            let known = is(self, Kind::Known);
            return self.fb.ins().select(known, given, of_result);
        }
        let b = self.load_cpu(I64, layout::FLAGS_B);
        let added = self.carry_flag(&Flags::Add { a, b, r }, flag);
        let subtracted = self.carry_flag(&Flags::Sub { a, b, r }, flag);
        let clear = self.constant(I8, 0);
        let (add, sub, logic) = (is(self, Kind::Add), is(self, Kind::Sub), is(self, Kind::Logic));
        let value = self.fb.ins().select(logic, clear, given);
        let value = self.fb.ins().select(add, added, value);
        self.fb.ins().select(sub, subtracted, value)
    }

    /// All flags as bits of RFLAGS.
    pub fn status(&mut self, flags: &Flags) -> Value {
        match flags {
            Flags::Choice { keep, before, after } => {
                let old = self.status(before);
                let new = self.status(after);
                let keep = keep(self);
                self.fb.ins().select(keep, old, new)
            }
            _ => self.gather(flags, &ALL),
        }
    }

    fn gather(&mut self, flags: &Flags, which: &[(Flag, u64)]) -> Value {
        let mut status = self.constant(I64, 0);
        for (flag, bit) in which {
            let value = self.flag(flags, *flag);
            let wide = self.fb.ins().uextend(I64, value);
            let placed = self.shl_imm(wide, u64::from(bit.trailing_zeros()));
            status = self.fb.ins().bor(status, placed);
        }
        status
    }

    /// Condition `cc` of Jcc, SETcc and CMOVcc, as a byte of 0 or 1.
    pub fn condition(&mut self, cc: u8) -> Value {
        let flags = self.flags.clone();
        let direct = match &flags {
            Flags::Sub { a, b, .. } => comparison(cc).map(|cc| (cc, *a, *b)),
            Flags::Logic { r } => comparison(cc).map(|cc| (cc, *r, self.constant(self.width(*r), 0))),
            _ => None,
        };
        if let Some((cc, a, b)) = direct {
            return self.compare(cc, a, b);
        }
        let value = match cc >> 1 {
            0 => self.flag(&flags, Flag::Of),
            1 => self.flag(&flags, Flag::Cf),
            2 => self.flag(&flags, Flag::Zf),
            3 => self.either(&flags, Flag::Cf),
            4 => self.flag(&flags, Flag::Sf),
            5 => self.flag(&flags, Flag::Pf),
            6 => self.less(&flags),
            _ => {
                let less = self.less(&flags);
                let zero = self.flag(&flags, Flag::Zf);
                self.fb.ins().bor(less, zero)
            }
        };
        if cc & 1 != 0 { self.xor_imm(value, 1) } else { value }
    }

    fn either(&mut self, flags: &Flags, flag: Flag) -> Value {
        let one = self.flag(flags, flag);
        let zero = self.flag(flags, Flag::Zf);
        self.fb.ins().bor(one, zero)
    }

    fn less(&mut self, flags: &Flags) -> Value {
        let sign = self.flag(flags, Flag::Sf);
        let overflow = self.flag(flags, Flag::Of);
        self.fb.ins().bxor(sign, overflow)
    }

    // ---- to the interpreter's form -----------------------------------------------------------------------------

    /// Writes the current flags to the interpreter's lazy flags.
    pub fn store_flags(&mut self) {
        let flags = self.flags.clone();
        let (kind, a, b, r) = match &flags {
            Flags::Memory => return,
            Flags::Add { a, b, r } => (Kind::Add, Some(*a), Some(*b), Some(*r)),
            Flags::Sub { a, b, r } => (Kind::Sub, Some(*a), Some(*b), Some(*r)),
            Flags::Logic { r } => (Kind::Logic, None, None, Some(*r)),
            Flags::Carry { r, .. } | Flags::Step { r, .. } | Flags::Result { r, .. } => {
                let carries = [(Flag::Cf, rflags::CF), (Flag::Af, rflags::AF), (Flag::Of, rflags::OF)];
                (Kind::Result, Some(self.gather(&flags, &carries)), None, Some(*r))
            }
            Flags::Dead | Flags::Only { .. } | Flags::Choice { .. } => {
                (Kind::Known, Some(self.status(&flags)), None, None)
            }
        };
        let kind = self.constant(I8, kind as u64);
        let parts = [(a, layout::FLAGS_A), (b, layout::FLAGS_B), (r, layout::FLAGS_R)];
        for (part, at) in parts {
            if let Some(part) = part {
                let wide = self.extend(part, I64, true);
                self.store_cpu(wide, at);
            }
        }
        self.store_cpu(kind, layout::FLAGS_KIND);
    }
}

fn bit(flag: Flag) -> u64 {
    ALL.iter().find(|(other, _)| *other == flag).map_or(0, |(_, bit)| *bit)
}

/// The comparison of A and B that condition `cc` is after CMP A,B; for a result, with zero: then CF is clear, as no
/// value is below zero, and OF too.
fn comparison(cc: u8) -> Option<IntCC> {
    Some(match cc {
        2 => IntCC::UnsignedLessThan,
        3 => IntCC::UnsignedGreaterThanOrEqual,
        4 => IntCC::Equal,
        5 => IntCC::NotEqual,
        6 => IntCC::UnsignedLessThanOrEqual,
        7 => IntCC::UnsignedGreaterThan,
        12 => IntCC::SignedLessThan,
        13 => IntCC::SignedGreaterThanOrEqual,
        14 => IntCC::SignedLessThanOrEqual,
        15 => IntCC::SignedGreaterThan,
        _ => return None,
    })
}
