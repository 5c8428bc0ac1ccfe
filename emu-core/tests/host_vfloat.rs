//! AVX floating point, FMA and F16C against the host CPU: every encoding of the VEX maps that decodes to one of them,
//! in register and memory forms, with all YMM registers, general registers, flags, MXCSR and memory compared.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;
mod native;

use iced_x86::{Code, CpuidFeature, Decoder, DecoderOptions, Instruction};
use native::{Native, Ours, Random, STATUS, State};
use std::collections::BTreeMap;

/// Arithmetic, comparisons and conversions, by the beginnings of their names. Estimates differ from host to host.
const UNDER_TEST: [&str; 17] = [
    "Vadd", "Vsub", "Vmul", "Vdiv", "Vsqrt", "Vmin", "Vmax", "Vhadd", "Vhsub", "Vdpp", "Vround", "Vcmp",
    "Vcomis", "Vucomis", "Vcvt", "Vfm", "Vfnm",
];

fn under_test(i: &Instruction) -> bool {
    use CpuidFeature as F;
    let name = format!("{:?}", i.mnemonic());
    !i.is_invalid()
        && UNDER_TEST.iter().any(|begin| name.starts_with(begin))
        && i.cpuid_features().iter().all(|f| matches!(f, F::AVX | F::FMA | F::F16C))
}

fn host_has(i: &Instruction) -> bool {
    use CpuidFeature as F;
    i.cpuid_features().iter().all(|f| match f {
        F::FMA => is_x86_feature_detected!("fma"),
        F::F16C => is_x86_feature_detected!("f16c"),
        _ => is_x86_feature_detected!("avx"),
    })
}

/// Map, mandatory prefix, L, W and opcode of every VEX encoding.
fn opcodes() -> impl Iterator<Item = (u8, u8, u8, u8, u8)> {
    (0..3 * 4 * 2 * 2 * 256u32).map(|n| {
        let [opcode, rest] = [n & 255, n >> 8].map(|n| n as u8);
        (1 + rest / 16, rest & 3, rest >> 2 & 1, rest >> 3 & 1, opcode)
    })
}

/// An encoding with random operands: few registers, so that they often meet; or [RDI] for memory.
fn encoding(random: &mut Random, (map, pp, l, w, opcode): (u8, u8, u8, u8, u8)) -> Vec<u8> {
    let (reg, vvvv) = (random.of(&[0, 1, 2, 9]), random.of(&[0, 0, 1, 2, 11]));
    let rm = if random.below(3) == 0 { None } else { Some(random.of(&[0u8, 1, 2, 10])) };
    let first = (!reg & 8) << 4 | 0x40 | (!rm.unwrap_or(0) & 8) << 2 | map;
    let second = w << 7 | (!vvvv & 15) << 3 | l << 2 | pp;
    let modrm = (reg & 7) << 3 | rm.map_or(7, |rm| 0xC0 | rm & 7);
    vec![0xC4, first, second, opcode, modrm, random.next() as u8]
}

fn single(random: &mut Random) -> u32 {
    const EDGES: [u32; 26] = [
        0,
        0x1,
        0x40_0000,
        0x7F_FFFF,
        0x80_0000,
        0x80_0001,
        0x100_0000,
        0x3300_0000, // half's least denormal
        0x3880_0000, // half's least normal
        0x387F_F000,
        0x477F_E000, // half's largest
        0x477F_F000,
        0x3F80_0000,
        0x3F00_0000,
        0x3FC0_0000,
        0x4B7F_FFFF,
        0x4EFF_FFFF,
        0x4F00_0000,
        0x5F00_0000,
        0x7F7F_FFFF,
        0x7F80_0000,
        0x7F80_0001,
        0x7FBF_FFFF,
        0x7FC0_0000,
        0x7FC1_2345,
        0x3F7F_FFFF,
    ];
    let sign = random.next() as u32 & 1 << 31;
    match random.below(7) {
        0 | 1 => random.of(&EDGES) | sign,
        2 => ((random.next() as i32 % 1000) as f32 / 4.0).to_bits(),
        3 | 4 => (0x3F80_0000 + ((random.below(16) as u32) << 23)) ^ (random.next() as u32 & 0x807F_FFFF),
        5 => ((100 + random.below(48) as u32) << 23) | random.next() as u32 & 0x807F_FFFF,
        _ => random.next() as u32,
    }
}

fn double(random: &mut Random) -> u64 {
    const EDGES: [u64; 22] = [
        0,
        1,
        0xF_FFFF_FFFF_FFFF,
        0x10_0000_0000_0000,
        0x10_0000_0000_0001,
        0x20_0000_0000_0000,
        0x3FF0_0000_0000_0000,
        0x3FE0_0000_0000_0000,
        0x3FF8_0000_0000_0000,
        0x4004_0000_0000_0000,
        0x4330_0000_0000_0000,
        0x41DF_FFFF_FFC0_0000,
        0x41E0_0000_0000_0000,
        0x43E0_0000_0000_0000,
        0x43DF_FFFF_FFFF_FFFF,
        0x7FEF_FFFF_FFFF_FFFF,
        0x7FF0_0000_0000_0000,
        0x7FF0_0000_0000_0001,
        0x7FF8_0000_0000_0000,
        0x7FF8_1234_5678_9ABC,
        0x380F_FFFF_FFFF_FFFF,
        0x47EF_FFFF_FFFF_FFFF,
    ];
    match random.below(6) {
        0 | 1 => random.of(&EDGES) | (random.next() & 1 << 63),
        2 => ((random.next() as i32 % 1000) as f64 / 4.0).to_bits(),
        3 => (0x3FF0_0000_0000_0000 + (random.below(64) << 52)) ^ (random.next() & 0x800F_FFFF_FFFF_FFFF),
        4 => (0x3690_0000_0000_0000 + (random.below(300) << 52)) ^ (random.next() & 0x800F_FFFF_FFFF_FFFF),
        _ => random.next(),
    }
}

/// Ordinary numbers only, or edges as well: one lane that is not ordinary keeps all others off the native path.
fn vector(random: &mut Random) -> u128 {
    let ordinary = |r: &mut Random| (120 + r.below(16)) << 23 | r.next() & 0x807F_FFFF;
    match random.below(6) {
        0 | 1 => (0..4).fold(0, |v, _| v << 32 | u128::from(single(random))),
        2 | 3 => u128::from(double(random)) << 64 | u128::from(double(random)),
        4 => (0..4).fold(0, |v, _| v << 32 | u128::from(ordinary(random))),
        _ => u128::from(random.next()) << 64 | u128::from(random.next()),
    }
}

fn state(random: &mut Random) -> State {
    let mut ymm: [[u128; 2]; 16] = std::array::from_fn(|_| [vector(random), vector(random)]);
    if random.below(4) == 0 {
        ymm[1] = ymm[0];
    }
    let mxcsr = match random.below(4) {
        0 | 1 => 0x1FA0,
        2 => 0x1F80,
        _ => 0x1F80 | (random.next() as u32 & 0xE07F),
    };
    let gpr = std::array::from_fn(|_| if random.below(2) == 0 { random.next() } else { random.below(20) });
    State { gpr, flags: random.next() & STATUS, mxcsr, ymm, memory: [vector(random), vector(random)] }
}

#[test]
fn every_encoding_agrees_with_the_host() {
    let (native, mut emulated) = (Native::new(), Ours::new());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut compared, mut seen) = (0u64, std::collections::HashSet::new());
    let mut failures: BTreeMap<Code, String> = BTreeMap::new();
    for opcode in opcodes() {
        for _ in 0..48 {
            let mut bytes = encoding(&mut random, opcode);
            let i = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).decode();
            if !under_test(&i) {
                continue;
            }
            bytes.truncate(i.len());
            emulated.install(&bytes);
            native.install(&bytes);
            for _ in 0..100 {
                let before = state(&mut random);
                let (mut ours, mut theirs) = (before.clone(), before.clone());
                let ran = emulated.run(&mut ours);
                if ran && !host_has(&i) {
                    break;
                }
                if ran {
                    native.run(&mut theirs);
                }
                if !ran || ours != theirs {
                    let failure =
                        format!("{bytes:02X?} ran: {ran}\nbefore {before:?}ours {ours:?}host {theirs:?}");
                    failures.entry(i.code()).or_insert(format!("{:?} {failure}", i.code()));
                    break;
                }
                compared += 1;
                seen.insert(i.code());
            }
        }
    }
    println!("{compared} vectors, {} instructions", seen.len());
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.into_values().collect::<Vec<_>>().join("\n")
    );
    if is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
        assert!(seen.len() == 203, "only {} instructions were seen", seen.len());
    }
}
