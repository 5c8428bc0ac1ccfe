//! Floating point: SSE2 scalar, SSE packed, x87.
#![allow(unsafe_code, reason = "x87 instructions can only be named in assembly")]

use std::arch::asm;
use std::arch::x86_64::{
    _mm_add_ps, _mm_cvtss_f32, _mm_max_ps, _mm_mul_ps, _mm_set_ps, _mm_set1_ps, _mm_sub_ps,
};
use std::hint::black_box;

/// Double-precision add, multiply and divide (the logistic map).
pub fn scalar(iterations: u64) -> u64 {
    let (mut x, mut sum) = (black_box(0.3_f64), 0.0_f64);
    for _ in 0..iterations {
        x = 3.9 * x * (1.0 - x);
        sum += 1.0 / (1.0 + x);
    }
    sum.to_bits()
}

/// Four single-precision lanes at a time.
pub fn packed(iterations: u64) -> u64 {
    // SAFETY: SSE is part of x86-64.
    unsafe { packed_sse(iterations) }
}

#[target_feature(enable = "sse")]
fn packed_sse(iterations: u64) -> u64 {
    let factor = _mm_set1_ps(black_box(0.999));
    let step = _mm_set_ps(0.1, 0.2, 0.3, 0.4);
    let mut x = black_box(_mm_set_ps(1.0, 2.0, 3.0, 4.0));
    for _ in 0..iterations {
        x = _mm_add_ps(_mm_mul_ps(x, factor), step);
        x = _mm_max_ps(_mm_sub_ps(x, step), factor);
    }
    u64::from(_mm_cvtss_f32(x).to_bits())
}

/// Load, multiply, add and store on the x87 stack.
pub fn x87(iterations: u64) -> u64 {
    let (factor, step) = (black_box(0.999_f64), black_box(0.25_f64));
    let mut x = 1.0_f64;
    for _ in 0..iterations {
        // SAFETY: reads and writes the three named variables; the x87 stack is balanced and empty at the end.
        unsafe {
            asm!(
                "fld qword ptr [{x}]", "fmul qword ptr [{factor}]", "fadd qword ptr [{step}]", "fstp qword ptr [{x}]",
                x = in(reg) &raw mut x, factor = in(reg) &raw const factor, step = in(reg) &raw const step,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
                options(nostack)
            );
        }
    }
    x.to_bits()
}
