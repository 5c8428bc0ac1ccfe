//! Shifts and rotates: result and flags (Intel SDM Vol. 2, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD").
//!
//! Values are zero-extended, `bits` is the operand width; counts are already masked (to 5 bits, or 6 for 64-bit
//! operands) and not zero. Where the manual leaves OF undefined (counts above 1) the formula for a count of 1 is
//! applied to the last step, as silicon does.

/// A shifted value with the carry and overflow it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shifted {
    pub value: u64,
    pub cf: bool,
    pub of: bool,
}

#[inline(always)]
const fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

#[inline(always)]
const fn top(value: u64, bits: u32) -> bool {
    value >> (bits - 1) & 1 != 0
}

/// The two highest bits of a value differ.
#[inline(always)]
const fn top_two_differ(value: u64, bits: u32) -> bool {
    (value >> (bits - 1) ^ value >> (bits - 2)) & 1 != 0
}

#[inline(always)]
pub const fn shl(a: u64, count: u32, bits: u32) -> Shifted {
    let wide = (a as u128) << count;
    let value = wide as u64 & mask(bits);
    let cf = wide >> bits & 1 != 0;
    Shifted { value, cf, of: top(value, bits) != cf }
}

#[inline(always)]
pub const fn shr(a: u64, count: u32, bits: u32) -> Shifted {
    let before = if count > 64 { 0 } else { a >> (count - 1) };
    let value = before >> 1;
    Shifted { value, cf: before & 1 != 0, of: top_two_differ(value, bits) }
}

#[inline(always)]
pub const fn sar(a: u64, count: u32, bits: u32) -> Shifted {
    let signed = ((a << (64 - bits)) as i64) >> (64 - bits);
    let before = signed >> (count - 1);
    Shifted { value: (before >> 1) as u64 & mask(bits), cf: before & 1 != 0, of: false }
}

#[inline(always)]
pub const fn rol(a: u64, count: u32, bits: u32) -> Shifted {
    let n = count % bits;
    let value = if n == 0 { a } else { (a << n | a >> (bits - n)) & mask(bits) };
    let cf = value & 1 != 0;
    Shifted { value, cf, of: top(value, bits) != cf }
}

#[inline(always)]
pub const fn ror(a: u64, count: u32, bits: u32) -> Shifted {
    let n = count % bits;
    let value = if n == 0 { a } else { (a >> n | a << (bits - n)) & mask(bits) };
    Shifted { value, cf: top(value, bits), of: top_two_differ(value, bits) }
}

/// Rotates through carry; a count that is a multiple of `bits + 1` leaves value and CF as they were.
pub const fn rcl(a: u64, carry: bool, count: u32, bits: u32) -> Shifted {
    let n = count % (bits + 1);
    let ring = a as u128 | (carry as u128) << bits;
    let turned = if n == 0 { ring } else { ring << n | ring >> (bits + 1 - n) };
    let value = turned as u64 & mask(bits);
    let cf = turned >> bits & 1 != 0;
    Shifted { value, cf, of: top(value, bits) != cf }
}

pub const fn rcr(a: u64, carry: bool, count: u32, bits: u32) -> Shifted {
    let n = count % (bits + 1);
    let ring = a as u128 | (carry as u128) << bits;
    let turned = if n == 0 { ring } else { ring >> n | ring << (bits + 1 - n) };
    let value = turned as u64 & mask(bits);
    Shifted { value, cf: turned >> bits & 1 != 0, of: top_two_differ(value, bits) }
}

/// SHLD: shifts `a` left, filling from the top of `b`. For 16-bit operands a count above 16 is undefined; AMD's
/// silicon goes on with `b` again.
pub const fn shld(a: u64, b: u64, count: u32, bits: u32) -> Shifted {
    let ring = if bits == 16 {
        (a as u128) << 32 | (b as u128) << 16 | b as u128
    } else {
        (a as u128) << bits | b as u128
    };
    let width = if bits == 16 { 48 } else { 2 * bits };
    let value = (ring << count >> (width - bits)) as u64 & mask(bits);
    let cf = ring >> (width - count) & 1 != 0;
    Shifted { value, cf, of: top(value, bits) != top(a, bits) }
}

/// SHRD: shifts `a` right, filling from the bottom of `b`.
pub const fn shrd(a: u64, b: u64, count: u32, bits: u32) -> Shifted {
    let ring = if bits == 16 {
        (b as u128) << 32 | (b as u128) << 16 | a as u128
    } else {
        (b as u128) << bits | a as u128
    };
    let value = (ring >> count) as u64 & mask(bits);
    let cf = ring >> (count - 1) & 1 != 0;
    Shifted { value, cf, of: top_two_differ(value, bits) }
}
