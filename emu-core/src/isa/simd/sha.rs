//! SHA-1 and SHA-256 steps (Intel SDM Vol. 2, "SHA1RNDS4" and its neighbours). Words count down: the first word of a
//! group is the highest lane for SHA-1, the lowest for SHA-256 message words.

use super::lanes::{join, split};

fn choose(b: u32, c: u32, d: u32) -> u32 {
    b & c ^ !b & d
}

fn majority(b: u32, c: u32, d: u32) -> u32 {
    b & c ^ b & d ^ c & d
}

/// Four rounds; `imm` is the group of twenty they belong to. E of the first round is already in the first word.
pub fn sha1rnds4(state: u128, words: u128, imm: u8) -> u128 {
    let (f, k): (fn(u32, u32, u32) -> u32, u32) = match imm & 3 {
        0 => (choose, 0x5A82_7999),
        1 => (|b, c, d| b ^ c ^ d, 0x6ED9_EBA1),
        2 => (majority, 0x8F1B_BCDC),
        _ => (|b, c, d| b ^ c ^ d, 0xCA62_C1D6),
    };
    let [mut d, mut c, mut b, mut a] = split::<u32, 4>(state);
    let mut e = 0u32;
    for word in split::<u32, 4>(words).into_iter().rev() {
        let next =
            f(b, c, d).wrapping_add(a.rotate_left(5)).wrapping_add(word).wrapping_add(e).wrapping_add(k);
        (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
    }
    join([d, c, b, a])
}

/// Adds E, derived from the A of four rounds ago, to the first word.
pub fn sha1nexte(state: u128, words: u128) -> u128 {
    let e = split::<u32, 4>(state)[3].rotate_left(30);
    let [w3, w2, w1, w0] = split::<u32, 4>(words);
    join([w3, w2, w1, w0.wrapping_add(e)])
}

pub fn sha1msg1(a: u128, b: u128) -> u128 {
    a ^ (a << 64 | b >> 64)
}

pub fn sha1msg2(a: u128, b: u128) -> u128 {
    let [a3, a2, a1, a0] = split::<u32, 4>(a);
    let [w15, w14, w13, _] = split::<u32, 4>(b);
    let w16 = (a0 ^ w13).rotate_left(1);
    join([(a3 ^ w16).rotate_left(1), (a2 ^ w15).rotate_left(1), (a1 ^ w14).rotate_left(1), w16])
}

/// Two rounds: C, D, G, H in `cdgh`, A, B, E, F in `abef`, the words with their constants in `wk`.
pub fn sha256rnds2(cdgh: u128, abef: u128, wk: u128) -> u128 {
    let [mut h, mut g, mut d, mut c] = split::<u32, 4>(cdgh);
    let [mut f, mut e, mut b, mut a] = split::<u32, 4>(abef);
    for word in split::<u32, 4>(wk).into_iter().take(2) {
        let sum1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let sum0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t1 = choose(e, f, g).wrapping_add(sum1).wrapping_add(word).wrapping_add(h);
        let t2 = majority(a, b, c).wrapping_add(sum0);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    join([f, e, b, a])
}

pub fn sha256msg1(a: u128, b: u128) -> u128 {
    let sigma0 = |v: u32| v.rotate_right(7) ^ v.rotate_right(18) ^ v >> 3;
    let next = split::<u32, 4>(a >> 32 | b << 96);
    let a = split::<u32, 4>(a);
    join::<u32, 4>(std::array::from_fn(|i| a[i].wrapping_add(sigma0(next[i]))))
}

pub fn sha256msg2(a: u128, b: u128) -> u128 {
    let sigma1 = |v: u32| v.rotate_right(17) ^ v.rotate_right(19) ^ v >> 10;
    let [a0, a1, a2, a3] = split::<u32, 4>(a);
    let [_, _, w14, w15] = split::<u32, 4>(b);
    let (w16, w17) = (a0.wrapping_add(sigma1(w14)), a1.wrapping_add(sigma1(w15)));
    join([w16, w17, a2.wrapping_add(sigma1(w16)), a3.wrapping_add(sigma1(w17))])
}
