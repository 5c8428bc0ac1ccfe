//! Bit manipulation of BMI1, BMI2 and LZCNT, and the additions of ADX (Intel SDM Vol. 2, by mnemonic).
//!
//! Values are zero-extended, `bits` is the operand width. The functions give the value and, where it does not follow
//! from that, CF.

mod scatter;

pub use scatter::{pdep, pext};

/// A result with its carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    pub value: u64,
    pub cf: bool,
}

#[inline(always)]
const fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// Bits of `b` that are not in `a`.
#[inline(always)]
pub const fn andn(a: u64, b: u64) -> Bits {
    Bits { value: !a & b, cf: false }
}

/// `control[15:8]` bits of `a` from bit `control[7:0]` on.
#[inline(always)]
pub const fn bextr(a: u64, control: u64) -> u64 {
    let (start, length) = (control as u8 as u32, (control >> 8) as u8 as u32);
    let shifted = if start < 64 { a >> start } else { 0 };
    if length < 64 { shifted & !(u64::MAX << length) } else { shifted }
}

/// The lowest set bit; CF: there is one.
#[inline(always)]
pub const fn blsi(a: u64, bits: u32) -> Bits {
    Bits { value: a & a.wrapping_neg() & mask(bits), cf: a != 0 }
}

/// Ones up to and including the lowest set bit; CF: there is none.
#[inline(always)]
pub const fn blsmsk(a: u64, bits: u32) -> Bits {
    Bits { value: (a ^ a.wrapping_sub(1)) & mask(bits), cf: a == 0 }
}

/// All but the lowest set bit; CF: there is none.
#[inline(always)]
pub const fn blsr(a: u64) -> Bits {
    Bits { value: a & a.wrapping_sub(1), cf: a == 0 }
}

/// The bits below bit `index[7:0]`; CF: the operand has no such bit.
#[inline(always)]
pub const fn bzhi(a: u64, index: u64, bits: u32) -> Bits {
    let index = index as u8 as u32;
    let beyond = index >= bits;
    Bits { value: if beyond { a } else { a & !(u64::MAX << index) }, cf: beyond }
}

/// Zeros below the lowest set bit; CF: there is none, and the count is `bits`.
#[inline(always)]
pub const fn tzcnt(a: u64, bits: u32) -> Bits {
    let zeros = a.trailing_zeros();
    Bits { value: if zeros < bits { zeros } else { bits } as u64, cf: a == 0 }
}

/// Zeros above the highest set bit; CF: there is none, and the count is `bits`.
#[inline(always)]
pub const fn lzcnt(a: u64, bits: u32) -> Bits {
    Bits { value: (a.leading_zeros() - (64 - bits)) as u64, cf: a == 0 }
}

/// a + b + carry; CF is the carry out of bit `bits - 1`. ADOX calls it OF.
#[inline(always)]
pub const fn add_with(a: u64, b: u64, carry: bool, bits: u32) -> Bits {
    let sum = a as u128 + b as u128 + carry as u128;
    Bits { value: sum as u64 & mask(bits), cf: sum >> bits != 0 }
}

/// The whole product as (high, low).
#[inline(always)]
pub const fn mulx(a: u64, b: u64, bits: u32) -> (u64, u64) {
    let product = a as u128 * b as u128;
    ((product >> bits) as u64, product as u64 & mask(bits))
}

#[inline(always)]
pub const fn rorx(a: u64, count: u64, bits: u32) -> u64 {
    let n = count as u32 % bits;
    if n == 0 { a } else { (a >> n | a << (bits - n)) & mask(bits) }
}

#[inline(always)]
pub const fn sarx(a: u64, count: u64, bits: u32) -> u64 {
    let signed = ((a << (64 - bits)) as i64) >> (64 - bits);
    (signed >> (count as u32 % bits)) as u64 & mask(bits)
}

#[inline(always)]
pub const fn shlx(a: u64, count: u64, bits: u32) -> u64 {
    a << (count as u32 % bits) & mask(bits)
}

#[inline(always)]
pub const fn shrx(a: u64, count: u64, bits: u32) -> u64 {
    a >> (count as u32 % bits)
}
