//! AVX floating point, FMA and F16C against the host CPU: every encoding of the VEX maps that decodes to one of them,
//! in register and memory forms, with all YMM registers, general registers, flags, MXCSR, memory and exceptions compared.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;
mod random;
mod vex;

use iced_x86::{Code, CpuidFeature, Instruction};
use random::Random;
use std::collections::{BTreeMap, HashSet};
use vex::{Form, Native, Ours, STATUS, State, forms, host_has};

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

/// What kind of numbers a state is made of: one lane of another kind keeps all lanes off the native path.
#[derive(Clone, Copy)]
enum Kind {
    Edges,
    Singles,
    Doubles,
}

fn vector(random: &mut Random, kind: Kind) -> u128 {
    let mut single_near_one = || (120 + random.below(16)) << 23 | random.next() & 0x807F_FFFF;
    match kind {
        Kind::Singles => (0..4).fold(0, |v, _| v << 32 | u128::from(single_near_one())),
        Kind::Doubles => {
            let mut near_one = || (1000 + random.below(40)) << 52 | random.next() & 0x800F_FFFF_FFFF_FFFF;
            u128::from(near_one()) << 64 | u128::from(near_one())
        }
        Kind::Edges => match random.below(5) {
            0 | 1 => (0..4).fold(0, |v, _| v << 32 | u128::from(single(random))),
            2 | 3 => u128::from(double(random)) << 64 | u128::from(double(random)),
            _ => u128::from(random.next()) << 64 | u128::from(random.next()),
        },
    }
}

/// Ordinary numbers, where exceptions are rare; or edges, under every MXCSR.
fn state(random: &mut Random) -> State {
    let kind = random.of(&[Kind::Singles, Kind::Doubles, Kind::Edges, Kind::Edges, Kind::Edges, Kind::Edges]);
    let mut s = State {
        gpr: std::array::from_fn(|_| if random.below(2) == 0 { random.next() } else { random.below(20) }),
        flags: random.next() & STATUS,
        mxcsr: 0x1FA0,
        xmm: std::array::from_fn(|_| vector(random, kind)),
        ymm_high: std::array::from_fn(|_| vector(random, kind)),
        memory: std::array::from_fn(|_| vector(random, kind)),
    };
    if random.below(4) == 0 {
        (s.xmm[1], s.ymm_high[1]) = (s.xmm[0], s.ymm_high[0]);
    }
    s.mxcsr = match random.below(6) {
        0..=2 => 0x1FA0,
        3 => 0x1F80,
        4 => 0x1F80 | random.next() as u32 & 0xE07F,
        _ => random.next() as u32 & 0xFFFF, // exceptions are taken
    };
    s
}

/// The host, ours, and what was seen so far.
struct Bench {
    native: Native,
    emulated: Ours,
    random: Random,
    compared: u64,
    exceptions: u64,
    seen: HashSet<Code>,
    failures: BTreeMap<Code, String>,
}

impl Bench {
    fn new() -> Self {
        Self {
            native: Native::new(),
            emulated: Ours::new(),
            random: Random(0x9E37_79B9_7F4A_7C15),
            compared: 0,
            exceptions: 0,
            seen: HashSet::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Up to `encodings` random encodings of a form, if it is under test, each on `runs` random states.
    fn compare(&mut self, form: Form, encodings: u64, runs: u64) {
        for _ in 0..encodings {
            let Some((bytes, i)) = form.encode(&mut self.random) else { return };
            if !under_test(&i) || !host_has(&i) {
                return;
            }
            self.emulated.install(&bytes);
            self.native.install(&bytes);
            for _ in 0..runs {
                self.run(&bytes, &i);
            }
        }
    }

    fn run(&mut self, bytes: &[u8], i: &Instruction) {
        let before = state(&mut self.random);
        let (mut ours, mut theirs) = (before.clone(), before.clone());
        let vectors = (self.emulated.run(&mut ours), self.native.run(&mut theirs));
        if vectors.0 != vectors.1 || ours != theirs {
            self.failures.entry(i.code()).or_insert_with(|| {
                format!("{i} {bytes:02X?} {vectors:?}\nbefore {before:?}ours {ours:?}host {theirs:?}")
            });
        }
        self.compared += 1;
        self.exceptions += u64::from(vectors.0.is_some());
        self.seen.insert(i.code());
    }

    fn check(&self) {
        let (seen, failures) = (self.seen.len(), &self.failures);
        println!("{} vectors, {seen} instructions, {} exceptions", self.compared, self.exceptions);
        let texts: Vec<_> = failures.values().map(String::as_str).collect();
        assert!(failures.is_empty(), "{} failures\n{}", failures.len(), texts.join("\n"));
    }
}

#[test]
fn every_encoding_agrees_with_the_host() {
    if !is_x86_feature_detected!("avx") {
        return;
    }
    let mut bench = Bench::new();
    for form in forms() {
        bench.compare(form, 8, 250);
    }
    bench.check();
    assert!(bench.exceptions > 100_000);
    if is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
        assert_eq!(bench.seen.len(), 203, "instructions were seen");
    }
}

/// Operands that reach into a page that is not there: which of two exceptions is taken, and what it leaves.
#[test]
fn page_faults_agree_with_the_host() {
    if !is_x86_feature_detected!("avx") {
        return;
    }
    let mut bench = Bench::new();
    for form in forms() {
        for by in [33, 48, 56, 63] {
            let Some(form) = form.displaced(by) else { continue };
            bench.compare(form, 2, 60);
        }
    }
    bench.check();
    assert!(bench.exceptions > 10_000);
}
