//! Between two instructions: what was done to memory and code since the run loop last looked.

use super::op::OpRef;
use super::run::Run;
use crate::memory::CODE;

impl Run<'_> {
    /// Takes note of what others did to memory and the memory map.
    pub(super) fn refresh(&mut self) {
        let cpu = &mut *self.cpu;
        if cpu.cache.regions.any_retired() {
            self.report_retired();
        }
        let cpu = &mut *self.cpu;
        if cpu.cache.has_graves() {
            cpu.link_from = OpRef::NONE;
            cpu.cache.bury();
        }
        if cpu.memory().any_code_written() {
            for frame in cpu.memory().take_code_written() {
                cpu.drop_code(frame);
            }
        }
        if *self.map_generation != cpu.memory().generation() {
            *self.map_generation = cpu.memory().generation();
            cpu.flush_tlb(false);
        }
        if cpu.cache.is_full() {
            for frame in cpu.cache.clear() {
                cpu.memory().clear_flags(frame, CODE);
            }
            cpu.new_epoch();
        }
    }
}
