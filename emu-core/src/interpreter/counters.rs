//! What an interpreter has done, for somebody who looks on: plain counts that may be read from any thread.

use super::Cpu;
use super::tier::Leave;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counts since the engine was made. They are brought up to date whenever `run` returns.
#[derive(Debug, Default)]
pub struct Counters {
    /// Instructions retired, by whatever tier.
    pub instructions: AtomicU64,
    /// Instructions that compiled code has retired.
    pub compiled: AtomicU64,
    /// Calls of compiled code. Regions that hand over to each other are one.
    pub entered: AtomicU64,
    /// Calls of compiled code by their answer, that of the last region: index with `Leave as usize`.
    pub left: [AtomicU64; Leave::COUNT],
    /// Instructions in the middle of compiled code that it had the interpreter execute.
    pub called_out: AtomicU64,
    /// Accesses that the software TLB did not cover, compiled code's too.
    pub tlb_misses: AtomicU64,
}

impl Counters {
    /// Copies what is counted elsewhere.
    pub(super) fn update(&self, cpu: &Cpu) {
        let (compiled, entered) = cpu.cache.regions.work();
        self.instructions.store(cpu.retired, Relaxed);
        self.compiled.store(compiled, Relaxed);
        self.entered.store(entered, Relaxed);
        self.called_out.store(cpu.called_out, Relaxed);
        self.tlb_misses.store(cpu.tlb_misses, Relaxed);
        for (shown, count) in self.left.iter().zip(cpu.cache.regions.left()) {
            shown.store(count, Relaxed);
        }
    }
}
