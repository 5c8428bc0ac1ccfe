//! FXSAVE, XSAVE and their restores: memory layout, header rules, what is left alone.

mod flat;

use emu_core::engine::{Engine, Exit, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::isa::cpuid;
use emu_core::vcpu::{F80, VcpuState, X87, cr0, cr4};
use flat::{FlatBus, long_mode_state};

const CODE: u64 = 0x1_0000;
const AREA: u64 = 0x2_0000;

struct Bench {
    bus: FlatBus,
    engine: Interpreter,
    cpu: VcpuState,
}

impl Bench {
    fn new() -> Self {
        let bus = FlatBus::new(1 << 20);
        let mut cpu = long_mode_state(&bus.memory);
        cpu.cr4 |= cr4::OSXSAVE;
        cpu.xcr0 = 3;
        cpu.gpr[7] = AREA;
        cpu.mxcsr = 0xFFFF;
        cpu.xmm = std::array::from_fn(|n| 0x0102_0304_0506_0708_090A_0B0C_0D0E_0F00 + n as u128);
        cpu.x87 = X87 {
            r: std::array::from_fn(|n| F80 {
                significand: 0x8000_0000_0000_0000 + n as u64,
                exponent: 0x3FFF,
            }),
            control: 0x027F,
            status: 3 << 11 | 0x4100,
            empty: 0b0000_0101,
            opcode: 0x123,
            ip: 0x0123_4567_89AB_CDEF,
            cs: 0,
            dp: 0xFEDC_BA98_7654_3210,
            ds: 0,
        };
        bus.memory.write(AREA, &[0xEE; 1024]);
        Self { bus, engine: Interpreter::new(), cpu }
    }

    /// With AVX enabled, on a model that has it.
    fn with_avx() -> Self {
        let mut bench = Self::new();
        bench.cpu.model = cpuid::by_name("max").expect("a model of the table");
        bench.cpu.xcr0 = 7;
        bench.cpu.ymm_high = std::array::from_fn(|n| 0x1112_1314_1516_1718_191A_1B1C_1D1E_1F00 + n as u128);
        bench
    }

    fn set_features(&mut self, features: u64) -> &mut Self {
        self.cpu.gpr[0] = features & 0xFFFF_FFFF;
        self.cpu.gpr[2] = features >> 32;
        self
    }

    /// Runs one instruction; false if it did not complete (there is no IDT: an exception ends in shutdown).
    fn run(&mut self, bytes: &[u8]) -> bool {
        self.bus.memory.write(CODE, bytes);
        self.bus.left = 1000;
        self.cpu.rip = CODE;
        let exit = self.engine.run(&mut self.cpu, &mut self.bus, &Stop { at: None, after: Some(1) });
        matches!(exit, Exit::Debug(_)) && self.cpu.rip == CODE + bytes.len() as u64
    }

    fn area(&self) -> [u8; 640] {
        self.bus.memory.read_array(AREA)
    }

    fn ymm_area(&self) -> [u8; 256] {
        self.bus.memory.read_array(AREA + 576)
    }

    fn put(&self, offset: u64, bytes: &[u8]) {
        self.bus.memory.write(AREA + offset, bytes);
    }
}

const FXSAVE64: &[u8] = &[0x48, 0x0F, 0xAE, 0x07];
const FXSAVE: &[u8] = &[0x0F, 0xAE, 0x07];
const FXRSTOR64: &[u8] = &[0x48, 0x0F, 0xAE, 0x0F];
const XSAVE64: &[u8] = &[0x48, 0x0F, 0xAE, 0x27];
const XSAVEOPT64: &[u8] = &[0x48, 0x0F, 0xAE, 0x37];
const XSAVEC64: &[u8] = &[0x48, 0x0F, 0xC7, 0x27];
const XRSTOR64: &[u8] = &[0x48, 0x0F, 0xAE, 0x2F];

#[test]
fn fxsave_layout() {
    let mut bench = Bench::new();
    assert!(bench.run(FXSAVE64));
    let area = bench.area();
    assert_eq!(area[0..8], [0x7F, 0x02, 0x00, 0x59, 0xFA, 0, 0x23, 0x01]);
    assert_eq!(area[8..16], 0x0123_4567_89AB_CDEFu64.to_le_bytes());
    assert_eq!(area[16..24], 0xFEDC_BA98_7654_3210u64.to_le_bytes());
    assert_eq!(area[24..32], [0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]);
    assert_eq!(area[32..48], [3, 0, 0, 0, 0, 0, 0, 0x80, 0xFF, 0x3F, 0, 0, 0, 0, 0, 0], "ST0 is R3");
    assert_eq!(area[144], 2, "ST7 is R2");
    for n in 0..16 {
        assert_eq!(area[160 + 16 * n..176 + 16 * n], bench.cpu.xmm[n].to_le_bytes());
    }
    assert_eq!(area[416..640], [0xEE; 224]);
}

#[test]
fn the_narrow_form_keeps_selectors() {
    let mut bench = Bench::new();
    (bench.cpu.x87.cs, bench.cpu.x87.ds) = (0x1234, 0x5678);
    assert!(bench.run(FXSAVE));
    let area = bench.area();
    assert_eq!(
        area[8..24],
        [0xEF, 0xCD, 0xAB, 0x89, 0x34, 0x12, 0, 0, 0x10, 0x32, 0x54, 0x76, 0x78, 0x56, 0, 0]
    );
}

#[test]
fn fxrstor_undoes_fxsave() {
    let mut bench = Bench::new();
    let saved = bench.cpu.clone();
    assert!(bench.run(FXSAVE64));
    (bench.cpu.x87, bench.cpu.xmm, bench.cpu.mxcsr) = (X87::default(), [0; 16], 0x1F80);
    assert!(bench.run(FXRSTOR64));
    assert_eq!((bench.cpu.x87, bench.cpu.xmm, bench.cpu.mxcsr), (saved.x87, saved.xmm, saved.mxcsr));
}

#[test]
fn fxrstor_derives_the_error_summary() {
    let mut bench = Bench::new();
    assert!(bench.run(FXSAVE64));
    bench.put(0, &[0x7E, 0x03, 0x01, 0x00]); // IE pending and unmasked, ES clear
    assert!(bench.run(FXRSTOR64));
    assert_eq!(bench.cpu.x87.status, 0x8081);
    bench.put(0, &[0x7F, 0x03, 0x80, 0x80]); // ES without a cause
    assert!(bench.run(FXRSTOR64));
    assert_eq!(bench.cpu.x87.status, 0);
}

#[test]
fn invalid_areas_change_nothing() {
    let spoil: [(&str, &[u8], u64, &[u8]); 8] = [
        ("MXCSR, FXRSTOR", FXRSTOR64, 26, &[1]),
        ("MXCSR, XRSTOR", XRSTOR64, 26, &[1]),
        ("XSTATE_BV beyond XCR0", XRSTOR64, 512, &[7]),
        ("XCOMP_BV in the standard form", XRSTOR64, 520, &[1]),
        ("header bytes 16 to 23", XRSTOR64, 535, &[1]),
        ("compacted: XSTATE_BV beyond XCOMP_BV", XRSTOR64, 520, &[1, 0, 0, 0, 0, 0, 0, 0x80]),
        ("compacted: XCOMP_BV beyond XCR0", XRSTOR64, 520, &[7, 0, 0, 0, 0, 0, 0, 0x80]),
        ("compacted: reserved bytes", XRSTOR64, 520, &[3, 0, 0, 0, 0, 0, 0, 0x80, 1]),
    ];
    for (what, restore, offset, bytes) in spoil {
        let mut bench = Bench::new();
        bench.put(512, &[0; 64]);
        assert!(bench.set_features(3).run(XSAVE64));
        bench.put(offset, bytes);
        bench.cpu.xmm = [7; 16];
        bench.cpu.x87 = X87::default();
        assert!(!bench.run(restore), "{what}");
        assert_eq!(
            (bench.cpu.xmm, bench.cpu.x87, bench.cpu.mxcsr),
            ([7; 16], X87::default(), 0xFFFF),
            "{what}"
        );
    }
}

#[test]
fn guards() {
    for (bytes, alignment) in [(FXSAVE64, 16), (FXRSTOR64, 16), (XSAVE64, 64), (XSAVEC64, 64), (XRSTOR64, 64)]
    {
        let mut bench = Bench::new();
        bench.put(512, &[0; 64]);
        assert!(bench.set_features(3).run(FXSAVE64));
        assert!(bench.run(bytes));
        bench.cpu.gpr[7] = AREA + alignment / 2;
        assert!(!bench.run(bytes), "unaligned");
        let mut bench = Bench::new();
        bench.cpu.cr0 |= cr0::TS;
        assert!(!bench.run(bytes), "CR0.TS");
    }
    let mut bench = Bench::new();
    bench.cpu.cr4 &= !cr4::OSXSAVE;
    assert!(!bench.run(XSAVE64));
}

#[test]
fn xsave_writes_what_was_asked_for() {
    for (bytes, x87) in [(XSAVE64, true), (XSAVEOPT64, false)] {
        let mut bench = Bench::new();
        let components = if x87 { 1 } else { 2 };
        assert!(bench.set_features(components).run(bytes));
        let area = bench.area();
        assert_eq!(area[0] != 0xEE, x87);
        assert_eq!(area[32] != 0xEE, x87);
        assert_eq!(area[24] != 0xEE, !x87);
        assert_eq!(area[160] != 0xEE, !x87);
        assert_eq!(area[512], 0xEE | components as u8, "other bits of XSTATE_BV stay");
        assert_eq!(area[513..576], [0xEE; 63]);
    }
}

#[test]
fn xsavec_writes_its_own_header() {
    let mut bench = Bench::new();
    assert!(bench.set_features(u64::MAX).run(XSAVEC64));
    assert_eq!(bench.area()[512..528], [3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0x80]);
    bench.put(528, &[0; 48]);
    let saved = bench.cpu.clone();
    (bench.cpu.x87, bench.cpu.xmm, bench.cpu.mxcsr) = (X87::default(), [0; 16], 0x1F80);
    assert!(bench.run(XRSTOR64));
    assert_eq!((bench.cpu.x87, bench.cpu.xmm, bench.cpu.mxcsr), (saved.x87, saved.xmm, saved.mxcsr));
}

#[test]
fn absent_components_take_their_initial_state() {
    for compacted in [false, true] {
        let mut bench = Bench::new();
        bench.put(0, &[0; 576]);
        bench.put(24, &[0x3F, 0x1F]);
        bench.put(520, &[if compacted { 3 } else { 0 }, 0, 0, 0, 0, 0, 0, if compacted { 0x80 } else { 0 }]);
        assert!(bench.set_features(3).run(XRSTOR64));
        assert_eq!(bench.cpu.xmm, [0; 16]);
        assert_eq!(bench.cpu.x87, X87::default());
        assert_eq!(bench.cpu.mxcsr, if compacted { 0x1F80 } else { 0x1F3F });
    }
}

#[test]
fn components_not_requested_stay() {
    let mut bench = Bench::new();
    bench.put(0, &[0; 576]);
    let before = bench.cpu.clone();
    assert!(bench.set_features(1).run(XRSTOR64));
    assert_eq!((bench.cpu.xmm, bench.cpu.mxcsr), (before.xmm, before.mxcsr));
    assert_eq!(bench.cpu.x87, X87::default());
}

#[test]
fn avx_state_survives_both_forms() {
    for save in [XSAVE64, XSAVEOPT64, XSAVEC64] {
        let mut bench = Bench::with_avx();
        bench.put(512, &[0; 64]);
        let saved = bench.cpu.clone();
        assert!(bench.set_features(7).run(save));
        assert_eq!(bench.area()[512], 7);
        for n in 0..16 {
            assert_eq!(bench.ymm_area()[16 * n..16 * n + 16], saved.ymm_high[n].to_le_bytes());
        }
        assert_eq!(bench.bus.memory.read_array::<1>(AREA + 832), [0xEE], "nothing follows");
        (bench.cpu.ymm_high, bench.cpu.xmm, bench.cpu.mxcsr) = ([7; 16], [7; 16], 0x1F80);
        assert!(bench.run(XRSTOR64));
        assert_eq!(
            (bench.cpu.ymm_high, bench.cpu.xmm, bench.cpu.mxcsr),
            (saved.ymm_high, saved.xmm, saved.mxcsr)
        );
    }
}

#[test]
fn upper_halves_of_zeros_are_not_in_use() {
    // XSAVE writes them nevertheless; the others leave the area alone.
    for (save, written) in [(XSAVE64, 0), (XSAVEOPT64, 0xEE), (XSAVEC64, 0xEE)] {
        let mut bench = Bench::with_avx();
        bench.cpu.ymm_high = [0; 16];
        bench.put(512, &[0; 64]);
        bench.put(512, &[7]);
        assert!(bench.set_features(7).run(save));
        assert_eq!(bench.ymm_area(), [written; 256]);
        assert_eq!(bench.area()[512], 3);
        if save == XSAVEC64 {
            assert_eq!(bench.area()[520..528], [7, 0, 0, 0, 0, 0, 0, 0x80]);
        }
        bench.cpu.ymm_high = [7; 16];
        assert!(bench.run(XRSTOR64));
        assert_eq!(bench.cpu.ymm_high, [0; 16]);
    }
}

#[test]
fn avx_alone_takes_mxcsr_along_in_the_standard_form() {
    for (save, mxcsr) in [(XSAVE64, 0xFF), (XSAVEOPT64, 0xFF), (XSAVEC64, 0xEE)] {
        let mut bench = Bench::with_avx();
        bench.put(512, &[0; 64]);
        assert!(bench.set_features(4).run(save));
        assert_eq!(bench.area()[24], mxcsr);
        assert_eq!((bench.area()[0], bench.area()[160]), (0xEE, 0xEE), "neither x87 nor SSE");
    }
    for (compacted, mxcsr) in [(0, 0x1F3F), (0x80, 0xFFFF)] {
        let mut bench = Bench::with_avx();
        let before = bench.cpu.clone();
        bench.put(0, &[0; 832]);
        bench.put(24, &[0x3F, 0x1F]);
        bench.put(520, &[if compacted == 0 { 0 } else { 7 }, 0, 0, 0, 0, 0, 0, compacted]);
        assert!(bench.set_features(4).run(XRSTOR64));
        assert_eq!((bench.cpu.mxcsr, bench.cpu.ymm_high), (mxcsr, [0; 16]));
        assert_eq!((bench.cpu.xmm, bench.cpu.x87), (before.xmm, before.x87));
    }
}

#[test]
fn legacy_sse_leaves_upper_halves_alone() {
    for bytes in [&[0x0F, 0x58, 0xC1][..], &[0x66, 0x0F, 0xFC, 0xC1], &[0x0F, 0x28, 0xC1], FXRSTOR64] {
        let mut bench = Bench::with_avx();
        let before = bench.cpu.ymm_high;
        bench.put(0, &[0; 512]);
        assert!(bench.run(bytes));
        assert_eq!(bench.cpu.ymm_high, before);
    }
}

#[test]
fn xgetbv_tells_what_is_in_use() {
    const XGETBV: &[u8] = &[0x0F, 0x01, 0xD0];
    let mut bench = Bench::with_avx();
    bench.cpu.gpr[1] = 1;
    assert!(bench.run(XGETBV));
    assert_eq!((bench.cpu.gpr[0], bench.cpu.gpr[2]), (7, 0));
    bench.cpu.ymm_high = [0; 16];
    assert!(bench.run(XGETBV));
    assert_eq!(bench.cpu.gpr[0], 3);
    bench.cpu.model = cpuid::by_name("x86-64-v3").expect("a model of the table");
    assert!(!bench.run(XGETBV));
}
