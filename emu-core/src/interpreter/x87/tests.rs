//! Guards, deferred exceptions, environments of all formats. Results are checked against the host in `tests/x87.rs`.

use super::control::Layout;
use crate::interpreter::Cpu;
use crate::interpreter::exception::{Exception, Why, vector};
use crate::interpreter::lower::{Outcome, lower_block};
use crate::interpreter::op::OpRef;
use crate::isa::x87::status::{B, ES, IE, SF, ZE};
use crate::vcpu::{F80, X87, cr0};

const FLD1: [u8; 2] = [0xD9, 0xE8];
const FLDZ: [u8; 2] = [0xD9, 0xEE];
const FDIVP: [u8; 2] = [0xDE, 0xF9];
const FNOP: [u8; 2] = [0xD9, 0xD0];
const FNINIT: [u8; 2] = [0xDB, 0xE3];
const FNCLEX: [u8; 2] = [0xDB, 0xE2];
const FNSTSW_AX: [u8; 2] = [0xDF, 0xE0];
const WAIT: [u8; 1] = [0x9B];

fn cpu(cr0: u64) -> Cpu {
    let mut cpu = Cpu::new();
    cpu.s.x87 = X87::default();
    cpu.s.cr0 = cr0;
    cpu.update_mode();
    cpu.update_fpu();
    cpu
}

/// Runs one instruction that touches no memory; the vector it raised.
fn run(cpu: &mut Cpu, bytes: &[u8]) -> Option<u8> {
    let mut padded = [0x90; 16];
    padded[..bytes.len()].copy_from_slice(bytes);
    let Outcome::Block { ops, .. } = lower_block(&padded, 0, cpu.mode, 1) else {
        panic!("{bytes:X?} is one instruction");
    };
    cpu.why = Why::Lookup;
    (ops[0].handler.get())(cpu, OpRef::new(&ops[0]));
    match cpu.why {
        Why::Exception(Exception { vector, .. }) => Some(vector),
        Why::Lookup => None,
        Why::OneShot => panic!("no memory is touched"),
    }
}

#[test]
fn em_and_ts_trap_all_but_wait() {
    for blocked in [cr0::EM, cr0::TS, cr0::EM | cr0::TS] {
        for bytes in [FLD1, FNOP, FNINIT, FNCLEX, FNSTSW_AX] {
            assert_eq!(run(&mut cpu(cr0::NE | blocked), &bytes), Some(vector::NM), "{bytes:X?}");
        }
    }
}

#[test]
fn wait_is_trapped_by_mp_and_ts_together() {
    for (bits, expected) in [
        (0, None),
        (cr0::EM, None),
        (cr0::TS, None),
        (cr0::MP, None),
        (cr0::MP | cr0::EM, None),
        (cr0::MP | cr0::TS, Some(vector::NM)),
    ] {
        assert_eq!(run(&mut cpu(cr0::NE | bits), &WAIT), expected, "{bits:X}");
    }
}

/// One divided by zero with ZE unmasked: nothing happens until the next waiting instruction.
fn pending() -> Cpu {
    let mut cpu = cpu(cr0::NE | cr0::MP);
    cpu.s.x87.control &= !ZE;
    for bytes in [FLD1, FLDZ, FDIVP] {
        assert_eq!(run(&mut cpu, &bytes), None);
    }
    cpu
}

#[test]
fn an_unmasked_exception_suppresses_result_and_pop() {
    let cpu = pending();
    assert_eq!(cpu.s.x87.status & (ZE | ES | B), ZE | ES | B);
    assert_eq!((cpu.s.x87.top(), cpu.s.x87.empty), (6, 0x3F));
    assert_eq!((cpu.s.x87.r[6], cpu.s.x87.r[7]), (F80::ZERO, F80::ONE));
}

#[test]
fn a_pending_exception_waits_for_a_waiting_instruction() {
    for bytes in [&FLD1[..], &FNOP, &WAIT, &FDIVP] {
        assert_eq!(run(&mut pending(), bytes), Some(vector::MF), "{bytes:X?}");
    }
    for bytes in [FNSTSW_AX, FNCLEX, FNINIT] {
        assert_eq!(run(&mut pending(), &bytes), None, "{bytes:X?}");
    }
    let mut cpu = pending();
    run(&mut cpu, &FNCLEX);
    assert_eq!(run(&mut cpu, &FNOP), None);
    assert_eq!(cpu.s.x87.status & 0x80FF, 0);
}

#[test]
fn a_pending_exception_is_also_mf_without_ne() {
    let mut cpu = pending();
    cpu.s.cr0 &= !cr0::NE;
    assert_eq!(run(&mut cpu, &FNOP), Some(vector::MF));
}

#[test]
fn the_task_switch_trap_comes_before_a_pending_exception() {
    let mut cpu = pending();
    cpu.s.cr0 |= cr0::TS;
    cpu.update_fpu();
    assert_eq!(run(&mut cpu, &FNOP), Some(vector::NM));
}

#[test]
fn a_masked_stack_overflow_loads_the_indefinite() {
    let mut cpu = cpu(cr0::NE);
    for _ in 0..9 {
        assert_eq!(run(&mut cpu, &FLD1), None);
    }
    assert_eq!((cpu.s.x87.top(), cpu.s.x87.r[7]), (7, F80::INDEFINITE));
    assert_eq!(cpu.s.x87.status & (IE | SF | ES), IE | SF);
}

#[test]
fn the_last_instruction_is_remembered() {
    let mut cpu = cpu(cr0::NE);
    cpu.s.seg[1].selector = 0x1234;
    run(&mut cpu, &[0x2E, 0xD9, 0xE8]);
    assert_eq!((cpu.s.x87.opcode, cpu.s.x87.cs), (0x1E8, 0x1234));
    run(&mut cpu, &FNCLEX);
    assert_eq!(cpu.s.x87.opcode, 0x1E8, "control instructions are not remembered");
}

// ---- environments ----------------------------------------------------------------------------------------------

/// Distinct fields, so that a field in the wrong place shows.
fn sample() -> X87 {
    let mut r = [F80::ONE; 8];
    r[1] = F80::ZERO;
    r[2] = F80::INDEFINITE;
    X87 {
        r,
        control: 0x1F7E,
        status: 0x3A41,
        empty: 0b1000_0001,
        opcode: 0x5C3,
        ip: 0x8765_4321,
        cs: 0x1111,
        dp: 0xFEDC_BA98,
        ds: 0x2222,
    }
}

const ALL: [Layout; 4] = [
    Layout { wide: true, protected: true },
    Layout { wide: true, protected: false },
    Layout { wide: false, protected: true },
    Layout { wide: false, protected: false },
];

/// Figures 8-9 to 8-12 of the Intel SDM Vol. 1, with the linear addresses of real mode.
#[test]
fn environments_look_as_the_manual_draws_them() {
    const IP: u32 = 0x1_1110 + 0x8765_4321;
    const DP: u32 = 0xFEDC_BA98 + 0x2_2220;
    let wide: [[u32; 7]; 2] = [
        [0xFFFF_1F7E, 0xFFFF_3A41, 0xFFFF_C027, 0x8765_4321, 0x05C3_1111, 0xFEDC_BA98, 0xFFFF_2222],
        [
            0xFFFF_1F7E,
            0xFFFF_3A41,
            0xFFFF_C027,
            0xFFFF_0000 | IP & 0xFFFF,
            (IP >> 16 << 12) | 0x5C3,
            0xFFFF_0000 | DP & 0xFFFF,
            DP >> 16 << 12,
        ],
    ];
    let narrow: [[u16; 7]; 2] = [
        [0x1F7E, 0x3A41, 0xC027, 0x4321, 0x1111, 0xBA98, 0x2222],
        [
            0x1F7E,
            0x3A41,
            0xC027,
            IP as u16,
            (IP >> 4) as u16 & 0xF000 | 0x5C3,
            DP as u16,
            (DP >> 4) as u16 & 0xF000,
        ],
    ];
    let expected = [
        wide[0].map(u32::to_le_bytes).concat(),
        wide[1].map(u32::to_le_bytes).concat(),
        narrow[0].map(u16::to_le_bytes).concat(),
        narrow[1].map(u16::to_le_bytes).concat(),
    ];
    for (layout, expected) in ALL.iter().zip(expected) {
        let mut bytes = [0; 28];
        layout.write(&sample(), &mut bytes);
        assert_eq!(bytes[..layout.environment()], expected, "{layout:?}");
    }
}

#[test]
fn environments_are_read_as_they_are_written() {
    for layout in ALL {
        let mut first = [0; 28];
        layout.write(&sample(), &mut first);
        let read = layout.read(&sample(), &first);
        let mut second = [0; 28];
        layout.write(&read, &mut second);
        let opcode_is_lost = layout == Layout { wide: false, protected: true };
        assert_eq!(first, second, "{layout:?}");
        assert_eq!((read.control, read.status, read.empty), (0x1F7E, 0x3A41, 0b1000_0001));
        assert!(opcode_is_lost || read.opcode == 0x5C3);
    }
}
