//! What the manuals leave undefined, instruction by instruction.
//!
//! iced-x86 knows which flags an instruction leaves undefined at all; here is what depends on its operands (Intel SDM
//! Vol. 2, the "Flags Affected" sections).

use super::state::Registers;
use emu_core::vcpu::rflags;
use iced_x86::{Instruction, Mnemonic, OpKind, Register, RflagsBits};

/// What one instruction leaves undefined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undefined {
    /// Bits of RFLAGS.
    pub flags: u64,
    /// The first operand: a shift beyond the operand's width.
    pub destination: bool,
}

const FLAGS: [(u32, u64); 6] = [
    (RflagsBits::OF, rflags::OF),
    (RflagsBits::SF, rflags::SF),
    (RflagsBits::ZF, rflags::ZF),
    (RflagsBits::AF, rflags::AF),
    (RflagsBits::CF, rflags::CF),
    (RflagsBits::PF, rflags::PF),
];

/// RFLAGS bits from iced's own numbering.
pub fn flags(bits: u32) -> u64 {
    FLAGS.iter().filter(|(theirs, _)| bits & theirs != 0).fold(0, |all, (_, ours)| all | ours)
}

/// What `instruction` leaves undefined. `before` are the registers before it, if they are known.
pub fn of(instruction: &Instruction, before: Option<&Registers>) -> Undefined {
    use Mnemonic as M;
    let listed = flags(instruction.rflags_undefined());
    match instruction.mnemonic() {
        M::Shl | M::Sal | M::Shr | M::Sar | M::Rol | M::Ror | M::Rcl | M::Rcr => shift(instruction, before),
        M::Shld | M::Shrd => double_shift(instruction, before),
        _ => Undefined { flags: listed, destination: false },
    }
}

/// The count as the CPU masks it; none if it is not known.
fn count(instruction: &Instruction, operand: u32, bits: u64, before: Option<&Registers>) -> Option<u64> {
    let raw = match instruction.op_kind(operand) {
        OpKind::Register => before?.gpr[1] & 0xFF,
        _ => instruction.immediate(operand),
    };
    Some(raw & if bits == 64 { 63 } else { 31 })
}

fn bits(instruction: &Instruction) -> u64 {
    let bytes = match instruction.op0_kind() {
        OpKind::Register => instruction.op0_register().size(),
        _ => instruction.memory_size().size(),
    };
    8 * bytes as u64
}

/// OF is defined for counts of 1 only; AF is undefined after SHL, SHR and SAR; CF after SHL and SHR by more than the
/// width. A count of 0 changes nothing.
fn shift(instruction: &Instruction, before: Option<&Registers>) -> Undefined {
    use Mnemonic as M;
    let rotates = matches!(instruction.mnemonic(), M::Rol | M::Ror | M::Rcl | M::Rcr);
    let arithmetic = instruction.mnemonic() == M::Sar;
    let bits = bits(instruction);
    let count = count(instruction, 1, bits, before);
    let mut flags = if rotates { 0 } else { rflags::AF };
    if count.is_none_or(|count| count != 1) {
        flags |= rflags::OF;
    }
    if !rotates && !arithmetic && count.is_none_or(|count| count > bits) {
        flags |= rflags::CF;
    }
    if count == Some(0) {
        flags = 0;
    }
    Undefined { flags, destination: false }
}

/// A count above the width leaves everything undefined; else OF for counts other than 1, and AF.
fn double_shift(instruction: &Instruction, before: Option<&Registers>) -> Undefined {
    let bits = bits(instruction);
    match count(instruction, 2, bits, before) {
        Some(0) => Undefined::default(),
        Some(1) => Undefined { flags: rflags::AF, destination: false },
        Some(count) if count <= bits => Undefined { flags: rflags::AF | rflags::OF, destination: false },
        None if bits > 16 => Undefined { flags: rflags::AF | rflags::OF, destination: false },
        _ => Undefined { flags: rflags::STATUS, destination: true },
    }
}

/// What does not follow from the inputs: registers in which the host says something of itself, or of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// General registers, one bit each.
    pub general: u16,
}

/// See [`Environment`].
pub fn environment(instruction: &Instruction) -> Environment {
    use Mnemonic as M;
    let first = || match instruction.op0_kind() {
        OpKind::Register => 1 << instruction.op0_register().number(),
        _ => 0,
    };
    let general = match instruction.mnemonic() {
        M::Rdtsc | M::Xgetbv => 0b101,
        M::Rdtscp => 0b111,
        M::Cpuid => 0b1111,
        M::Rdrand | M::Rdseed | M::Rdpid => first(),
        _ => 0,
    };
    Environment { general }
}

/// The vector register that gets an estimate: silicon differs by vendor within the bound that Intel gives (Intel SDM
/// Vol. 2, "RCPPS", "RSQRTPS").
pub fn estimate(instruction: &Instruction) -> Option<Register> {
    use Mnemonic as M;
    let estimates = matches!(
        instruction.mnemonic(),
        M::Rcpps | M::Rcpss | M::Rsqrtps | M::Rsqrtss | M::Vrcpps | M::Vrcpss | M::Vrsqrtps | M::Vrsqrtss
    );
    estimates.then(|| instruction.op0_register())
}

#[cfg(test)]
mod tests {
    use super::*;
    use emu_core::vcpu::X87;
    use iced_x86::{Decoder, DecoderOptions};

    fn decoded(code: &[u8]) -> Instruction {
        Decoder::new(64, code, DecoderOptions::NONE).decode()
    }

    fn counting(cl: u64) -> Registers {
        let mut gpr = [0; 16];
        gpr[1] = cl;
        let (x87, mxcsr) = (X87::default(), 0x1F80);
        Registers { gpr, rflags: 0, fs_base: 0, gs_base: 0, x87, mxcsr, xmm: [0; 16], ymm_high: [0; 16] }
    }

    #[test]
    fn shifts_by_their_count() {
        let shl_by_cl = decoded(&[0xD3, 0xE0]);
        let flags = |cl| of(&shl_by_cl, Some(&counting(cl))).flags;
        assert_eq!([0, 1, 2, 32].map(flags), [0, rflags::AF, rflags::AF | rflags::OF, 0]);
        let shl_byte = decoded(&[0xC0, 0xE0, 9]);
        assert_eq!(of(&shl_byte, None).flags, rflags::AF | rflags::OF | rflags::CF);
        let rol = decoded(&[0xD1, 0xC0]);
        assert_eq!(of(&rol, None).flags, 0);
    }

    #[test]
    fn double_shifts_beyond_the_width() {
        let shld_16 = decoded(&[0x66, 0x0F, 0xA4, 0xC3, 17]);
        assert_eq!(of(&shld_16, None), Undefined { flags: rflags::STATUS, destination: true });
    }

    #[test]
    fn multiplication_leaves_four_flags_open() {
        let mul = decoded(&[0xF7, 0xE3]);
        assert_eq!(of(&mul, None).flags, rflags::SF | rflags::ZF | rflags::AF | rflags::PF);
    }
}
