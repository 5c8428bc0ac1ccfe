//! What the manuals leave undefined, instruction by instruction.
//!
//! iced-x86 knows which flags an instruction leaves undefined at all; here is what depends on its operands (Intel SDM
//! Vol. 2, the "Flags Affected" sections).

use super::layout;
use super::state::Registers;
use emu_core::vcpu::rflags;
use iced_x86::{CodeSize, EncodingKind, Instruction, MemorySize, Mnemonic, OpKind, Register, RflagsBits};

/// What one instruction leaves undefined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undefined {
    /// Bits of RFLAGS.
    pub flags: u64,
    /// The first operand: a shift beyond the operand's width.
    pub destination: bool,
    /// Bits of the x87 status word.
    pub x87_status: u16,
    /// Whether an access to memory faults.
    pub whether_fault: bool,
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
        M::Fcomi | M::Fcomip | M::Fucomi | M::Fucomip => compare_x87(before),
        // "Behavior with a mask of all 0s ... exceptions associated with addressing memory may still be signaled".
        M::Maskmovq | M::Maskmovdqu | M::Vmaskmovdqu => {
            Undefined { whether_fault: true, ..Undefined::default() }
        }
        // Intel's parts want their operand aligned, AMD's do not.
        M::Sha1msg1
        | M::Sha1msg2
        | M::Sha1nexte
        | M::Sha1rnds4
        | M::Sha256msg1
        | M::Sha256msg2
        | M::Sha256rnds2 => Undefined { whether_fault: true, ..Undefined::default() },
        // A call into code of another size pushes in the width of either, before or after the change.
        M::Call
            if instruction.code_size() == CodeSize::Code16
                && instruction.is_call_far_indirect() | instruction.is_call_far() =>
        {
            Undefined { whether_fault: true, ..Undefined::default() }
        }
        // How much of the area is asked for depends on the components that the host has.
        M::Xsave
        | M::Xsave64
        | M::Xsaveopt
        | M::Xsaveopt64
        | M::Xsavec
        | M::Xsavec64
        | M::Xrstor
        | M::Xrstor64 => Undefined { whether_fault: true, ..Undefined::default() },
        _ => Undefined { flags: listed, ..Undefined::default() },
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
    Undefined { flags, ..Undefined::default() }
}

/// A count above the width leaves everything undefined; else OF for counts other than 1, and AF.
fn double_shift(instruction: &Instruction, before: Option<&Registers>) -> Undefined {
    let bits = bits(instruction);
    match count(instruction, 2, bits, before) {
        Some(0) => Undefined::default(),
        Some(1) => Undefined { flags: rflags::AF, ..Undefined::default() },
        Some(count) if count <= bits => Undefined { flags: rflags::AF | rflags::OF, ..Undefined::default() },
        None if bits > 16 => Undefined { flags: rflags::AF | rflags::OF, ..Undefined::default() },
        _ => Undefined { flags: rflags::STATUS, destination: true, ..Undefined::default() },
    }
}

/// FCOMI and its like: Intel's parts clear C1, AMD's leave it; and with the invalid-operation exception unmasked
/// Intel's leave the flags, AMD's set them (Intel SDM Vol. 2A, "FCOMI"; AMD's manual is silent).
fn compare_x87(before: Option<&Registers>) -> Undefined {
    const C1: u16 = 1 << 9;
    const IM: u16 = 1;
    let masked = before.is_some_and(|before| before.x87.control & IM != 0);
    let flags = if masked { 0 } else { rflags::STATUS };
    Undefined { flags, x87_status: C1, ..Undefined::default() }
}

/// Instructions with more than one access to memory: which of two that fault is reported, and what the ones before it
/// have done, is the implementation's.
pub fn several_accesses(instruction: &Instruction) -> bool {
    use Mnemonic as M;
    // Zen reads the second operand of CMPS first, except here.
    if instruction.mnemonic() == M::Cmpsb && instruction.has_rep_prefix() {
        return true;
    }
    // In two parts.
    if matches!(instruction.memory_size(), MemorySize::Float80 | MemorySize::Bcd) {
        return true;
    }
    matches!(
        instruction.mnemonic(),
        M::Popa
            | M::Popad
            | M::Pusha
            | M::Pushad
            | M::Enter
            | M::Leave
            | M::Bound
            | M::Call
            | M::Retf
            | M::Push
            | M::Pop
    ) || matches!(
        instruction.mnemonic(),
        M::Iret | M::Iretd | M::Iretq | M::Lds | M::Les | M::Lfs | M::Lgs | M::Lss | M::Jmp | M::Xlatb
    ) || matches!(
        instruction.mnemonic(),
        M::Fnsave | M::Fnstenv | M::Frstor | M::Fldenv | M::Fxsave | M::Fxsave64 | M::Fxrstor | M::Fxrstor64
    ) || matches!(
        instruction.mnemonic(),
        M::Xsave
            | M::Xsave64
            | M::Xsaveopt
            | M::Xsaveopt64
            | M::Xsavec
            | M::Xsavec64
            | M::Xrstor
            | M::Xrstor64
    )
}

/// Instructions that write the x87 status word to memory or AX.
pub fn stores_x87_status(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Fnstsw | Mnemonic::Fstsw) || saves(instruction)
}

fn saves(instruction: &Instruction) -> bool {
    use Mnemonic as M;
    matches!(
        instruction.mnemonic(),
        M::Fnsave | M::Fnstenv | M::Frstor | M::Fldenv | M::Fxsave | M::Fxsave64 | M::Fxrstor | M::Fxrstor64
    ) || matches!(
        instruction.mnemonic(),
        M::Xsave
            | M::Xsave64
            | M::Xsaveopt
            | M::Xsaveopt64
            | M::Xsavec
            | M::Xsavec64
            | M::Xrstor
            | M::Xrstor64
    )
}

/// Instructions that write an image of the x87 and SSE state.
pub fn stores_image(instruction: &Instruction) -> bool {
    use Mnemonic as M;
    matches!(
        instruction.mnemonic(),
        M::Fxsave
            | M::Fxsave64
            | M::Xsave
            | M::Xsave64
            | M::Xsaveopt
            | M::Xsaveopt64
            | M::Xsavec
            | M::Xsavec64
    )
}

/// The linear address of the image that an instruction stores.
pub fn area(instruction: &Instruction, registers: &Registers) -> Option<u64> {
    if !stores_image(instruction) {
        return None;
    }
    let wrap = if instruction.code_size() == CodeSize::Code64 { u64::MAX } else { 0xFFFF_FFFF };
    let address = instruction.virtual_address(0, 0, |register, _, _| {
        if register.is_segment_register() {
            return Some(base_of(register, instruction.code_size()));
        }
        let value = registers.gpr[register.full_register().number()];
        Some(match register.size() {
            2 => value & 0xFFFF,
            4 => value & 0xFFFF_FFFF,
            _ => value,
        })
    })?;
    Some(address & wrap)
}

/// The base of a segment as programs find it.
fn base_of(register: Register, size: CodeSize) -> u64 {
    match (register, size) {
        (Register::FS, _) => layout::FS_BASE,
        (Register::GS, _) => layout::GS_BASE,
        (_, CodeSize::Code16) => layout::WINDOW,
        _ => 0,
    }
}

/// Which accesses are checked for alignment is partly the implementation's (Intel SDM Vol. 3A 6.15, #AC: "depending on
/// the processor"): images of the x87 unit, operands of ten bytes, and vectors, where Intel's parts look at references of
/// 8 bytes or less and AMD's at all.
pub fn alignment_varies(instruction: &Instruction) -> bool {
    let ten_bytes = matches!(instruction.memory_size(), MemorySize::Float80 | MemorySize::Bcd);
    let vector = instruction.memory_size().size() >= 16;
    ten_bytes || vector || saves(instruction) || instruction.code().encoding() == EncodingKind::VEX
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
        let all = Undefined { flags: rflags::STATUS, destination: true, ..Undefined::default() };
        assert_eq!(of(&shld_16, None), all);
    }

    #[test]
    fn multiplication_leaves_four_flags_open() {
        let mul = decoded(&[0xF7, 0xE3]);
        assert_eq!(of(&mul, None).flags, rflags::SF | rflags::ZF | rflags::AF | rflags::PF);
    }
}
