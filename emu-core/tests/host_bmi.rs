//! BMI1, BMI2, LZCNT, ADX, POPCNT, CRC32 and MOVBE against the host CPU: random encodings in register and memory
//! forms, with general registers, memory and all six status flags compared, undefined ones included.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;
mod random;
mod vex;

use iced_x86::{Code, CpuidFeature, Decoder, DecoderOptions, Instruction};
use random::Random;
use std::collections::BTreeMap;
use vex::{Native, Ours, STATUS, State};

/// Registers an operand may name: not RSP, not RDI.
const REGISTERS: [u8; 14] = [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/// Prefix, escape and opcode of the legacy encodings.
const LEGACY: [(&[u8], &[u8], u8); 12] = [
    (&[0xF3], &[0x0F], 0xB8),       // POPCNT
    (&[0xF3], &[0x0F], 0xBC),       // TZCNT
    (&[0xF3], &[0x0F], 0xBD),       // LZCNT
    (&[0x66, 0xF3], &[0x0F], 0xB8), // their 16-bit forms
    (&[0x66, 0xF3], &[0x0F], 0xBC), //
    (&[0x66, 0xF3], &[0x0F], 0xBD), //
    (&[0x66], &[0x0F, 0x38], 0xF6), // ADCX
    (&[0xF3], &[0x0F, 0x38], 0xF6), // ADOX
    (&[0xF2], &[0x0F, 0x38], 0xF0), // CRC32
    (&[0xF2], &[0x0F, 0x38], 0xF1), //
    (&[], &[0x0F, 0x38], 0xF0),     // MOVBE
    (&[0x66], &[0x0F, 0x38], 0xF1), //
];

/// The registers in reg, rm (or memory at [RDI]) and vvvv.
fn operands(random: &mut Random) -> (u8, Option<u8>, u8) {
    let rm = if random.below(3) == 0 { None } else { Some(random.of(&REGISTERS)) };
    (random.of(&REGISTERS), rm, random.of(&REGISTERS))
}

fn modrm(reg: u8, rm: Option<u8>) -> u8 {
    (reg & 7) << 3 | rm.map_or(7, |rm| 0xC0 | rm & 7)
}

fn legacy(random: &mut Random) -> Vec<u8> {
    let (prefix, escape, opcode) = random.of(&LEGACY);
    let (reg, rm, _) = operands(random);
    let rex = 0x40 | (random.below(2) as u8) << 3 | reg >> 3 << 2 | rm.unwrap_or(0) >> 3;
    [prefix, &[rex], escape, &[opcode, modrm(reg, rm)]].concat()
}

fn vex_encoded(random: &mut Random) -> Vec<u8> {
    let (reg, rm, vvvv) = operands(random);
    let (map, opcode) = random.of(&[(2, 0xF2u8), (2, 0xF3), (2, 0xF5), (2, 0xF6), (2, 0xF7), (3, 0xF0)]);
    let group = opcode == 0xF3; // reg is part of the opcode
    let reg = if group { random.below(8) as u8 } else { reg };
    let vvvv = if map == 3 { 0 } else { vvvv };
    let first = (!reg & 8) << 4 | 0x40 | (!rm.unwrap_or(0) & 8) << 2 | map;
    let second = (random.below(2) as u8) << 7 | (!vvvv & 15) << 3 | random.below(4) as u8;
    let mut bytes = vec![0xC4, first, second, opcode, modrm(reg, rm)];
    if map == 3 {
        bytes.push(random.next() as u8);
    }
    bytes
}

fn under_test(i: &Instruction) -> bool {
    use CpuidFeature as F;
    !i.is_invalid()
        && i.cpuid_features().iter().all(|f| match f {
            F::BMI1 => is_x86_feature_detected!("bmi1"),
            F::BMI2 => is_x86_feature_detected!("bmi2"),
            F::LZCNT => is_x86_feature_detected!("lzcnt"),
            F::ADX => is_x86_feature_detected!("adx"),
            F::POPCNT => is_x86_feature_detected!("popcnt"),
            F::SSE4_2 => is_x86_feature_detected!("sse4.2"),
            F::MOVBE => is_x86_feature_detected!("movbe"),
            _ => false,
        })
}

fn value(random: &mut Random) -> u64 {
    const EDGES: [u64; 8] = [0, 1, 0x8000, 0x8000_0000, 1 << 32, 1 << 63, 0x7FFF_FFFF, u64::MAX >> 1];
    match random.below(6) {
        0 => random.of(&EDGES),
        1 => random.of(&EDGES).wrapping_neg(),
        2 => random.next() >> random.below(64),
        3 => random.next() << random.below(64),
        4 => random.below(80) << 8 | random.below(80), // starts, lengths, counts
        _ => random.next(),
    }
}

fn state(random: &mut Random) -> State {
    State {
        gpr: std::array::from_fn(|_| value(random)),
        flags: random.next() & STATUS,
        mxcsr: 0x1F80,
        xmm: [0; 16],
        ymm_high: [0; 16],
        memory: std::array::from_fn(|_| value(random).into()),
    }
}

#[test]
fn bit_manipulation_agrees_with_the_host() {
    if !is_x86_feature_detected!("avx") {
        return; // the bench saves and restores AVX state
    }
    let (native, mut emulated) = (Native::new(), Ours::new());
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut seen: BTreeMap<Code, u64> = BTreeMap::new();
    let mut failures: BTreeMap<Code, String> = BTreeMap::new();
    for n in 0..12_000 {
        let bytes = if n % 3 == 0 { legacy(&mut random) } else { vex_encoded(&mut random) };
        let i = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).decode();
        if !under_test(&i) {
            continue;
        }
        assert_eq!(i.len(), bytes.len(), "{:?} {bytes:02X?}", i.code());
        native.install(&bytes);
        emulated.install(&bytes);
        for _ in 0..100 {
            let before = state(&mut random);
            let (mut ours, mut theirs) = (before.clone(), before.clone());
            let vectors = (emulated.run(&mut ours), native.run(&mut theirs));
            if vectors != (None, None) || ours != theirs {
                failures.entry(i.code()).or_insert_with(|| {
                    format!(
                        "{:?} {bytes:02X?} {vectors:?}\nbefore {before:?}ours {ours:?}host {theirs:?}",
                        i.code()
                    )
                });
            }
        }
        *seen.entry(i.code()).or_default() += 100;
    }
    assert!(failures.is_empty(), "{}", failures.into_values().collect::<Vec<_>>().join("\n"));
    println!("{seen:?}");
    if is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("adx") {
        assert!(seen.len() >= 47, "only {} instructions were seen", seen.len());
    }
}
