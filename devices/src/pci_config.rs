//! The configuration registers of one PCI function, described by a table with one register per row.
//!
//! Follows the PCI Local Bus Specification 2.1, chapter 6. Bytes that no row names read zero and ignore
//! writes (6.1, "reserved registers").

use crate::bits::low8;
use emu_core::{Access, BusFault, RestoreError, Space, Width};

/// Bytes in a function's configuration space.
const SIZE: usize = 256;

/// One configuration register.
pub(crate) struct Register {
    at: u8,
    width: Width,
    reset: u32,
    writable: u32,
}

impl Register {
    pub(crate) const fn read_only(at: u8, width: Width, reset: u32) -> Self {
        Self { at, width, reset, writable: 0 }
    }

    pub(crate) const fn writable(at: u8, width: Width, reset: u32, writable: u32) -> Self {
        Self { at, width, reset, writable }
    }
}

/// The registers with their current values.
#[derive(Clone)]
pub(crate) struct PciConfig {
    registers: &'static [Register],
    bytes: [u8; SIZE],
    writable: [u8; SIZE],
}

impl PciConfig {
    pub(crate) fn new(registers: &'static [Register]) -> Self {
        let mut writable = [0; SIZE];
        lay_out(registers, |register| register.writable, &mut writable);
        let mut config = Self { registers, bytes: [0; SIZE], writable };
        config.reset();
        config
    }

    pub(crate) fn reset(&mut self) {
        self.bytes = reset_values(self.registers);
    }

    /// # Errors
    /// Not a configuration cycle, or it does not fit.
    pub(crate) fn read(&self, at: Access) -> Result<u64, BusFault> {
        let bytes = &self.bytes[span(at)?];
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Writes the writable bits.
    ///
    /// # Errors
    /// Not a configuration cycle, or it does not fit.
    pub(crate) fn write(&mut self, at: Access, value: u64) -> Result<(), BusFault> {
        let mut value = value;
        for index in span(at)? {
            let writable = self.writable[index];
            self.bytes[index] = self.bytes[index] & !writable | low8(value) & writable;
            value >>= 8;
        }
        Ok(())
    }

    pub(crate) fn byte(&self, at: u8) -> u8 {
        self.bytes[usize::from(at)]
    }

    pub(crate) fn dword(&self, at: u8) -> u32 {
        (0..4).rev().fold(0, |value, index| value << 8 | u32::from(self.byte(at.wrapping_add(index))))
    }

    /// The register values, for a state schema.
    pub(crate) fn save(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// The same function with saved register values.
    ///
    /// # Errors
    /// There are not 256 of them, or one differs from its reset value in a bit that cannot be written.
    pub(crate) fn restored(&self, bytes: &[u8]) -> Result<Self, RestoreError> {
        let bytes: [u8; SIZE] =
            bytes.try_into().map_err(|_| RestoreError::Value("size of PCI configuration space"))?;
        let reset = reset_values(self.registers);
        let differs = (0..SIZE).any(|index| (bytes[index] ^ reset[index]) & !self.writable[index] != 0);
        if differs {
            return Err(RestoreError::Value("read-only PCI configuration register"));
        }
        Ok(Self { bytes, ..*self })
    }
}

fn reset_values(registers: &[Register]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    lay_out(registers, |register| register.reset, &mut bytes);
    bytes
}

fn lay_out(registers: &[Register], value: impl Fn(&Register) -> u32, into: &mut [u8; SIZE]) {
    for register in registers {
        let at = usize::from(register.at);
        let places = into.iter_mut().skip(at).take(register.width as usize);
        for (byte, value) in places.zip(value(register).to_le_bytes()) {
            *byte = value;
        }
    }
}

/// The bytes that a configuration cycle touches.
fn span(at: Access) -> Result<std::ops::Range<usize>, BusFault> {
    let start = usize::try_from(at.offset).map_err(|_| BusFault)?;
    let end = start.checked_add(at.width as usize).filter(|end| *end <= SIZE);
    match (at.space, at.width, end) {
        (Space::Config, Width::Byte | Width::Word | Width::Dword, Some(end)) => Ok(start..end),
        _ => Err(BusFault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &[Register] = &[
        Register::read_only(0x00, Width::Dword, 0x1237_8086),
        Register::writable(0x04, Width::Word, 0x0006, 0x0140),
        Register::writable(0x3C, Width::Byte, 0x00, 0xFF),
    ];

    fn at(offset: u64, width: Width) -> Access {
        Access { space: Space::Config, region: 0, offset, width }
    }

    #[test]
    fn only_writable_bits_change() {
        let mut config = PciConfig::new(FUNCTION);
        for offset in (0..256).step_by(4) {
            config.write(at(offset, Width::Dword), 0xFFFF_FFFF).expect("fits");
        }
        assert_eq!(config.read(at(0, Width::Dword)), Ok(0x1237_8086));
        assert_eq!(config.read(at(2, Width::Dword)), Ok(0x0146_1237));
        assert_eq!(config.dword(0x3C), 0xFF);
        config.reset();
        assert_eq!(config.dword(0x04), 0x0006);
    }

    #[test]
    fn cycles_that_do_not_fit_fault() {
        let mut config = PciConfig::new(FUNCTION);
        assert_eq!(config.read(at(0xFD, Width::Dword)), Err(BusFault));
        assert_eq!(config.read(at(0, Width::Qword)), Err(BusFault));
        assert_eq!(config.write(at(u64::MAX, Width::Byte), 0), Err(BusFault));
        let port = Access { space: Space::Port, ..at(0, Width::Byte) };
        assert_eq!(config.read(port), Err(BusFault));
    }

    #[test]
    fn restoring_refuses_what_cannot_be() {
        let config = PciConfig::new(FUNCTION);
        let mut bytes = config.save();
        bytes[0x3C] = 9;
        assert_eq!(config.restored(&bytes).map(|restored| restored.byte(0x3C)), Ok(9));
        bytes[0] = 0;
        assert!(config.restored(&bytes).is_err());
        assert!(config.restored(&bytes[1..]).is_err());
    }
}
