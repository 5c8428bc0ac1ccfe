//! AVX and AVX2 instructions against the host CPU: every encoding of the three VEX maps that decodes to one of them
//! (floating point that rounds or compares apart), with random registers, in register and memory forms.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;
mod random;
mod vex;

use iced_x86::{Code, CpuidFeature, EncodingKind, Instruction, Mnemonic};
use random::Random;
use std::collections::HashMap;
use vex::{Form, Native, Ours, State, decode, forms, host_has};

/// AVX to AVX2 without FMA, F16C and what rounds or compares floating-point numbers.
fn under_test(code: Code) -> bool {
    use CpuidFeature as F;
    const FLOAT: [&str; 15] = [
        "Vadd", "Vsub", "Vmul", "Vdiv", "Vsqrt", "Vmin", "Vmax", "Vcmp", "Vcomi", "Vucomi", "Vcvt", "Vround",
        "Vdpp", "Vhadd", "Vhsub",
    ];
    let name = format!("{:?}", code.mnemonic());
    let known = code
        .cpuid_features()
        .iter()
        .all(|f| matches!(f, F::AVX | F::AVX2 | F::AES | F::PCLMULQDQ | F::VAES | F::VPCLMULQDQ));
    known && (!FLOAT.iter().any(|prefix| name.starts_with(prefix)) || code.mnemonic() == Mnemonic::Vcvtdq2pd)
}

/// Estimates differ from host to host.
fn comparable(code: Code) -> bool {
    use Mnemonic as M;
    !matches!(code.mnemonic(), M::Vrcpps | M::Vrcpss | M::Vrsqrtps | M::Vrsqrtss)
}

/// What VLDMXCSR loads must be valid everywhere (hosts differ in bit 17). Indices of a gather must stay in the
/// buffer: -4 to 3, in elements of the right size.
fn tame(s: &mut State, i: &Instruction, random: &mut Random) {
    use Mnemonic as M;
    if i.mnemonic() == M::Vldmxcsr {
        s.memory = [u128::from(random.next() as u16), 0, 0, 0];
    }
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

/// The host, ours, and what was compared so far.
struct Bench {
    native: Native,
    emulated: Ours,
    random: Random,
    compared: HashMap<Code, u64>,
    faults: u64,
    failures: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        Self {
            native: Native::new(),
            emulated: Ours::new(),
            random: Random(0x9E37_79B9_7F4A_7C15),
            compared: HashMap::new(),
            faults: 0,
            failures: Vec::new(),
        }
    }

    /// Runs one encoding on `runs` random states, as `prepare` changes them.
    fn compare(
        &mut self,
        bytes: &[u8],
        i: &Instruction,
        runs: u64,
        prepare: impl Fn(&mut State, &Instruction, &mut Random),
    ) {
        self.emulated.install(bytes);
        self.native.install(bytes);
        for _ in 0..runs {
            let mut before = State::random(&mut self.random);
            prepare(&mut before, i, &mut self.random);
            let (mut ours, mut theirs) = (before.clone(), before.clone());
            let vectors = (self.emulated.run(&mut ours), self.native.run(&mut theirs));
            self.faults += u64::from(vectors.0.is_some());
            if vectors.0 != vectors.1 || ours != theirs {
                self.failures.push(format!(
                    "{i} {bytes:02X?} {vectors:?}\nbefore {before:?}ours {ours:?}host {theirs:?}"
                ));
                return;
            }
            *self.compared.entry(i.code()).or_default() += 1;
        }
    }

    /// Up to `encodings` random encodings of a form, if it is under test.
    fn compare_form(
        &mut self,
        form: Form,
        (encodings, runs): (u64, u64),
        prepare: impl Fn(&mut State, &Instruction, &mut Random),
    ) {
        let failed = self.failures.len();
        for _ in 0..encodings {
            let Some((bytes, i)) = form.encode(&mut self.random) else { continue };
            if !under_test(i.code()) || !comparable(i.code()) || !host_has(&i) {
                return;
            }
            self.compare(&bytes, &i, runs, &prepare);
            if self.failures.len() > failed {
                return;
            }
        }
    }

    fn check(&self) {
        let total: u64 = self.compared.values().sum();
        println!("{total} vectors, {} instructions, {} faults", self.compared.len(), self.faults);
        assert!(self.failures.is_empty(), "{} failures\n{}", self.failures.len(), self.failures.join("\n"));
    }
}

fn host_has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

#[test]
fn every_encoding_agrees_with_the_host() {
    if !host_has_avx2() {
        return;
    }
    let mut bench = Bench::new();
    for form in forms() {
        bench.compare_form(form, (60, 25), tame);
    }
    bench.check();
    let rare: Vec<Code> = Code::values()
        .filter(|code| code.encoding() == EncodingKind::VEX && under_test(*code) && comparable(*code))
        .filter(|code| bench.compared.get(code).is_none_or(|n| *n < 1000))
        .collect();
    assert!(rare.is_empty(), "{rare:?}");
}

/// Where there must be alignment, and where not.
#[test]
fn unaligned_operands_agree_with_the_host() {
    if !host_has_avx2() {
        return;
    }
    let mut bench = Bench::new();
    for form in forms().into_iter().filter_map(|form| form.displaced(1)) {
        bench.compare_form(form, (4, 8), tame);
    }
    bench.check();
    assert!(bench.faults > 100, "some of them fault");
}

/// Operands that begin in the page and end in the next, which is not there.
#[test]
fn page_faults_agree_with_the_host() {
    if !host_has_avx2() {
        return;
    }
    let mut bench = Bench::new();
    for form in forms() {
        for by in [33, 48, 56, 63] {
            let Some(form) = form.displaced(by) else { continue };
            bench.compare_form(form, (8, 8), tame);
        }
    }
    bench.check();
    assert!(bench.faults > 1000);
}

/// What was gathered before a fault stays.
#[test]
fn interrupted_gathers_agree_with_the_host() {
    if !host_has_avx2() {
        return;
    }
    let mut bench = Bench::new();
    for form in forms().into_iter().filter(Form::gathers) {
        bench.compare_form(form, (40, 50), |s, i, random| {
            tame(s, i, random);
            // Beyond the buffer, as a quadword and as a doubleword.
            let (register, half) = (i.memory_index().number(), 64 * random.below(2));
            let index = if random.below(2) == 0 { &mut s.xmm } else { &mut s.ymm_high };
            index[register] = index[register] & !(u128::from(u64::MAX) << half) | 0x1FF << half;
        });
    }
    bench.check();
    assert!(bench.faults > 1000);
}

/// What the decoder refuses, the host refuses. (What the host has and we do not, on opmask registers, apart: it
/// ignores bits of their numbers that the decoder does not.)
#[test]
fn invalid_encodings_agree_with_the_host() {
    if !host_has_avx2() {
        return;
    }
    const NOP: u8 = 0x90;
    let mut bench = Bench::new();
    let (mut invalid, mut failures) = (0, Vec::new());
    for form in forms() {
        for _ in 0..3 {
            let mut bytes = form.bytes(&mut bench.random);
            if form.names_opmasks() || form.ignores_w() || !decode(&bytes).is_invalid() {
                continue;
            }
            bytes.extend([NOP; 8]);
            invalid += 1;
            let mut state = State::random(&mut bench.random);
            bench.emulated.install(&bytes);
            bench.native.install(&bytes);
            let vectors = (bench.emulated.run(&mut state.clone()), bench.native.run(&mut state));
            if vectors != (Some(6), Some(6)) {
                failures.push(format!("{bytes:02X?} {vectors:?}"));
            }
        }
    }
    println!("{invalid} invalid encodings");
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert!(invalid > 10_000);
}

/// LOCK, 66, F2, F3 and REX have no place before VEX.
#[test]
fn prefixes_before_vex() {
    if !host_has_avx2() {
        return;
    }
    let mut bench = Bench::new();
    for form in forms() {
        let Some((bytes, i)) = form.encode(&mut bench.random) else { continue };
        if !under_test(i.code()) || !comparable(i.code()) || !host_has(&i) {
            continue;
        }
        for (prefix, refused) in
            [(0xF0, true), (0x66, true), (0xF2, true), (0xF3, true), (0x48, true), (0x3E, false)]
        {
            let prefixed: Vec<u8> = [prefix].into_iter().chain(bytes.iter().copied()).collect();
            let faults = bench.faults;
            bench.compare(&prefixed, &i, 1, tame);
            assert_eq!(bench.faults > faults, refused, "{prefixed:02X?}");
        }
    }
    bench.check();
}
