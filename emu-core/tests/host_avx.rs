//! AVX and AVX2 instructions against the host CPU: every encoding of the three VEX maps that decodes to one of them
//! (floating point that rounds or compares apart), with random registers, in register and memory forms.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;
mod random;
mod vex;

use iced_x86::{CpuidFeature, Instruction, Mnemonic};
use random::Random;
use std::collections::HashMap;
use vex::{Native, Ours, State, forms, host_has};

/// AVX to AVX2 without FMA, F16C and what rounds or compares floating-point numbers.
fn under_test(i: &Instruction) -> bool {
    use CpuidFeature as F;
    const FLOAT: [&str; 15] = [
        "Vadd", "Vsub", "Vmul", "Vdiv", "Vsqrt", "Vmin", "Vmax", "Vcmp", "Vcomi", "Vucomi", "Vcvt", "Vround",
        "Vdpp", "Vhadd", "Vhsub",
    ];
    let name = format!("{:?}", i.mnemonic());
    let known = i
        .cpuid_features()
        .iter()
        .all(|f| matches!(f, F::AVX | F::AVX2 | F::AES | F::PCLMULQDQ | F::VAES | F::VPCLMULQDQ));
    known && (!FLOAT.iter().any(|prefix| name.starts_with(prefix)) || i.mnemonic() == Mnemonic::Vcvtdq2pd)
}

/// Estimates differ from host to host; what VLDMXCSR loads must be valid.
fn comparable(i: &Instruction) -> bool {
    use Mnemonic as M;
    !matches!(i.mnemonic(), M::Vrcpps | M::Vrcpss | M::Vrsqrtps | M::Vrsqrtss | M::Vldmxcsr)
}

/// Indices of a gather must stay in the buffer: -4 to 3, in elements of the right size.
fn tame(s: &mut State, i: &Instruction, random: &mut Random) {
    use Mnemonic as M;
    let index = i.memory_index();
    if !index.is_vector_register() {
        return;
    }
    let quad = matches!(i.mnemonic(), M::Vgatherqpd | M::Vgatherqps | M::Vpgatherqd | M::Vpgatherqq);
    let mut half = || {
        let mut small = || random.below(8) as i64 - 4;
        if quad {
            u128::from(small() as u64) << 64 | u128::from(small() as u64)
        } else {
            (0..4).fold(0, |v, _| v << 32 | u128::from(small() as u32))
        }
    };
    (s.xmm[index.number()], s.ymm_high[index.number()]) = (half(), half());
}

#[test]
fn every_encoding_agrees_with_the_host() {
    const ENCODINGS: u64 = 60;
    const RUNS: u64 = 25;
    let (native, mut emulated) = (Native::new(), Ours::new());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut compared: HashMap<_, u64> = HashMap::new();
    let mut failures: Vec<String> = Vec::new();
    for form in forms() {
        'form: for _ in 0..ENCODINGS {
            let Some((bytes, i)) = form.encode(&mut random) else { continue };
            if !under_test(&i) {
                break;
            }
            if !comparable(&i) {
                continue;
            }
            emulated.install(&bytes);
            native.install(&bytes);
            for _ in 0..RUNS {
                let mut before = State::random(&mut random);
                tame(&mut before, &i, &mut random);
                let (mut ours, mut theirs) = (before.clone(), before.clone());
                if !emulated.run(&mut ours) {
                    failures.push(format!("{:?} {bytes:02X?} raises an exception", i.code()));
                    break 'form;
                }
                if !host_has(&i) {
                    break 'form;
                }
                native.run(&mut theirs);
                if ours != theirs {
                    failures.push(format!("{i} {bytes:02X?}\nbefore {before:?}ours {ours:?}host {theirs:?}"));
                    break 'form;
                }
                *compared.entry(i.code()).or_default() += 1;
            }
        }
    }
    let total: u64 = compared.values().sum();
    println!("{total} vectors, {} instructions", compared.len());
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    if is_x86_feature_detected!("avx2") {
        assert!(compared.len() > 400, "only {} instructions were seen", compared.len());
        let rare: Vec<_> = compared.iter().filter(|(_, n)| **n < 1000).collect();
        assert!(rare.is_empty(), "too few vectors: {rare:?}");
    }
}
