//! Status flags, kept lazily: the operands and result of the last instruction that set them.
//!
//! All three values are sign-extended to 64 bits. Sign extension keeps unsigned order and all equalities, so no
//! width is needed to derive a flag:
//! ZF = (r == 0), SF = (r < 0), PF = parity of the low byte, AF = bit 4 of a ^ b ^ r,
//! CF = r < a after an addition, a < b after a subtraction (unsigned), OF from the signs.

use crate::vcpu::rflags;

/// How CF, AF and OF follow from the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// All six flags stand in `a` as RFLAGS bits.
    Known,
    /// r = a + b.
    Add,
    /// r = a - b.
    Sub,
    /// CF = AF = OF = 0.
    Logic,
    /// CF, AF and OF stand in `a` as RFLAGS bits; ZF, SF and PF follow from r.
    Result,
}

/// Flags as compiled code leaves them, with no time spent on their form: what stands in `a` and `b` of [`LazyFlags`].
///
/// Together with the width of the operation it is one byte, see [`Self::of_width`]. Bits beyond the width are as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Deferred {
    /// The operands of a + b.
    Sum = 1 << 2,
    /// The operands of a - b.
    Difference = 2 << 2,
    /// `a` is the result of adding b to something.
    SumResult = 3 << 2,
    /// `a` is the result of subtracting b from something.
    DifferenceResult = 4 << 2,
    /// `a` is the result of a logic operation.
    Logic = 5 << 2,
    /// All flags: AH as LAHF and AL as SETO leave them, in `a`.
    Image = 6 << 2,
}

impl Deferred {
    /// The byte that says "nothing is deferred".
    pub const NONE: u8 = 0;
    const ALL: [Self; 6] =
        [Self::Sum, Self::Difference, Self::SumResult, Self::DifferenceResult, Self::Logic, Self::Image];

    /// The byte for an operation of `1 << log2_bytes` bytes.
    pub fn of_width(self, log2_bytes: u8) -> u8 {
        self as u8 | log2_bytes & 3
    }
}

#[derive(Clone, Copy, Debug)]
pub struct LazyFlags {
    pub kind: Kind,
    pub a: u64,
    pub b: u64,
    pub r: u64,
}

impl Default for LazyFlags {
    fn default() -> Self {
        Self { kind: Kind::Known, a: 0, b: 0, r: 0 }
    }
}

/// PF: set if the low byte of the result has an even number of ones.
#[inline(always)]
pub const fn parity(low: u64) -> bool {
    (low as u8).count_ones().is_multiple_of(2)
}

impl LazyFlags {
    #[inline(always)]
    pub fn add(&mut self, a: u64, b: u64, r: u64) {
        *self = Self { kind: Kind::Add, a, b, r };
    }

    #[inline(always)]
    pub fn sub(&mut self, a: u64, b: u64, r: u64) {
        *self = Self { kind: Kind::Sub, a, b, r };
    }

    #[inline(always)]
    pub fn logic(&mut self, r: u64) {
        self.kind = Kind::Logic;
        self.r = r;
    }

    /// ZF, SF, PF from `r` (sign-extended); CF, AF and OF as given in RFLAGS bits.
    #[inline(always)]
    pub fn result(&mut self, r: u64, cf_af_of: u64) {
        self.kind = Kind::Result;
        self.a = cf_af_of;
        self.r = r;
    }

    /// All six flags, as RFLAGS bits (others are ignored).
    #[inline(always)]
    pub fn known(&mut self, status: u64) {
        self.kind = Kind::Known;
        self.a = status;
    }

    /// Brings what compiled code has left in `a` and `b` into shape. `deferred` is not [`Deferred::NONE`].
    pub fn settle(&mut self, deferred: u8) {
        let unused = 64 - (8u32 << (deferred & 3));
        let extend = |value: u64| ((value << unused) as i64 >> unused) as u64;
        let Some(form) = Deferred::ALL.into_iter().find(|form| *form as u8 == deferred & !3) else { return };
        let (a, b) = (extend(self.a), extend(self.b));
        match form {
            Deferred::Sum => self.add(a, b, extend(a.wrapping_add(b))),
            Deferred::Difference => self.sub(a, b, extend(a.wrapping_sub(b))),
            Deferred::SumResult => self.add(extend(a.wrapping_sub(b)), b, a),
            Deferred::DifferenceResult => self.sub(extend(a.wrapping_add(b)), b, a),
            Deferred::Logic => self.logic(a),
            Deferred::Image => self.known(self.a >> 8 & rflags::STATUS & 0xFF | (self.a & 1) << 11),
        }
    }

    #[inline(always)]
    pub fn cf(&self) -> bool {
        match self.kind {
            Kind::Sub => self.a < self.b,
            Kind::Add => self.r < self.a,
            Kind::Logic => false,
            Kind::Known | Kind::Result => self.a & rflags::CF != 0,
        }
    }

    #[inline(always)]
    pub fn zf(&self) -> bool {
        if self.kind == Kind::Known { self.a & rflags::ZF != 0 } else { self.r == 0 }
    }

    #[inline(always)]
    pub fn sf(&self) -> bool {
        if self.kind == Kind::Known { self.a & rflags::SF != 0 } else { (self.r as i64) < 0 }
    }

    #[inline(always)]
    pub fn pf(&self) -> bool {
        if self.kind == Kind::Known { self.a & rflags::PF != 0 } else { parity(self.r) }
    }

    #[inline(always)]
    pub fn of(&self) -> bool {
        match self.kind {
            Kind::Sub => ((self.a ^ self.b) & (self.a ^ self.r)) >> 63 != 0,
            Kind::Add => ((self.a ^ self.r) & (self.b ^ self.r)) >> 63 != 0,
            Kind::Logic => false,
            Kind::Known | Kind::Result => self.a & rflags::OF != 0,
        }
    }

    pub fn af(&self) -> bool {
        match self.kind {
            Kind::Sub | Kind::Add => (self.a ^ self.b ^ self.r) & 0x10 != 0,
            Kind::Logic => false,
            Kind::Known | Kind::Result => self.a & rflags::AF != 0,
        }
    }

    /// All six flags as RFLAGS bits.
    pub fn status(&self) -> u64 {
        if self.kind == Kind::Known {
            return self.a & rflags::STATUS;
        }
        let bit = |set: bool, flag: u64| if set { flag } else { 0 };
        bit(self.cf(), rflags::CF)
            | bit(self.pf(), rflags::PF)
            | bit(self.af(), rflags::AF)
            | bit(self.zf(), rflags::ZF)
            | bit(self.sf(), rflags::SF)
            | bit(self.of(), rflags::OF)
    }

    /// Condition `cc` of Jcc, SETcc and CMOVcc (Intel SDM Vol. 1 appendix B): the low four opcode bits.
    #[inline(always)]
    pub fn condition(&self, cc: u8) -> bool {
        // `a` and `r` order as the values they were extended from, so the common case, a condition after CMP or
        // SUB, is one comparison.
        let less = || {
            if self.kind == Kind::Sub { (self.a as i64) < (self.b as i64) } else { self.sf() != self.of() }
        };
        let value = match cc >> 1 {
            0 => self.of(),
            1 => self.cf(),
            2 => self.zf(),
            3 => self.cf() || self.zf(),
            4 => self.sf(),
            5 => self.pf(),
            6 => less(),
            _ => self.zf() || less(),
        };
        value != (cc & 1 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What compiled code leaves comes to the same as what the interpreter would have written, whatever the upper bits.
    #[test]
    fn deferred_flags_are_the_flags() {
        const VALUES: [u64; 8] = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF_FFFF, 0x8000_0000, u64::MAX];
        for (log2_bytes, (x, y)) in
            (0..4u8).flat_map(|w| VALUES.iter().flat_map(move |x| VALUES.iter().map(move |y| (w, (*x, *y)))))
        {
            let bits = 8u32 << log2_bytes;
            let extend = |value: u64| ((value << (64 - bits)) as i64 >> (64 - bits)) as u64;
            let (a, b) = (extend(x), extend(y));
            let (sum, difference) = (extend(a.wrapping_add(b)), extend(a.wrapping_sub(b)));
            let check =
                |form: Deferred, a: u64, write: fn(&mut LazyFlags, u64, u64, u64), r: u64, left: u64| {
                    let mut deferred = LazyFlags { a, b: y, ..LazyFlags::default() };
                    deferred.settle(form.of_width(log2_bytes));
                    let mut direct = LazyFlags::default();
                    write(&mut direct, left, b, r);
                    assert_eq!(deferred.status(), direct.status(), "{form:?} {log2_bytes} {x:x} {y:x}");
                };
            check(Deferred::Sum, x, LazyFlags::add, sum, a);
            check(Deferred::Difference, x, LazyFlags::sub, difference, a);
            check(Deferred::SumResult, sum, LazyFlags::add, sum, a);
            check(Deferred::DifferenceResult, difference, LazyFlags::sub, difference, a);
            check(Deferred::Logic, x, |flags, _, _, r| flags.logic(r), a, a);
        }
        let mut image = LazyFlags { a: 0xD701, ..LazyFlags::default() };
        image.settle(Deferred::Image.of_width(3));
        assert_eq!(image.status(), rflags::STATUS);
    }
}
