//! Calls: recursive, through pointers, and the dispatch loop of a bytecode interpreter.

use std::hint::black_box;

/// Naive recursion.
pub fn fibonacci(n: u64) -> u64 {
    fn step(n: u64) -> u64 {
        if n < 2 { n } else { black_box(step)(n - 1) + step(n - 2) }
    }
    step(n)
}

/// Calls through a table of functions, in an order that does not repeat.
pub fn indirect(iterations: u64) -> u64 {
    const TABLE: [fn(u64) -> u64; 8] = [
        |x| x.wrapping_add(1),
        |x| x.wrapping_mul(3),
        |x| x ^ 0x5555,
        |x| x.rotate_left(7),
        |x| x.wrapping_sub(12_345),
        |x| !x,
        |x| x >> 1 ^ x << 63,
        |x| x.swap_bytes(),
    ];
    let table = black_box(TABLE);
    let (mut x, mut random) = (1_u64, 88_172_645_463_325_252_u64);
    for _ in 0..iterations {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        x = table[(random >> 61) as usize](x);
    }
    x
}

/// A stack machine that counts down and sums.
pub fn bytecode(iterations: u64) -> u64 {
    #[derive(Clone, Copy)]
    enum Op {
        Push(u64),
        Load(usize),
        Store(usize),
        Add,
        Sub,
        JumpIfNot0(usize),
        Stop,
    }
    use Op::{Add, JumpIfNot0, Load, Push, Stop, Store, Sub};
    // variables: 0 = counter, 1 = sum
    let loop_sum =
        [Load(1), Load(0), Add, Store(1), Load(0), Push(1), Sub, Store(0), Load(0), JumpIfNot0(0), Stop];
    let program = black_box(loop_sum);
    let mut stack: Vec<u64> = Vec::with_capacity(8);
    let mut variables = [iterations, 0];
    let mut at = 0;
    loop {
        let op = program[at];
        at += 1;
        match op {
            Push(value) => stack.push(value),
            Load(variable) => stack.push(variables[variable]),
            Store(variable) => variables[variable] = stack.pop().unwrap_or(0),
            Add => {
                let (b, a) = (stack.pop().unwrap_or(0), stack.pop().unwrap_or(0));
                stack.push(a.wrapping_add(b));
            }
            Sub => {
                let (b, a) = (stack.pop().unwrap_or(0), stack.pop().unwrap_or(0));
                stack.push(a.wrapping_sub(b));
            }
            JumpIfNot0(to) => {
                if stack.pop().unwrap_or(0) != 0 {
                    at = to;
                }
            }
            Stop => return variables[1],
        }
    }
}
