//! What of an outcome is not compared, for one program and its inputs.

use super::compare::{Difference, Field, Loose};
use super::program::Program;
use super::state::{End, Inputs, Outcome};
use super::undefined::{self, flags};
use emu_core::vcpu::rflags;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind};

/// What may differ, and how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub loose: Loose,
    /// Vector registers that hold single-precision estimates, one bit each.
    pub estimates: u16,
}

/// Components that our models have, in EAX for XSAVE; hosts have more.
const OFFERED: u64 = 7;

/// What may differ with everything that is undefined left out, and with only that which is not the CPU's to define.
pub fn allowed(program: &Program, inputs: &Inputs, expected: &Outcome) -> (Allowed, Allowed) {
    let mut decoder =
        Decoder::with_ip(program.size.bits(), &program.code, program.start(), DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let (mut defined, mut everything) = (Allowed::default(), Allowed::default());
    let mut first = true;
    let straight = expected.end == End::Through && !has(program, |i| i.flow_control() != FlowControl::Next);
    let pops = has(program, |i| matches!(i.mnemonic(), Mnemonic::Popf | Mnemonic::Popfd | Mnemonic::Popfq));
    let aligned = pops || inputs.registers.rflags & rflags::AC != 0;
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let before = first.then_some(&inputs.registers);
        step(&instruction, before, straight, &mut defined, &mut everything);
        if let Some(area) = undefined::area(&instruction, &inputs.registers).filter(|_| first) {
            (defined.loose.image_at, everything.loose.image_at) = (Some(area), Some(area));
            if inputs.registers.gpr[0] & !OFFERED != 0 {
                (defined.loose, everything.loose) = (Loose::EVERYTHING, Loose::EVERYTHING);
            }
        } else if undefined::stores_image(&instruction) {
            (defined.loose, everything.loose) = (Loose::EVERYTHING, Loose::EVERYTHING);
        }
        if aligned && undefined::alignment_varies(&instruction) {
            defined.loose = Loose::EVERYTHING;
        }
        first = false;
    }
    (defined, everything)
}

/// Whether one of the program's instructions is such.
fn has(program: &Program, is: impl Fn(&Instruction) -> bool) -> bool {
    let mut decoder =
        Decoder::with_ip(program.size.bits(), &program.code, program.start(), DecoderOptions::NONE);
    decoder.iter().any(|instruction| is(&instruction))
}

/// Follows what is undefined through one more instruction, which may not be reached unless the program `completes`,
/// one instruction after the other.
fn step(
    instruction: &Instruction,
    before: Option<&super::state::Registers>,
    completes: bool,
    defined: &mut Allowed,
    everything: &mut Allowed,
) {
    for allowed in [&mut *defined, &mut *everything] {
        if allowed.estimates != 0 || allowed.loose.general != 0 {
            // Something that differs from host to host may be its operand.
            allowed.loose = Loose::EVERYTHING;
        }
    }
    if defined.loose.x87_status != 0 && undefined::stores_x87_status(instruction) {
        defined.loose = Loose::EVERYTHING;
    }
    let undefined = undefined::of(instruction, before);
    let general = undefined::environment(instruction).general;
    let consumes = defined.loose.flags & flags(instruction.rflags_read()) != 0;
    if consumes || undefined.destination && before.is_none() {
        // What follows from something undefined is not followed further.
        defined.loose = Loose::EVERYTHING;
    }
    let settled = flags(instruction.rflags_modified()) & !undefined.flags;
    if completes && !conditional(instruction) {
        defined.loose.flags &= !settled;
    }
    defined.loose.flags |= undefined.flags;
    defined.loose.x87_status |= undefined.x87_status;
    defined.loose.which_fault |= undefined::several_accesses(instruction);
    defined.loose.whether_fault |= undefined.whether_fault;
    if undefined.destination {
        loosen_destination(instruction, &mut defined.loose);
    }
    for allowed in [defined, everything] {
        allowed.loose.general |= general;
        if let Some(register) = undefined::estimate(instruction) {
            allowed.estimates |= 1 << register.number();
            allowed.loose.vector |= 1 << register.number();
        }
    }
}

/// May leave the flags as they are.
fn conditional(instruction: &Instruction) -> bool {
    use Mnemonic as M;
    let by_count = matches!(
        instruction.mnemonic(),
        M::Shl | M::Sal | M::Shr | M::Sar | M::Rol | M::Ror | M::Rcl | M::Rcr | M::Shld | M::Shrd
    );
    by_count || instruction.is_string_instruction()
}

fn loosen_destination(instruction: &Instruction, loose: &mut Loose) {
    match instruction.op0_kind() {
        OpKind::Register => loose.general |= 1 << (instruction.op0_register().full_register().number() & 15),
        _ => loose.memory = true,
    }
}

/// Twice the bound of one estimate, 1.5 x 2^-12: both sides may be off.
const BOUND: f64 = 2.0 * 1.5 / 4096.0;

/// Estimates that are further apart than both being right allows.
pub fn beyond_bounds(allowed: &Allowed, expected: &Outcome, got: &Outcome) -> Vec<Difference> {
    let registers = (0..16).filter(|n| allowed.estimates >> n & 1 != 0);
    let halves = registers.flat_map(|n| {
        let (a, b) = (&expected.registers, &got.registers);
        [(Field::Xmm(n as u8), a.xmm[n], b.xmm[n]), (Field::YmmHigh(n as u8), a.ymm_high[n], b.ymm_high[n])]
    });
    let apart = halves.filter(|(_, a, b)| !(0..4).all(|lane| close(lane_of(*a, lane), lane_of(*b, lane))));
    apart.map(|(field, expected, got)| Difference { field, expected, got }).collect()
}

fn lane_of(vector: u128, lane: u32) -> u32 {
    (vector >> (32 * lane)) as u32
}

/// Where a result is about the smallest normal number, either part may have found it tiny and made it zero (Intel SDM
/// Vol. 2B, "RCPPS").
fn close(a: u32, b: u32) -> bool {
    let (x, y) = (f64::from(f32::from_bits(a)), f64::from(f32::from_bits(b)));
    let about_tiny = |x: f64| x.abs() <= f64::from(f32::MIN_POSITIVE) * (1.0 + BOUND);
    let alike = x.is_sign_negative() == y.is_sign_negative() && about_tiny(x) && about_tiny(y);
    a == b || alike || (x.is_normal() && y.is_normal() && ((x - y) / x).abs() <= BOUND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::program::CodeSize;

    fn allowed_of(code: &[u8]) -> (Allowed, Allowed) {
        let program = Program { size: CodeSize::Bits64, code: code.to_vec(), ..Program::default() };
        let (end, registers) = (End::Through, Inputs::default().registers);
        allowed(&program, &Inputs::default(), &Outcome { end, registers, selectors: [0; 6] })
    }

    #[test]
    fn flags_that_are_set_again_count_again() {
        // and eax, ebx; then add eax, ebx
        assert_eq!(allowed_of(&[0x21, 0xD8]).0.loose.flags, rflags::AF);
        assert_eq!(allowed_of(&[0x21, 0xD8, 0x01, 0xD8]).0.loose.flags, 0);
    }

    #[test]
    fn what_reads_an_undefined_flag_is_undefined() {
        // mul ebx; setz al
        assert_eq!(allowed_of(&[0xF7, 0xE3, 0x0F, 0x94, 0xC0]).0.loose, Loose::EVERYTHING);
        // mul ebx; setc al
        assert_ne!(allowed_of(&[0xF7, 0xE3, 0x0F, 0x92, 0xC0]).0.loose, Loose::EVERYTHING);
    }

    #[test]
    fn estimates_have_a_bound() {
        assert!(close(1.0f32.to_bits(), 1.0005f32.to_bits()));
        assert!(!close(1.0f32.to_bits(), 1.001f32.to_bits()));
        assert!(!close(f32::NAN.to_bits(), 1.0f32.to_bits()));
        assert!(close(0, f32::MIN_POSITIVE.to_bits()) && !close(0, 1.0e-36f32.to_bits()));
    }
}
