//! The time-stamp counter: RDTSC, RDTSCP, and the registers that depend on it (Intel SDM Vol. 3B 17.17; Vol. 3A
//! 10.5.4.1, TSC-deadline mode).
//!
//! The counter is guest time in periods of [`Tick::TSC`] plus an offset. The board knows nothing of the offset: its
//! deadline register counts from power-on, and is converted here.

use crate::Tick;
use crate::interpreter::Cpu;
use crate::interpreter::op::{Faulted, Op};
use crate::isa::cpuid::feature;
use crate::vcpu::cr4;

/// IA32_TSC_DEADLINE.
const DEADLINE: u32 = 0x6E0;

/// The time-stamp counter now.
pub fn tsc(cpu: &mut Cpu) -> u64 {
    let now = cpu.synced_bus().now().periods(Tick::TSC);
    now.wrapping_add(cpu.s.tsc_offset)
}

/// Moves the counter by `delta`; an armed deadline stays at its counter value.
fn shift(cpu: &mut Cpu, delta: u64) {
    let armed = deadline(cpu).unwrap_or(0);
    cpu.s.tsc_offset = cpu.s.tsc_offset.wrapping_add(delta);
    if armed != 0 {
        set_deadline(cpu, armed);
    }
}

/// WRMSR of IA32_TSC: IA32_TSC_ADJUST moves along (SDM 17.17.3).
pub fn set_tsc(cpu: &mut Cpu, value: u64) {
    let delta = value.wrapping_sub(tsc(cpu));
    cpu.s.tsc_adjust = cpu.s.tsc_adjust.wrapping_add(delta);
    shift(cpu, delta);
}

/// WRMSR of IA32_TSC_ADJUST: the counter moves along.
pub fn set_adjust(cpu: &mut Cpu, value: u64) {
    let delta = value.wrapping_sub(cpu.s.tsc_adjust);
    cpu.s.tsc_adjust = value;
    shift(cpu, delta);
}

/// The armed deadline in counter units, 0 if none; `None` if there is no such register.
pub fn deadline(cpu: &mut Cpu) -> Option<u64> {
    if !cpu.has(feature::TSC_DEADLINE) {
        return None;
    }
    let board = cpu.synced_bus().msr_read(DEADLINE)?;
    Some(if board == 0 { 0 } else { board.wrapping_add(cpu.s.tsc_offset).max(1) })
}

/// Arms the deadline, or disarms it with 0.
pub fn set_deadline(cpu: &mut Cpu, value: u64) -> Option<()> {
    let board = if value == 0 { 0 } else { to_board(value, cpu.s.tsc_offset) };
    cpu.synced_bus().msr_write(DEADLINE, board)
}

/// A deadline from before power-on is long past, but not "disarmed".
fn to_board(value: u64, offset: u64) -> u64 {
    let ahead = i128::from(value) - i128::from(offset.cast_signed());
    u64::try_from(ahead.max(1)).unwrap_or(u64::MAX)
}

/// CR4.TSD keeps programs above CPL 0 from the counter.
fn check(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.s.cr4 & cr4::TSD != 0 && cpu.cpl != 0 { Err(cpu.gp(0)) } else { Ok(()) }
}

fn give(cpu: &mut Cpu) {
    let value = tsc(cpu);
    cpu.set_reg(0, value as u32);
    cpu.set_reg(2, (value >> 32) as u32);
}

/// RDTSC.
pub fn rdtsc(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    check(cpu)?;
    give(cpu);
    Ok(())
}

/// RDTSCP: also IA32_TSC_AUX in ECX.
pub fn rdtscp(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    check(cpu)?;
    give(cpu);
    cpu.set_reg(1, cpu.s.tsc_aux as u32);
    Ok(())
}

/// RDPID.
pub fn rdpid(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.set_reg(op.a, cpu.s.tsc_aux);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::to_board;

    #[test]
    fn deadlines_are_moved_by_the_offset() {
        assert_eq!(to_board(1000, 400), 600);
        assert_eq!(to_board(1000, 0u64.wrapping_sub(400)), 1400);
        assert_eq!(to_board(100, 400), 1, "a past deadline still fires");
        assert_eq!(to_board(u64::MAX, 0u64.wrapping_sub(400)), u64::MAX);
    }
}
