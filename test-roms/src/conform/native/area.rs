//! The XSAVE image in standard form (Intel SDM Vol. 1 13.4): registers in, registers out.

use super::control::AREA_BYTES;
use crate::conform::state::Registers;
use emu_core::vcpu::{F80, X87};

const MXCSR: usize = 24;
const ST: usize = 32;
const XMM: usize = 160;
const XSTATE_BV: usize = 512;
const AVX: usize = 576;

type Area = [u8; AREA_BYTES];

fn put(area: &mut Area, at: usize, bytes: &[u8]) {
    area[at..at + bytes.len()].copy_from_slice(bytes);
}

fn get<const N: usize>(area: &Area, at: usize) -> [u8; N] {
    std::array::from_fn(|i| area[at + i])
}

/// Writes the image from which XRSTOR64 loads `registers`.
pub fn store(registers: &Registers, area: &mut Area) {
    let x87 = &registers.x87;
    put(area, 0, &x87.control.to_le_bytes());
    put(area, 2, &x87.status.to_le_bytes());
    put(area, 4, &[!x87.empty, 0]);
    put(area, 6, &x87.opcode.to_le_bytes());
    put(area, 8, &x87.ip.to_le_bytes());
    put(area, 16, &x87.dp.to_le_bytes());
    put(area, MXCSR, &registers.mxcsr.to_le_bytes());
    for n in 0..8 {
        let register = x87.r[(usize::from(x87.top()) + n) & 7];
        put(area, ST + 16 * n, &register.significand.to_le_bytes());
        put(area, ST + 16 * n + 8, &register.exponent.to_le_bytes());
    }
    for n in 0..16 {
        put(area, XMM + 16 * n, &registers.xmm[n].to_le_bytes());
        put(area, AVX + 16 * n, &registers.ymm_high[n].to_le_bytes());
    }
    area[XSTATE_BV..AVX].fill(0);
    area[XSTATE_BV] = 7;
}

/// Reads what XSAVE64 has written. Components marked as initial hold their initial values (13.6).
pub fn load(area: &Area, registers: &mut Registers) {
    let present = area[XSTATE_BV];
    registers.mxcsr = u32::from_le_bytes(get(area, MXCSR));
    registers.x87 = if present & 1 != 0 { x87(area) } else { X87::default() };
    for n in 0..16 {
        let xmm = u128::from_le_bytes(get(area, XMM + 16 * n));
        let high = u128::from_le_bytes(get(area, AVX + 16 * n));
        registers.xmm[n] = if present & 2 != 0 { xmm } else { 0 };
        registers.ymm_high[n] = if present & 4 != 0 { high } else { 0 };
    }
}

fn x87(area: &Area) -> X87 {
    let mut x87 = X87 {
        control: u16::from_le_bytes(get(area, 0)),
        status: u16::from_le_bytes(get(area, 2)),
        empty: !area[4],
        opcode: u16::from_le_bytes(get(area, 6)),
        ip: u64::from_le_bytes(get(area, 8)),
        dp: u64::from_le_bytes(get(area, 16)),
        ..X87::default()
    };
    for n in 0..8 {
        let at = ST + 16 * n;
        x87.r[(usize::from(x87.top()) + n) & 7] = F80 {
            significand: u64::from_le_bytes(get(area, at)),
            exponent: u16::from_le_bytes(get(area, at + 8)),
        };
    }
    x87
}
