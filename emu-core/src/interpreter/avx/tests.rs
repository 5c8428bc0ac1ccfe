//! Guards, and what the CPU model has; everything else is compared with the host (`tests/host_avx.rs`).

use crate::interpreter::Cpu;
use crate::interpreter::exception::{Exception, Why, vector};
use crate::interpreter::lower::{Outcome, lower_block};
use crate::interpreter::op::OpRef;
use crate::isa::cpuid;
use crate::vcpu::{Segment, cr0, cr4, efer, rflags};

/// 64-bit mode with everything enabled.
fn cpu() -> Cpu {
    let mut cpu = Cpu::new();
    cpu.s.model = cpuid::by_name("max").expect("a model of the table");
    cpu.s.cr0 = cr0::PE | cr0::NE;
    cpu.s.cr4 = cr4::OSFXSR | cr4::OSXMMEXCPT | cr4::OSXSAVE;
    cpu.s.xcr0 = 7;
    cpu.s.efer = efer::LMA;
    cpu.s.seg[1].rights |= Segment::L | Segment::CODE;
    cpu
}

/// Runs one instruction that touches no memory; the exception it raised.
fn run(cpu: &mut Cpu, bytes: &[u8]) -> Option<u8> {
    cpu.update_fpu();
    cpu.update_mode();
    let Outcome::Block { ops, .. } = lower_block(bytes, 0, cpu.mode, 1) else { panic!("{bytes:02X?}") };
    (ops[0].handler.get())(cpu, OpRef::new(&ops[0]));
    match std::mem::replace(&mut cpu.why, Why::Lookup) {
        Why::Exception(Exception { vector, .. }) => Some(vector),
        _ => None,
    }
}

const VPADDB: &[u8] = &[0xC5, 0xF5, 0xFC, 0xC2];
const VMOVD: &[u8] = &[0xC5, 0xF9, 0x6E, 0xC1];
const VPINSRB: &[u8] = &[0xC4, 0xE3, 0x71, 0x20, 0xC1, 0x00];
const VPMOVMSKB: &[u8] = &[0xC5, 0xFD, 0xD7, 0xC1];
const VZEROUPPER: &[u8] = &[0xC5, 0xF8, 0x77];
const VZEROALL: &[u8] = &[0xC5, 0xFC, 0x77];
const VPCMPISTRI: &[u8] = &[0xC4, 0xE3, 0x79, 0x63, 0xC1, 0x00];
const VAESENC_XMM: &[u8] = &[0xC4, 0xE2, 0x71, 0xDC, 0xC2];
const VAESENC_YMM: &[u8] = &[0xC4, 0xE2, 0x75, 0xDC, 0xC2];
const VPCLMULQDQ_YMM: &[u8] = &[0xC4, 0xE3, 0x75, 0x44, 0xC2, 0x00];
const ALL: [&[u8]; 8] = [VPADDB, VMOVD, VPINSRB, VPMOVMSKB, VZEROUPPER, VZEROALL, VPCMPISTRI, VAESENC_XMM];

#[test]
fn availability() {
    let cases: [(u64, u64, u64, Option<u8>); 7] = [
        // CR0 bits set, CR4 bits cleared, XCR0, what is raised
        (0, 0, 7, None),
        (cr0::EM, cr4::OSFXSR, 7, None),
        (cr0::TS, 0, 7, Some(vector::NM)),
        (0, cr4::OSXSAVE, 7, Some(vector::UD)),
        (cr0::TS, cr4::OSXSAVE, 7, Some(vector::UD)),
        (0, 0, 3, Some(vector::UD)),
        (0, 0, 1, Some(vector::UD)),
    ];
    for (set, cleared, xcr0, raised) in cases {
        for bytes in ALL {
            let mut cpu = cpu();
            cpu.s.cr0 |= set;
            cpu.s.cr4 &= !cleared;
            cpu.s.xcr0 = xcr0;
            assert_eq!(run(&mut cpu, bytes), raised, "{bytes:02X?}");
        }
    }
}

/// 16-bit protected mode has VEX, real-address and virtual-8086 mode do not.
#[test]
fn modes() {
    let cases = [(cr0::PE, 0, None), (0, 0, Some(vector::UD)), (cr0::PE, rflags::VM, Some(vector::UD))];
    for (pe, vm, raised) in cases {
        for bytes in ALL {
            let mut cpu = cpu();
            cpu.s.cr0 = pe;
            cpu.s.rflags |= vm;
            cpu.s.efer = 0;
            cpu.s.seg[1].rights &= !Segment::L;
            assert_eq!(run(&mut cpu, bytes), raised, "{bytes:02X?}");
        }
    }
}

#[test]
fn models() {
    let cases = [
        ("x86-64-v2", VPADDB, Some(vector::UD)),
        ("x86-64-v2", VAESENC_XMM, Some(vector::UD)),
        ("x86-64-v3", VPADDB, None),
        ("x86-64-v3", VAESENC_XMM, None),
        ("x86-64-v3", VAESENC_YMM, Some(vector::UD)),
        ("x86-64-v3", VPCLMULQDQ_YMM, Some(vector::UD)),
        ("max", VAESENC_YMM, None),
        ("max", VPCLMULQDQ_YMM, None),
    ];
    for (model, bytes, raised) in cases {
        let mut cpu = cpu();
        cpu.s.model = cpuid::by_name(model).expect("a model of the table");
        assert_eq!(run(&mut cpu, bytes), raised, "{model} {bytes:02X?}");
    }
}

/// Outside 64-bit mode YMM8 to YMM15 are out of reach.
#[test]
fn zeroing_reaches_what_the_mode_can_name() {
    for (long, reached) in [(true, 16), (false, 8)] {
        let mut cpu = cpu();
        if !long {
            cpu.s.efer = 0;
            cpu.s.seg[1].rights &= !Segment::L;
        }
        (cpu.s.xmm, cpu.s.ymm_high) = ([1; 16], [2; 16]);
        let after = |n: u128| std::array::from_fn(|register| if register < reached { 0 } else { n });
        assert_eq!(run(&mut cpu, VZEROUPPER), None);
        assert_eq!((cpu.s.xmm, cpu.s.ymm_high), ([1; 16], after(2)));
        assert_eq!(run(&mut cpu, VZEROALL), None);
        assert_eq!((cpu.s.xmm, cpu.s.ymm_high), (after(1), after(2)));
    }
}
