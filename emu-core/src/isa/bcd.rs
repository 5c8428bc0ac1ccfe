//! Decimal adjustments: (AX, status flags) to (AX, status flags) (Intel SDM Vol. 2, "AAA" to "DAS").
//!
//! Where the manual leaves flags undefined, SF, ZF and PF follow from AL and OF is cleared.

use super::flags::parity;
use crate::vcpu::rflags::{AF, CF, PF, SF, ZF};

fn result_flags(al: u8) -> u64 {
    let bit = |set: bool, flag: u64| if set { flag } else { 0 };
    bit(al == 0, ZF) | bit(al & 0x80 != 0, SF) | bit(parity(u64::from(al)), PF)
}

fn adjusts_low(al: u8, status: u64) -> bool {
    al & 0xF > 9 || status & AF != 0
}

pub fn aaa(ax: u16, status: u64) -> (u16, u64) {
    let adjust = adjusts_low(ax as u8, status);
    let ax = if adjust { ax.wrapping_add(0x106) } else { ax } & 0xFF0F;
    (ax, result_flags(ax as u8) | if adjust { AF | CF } else { 0 })
}

pub fn aas(ax: u16, status: u64) -> (u16, u64) {
    let adjust = adjusts_low(ax as u8, status);
    let ax = if adjust { ax.wrapping_sub(6).wrapping_sub(0x100) } else { ax } & 0xFF0F;
    (ax, result_flags(ax as u8) | if adjust { AF | CF } else { 0 })
}

pub fn daa(ax: u16, status: u64) -> (u16, u64) {
    let old = ax as u8;
    let high = old > 0x99 || status & CF != 0;
    let low = adjusts_low(old, status);
    let al = old.wrapping_add(if low { 6 } else { 0 }).wrapping_add(if high { 0x60 } else { 0 });
    let flags = if low { AF } else { 0 } | if high { CF } else { 0 };
    ((ax & 0xFF00) | u16::from(al), result_flags(al) | flags)
}

pub fn das(ax: u16, status: u64) -> (u16, u64) {
    let old = ax as u8;
    let high = old > 0x99 || status & CF != 0;
    let low = adjusts_low(old, status);
    let al = old.wrapping_sub(if low { 6 } else { 0 }).wrapping_sub(if high { 0x60 } else { 0 });
    let borrow = low && old < 6;
    let flags = if low { AF } else { 0 } | if high || borrow { CF } else { 0 };
    ((ax & 0xFF00) | u16::from(al), result_flags(al) | flags)
}
