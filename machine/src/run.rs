//! The run loop: engine slices, deadlines, host events, resets, and sleep.

use crate::board::{Notice, Signals};
use crate::clock::TimeMode;
use crate::machine::Machine;
use emu_core::vcpu::{cr0, rflags};
use emu_core::{Attention, Bus, DebugStop, Exit, Forget, Power, Stop, Tick, VcpuState};
use std::sync::atomic::Ordering;

/// Until when a run goes. The guest cannot tell where one run ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimit {
    /// Guest time.
    pub until: Tick,
    /// Instructions.
    pub instructions: u64,
    /// Stop before the instruction at this linear address.
    pub at: Option<u64>,
}

impl RunLimit {
    /// As long as the guest lives.
    pub const NONE: Self = Self { until: Tick::NEVER, instructions: u64::MAX, at: None };

    pub const fn until(until: Tick) -> Self {
        Self { until, ..Self::NONE }
    }

    pub const fn instructions(instructions: u64) -> Self {
        Self { instructions, ..Self::NONE }
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// The limit, [`crate::Handle::stop`], or requests that the host must take before the guest sleeps.
    Stopped,
    /// The guest sleeps and nothing will ever wake it but a host event (deterministic mode).
    Asleep,
    /// Soft-off.
    PowerOff,
    /// The platform was reset, and the configuration says to stop there.
    Reset,
    /// The guest asked the program to end with this value.
    Exit(u32),
    Debug(DebugStop),
    /// The engine cannot run the next instruction.
    Foreign,
}

impl Machine {
    /// Runs the guest. Resets happen inside (the guest starts again).
    pub fn run(&mut self, limit: RunLimit) -> RunOutcome {
        self.board.begin_run(limit.until, limit.instructions);
        loop {
            if let Some(outcome) = self.between_slices(limit.until) {
                return outcome;
            }
            let stop = Stop { at: limit.at, after: None };
            match self.engine.run(&mut self.cpu, &mut self.board, &stop) {
                Exit::Stopped => {}
                Exit::Halted => {
                    if let Some(outcome) = self.sleep() {
                        return outcome;
                    }
                }
                Exit::Shutdown => {
                    self.board.note(Notice::TripleFault);
                    if let Some(outcome) = self.platform_reset() {
                        return outcome;
                    }
                }
                Exit::Debug(stop) => return RunOutcome::Debug(stop),
                Exit::Foreign => return RunOutcome::Foreign,
            }
        }
    }

    /// All that must be seen to before the engine may run (again).
    fn between_slices(&mut self, until: Tick) -> Option<RunOutcome> {
        let (mail, stop) = self.handle.take();
        self.board.catch_up();
        for event in mail {
            self.board.host_event(event);
        }
        self.play_script();
        let outcome = self.answer_signals();
        if outcome.is_some() {
            return outcome;
        }
        self.tell_engine();
        self.board.set_until(until);
        let over = self.board.limit_reached() || stop || self.board.requests_full();
        self.board.set_until(until.min(self.next_scripted()));
        over.then_some(RunOutcome::Stopped)
    }

    fn next_scripted(&self) -> Tick {
        self.script.front().map_or(Tick::NEVER, |(at, _)| *at)
    }

    fn play_script(&mut self) {
        while self.next_scripted() <= self.now() {
            if let Some((_, event)) = self.script.pop_front() {
                self.board.host_event(event);
            }
        }
    }

    fn answer_signals(&mut self) -> Option<RunOutcome> {
        let Signals { power, exit, init } = self.board.take_signals();
        if let Some(code) = exit {
            return Some(RunOutcome::Exit(code));
        }
        match power {
            Some(Power::Off) => self.off = true,
            Some(Power::Reset) => return self.platform_reset(),
            // PIIX3, "Port 92h" and "Keyboard controller reset": INIT to the CPU. A directly started kernel has no
            // firmware to wake up in, so for it this is a reset of everything.
            Some(Power::CpuReset) if self.direct => return self.platform_reset(),
            Some(Power::CpuReset) => self.init_cpu(),
            None if init => self.init_cpu(),
            None => {}
        }
        self.off.then_some(RunOutcome::PowerOff)
    }

    fn platform_reset(&mut self) -> Option<RunOutcome> {
        self.reset().expect("what started at power-on starts again");
        self.stop_at_reset.then_some(RunOutcome::Reset)
    }

    fn init_cpu(&mut self) {
        let reset = VcpuState::at_reset(self.cpu_model.model, self.cpu_model.signature);
        self.cpu = after_init(&self.cpu, reset);
        crate::pc::sockets::init_local_apic(&mut self.board);
        self.engine.forget(Forget::All);
    }

    /// Lets the engine know of what it cannot see: the A20 gate, and a changed memory map.
    fn tell_engine(&mut self) {
        let generation = self.memory().generation();
        if self.cpu.a20 != self.board.a20() || self.generation != generation {
            self.cpu.a20 = self.board.a20();
            self.generation = generation;
            self.engine.forget(Forget::Map);
        }
    }

    /// The CPU waits for an interrupt: time moves on to the next thing that happens.
    fn sleep(&mut self) -> Option<RunOutcome> {
        self.board.catch_up();
        if wakes(&self.cpu, self.board.attention().load(Ordering::Acquire)) {
            return None;
        }
        if self.board.has_requests() {
            return Some(RunOutcome::Stopped);
        }
        let next = self.board.next_moment();
        match self.board.clock().mode() {
            TimeMode::Deterministic if next == Tick::NEVER => return Some(RunOutcome::Asleep),
            TimeMode::Deterministic => self.board.skip_to(next),
            TimeMode::Paced => {
                let span = self.board.sleep(next);
                self.handle.wait(span);
            }
        }
        None
    }
}

/// Whether a halted CPU goes on (Intel SDM Vol. 2A, "HLT"), or mail waits.
fn wakes(cpu: &VcpuState, attention: u32) -> bool {
    let interrupt = attention & Attention::INTR != 0 && cpu.rflags & rflags::IF != 0;
    let nmi = attention & Attention::NMI != 0 && !cpu.nmi_blocked;
    interrupt || nmi || attention & Attention::STOP != 0
}

/// What INIT leaves of a CPU's state (Intel SDM Vol. 3A, table 10-1): `reset` but for what INIT does not touch.
fn after_init(before: &VcpuState, reset: VcpuState) -> VcpuState {
    const CACHE: u64 = cr0::CD | cr0::NW;
    VcpuState {
        cr0: (reset.cr0 & !CACHE) | (before.cr0 & CACHE),
        xcr0: before.xcr0,
        star: before.star,
        lstar: before.lstar,
        cstar: before.cstar,
        fmask: before.fmask,
        kernel_gs_base: before.kernel_gs_base,
        tsc_aux: before.tsc_aux,
        tsc_offset: before.tsc_offset,
        tsc_adjust: before.tsc_adjust,
        sysenter_cs: before.sysenter_cs,
        sysenter_esp: before.sysenter_esp,
        sysenter_eip: before.sysenter_eip,
        pat: before.pat,
        mtrr: before.mtrr,
        misc_enable: before.misc_enable,
        x87: before.x87,
        xmm: before.xmm,
        ymm_high: before.ymm_high,
        mxcsr: before.mxcsr,
        a20: before.a20,
        random: before.random,
        ..reset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_keeps_what_the_manual_says() {
        let mut before = VcpuState::at_reset(1, 2);
        before.cr0 = cr0::PE | cr0::PG | cr0::ET;
        before.xmm[3] = 7;
        before.gpr[0] = 9;
        let after = after_init(&before, VcpuState::at_reset(1, 2));
        assert_eq!((after.cr0, after.xmm[3], after.gpr[0], after.rip), (cr0::ET, 7, 0, 0xFFF0));
    }

    #[test]
    fn masked_interrupts_do_not_wake() {
        let mut cpu = VcpuState::at_reset(0, 0);
        assert!(!wakes(&cpu, Attention::INTR));
        assert!(wakes(&cpu, Attention::NMI));
        cpu.nmi_blocked = true;
        assert!(!wakes(&cpu, Attention::NMI));
        cpu.rflags |= rflags::IF;
        assert!(wakes(&cpu, Attention::INTR));
    }
}
