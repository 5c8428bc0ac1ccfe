//! What the comparison with the host CPU (`tests/host_vfloat.rs`) cannot show: exceptions that are not masked, faults,
//! and models without the instructions.

use crate::interpreter::exception::vector;
use crate::interpreter::testbed::{CODE, Testbed};
use crate::isa::cpuid;
use crate::isa::simd::mxcsr::{IE, INITIAL, MASKS, OE, PE, UE, ZE};
use crate::vcpu::cr4;

/// VDIVPS YMM0, YMM1, YMM2.
const VDIVPS: [u8; 4] = [0xC5, 0xF4, 0x5E, 0xC2];
/// VFMADD231SD XMM0, XMM1, XMM2.
const VFMADD231SD: [u8; 5] = [0xC4, 0xE2, 0xF1, 0xB9, 0xC2];
/// VCVTPS2PH [RDI], YMM1, 0.
const VCVTPS2PH: [u8; 6] = [0xC4, 0xE3, 0x7D, 0x1D, 0x0F, 0x00];
const DATA: u64 = 0x4_0000;
const ONES: u128 = 0x3F80_0000_3F80_0000_3F80_0000_3F80_0000;
const THREES: u128 = 0x4040_0000_4040_0000_4040_0000_4040_0000;
const DESTINATION: u128 = 0x0123_4567_89AB_CDEF;
const INTERRUPT_GATE: u64 = 0x8E;

/// 64-bit mode with AVX enabled and handlers for all vectors.
fn bed(model: &str) -> Testbed {
    let mut bed = Testbed::long();
    bed.handlers(INTERRUPT_GATE);
    bed.cpu.model = cpuid::by_name(model).expect("a model of the table");
    bed.cpu.cr4 |= cr4::OSFXSR | cr4::OSXMMEXCPT | cr4::OSXSAVE;
    bed.cpu.xcr0 = 7;
    bed.cpu.mxcsr = INITIAL;
    bed.cpu.gpr[7] = DATA;
    bed.cpu.xmm[0] = DESTINATION;
    bed.cpu.ymm_high[0] = DESTINATION;
    bed
}

/// Runs one instruction; the vector of the exception it raised.
fn run(bed: &mut Testbed, code: &[u8]) -> Option<u64> {
    bed.poke(CODE, code);
    bed.poke(CODE + code.len() as u64, &[0xF4]);
    bed.step(1);
    if bed.cpu.rip == CODE + code.len() as u64 { None } else { Some(bed.run_to_handler()) }
}

/// Inexact quotients below, a division by zero in the highest lane.
fn division() -> Testbed {
    let mut bed = bed("max");
    (bed.cpu.xmm[1], bed.cpu.ymm_high[1]) = (ONES, ONES);
    (bed.cpu.xmm[2], bed.cpu.ymm_high[2]) = (THREES, THREES & u128::MAX >> 32);
    bed
}

#[test]
fn an_unmasked_exception_of_any_lane_leaves_the_destination() {
    // Masked flags, what is raised, MXCSR's flags after it. ZE comes before the computation and hides PE.
    let cases = [
        (MASKS, None, ZE | PE),
        (MASKS & !(ZE << 7), Some(u64::from(vector::XM)), ZE),
        (MASKS & !(PE << 7), Some(u64::from(vector::XM)), ZE | PE),
        (MASKS & !(IE << 7), None, ZE | PE),
    ];
    for (masks, raised, flags) in cases {
        let mut bed = division();
        bed.cpu.mxcsr = masks;
        assert_eq!(run(&mut bed, &VDIVPS), raised, "{masks:X}");
        assert_eq!(bed.cpu.mxcsr, masks | flags);
        let kept = (bed.cpu.xmm[0], bed.cpu.ymm_high[0]) == (DESTINATION, DESTINATION);
        assert_eq!(kept, raised.is_some());
    }
}

#[test]
fn without_osxmmexcpt_an_unmasked_exception_is_undefined() {
    let mut bed = division();
    bed.cpu.cr4 &= !cr4::OSXMMEXCPT;
    bed.cpu.mxcsr = MASKS & !(ZE << 7);
    assert_eq!(run(&mut bed, &VDIVPS), Some(vector::UD.into()));
}

#[test]
fn a_fused_product_may_be_tiny_and_exact() {
    // 2^-1000 * 2^-50 + 0 is denormal and exact: underflow only where it is unmasked.
    let factor = |exponent: i64| u128::from(((1023 + exponent) as u64) << 52);
    for (masks, raised) in [(MASKS, None), (MASKS & !(UE << 7), Some(u64::from(vector::XM)))] {
        let mut bed = bed("max");
        bed.cpu.xmm[0] = 0;
        (bed.cpu.xmm[1], bed.cpu.xmm[2]) = (factor(-1000), factor(-50));
        bed.cpu.mxcsr = masks;
        assert_eq!(run(&mut bed, &VFMADD231SD), raised);
        assert_eq!(bed.cpu.mxcsr & UE != 0, raised.is_some());
        assert_eq!(bed.cpu.xmm[0], if raised.is_some() { 0 } else { 1 << 24 });
        assert_eq!(bed.cpu.ymm_high[0], if raised.is_some() { DESTINATION } else { 0 });
    }
}

/// 65536 in the highest lane: an overflow.
fn conversion() -> Testbed {
    let mut bed = bed("max");
    (bed.cpu.xmm[1], bed.cpu.ymm_high[1]) = (ONES, ONES & u128::MAX >> 32 | 0x4780_0000 << 96);
    bed
}

#[test]
fn a_conversion_stores_nothing_if_an_exception_is_unmasked() {
    let mut bed = conversion();
    assert_eq!(run(&mut bed, &VCVTPS2PH), None);
    assert_eq!((bed.peek64(DATA), bed.peek64(DATA + 8)), (0x3C00_3C00_3C00_3C00, 0x7C00_3C00_3C00_3C00));
    assert_eq!(bed.cpu.mxcsr, INITIAL | OE | PE);
    let mut bed = conversion();
    bed.cpu.mxcsr = MASKS & !(OE << 7);
    assert_eq!(run(&mut bed, &VCVTPS2PH), Some(vector::XM.into()));
    assert_eq!((bed.peek64(DATA), bed.peek64(DATA + 8)), (0, 0));
}

#[test]
fn a_conversion_that_cannot_store_leaves_mxcsr() {
    let mut bed = conversion();
    bed.cpu.gpr[7] = 1 << 40; // not mapped
    assert_eq!(run(&mut bed, &VCVTPS2PH), Some(vector::PF.into()));
    assert_eq!(bed.cpu.mxcsr, INITIAL);
}

#[test]
fn models_without_the_features_do_not_know_the_instructions() {
    for code in [&VDIVPS[..], &VFMADD231SD, &VCVTPS2PH] {
        assert_eq!(run(&mut bed("x86-64-v2"), code), Some(vector::UD.into()), "{code:02X?}");
        assert_eq!(run(&mut bed("x86-64-v3"), code), None, "{code:02X?}");
    }
}
