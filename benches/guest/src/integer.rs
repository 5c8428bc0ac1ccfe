//! Registers only: arithmetic, logic, shifts, branches.

use std::hint::black_box;

/// A chain of dependent ALU operations (Marsaglia's xorshift with a multiply and an add).
pub fn alu(iterations: u64) -> u64 {
    let mut x = black_box(0x9E37_79B9_7F4A_7C15_u64);
    let mut sum = 0_u64;
    for _ in 0..iterations {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum = sum.wrapping_mul(31).wrapping_add(x);
    }
    sum
}

/// Steps of the Collatz sequence: branches that are hard to predict.
pub fn collatz(iterations: u64) -> u64 {
    let mut steps = 0_u64;
    for start in 1..=iterations {
        let mut n = black_box(start);
        while n != 1 {
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            steps += 1;
        }
    }
    steps
}
