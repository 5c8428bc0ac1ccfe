//! The firmware's debug console at port 402h.
//!
//! Follows SeaBIOS, "Debugging" (docs/Debugging.md), and QEMU's `isa-debugcon`: bytes written go to the host, and
//! the port reads E9h so that a firmware finds it. There is no state.

use emu_core::{Access, BusFault, Cx, Device, HostRequest, Reset, RestoreError, Saved, Space};
use serde::{Deserialize, Serialize};

/// What the port reads.
const PRESENT: u8 = 0xE9;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct DebugconV1 {}

/// The port.
#[derive(Debug, Default)]
pub struct Debugcon {}

impl Debugcon {
    pub fn new() -> Self {
        Self {}
    }
}

fn answers(at: Access) -> Result<(), BusFault> {
    match (at.space, at.region, at.offset) {
        (Space::Port, 0, 0) => Ok(()),
        _ => Err(BusFault),
    }
}

impl Device for Debugcon {
    fn name(&self) -> &'static str {
        "debugcon"
    }

    fn reset(&mut self, _how: Reset, _cx: &mut Cx<'_>) {}

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        answers(at)?;
        Ok(PRESENT.into())
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        answers(at)?;
        let [byte, ..] = value.to_le_bytes();
        cx.host(HostRequest::Debug(byte));
        Ok(())
    }

    fn save(&self) -> Saved {
        let Self {} = self;
        Saved::pack(VERSION, &DebugconV1 {})
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        let DebugconV1 {} = saved.unpack(VERSION)?;
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
    use emu_core::{Effect, Width};

    #[test]
    fn writes_reach_the_host_and_the_port_identifies_itself() {
        let mut bench = Bench::new(Debugcon::new());
        bench.outb(0, b'h').outb(0, b'i').outb(1, b'!');
        let sent = [b'h', b'i'].map(|byte| Effect::Host(HostRequest::Debug(byte)));
        assert_eq!(bench.effects, sent);
        assert_eq!(bench.inb(0), 0xE9);
        assert_eq!(bench.inb(1), 0xFF);
    }

    #[test]
    fn every_access_then_save_and_restore() {
        let mut bench = Bench::new(Debugcon::new());
        for value in 0..=255 {
            for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                bench.write(Space::Port, 0, 0, width, value);
                assert_eq!(bench.read(Space::Port, 0, 0, width), 0xE9);
            }
        }
        assert_eq!(bench.effects.len(), 1024);
        bench.check_save_restore(Debugcon::new());
        let mut other = bench.device.save();
        other.version = 2;
        assert!(bench.device.restore(&other).is_err());
    }
}
