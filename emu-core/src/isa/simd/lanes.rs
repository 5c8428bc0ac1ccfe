//! A 128-bit value as lanes. An MMX value is the low half of one: lane-wise functions never let the halves meet.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The lanes of `v`, lowest first; `N` lanes of `T` are 128 bits.
#[inline(always)]
pub fn split<T: FromBytes + Copy, const N: usize>(v: u128) -> [T; N] {
    const { assert!(size_of::<T>() * N == 16) };
    <[T; N]>::read_from_bytes(&v.to_le_bytes()).expect("N lanes of T are 16 bytes, checked above")
}

/// The opposite of [`split`].
#[inline(always)]
pub fn join<T: IntoBytes + Immutable, const N: usize>(lanes: [T; N]) -> u128 {
    const { assert!(size_of::<T>() * N == 16) };
    let bytes = <[u8; 16]>::read_from_bytes(lanes.as_bytes());
    u128::from_le_bytes(bytes.expect("N lanes of T are 16 bytes, checked above"))
}

/// `f` on each lane.
#[inline(always)]
pub fn map<T, const N: usize>(a: u128, f: impl Fn(T) -> T) -> u128
where
    T: FromBytes + IntoBytes + Immutable + Copy,
{
    join::<T, N>(split::<T, N>(a).map(f))
}

/// `f` on each pair of lanes.
#[inline(always)]
pub fn map2<T, const N: usize>(a: u128, b: u128, f: impl Fn(T, T) -> T) -> u128
where
    T: FromBytes + IntoBytes + Immutable + Copy,
{
    let (mut a, b) = (split::<T, N>(a), split::<T, N>(b));
    for (a, b) in a.iter_mut().zip(b) {
        *a = f(*a, b);
    }
    join(a)
}

/// Neighbouring lanes combined by `f`: those of `a` give the low half of the result, those of `b` the high half.
#[inline(always)]
pub fn fold_pairs<T, const N: usize>(a: u128, b: u128, f: impl Fn(T, T) -> T) -> u128
where
    T: FromBytes + IntoBytes + Immutable + Copy,
{
    let (a, b) = (split::<T, N>(a), split::<T, N>(b));
    join::<T, N>(std::array::from_fn(|i| {
        let from = if i < N / 2 { &a } else { &b };
        let at = 2 * (i % (N / 2));
        f(from[at], from[at + 1])
    }))
}
