//! The exit port at 501h: a guest (a test ROM, a benchmark) ends the program with a value of its own.
//!
//! Follows QEMU's `isa-debug-exit`, four ports wide; reads give zero. The board turns the value into an exit code.
//! There is no state.

use emu_core::{Access, BusFault, Cx, Device, HostRequest, Reset, RestoreError, Saved, Space, Width};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct IsaDebugExitV1 {}

/// The port.
#[derive(Debug, Default)]
pub struct IsaDebugExit {}

impl IsaDebugExit {
    pub fn new() -> Self {
        Self {}
    }
}

fn answers(at: Access) -> Result<(), BusFault> {
    match (at.space, at.region, at.offset) {
        (Space::Port, 0, 0..=3) => Ok(()),
        _ => Err(BusFault),
    }
}

impl Device for IsaDebugExit {
    fn name(&self) -> &'static str {
        "isa_debug_exit"
    }

    fn reset(&mut self, _how: Reset, _cx: &mut Cx<'_>) {}

    fn widest(&self, _region: u8) -> Width {
        Width::Dword
    }

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        answers(at)?;
        Ok(0)
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        answers(at)?;
        let [b0, b1, b2, b3, ..] = (value & at.width.mask()).to_le_bytes();
        cx.host(HostRequest::Exit(u32::from_le_bytes([b0, b1, b2, b3])));
        Ok(())
    }

    fn save(&self) -> Saved {
        let Self {} = self;
        Saved::pack(VERSION, &IsaDebugExitV1 {})
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        let IsaDebugExitV1 {} = saved.unpack(VERSION)?;
        Ok(())
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Bench;
    use emu_core::Effect;

    #[test]
    fn the_value_written_is_what_the_program_ends_with() {
        for (width, value) in [
            (Width::Byte, 0x10),
            (Width::Word, 0x3210),
            (Width::Dword, 0x7654_3210),
            (Width::Qword, 0x7654_3210),
        ] {
            let mut bench = Bench::new(IsaDebugExit::new());
            bench.write(Space::Port, 0, 0, width, 0xFEDC_BA98_7654_3210);
            assert_eq!(bench.effects, [Effect::Host(HostRequest::Exit(value))]);
        }
    }

    #[test]
    fn every_access_then_save_and_restore() {
        let mut bench = Bench::new(IsaDebugExit::new());
        for offset in 0..6 {
            for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                bench.write(Space::Port, 0, offset, width, offset);
                let expected = if offset < 4 { 0 } else { width.mask() };
                assert_eq!(bench.read(Space::Port, 0, offset, width), expected);
            }
        }
        assert_eq!(bench.effects.len(), 16);
        bench.check_save_restore(IsaDebugExit::new());
    }
}
