//! Operand widths: how values of each width sit in the register file and in memory.

/// Slots of [`Regs`] beyond the sixteen general registers.
pub const ZERO: u8 = 16;
/// RIP of byte 0 of the page that is being executed; RIP = this + page offset.
pub const RIP_BASE: u8 = 17;
/// Segment bases: `SEG_BASE + SegmentName as u8`.
pub const SEG_BASE: u8 = 18;

/// The register file with a few pseudo-registers, so that effective addresses need no special cases. It has a place
/// for every `u8`, so that no index needs a check; only the first 24 are ever touched.
#[derive(Clone, Debug)]
#[repr(transparent)]
pub struct Regs(pub [u64; 256]);

impl Default for Regs {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl Regs {
    #[inline(always)]
    pub fn get(&self, slot: u8) -> u64 {
        self.0[slot as usize]
    }

    #[inline(always)]
    pub fn set(&mut self, slot: u8, value: u64) {
        self.0[slot as usize] = value;
    }
}

/// A value that guest memory can hold, little endian.
pub trait Scalar: Copy + Default + 'static {
    /// Size in bytes.
    const SIZE: u64;
    /// From the low bytes of a 128-bit value.
    fn from_wide(value: u128) -> Self;
    fn to_wide(self) -> u128;
}

macro_rules! scalar {
    ($($t:ty),*) => {$(
        impl Scalar for $t {
            const SIZE: u64 = size_of::<$t>() as u64;
            #[inline(always)]
            fn from_wide(value: u128) -> Self { value as $t }
            #[inline(always)]
            fn to_wide(self) -> u128 { self as u128 }
        }
    )*};
}
scalar!(u8, u16, u32, u64, u128);

/// An integer operand: 8, 16, 32 or 64 bits.
///
/// Registers are named as the decoder encodes them: for 8 bits the byte's offset in the register file
/// (AL = 0, AH = 1, CL = 8, ...), otherwise the register number.
pub trait Word: Scalar + Eq + Ord {
    const BITS: u32;
    const SIGN: u64;
    fn reg(regs: &Regs, register: u8) -> Self;
    /// Writes a register; 32-bit writes clear the upper half (Intel SDM Vol. 1 3.4.1.1).
    fn set_reg(regs: &mut Regs, register: u8, value: Self);
    /// Truncates.
    fn low(value: u64) -> Self;
    fn zext(self) -> u64;
    /// Sign-extends to 64 bits.
    fn sext(self) -> u64;
}

macro_rules! word {
    ($t:ty, $signed:ty, |$regs:ident, $r:ident| $get:expr, |$set_regs:ident, $set_r:ident, $v:ident| $set:expr) => {
        impl Word for $t {
            const BITS: u32 = <$t>::BITS;
            const SIGN: u64 = 1 << (<$t>::BITS - 1);
            #[inline(always)]
            fn reg($regs: &Regs, $r: u8) -> Self {
                $get
            }
            #[inline(always)]
            fn set_reg($set_regs: &mut Regs, $set_r: u8, $v: Self) {
                $set
            }
            #[inline(always)]
            fn low(value: u64) -> Self {
                value as $t
            }
            #[inline(always)]
            fn zext(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn sext(self) -> u64 {
                self as $signed as i64 as u64
            }
        }
    };
}

word!(u8, i8, |regs, r| zerocopy::IntoBytes::as_bytes(&regs.0)[r as usize], |regs, r, v| {
    zerocopy::IntoBytes::as_mut_bytes(&mut regs.0)[r as usize] = v
});
word!(u16, i16, |regs, r| regs.get(r) as u16, |regs, r, v| regs
    .set(r, (regs.get(r) & !0xFFFF) | u64::from(v)));
word!(u32, i32, |regs, r| regs.get(r) as u32, |regs, r, v| regs.set(r, u64::from(v)));
word!(u64, i64, |regs, r| regs.get(r), |regs, r, v| regs.set(r, v));
