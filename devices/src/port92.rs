//! Port 92h: fast A20 gate and fast processor reset.
//!
//! Follows 82371SB PIIX3 data sheet (290550), "Port 92 Register". Bits 2-7 are reserved and read as zero.

use bitfield_struct::bitfield;
use emu_core::{Access, BusFault, Cx, Device, Pin, Power, Reset, RestoreError, Saved, Space};
use serde::{Deserialize, Serialize};

/// FAST_A20. The board ORs it with the 8042's A20.
pub const A20: Pin = Pin(0);

#[bitfield(u8)]
struct Register {
    /// A change from 0 to 1 resets the processor.
    fast_init: bool,
    fast_a20: bool,
    #[bits(6)]
    __: u8,
}

const WRITABLE: u8 = 0x03;

/// The register.
#[derive(Debug, Default)]
pub struct Port92 {
    register: Register,
}

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Port92V1 {
    register: u8,
}

impl Port92 {
    pub fn new() -> Self {
        Self::default()
    }
}

fn answers(at: Access) -> Result<(), BusFault> {
    match (at.space, at.region, at.offset) {
        (Space::Port, 0, 0) => Ok(()),
        _ => Err(BusFault),
    }
}

impl Device for Port92 {
    fn name(&self) -> &'static str {
        "port92"
    }

    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        *self = Self::new();
        cx.drive(A20, false.into());
    }

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        answers(at)?;
        Ok(self.register.into_bits().into())
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        answers(at)?;
        let [value, ..] = value.to_le_bytes();
        let before = self.register;
        self.register = Register::from_bits(value & WRITABLE);
        cx.drive(A20, self.register.fast_a20().into());
        if self.register.fast_init() && !before.fast_init() {
            cx.power(Power::CpuReset);
        }
        Ok(())
    }

    fn save(&self) -> Saved {
        let Self { register } = self;
        Saved::pack(VERSION, &Port92V1 { register: register.into_bits() })
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        let Port92V1 { register } = saved.unpack(VERSION)?;
        if register & !WRITABLE != 0 {
            return Err(RestoreError::Value("port 92h has only two bits"));
        }
        *self = Self { register: Register::from_bits(register) };
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
    use emu_core::Level::{High, Low};
    use emu_core::{Effect, Width};

    #[test]
    fn a20_follows_bit_1() {
        let mut bench = Bench::new(Port92::new());
        bench.expect(A20, Low).outb(0, 0x02).expect(A20, High);
        assert_eq!(bench.inb(0), 0x02);
        bench.outb(0, 0xFC).expect(A20, Low);
        assert_eq!(bench.inb(0), 0x00);
    }

    #[test]
    fn only_the_rising_bit_0_resets() {
        let mut bench = Bench::new(Port92::new());
        bench.outb(0, 0x01).outb(0, 0x03).outb(0, 0x00);
        assert_eq!(bench.effects, [Effect::Power(Power::CpuReset)]);
        bench.outb(0, 0x01);
        assert_eq!(bench.effects.len(), 2);
    }

    #[test]
    fn every_access_then_save_and_restore() {
        let mut bench = Bench::new(Port92::new());
        for value in 0..=255 {
            for offset in 0..2 {
                for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                    bench.write(Space::Port, 0, offset, width, value);
                    bench.read(Space::Port, 0, offset, width);
                }
            }
            bench.check_save_restore(Port92::new());
        }
        let odd = Saved::pack(VERSION, &Port92V1 { register: 0x10 });
        let before = bench.device.save();
        assert!(bench.device.restore(&odd).is_err());
        assert_eq!(bench.device.save(), before);
    }
}
