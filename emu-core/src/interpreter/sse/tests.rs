//! Guards and faults, which need no memory.

use crate::interpreter::Cpu;
use crate::interpreter::exception::{Exception, Why, vector};
use crate::interpreter::lower::{Outcome, lower_block};
use crate::interpreter::op::OpRef;
use crate::isa::cpuid;
use crate::isa::simd::mxcsr::{IE, MASKS, OE, PE, UE, ZE};
use crate::vcpu::{Segment, cr0, cr4, efer};

/// 64-bit mode with everything enabled.
fn cpu() -> Cpu {
    let mut cpu = Cpu::new();
    cpu.s.model = cpuid::by_name("max").expect("a model of the table");
    cpu.s.cr0 = cr0::PE | cr0::NE;
    cpu.s.cr4 = cr4::OSFXSR | cr4::OSXMMEXCPT;
    cpu.s.efer = efer::LMA;
    cpu.s.seg[1].rights |= Segment::L | Segment::CODE;
    cpu.update_mode();
    cpu.update_fpu();
    cpu
}

/// Runs one instruction that touches no memory; the exception it raised.
fn run(cpu: &mut Cpu, bytes: &[u8]) -> Option<u8> {
    cpu.update_fpu();
    let Outcome::Block { ops, .. } = lower_block(bytes, 0, cpu.mode, 1) else { panic!("{bytes:02X?}") };
    (ops[0].handler.get())(cpu, OpRef::new(&ops[0]));
    match std::mem::replace(&mut cpu.why, Why::Lookup) {
        Why::Exception(Exception { vector, .. }) => Some(vector),
        _ => None,
    }
}

const PADDB_MM: &[u8] = &[0x0F, 0xFC, 0xC1];
const PADDB_XMM: &[u8] = &[0x66, 0x0F, 0xFC, 0xC1];
const PADDB_LOAD: &[u8] = &[0x66, 0x0F, 0xFC, 0x07];
const MOVAPS_STORE: &[u8] = &[0x0F, 0x29, 0x07];
const ADDPS: &[u8] = &[0x0F, 0x58, 0xC1];
const MULPS: &[u8] = &[0x0F, 0x59, 0xC1];
const DIVPS: &[u8] = &[0x0F, 0x5E, 0xC1];
const CVTTPS2PI: &[u8] = &[0x0F, 0x2C, 0xC1];
const CMPXCHG16B: &[u8] = &[0x48, 0x0F, 0xC7, 0x0F];
const CRC32: &[u8] = &[0xF2, 0x0F, 0x38, 0xF1, 0xC1];
const LFENCE: &[u8] = &[0x0F, 0xAE, 0xE8];

#[test]
fn availability() {
    let cases: [(u64, u64, Option<u8>, Option<u8>); 4] = [
        // CR0 bits set, CR4 bits cleared, MMX raises, SSE raises
        (0, 0, None, None),
        (cr0::EM, 0, Some(vector::UD), Some(vector::UD)),
        (cr0::TS, 0, Some(vector::NM), Some(vector::NM)),
        (0, cr4::OSFXSR, None, Some(vector::UD)),
    ];
    for (set, cleared, mmx, sse) in cases {
        let mut cpu = cpu();
        cpu.s.cr0 |= set;
        cpu.s.cr4 &= !cleared;
        assert_eq!(run(&mut cpu, PADDB_MM), mmx);
        assert_eq!(run(&mut cpu, PADDB_XMM), sse);
        assert_eq!(run(&mut cpu, ADDPS), sse);
        assert_eq!(run(&mut cpu, CRC32), None);
        assert_eq!(run(&mut cpu, LFENCE), None);
    }
}

#[test]
fn pending_x87_exceptions_stop_mmx_only() {
    let mut cpu = cpu();
    cpu.s.x87.status = 0x8081;
    assert_eq!(run(&mut cpu, PADDB_MM), Some(vector::MF));
    assert_eq!(run(&mut cpu, CVTTPS2PI), Some(vector::MF));
    assert_eq!(run(&mut cpu, PADDB_XMM), None);
}

#[test]
fn unaligned_operands() {
    for bytes in [PADDB_LOAD, MOVAPS_STORE, CMPXCHG16B] {
        let mut cpu = cpu();
        cpu.r.set(7, 0x1008);
        assert_eq!(run(&mut cpu, bytes), Some(vector::GP), "{bytes:02X?}");
    }
}

fn singles(lanes: [f32; 4]) -> u128 {
    lanes.into_iter().rev().fold(0, |v, lane| v << 32 | u128::from(lane.to_bits()))
}

/// Instruction, operands, what is unmasked, flags afterwards.
type Case = (&'static [u8], [f32; 4], [f32; 4], u32, u32);

/// The expectations were read off a processor (AMD EPYC).
#[test]
fn unmasked_exceptions() {
    let tiny = f32::MIN_POSITIVE;
    let denormal = 1e-40;
    let cases: [Case; 8] = [
        (DIVPS, [1.0, 1.0, 1.0, 1.0], [0.0, 3.0, 1.0, 1.0], ZE, ZE),
        (DIVPS, [0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 3.0, 1.0], ZE, ZE | IE),
        (MULPS, [tiny, 1.0, 1.0, 1.0], [0.5, 1.0, 1.0, 1.0], UE, UE),
        (MULPS, [tiny, 1.0, 1.0, 1.0], [0.3, 1.0, 1.0, 1.0], PE, UE | PE),
        (MULPS, [3e38, tiny, 1.0, 1.0], [1e10, 0.3, 1.0, 1.0], OE, OE | UE | PE),
        (MULPS, [3e38, denormal, 1.0, 1.0], [1e10, 3.0, 1.0, 1.0], OE, OE | PE | 2),
        (MULPS, [denormal, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], UE, UE | 2),
        (ADDPS, [f32::INFINITY, 1.0, 1.0, 1.0], [f32::NEG_INFINITY, 1.0, 1.0, 1.0], IE, IE),
    ];
    for (bytes, a, b, unmasked, flags) in cases {
        for (enabled, raises) in [(cr4::OSXMMEXCPT, vector::XM), (0, vector::UD)] {
            let mut cpu = cpu();
            cpu.s.cr4 = cr4::OSFXSR | enabled;
            (cpu.s.xmm[0], cpu.s.xmm[1]) = (singles(a), singles(b));
            cpu.s.mxcsr = MASKS & !(unmasked << 7);
            assert_eq!(run(&mut cpu, bytes), Some(raises), "{bytes:02X?} {a:?} {b:?}");
            assert_eq!(cpu.s.xmm[0], singles(a), "the destination stays");
            assert_eq!(cpu.s.mxcsr & 0x3F, flags, "{bytes:02X?} {a:?} {b:?}");
        }
    }
}
