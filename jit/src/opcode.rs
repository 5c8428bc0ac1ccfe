//! What is true of all instructions of one opcode: how they use their operands, and whether they use anything else.
//!
//! Both are asked for each instruction that is translated, so each opcode is looked at only once.

use crate::direct::host_has;
use emu_core::isa::cpuid::{MODELS, executes, model};
use iced_x86::{Code, Instruction, InstructionInfo, InstructionInfoFactory, OpAccess, OpKind, Register};
use std::sync::{LazyLock, OnceLock};

/// See the fields.
pub struct Opcode {
    access: [OpAccess; 5],
    /// It uses a register, or memory, that is no operand: another cannot stand in for it.
    pub implies: bool,
    /// The CPU models that have it, a bit each.
    models: u64,
    /// The host has it, where instructions can be encoded again.
    pub host_has: bool,
}

impl Opcode {
    pub fn of(i: &Instruction) -> &'static Self {
        static KNOWN: LazyLock<Vec<OnceLock<Opcode>>> =
            LazyLock::new(|| Code::values().map(|_| OnceLock::new()).collect());
        KNOWN[i.code() as usize].get_or_init(|| Self::look_at(i))
    }

    fn look_at(i: &Instruction) -> Self {
        // With operands that no instruction implies, what is implied stands out.
        let mut example = *i;
        for n in 0..i.op_count() {
            if i.op_kind(n) == OpKind::Register {
                example.set_op_register(n, stand_in(i.op_register(n), n));
            }
        }
        example.set_memory_base(Register::R10);
        example.set_memory_index(Register::None);
        example.set_segment_prefix(Register::None);
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(&example);
        let offered = |n: u8| u64::from(executes(&model(n).features, i.code())) << n;
        Self {
            access: std::array::from_fn(|n| info.op_access(n as u32)),
            implies: implies(&example, info),
            models: (0..MODELS.len() as u8).fold(0, |bits, n| bits | offered(n)),
            host_has: host_has(i),
        }
    }

    /// Whether the CPU model of this number executes it.
    pub fn is_offered(&self, model: u8) -> bool {
        self.models >> model & 1 != 0
    }

    pub fn writes(&self, n: u32) -> bool {
        writes(self.access[n as usize])
    }
}

/// The operand, or what else has this access, may be written.
pub fn writes(access: OpAccess) -> bool {
    !matches!(access, OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
}

/// The registers that an instruction uses, as they are named in it, and whether it may write them; some more than once.
pub fn each_register(i: &Instruction, mut f: impl FnMut(Register, bool)) {
    let opcode = Opcode::of(i);
    if opcode.implies {
        let mut factory = InstructionInfoFactory::new();
        factory.info(i).used_registers().iter().for_each(|used| f(used.register(), writes(used.access())));
        return;
    }
    for n in 0..i.op_count() {
        match i.op_kind(n) {
            OpKind::Register => f(i.op_register(n), opcode.writes(n)),
            OpKind::Memory => {
                let address = [i.memory_base(), i.memory_index()];
                address.into_iter().filter(|r| *r != Register::None).for_each(|r| f(r, false));
            }
            _ => {}
        }
    }
}

fn stand_in(register: Register, n: u32) -> Register {
    let first = match register {
        _ if register.is_gpr64() => Register::R12,
        _ if register.is_gpr32() => Register::R12D,
        _ if register.is_gpr16() => Register::R12W,
        _ if register.is_gpr8() => Register::R12L,
        _ if register.is_xmm() => Register::XMM12,
        _ => return register,
    };
    first + n
}

fn implies(example: &Instruction, info: &InstructionInfo) -> bool {
    let kinds = || (0..example.op_count()).map(|n| (n, example.op_kind(n)));
    let in_memory = kinds().any(|(_, kind)| kind == OpKind::Memory);
    let named = |register: Register| {
        let operand =
            |(n, kind)| kind == OpKind::Register && example.op_register(n).full_register() == register;
        kinds().any(operand) || (in_memory && register == Register::R10)
    };
    let beside = info.used_registers().iter().any(|used| {
        let segment = in_memory && used.register().is_segment_register() && !writes(used.access());
        !segment && !named(used.register().full_register())
    });
    beside || info.used_memory().len() > usize::from(in_memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn decode(bits: u32, bytes: &[u8]) -> Instruction {
        Decoder::new(bits, bytes, DecoderOptions::NONE).decode()
    }

    #[test]
    fn what_is_no_operand_stands_out() {
        let cases: [(&[u8], bool); 11] = [
            (&[0x01, 0xC8], false),                  // add eax, ecx
            (&[0x48, 0x8B, 0x04, 0x8B], false),      // mov rax, [rbx+rcx*4]
            (&[0x66, 0x0F, 0x58, 0xC0], false),      // addpd xmm0, xmm0
            (&[0x0F, 0x4C, 0xC0], false),            // cmovl eax, eax
            (&[0xF7, 0xE0], true),                   // mul eax
            (&[0x66, 0x0F, 0x38, 0x14, 0xC0], true), // blendvps xmm0, xmm0, <xmm0>
            (&[0xC4, 0xE2, 0x6B, 0xF6, 0xC2], true), // mulx eax, edx, edx
            (&[0x0F, 0xB4, 0x08], true),             // lfs ecx, [rax]
            (&[0x0F, 0xB1, 0xC0], true),             // cmpxchg eax, eax
            (&[0x8E, 0xE8], false),                  // mov gs, eax: an operand, which none knows
            (&[0x0F, 0xAE, 0x18], false),            // stmxcsr [rax]: iced-x86 does not count MXCSR
        ];
        for (bytes, implies) in cases {
            assert_eq!(Opcode::of(&decode(64, bytes)).implies, implies, "{bytes:02X?}");
        }
    }
}
