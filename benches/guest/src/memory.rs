//! Loads and stores: streams, tables, pointers, string instructions.
#![allow(unsafe_code, reason = "the string instructions can only be named in assembly")]

use std::arch::asm;
use std::hint::black_box;

const BLOCK: usize = 64 << 10;

fn block() -> Vec<u8> {
    let mut x = 1_u32;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x.to_le_bytes()[3]
    };
    (0..BLOCK).map(|_| next()).collect()
}

/// Copies words one by one and sums them.
pub fn copy_and_sum(iterations: u64) -> u64 {
    let from: Vec<u64> = (0..BLOCK as u64 / 8).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
    let mut to = vec![0_u64; from.len()];
    let mut sum = 0_u64;
    for _ in 0..iterations {
        for (to, from) in to.iter_mut().zip(black_box(&from)) {
            *to = black_box(*from);
            sum = sum.wrapping_add(*to);
        }
    }
    sum
}

/// Adler-32 (RFC 1950, 8.2) with a remainder per byte.
pub fn adler(iterations: u64) -> u64 {
    let data = block();
    let (mut a, mut b) = (1_u32, 0_u32);
    for _ in 0..iterations {
        for &byte in black_box(&data) {
            a = (a + u32::from(byte)) % 65_521;
            b = (b + a) % 65_521;
        }
    }
    u64::from(b << 16 | a)
}

/// Follows a linked list in a random order through one mebibyte.
pub fn list_chase(iterations: u64) -> u64 {
    const NODES: usize = 1 << 17;
    // A full-period generator modulo a power of two visits every node once: a - 1 divisible by 4, c odd.
    let next: Vec<usize> =
        (0..NODES).map(|i| i.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % NODES).collect();
    let mut node = 0;
    for _ in 0..iterations {
        node = next[node];
    }
    node as u64
}

/// CRC-32 (ISO 3309) with one table of 256 entries.
pub fn crc_table(iterations: u64) -> u64 {
    let entry = |index: u32| {
        (0..8).fold(index, |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xEDB8_8320 })
    };
    let table: Vec<u32> = (0..256).map(entry).collect();
    let data = block();
    let mut crc = u32::MAX;
    for _ in 0..iterations {
        for &byte in black_box(&data) {
            crc = table[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8;
        }
    }
    u64::from(!crc)
}

/// Sorts 2000 numbers by insertion.
pub fn insertion_sort(iterations: u64) -> u64 {
    let mut sum = 0_u64;
    for round in 0..iterations {
        let mut x = (round as u32).wrapping_add(12_345);
        let mut next = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x
        };
        let mut numbers: Vec<u32> = (0..2000).map(|_| next()).collect();
        for i in 1..numbers.len() {
            let value = numbers[i];
            let mut j = i;
            while j > 0 && numbers[j - 1] > value {
                numbers[j] = numbers[j - 1];
                j -= 1;
            }
            numbers[j] = value;
        }
        sum = sum.wrapping_add(u64::from(black_box(numbers)[1000]));
    }
    sum
}

/// The sieve of Eratosthenes up to one million.
pub fn sieve(iterations: u64) -> u64 {
    const LIMIT: usize = 1_000_000;
    let mut count = 0;
    for _ in 0..iterations {
        let mut composite = vec![false; LIMIT + 1];
        for number in 2..=LIMIT {
            if !composite[number] {
                count += 1;
                let mut multiple = number * number;
                while multiple <= LIMIT {
                    composite[multiple] = true;
                    multiple += number;
                }
            }
        }
        black_box(&composite);
    }
    count
}

/// Whole pages. Where two buffers lie to each other within a page decides whether a host copies fast: some CPUs are
/// thirty times slower if the target is a few bytes ahead.
#[repr(align(4096))]
struct Pages([u8; BLOCK]);

/// `rep movsb` of 64 KiB, as memcpy does it on a CPU with ERMS.
pub fn rep_movs(iterations: u64) -> u64 {
    let (mut from, mut to) = (Box::new(Pages([0; BLOCK])), Box::new(Pages([0; BLOCK])));
    from.0.copy_from_slice(&block());
    for _ in 0..iterations {
        // SAFETY: both buffers are BLOCK bytes long, and the direction flag is clear (System V ABI).
        unsafe {
            asm!("rep movsb", inout("rcx") BLOCK => _, inout("rsi") from.0.as_ptr() => _,
                inout("rdi") to.0.as_mut_ptr() => _, options(nostack, preserves_flags));
        }
    }
    to.0.iter().map(|&byte| u64::from(byte)).sum()
}

/// `rep stosq` of 64 KiB, as memset does it.
pub fn rep_stos(iterations: u64) -> u64 {
    let mut to = vec![0_u64; BLOCK / 8];
    for round in 0..iterations {
        // SAFETY: the buffer is BLOCK / 8 words long, and the direction flag is clear (System V ABI).
        unsafe {
            asm!("rep stosq", inout("rcx") BLOCK / 8 => _, inout("rdi") to.as_mut_ptr() => _, in("rax") round,
                options(nostack, preserves_flags));
        }
    }
    to.iter().sum()
}
