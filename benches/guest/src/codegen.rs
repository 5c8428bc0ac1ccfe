//! A program that writes its own code: small random functions into fresh or used memory, each run and checked.
#![allow(
    unsafe_code,
    reason = "maps executable memory by bare system calls and calls what was written there"
)]

use crate::random::Random;
use std::arch::asm;
use std::io::Write;

/// Bytes of one mapping; holds [`PER_MAPPING`] functions.
const MAPPING: usize = 64 << 10;
/// Functions written one after another before the mapping is written over or given back.
const PER_MAPPING: usize = 16;
/// Most operations of one function: with 7 bytes each, a sixteenth of a mapping is far larger.
const LONGEST: usize = 200;
/// Most rounds of a function's loop: enough that some functions are worth compiling and some are not.
const ROUNDS: usize = 4_000;
/// Functions between two lines of [`soak`].
const PER_LINE: u64 = 2_000;

/// One operation on RAX.
#[derive(Clone, Copy)]
enum Op {
    Add(i32),
    Xor(i32),
    Sub(i32),
    Multiply(i32),
    Rotate(u8),
    Not,
    Swap,
    Triple,
}

impl Op {
    fn random(random: &mut Random) -> Self {
        let [a, b, c, d, kind, count, ..] = random.next().to_le_bytes();
        let value = i32::from_le_bytes([a, b, c, d]);
        match kind % 8 {
            0 => Self::Add(value),
            1 => Self::Xor(value),
            2 => Self::Sub(value),
            3 => Self::Multiply(value | 1),
            4 => Self::Rotate(count % 63 + 1),
            5 => Self::Not,
            6 => Self::Swap,
            _ => Self::Triple,
        }
    }

    /// Intel SDM Vol. 2, the 64-bit forms with RAX as destination.
    fn write(self, code: &mut Vec<u8>) {
        let (opcode, value): (&[u8], Option<i32>) = match self {
            Self::Add(value) => (&[0x48, 0x05], Some(value)),
            Self::Xor(value) => (&[0x48, 0x35], Some(value)),
            Self::Sub(value) => (&[0x48, 0x2D], Some(value)),
            Self::Multiply(value) => (&[0x48, 0x69, 0xC0], Some(value)),
            Self::Rotate(count) => (&[0x48, 0xC1, 0xC0, count], None),
            Self::Not => (&[0x48, 0xF7, 0xD0], None),
            Self::Swap => (&[0x48, 0x0F, 0xC8], None),
            Self::Triple => (&[0x48, 0x8D, 0x04, 0x40], None), // LEA RAX, [RAX + 2 * RAX]
        };
        code.extend_from_slice(opcode);
        code.extend(value.into_iter().flat_map(i32::to_le_bytes));
    }

    fn apply(self, x: u64) -> u64 {
        let wide = |value: i32| i64::from(value).cast_unsigned();
        match self {
            Self::Add(value) => x.wrapping_add(wide(value)),
            Self::Xor(value) => x ^ wide(value),
            Self::Sub(value) => x.wrapping_sub(wide(value)),
            Self::Multiply(value) => x.wrapping_mul(wide(value)),
            Self::Rotate(count) => x.rotate_left(u32::from(count)),
            Self::Not => !x,
            Self::Swap => x.swap_bytes(),
            Self::Triple => x.wrapping_mul(3),
        }
    }
}

/// A function of (RDI = x, RSI = rounds) that applies all operations to x so many times.
fn assemble(ops: &[Op]) -> Vec<u8> {
    let mut code = vec![0x48, 0x89, 0xF8, 0x48, 0x89, 0xF1]; // MOV RAX, RDI; MOV RCX, RSI
    let top = code.len();
    for op in ops {
        op.write(&mut code);
    }
    code.extend([0x48, 0xFF, 0xC9, 0x0F, 0x85]); // DEC RCX; JNZ top
    let back = code.len() + 4 - top;
    code.extend((-i32::try_from(back).expect("a short function")).to_le_bytes());
    code.push(0xC3); // RET
    code
}

/// Writable and executable pages, given back at the end.
struct Mapping(*mut u8);

impl Mapping {
    fn new() -> Option<Self> {
        const READ_WRITE_EXECUTE: u64 = 7;
        const PRIVATE_ANONYMOUS: u64 = 0x22;
        let at: i64;
        // SAFETY: mmap (Linux x86-64 number 9) at an address of the kernel's choice touches nothing that exists.
        unsafe {
            asm!("syscall", inout("rax") 9_i64 => at, in("rdi") 0_u64, in("rsi") MAPPING,
                in("rdx") READ_WRITE_EXECUTE, in("r10") PRIVATE_ANONYMOUS, in("r8") -1_i64, in("r9") 0_u64,
                out("rcx") _, out("r11") _, options(nostack));
        }
        (at > 0).then_some(Self(at as *mut u8))
    }

    /// Writes `code` into a slot and calls it.
    fn run(&self, slot: usize, code: &[u8], x: u64, rounds: u64) -> u64 {
        const SLOT: usize = MAPPING / PER_MAPPING;
        assert!(slot < PER_MAPPING && code.len() <= SLOT, "a function fits its slot");
        // SAFETY: the slot lies inside the mapping; the code is a function of the System V ABI that uses only RAX
        // and RCX, and x86 sees stores to code without a barrier when a jump follows.
        unsafe {
            let at = self.0.add(slot * SLOT);
            std::ptr::copy_nonoverlapping(code.as_ptr(), at, code.len());
            let function: extern "sysv64" fn(u64, u64) -> u64 = std::mem::transmute(at);
            function(x, rounds)
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: munmap (Linux x86-64 number 11) of our own mapping, into which nobody has a pointer any more.
        unsafe {
            asm!("syscall", inout("rax") 11_u64 => _, in("rdi") self.0, in("rsi") MAPPING,
                out("rcx") _, out("r11") _, options(nostack));
        }
    }
}

/// Writes one function, runs it and compares with what it should have done.
fn one(mapping: &Mapping, slot: usize, random: &mut Random) -> Option<u64> {
    let ops: Vec<Op> = (0..=random.below(LONGEST)).map(|_| Op::random(random)).collect();
    let (x, rounds) = (random.next(), 1 + random.below(ROUNDS) as u64 / ops.len() as u64);
    let result = mapping.run(slot, &assemble(&ops), x, rounds);
    let expected = (0..rounds).fold(x, |x, _| ops.iter().fold(x, |x, op| op.apply(x)));
    (result == expected).then_some(result)
}

/// The sum of the results of `count` functions, or the number of the one that went wrong.
fn generate(count: u64, random: &mut Random) -> Result<u64, u64> {
    let (mut mapping, mut sum) = (None, 0_u64);
    for number in 0..count {
        let slot = random.below(PER_MAPPING);
        if random.below(PER_MAPPING) == 0 {
            mapping = None;
        }
        if mapping.is_none() {
            mapping = Mapping::new();
        }
        let result = mapping.as_ref().and_then(|mapping| one(mapping, slot, random)).ok_or(number)?;
        sum = sum.wrapping_add(result);
    }
    Ok(sum)
}

/// A kernel: new functions, each checked.
pub fn functions(iterations: u64) -> u64 {
    generate(iterations, &mut Random::new(1)).unwrap_or(0)
}

/// Generates functions until the machine is switched off, with a line now and then.
pub fn soak() -> Result<(), String> {
    let mut random = Random::new(2);
    for lines in 1.. {
        let sum = generate(PER_LINE, &mut random)
            .map_err(|number| format!("soak: function {} is wrong", (lines - 1) * PER_LINE + number))?;
        println!("soak {} functions {sum:016x}", lines * PER_LINE);
        let _ = std::io::stdout().flush();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_does_what_it_says() {
        assert!(generate(500, &mut Random::new(7)).is_ok());
    }

    #[test]
    fn the_longest_function_fits_its_slot() {
        let ops = [Op::Multiply(-1); LONGEST];
        assert!(assemble(&ops).len() <= MAPPING / PER_MAPPING);
    }
}
