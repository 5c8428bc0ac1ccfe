//! The template for most instructions: the same instruction again, with host registers and the operand's address in
//! this process, and what its family does to the flags.

use super::asm::*;
use super::lazy::{Lazy, Loc, held, looks_at};
use super::registers::{FA, FB, is_high_byte, named, named_xmm, number};
use super::{Direct, Emit, memory};
use crate::flags::condition_of;
use emu_core::interpreter::Mode;
use emu_core::isa::cpuid::{executes, model};
use iced_x86::{Code, CpuidFeature, EncodingKind, Instruction, InstructionInfoFactory, Mnemonic, OpAccess};
use iced_x86::{OpKind, Register};

/// What an instruction does to the status flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Neither reads nor writes them.
    Untouched,
    /// Reads a condition.
    Reads,
    Arithmetic {
        sub: bool,
    },
    Compare,
    Logic,
    Test,
    Negate,
    Step {
        down: bool,
    },
    Shift(Shift),
    /// All that it reads or leaves alone must be the guest's before; the host's flags are right after it.
    Exact {
        clears_af: bool,
    },
    /// The host's flags are right after it, whatever they were before.
    Sets,
    Multiply,
    /// Where nobody wants the flags.
    OnlyIfDead,
}

/// Whether the CPU model executes the instruction.
pub fn offered(i: &Instruction, mode: Mode) -> bool {
    executes(&model(mode.model).features, i.code())
}

fn family(i: &Instruction) -> Option<Family> {
    use Mnemonic::*;
    let bytes = (0..i.op_count()).map(|n| size_of(i, n)).next().unwrap_or(0);
    Some(match i.mnemonic() {
        Add => Family::Arithmetic { sub: false },
        Sub => Family::Arithmetic { sub: true },
        Cmp => Family::Compare,
        And | Or | Xor => Family::Logic,
        Test => Family::Test,
        Neg => Family::Negate,
        Inc => Family::Step { down: false },
        Dec => Family::Step { down: true },
        // CF of larger counts differs between makers.
        Shl | Sal | Shr | Sar
            if i.op1_kind() == OpKind::Immediate8 && usize::from(count_of(i)) >= 8 * bytes =>
        {
            Family::OnlyIfDead
        }
        Shl | Sal | Shr | Sar if i.op1_kind() == OpKind::Immediate8 && count_of(i) != 0 => {
            Family::Shift(match i.mnemonic() {
                Shr => Shift::Shr,
                Sar => Shift::Sar,
                _ => Shift::Shl,
            })
        }
        Rol | Ror if i.op1_kind() == OpKind::Immediate8 && count_of(i) != 0 => {
            // Where the count is a multiple of the width, the value stays and the flags may not.
            (u32::from(i.immediate8()) % (8 * bytes as u32) != 0)
                .then_some(Family::Exact { clears_af: false })?
        }
        Shld | Shrd if i.op2_kind() == OpKind::Immediate8 && bytes >= 4 && count_of(i) != 0 => {
            // OF of larger counts differs between makers.
            if count_of(i) == 1 { Family::Exact { clears_af: true } } else { Family::OnlyIfDead }
        }
        Adc | Sbb | Cmc | Clc | Stc => Family::Exact { clears_af: false },
        Bt | Bts | Btr | Btc if i.op1_kind() == OpKind::Immediate8 || !memory::has(i) => {
            Family::Exact { clears_af: false }
        }
        Popcnt | Ucomiss | Ucomisd | Comiss | Comisd | Ptest => Family::Sets,
        Imul if i.op_count() >= 2 => Family::Multiply,
        Tzcnt | Lzcnt | Andn | Blsi | Blsr | Blsmsk | Bextr | Bzhi => Family::OnlyIfDead,
        _ if condition_of(i).is_some() && i.op_count() > 0 => Family::Reads,
        _ if i.rflags_read() | i.rflags_modified() == 0 => Family::Untouched,
        _ => return None,
    })
}

/// The masked count of a shift or rotate by an immediate.
fn count_of(i: &Instruction) -> u8 {
    let bytes = size_of(i, 0);
    (i.immediate(i.op_count() - 1) as u8) & if bytes == 8 { 63 } else { 31 }
}

fn size_of(i: &Instruction, n: u32) -> usize {
    match i.op_kind(n) {
        OpKind::Register => i.op_register(n).size(),
        _ => i.memory_size().size(),
    }
}

/// Features of the host that re-encoded instructions need.
fn host_has(i: &Instruction) -> bool {
    i.cpuid_features().iter().all(|feature| match feature {
        CpuidFeature::SSE3 => is_x86_feature_detected!("sse3"),
        CpuidFeature::SSSE3 => is_x86_feature_detected!("ssse3"),
        CpuidFeature::SSE4_1 => is_x86_feature_detected!("sse4.1"),
        CpuidFeature::SSE4_2 => is_x86_feature_detected!("sse4.2"),
        CpuidFeature::POPCNT => is_x86_feature_detected!("popcnt"),
        CpuidFeature::AES => is_x86_feature_detected!("aes"),
        CpuidFeature::PCLMULQDQ => is_x86_feature_detected!("pclmulqdq"),
        CpuidFeature::BMI1 => is_x86_feature_detected!("bmi1"),
        CpuidFeature::BMI2 => is_x86_feature_detected!("bmi2"),
        CpuidFeature::LZCNT => is_x86_feature_detected!("lzcnt"),
        CpuidFeature::MOVBE => is_x86_feature_detected!("movbe"),
        CpuidFeature::SHA => is_x86_feature_detected!("sha"),
        CpuidFeature::INTEL8086
        | CpuidFeature::INTEL186
        | CpuidFeature::INTEL286
        | CpuidFeature::INTEL386
        | CpuidFeature::INTEL486
        | CpuidFeature::X64
        | CpuidFeature::CMOV
        | CpuidFeature::MULTIBYTENOP
        | CpuidFeature::CX8
        | CpuidFeature::SSE
        | CpuidFeature::SSE2 => true,
        _ => false,
    })
}

fn is_xmm(register: Register) -> bool {
    register.is_xmm() && register.number() < 16
}

/// Operands that the template can replace, and nothing that only the instruction knows of.
fn operands_known(i: &Instruction, mode: Mode) -> bool {
    let explicit = (0..i.op_count()).all(|n| match i.op_kind(n) {
        OpKind::Register => {
            let register = i.op_register(n);
            register.is_gpr() || (is_xmm(register) && i.encoding() == EncodingKind::Legacy)
        }
        OpKind::Memory => memory::known(i, mode),
        OpKind::Immediate8
        | OpKind::Immediate16
        | OpKind::Immediate32
        | OpKind::Immediate64
        | OpKind::Immediate8to16
        | OpKind::Immediate8to32
        | OpKind::Immediate8to64
        | OpKind::Immediate32to64 => true,
        _ => false,
    });
    if !explicit {
        return false;
    }
    let mut info = InstructionInfoFactory::new();
    let named = |register: Register| {
        let full = register.full_register();
        let operand = (0..i.op_count())
            .any(|n| i.op_kind(n) == OpKind::Register && i.op_register(n).full_register() == full);
        let address = [i.memory_base(), i.memory_index()]
            .iter()
            .any(|r| *r != Register::None && (r.full_register() == full || r.is_ip()));
        operand || address || register.is_segment_register()
    };
    let implied = info.info(i).used_registers().iter().any(|used| !named(used.register()));
    let memory = info.info(i).used_memory().len() > usize::from(memory::has(i));
    !implied && !memory
}

/// Legacy SSE instructions that compute with floats: under the guest's MXCSR.
pub fn is_float(i: &Instruction) -> bool {
    use Mnemonic::*;
    let vector = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Register && is_xmm(i.op_register(n)));
    vector
        && matches!(
            i.mnemonic(),
            Addss
                | Addsd
                | Addps
                | Addpd
                | Subss
                | Subsd
                | Subps
                | Subpd
                | Mulss
                | Mulsd
                | Mulps
                | Mulpd
                | Divss
                | Divsd
                | Divps
                | Divpd
                | Sqrtss
                | Sqrtsd
                | Sqrtps
                | Sqrtpd
                | Minss
                | Minsd
                | Minps
                | Minpd
                | Maxss
                | Maxsd
                | Maxps
                | Maxpd
                | Cmpss
                | Cmpsd
                | Cmpps
                | Cmppd
                | Ucomiss
                | Ucomisd
                | Comiss
                | Comisd
                | Cvtsi2ss
                | Cvtsi2sd
                | Cvtss2si
                | Cvtsd2si
                | Cvttss2si
                | Cvttsd2si
                | Cvtss2sd
                | Cvtsd2ss
                | Cvtps2pd
                | Cvtpd2ps
                | Cvtdq2ps
                | Cvtdq2pd
                | Cvtps2dq
                | Cvtpd2dq
                | Cvttps2dq
                | Cvttpd2dq
                | Haddps
                | Haddpd
                | Hsubps
                | Hsubpd
                | Addsubps
                | Addsubpd
                | Roundss
                | Roundsd
                | Roundps
                | Roundpd
                | Dpps
                | Dppd
        )
}

/// Vector instructions that the host executes as the interpreter does.
fn vector_known(i: &Instruction) -> bool {
    use Mnemonic::*;
    // Approximations differ between makers; the flags of the steps of dot products too.
    !matches!(
        i.mnemonic(),
        Rcpss
            | Rcpps
            | Rsqrtss
            | Rsqrtps
            | Dpps
            | Dppd
            | Maskmovdqu
            | Pcmpestri
            | Pcmpestrm
            | Pcmpistri
            | Pcmpistrm
    )
}

/// Where somebody wants the flags, the interpreter must execute it: the host's are not those of the interpreter.
pub fn only_if_dead(i: &Instruction) -> bool {
    family(i) == Some(Family::OnlyIfDead)
}

pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let plain = !i.has_rep_prefix() && !i.has_repne_prefix() || i.encoding() != EncodingKind::Legacy;
    let vector = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Register && !i.op_register(n).is_gpr());
    let prefixes = plain || vector;
    let system = i.is_privileged() || i.is_string_instruction() || i.is_stack_instruction();
    let named = matches!(i.encoding(), EncodingKind::Legacy | EncodingKind::VEX);
    let fits = named && prefixes && !system && i.flow_control() == iced_x86::FlowControl::Next;
    let known = fits && operands_known(i, mode) && host_has(i) && vector_known(i) && family(i).is_some();
    let listed = i.op_count() > 0 || matches!(i.mnemonic(), Mnemonic::Clc | Mnemonic::Stc | Mnemonic::Cmc);
    let special = matches!(i.mnemonic(), Mnemonic::Xchg | Mnemonic::Xadd | Mnemonic::Cmpxchg | Mnemonic::Lea);
    let undefined = i.code() == Code::Bswap_r16;
    (known && listed && !special && !undefined).then_some(emit)
}

/// One-byte forms of INC and DEC are prefixes in 64-bit code; accumulator forms with a far address do not exist.
fn code_of(i: &Instruction) -> Code {
    match i.code() {
        Code::Inc_r16 => Code::Inc_rm16,
        Code::Inc_r32 => Code::Inc_rm32,
        Code::Dec_r16 => Code::Dec_rm16,
        Code::Dec_r32 => Code::Dec_rm32,
        Code::Mov_AL_moffs8 => Code::Mov_r8_rm8,
        Code::Mov_AX_moffs16 => Code::Mov_r16_rm16,
        Code::Mov_EAX_moffs32 => Code::Mov_r32_rm32,
        Code::Mov_RAX_moffs64 => Code::Mov_r64_rm64,
        Code::Mov_moffs8_AL => Code::Mov_rm8_r8,
        Code::Mov_moffs16_AX => Code::Mov_rm16_r16,
        Code::Mov_moffs32_EAX => Code::Mov_rm32_r32,
        Code::Mov_moffs64_RAX => Code::Mov_rm64_r64,
        Code::Add_AL_imm8 => Code::Add_rm8_imm8,
        Code::Add_AX_imm16 => Code::Add_rm16_imm16,
        Code::Add_EAX_imm32 => Code::Add_rm32_imm32,
        Code::Add_RAX_imm32 => Code::Add_rm64_imm32,
        Code::Or_AL_imm8 => Code::Or_rm8_imm8,
        Code::Or_AX_imm16 => Code::Or_rm16_imm16,
        Code::Or_EAX_imm32 => Code::Or_rm32_imm32,
        Code::Or_RAX_imm32 => Code::Or_rm64_imm32,
        Code::Adc_AL_imm8 => Code::Adc_rm8_imm8,
        Code::Adc_AX_imm16 => Code::Adc_rm16_imm16,
        Code::Adc_EAX_imm32 => Code::Adc_rm32_imm32,
        Code::Adc_RAX_imm32 => Code::Adc_rm64_imm32,
        Code::Sbb_AL_imm8 => Code::Sbb_rm8_imm8,
        Code::Sbb_AX_imm16 => Code::Sbb_rm16_imm16,
        Code::Sbb_EAX_imm32 => Code::Sbb_rm32_imm32,
        Code::Sbb_RAX_imm32 => Code::Sbb_rm64_imm32,
        Code::And_AL_imm8 => Code::And_rm8_imm8,
        Code::And_AX_imm16 => Code::And_rm16_imm16,
        Code::And_EAX_imm32 => Code::And_rm32_imm32,
        Code::And_RAX_imm32 => Code::And_rm64_imm32,
        Code::Sub_AL_imm8 => Code::Sub_rm8_imm8,
        Code::Sub_AX_imm16 => Code::Sub_rm16_imm16,
        Code::Sub_EAX_imm32 => Code::Sub_rm32_imm32,
        Code::Sub_RAX_imm32 => Code::Sub_rm64_imm32,
        Code::Xor_AL_imm8 => Code::Xor_rm8_imm8,
        Code::Xor_AX_imm16 => Code::Xor_rm16_imm16,
        Code::Xor_EAX_imm32 => Code::Xor_rm32_imm32,
        Code::Xor_RAX_imm32 => Code::Xor_rm64_imm32,
        Code::Cmp_AL_imm8 => Code::Cmp_rm8_imm8,
        Code::Cmp_AX_imm16 => Code::Cmp_rm16_imm16,
        Code::Cmp_EAX_imm32 => Code::Cmp_rm32_imm32,
        Code::Cmp_RAX_imm32 => Code::Cmp_rm64_imm32,
        Code::Test_AL_imm8 => Code::Test_rm8_imm8,
        Code::Test_AX_imm16 => Code::Test_rm16_imm16,
        Code::Test_EAX_imm32 => Code::Test_rm32_imm32,
        Code::Test_RAX_imm32 => Code::Test_rm64_imm32,
        Code::Add_rm8_imm8_82 => Code::Add_rm8_imm8,
        Code::Or_rm8_imm8_82 => Code::Or_rm8_imm8,
        Code::Adc_rm8_imm8_82 => Code::Adc_rm8_imm8,
        Code::Sbb_rm8_imm8_82 => Code::Sbb_rm8_imm8,
        Code::And_rm8_imm8_82 => Code::And_rm8_imm8,
        Code::Sub_rm8_imm8_82 => Code::Sub_rm8_imm8,
        Code::Xor_rm8_imm8_82 => Code::Xor_rm8_imm8,
        Code::Cmp_rm8_imm8_82 => Code::Cmp_rm8_imm8,
        code => code,
    }
}

/// A guest register that stands in a scratch register while the instruction runs.
#[derive(Clone, Copy)]
struct Borrowed {
    slot: usize,
    high: bool,
    host: Reg,
    writes: bool,
}

/// The memory operand is where a register says.
pub fn point_at(i: &mut Instruction, pointer: Reg) {
    i.set_memory_base(named(Width::Q, pointer));
    i.set_memory_index(Register::None);
    i.set_memory_index_scale(1);
    i.set_memory_displacement64(0);
    i.set_memory_displ_size(0);
    i.set_segment_prefix(Register::None);
}

/// The instruction to encode, and what belongs around it.
struct Plan {
    i: Instruction,
    borrowed: Vec<Borrowed>,
    /// The operand's address is in this register.
    pointer: Option<Reg>,
}

fn writes(access: OpAccess) -> bool {
    !matches!(access, OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
}

/// Accesses of the operands.
fn accesses(i: &Instruction) -> [OpAccess; 5] {
    let mut info = InstructionInfoFactory::new();
    let info = info.info(i);
    std::array::from_fn(|n| info.op_access(n as u32))
}

fn emit(d: &mut Direct<'_>, i: &Instruction) {
    let Some(family) = family(i) else { return d.refuse() };
    let access = accesses(i);
    d.prepare_flags(i, family, &access);
    let Some(mut plan) = d.plan(i, family, &access) else { return d.refuse() };
    let lazy = d.before(i, family, &plan);
    if !lazy.replaces_instruction {
        d.extract_high(&plan);
        d.bring_flags(i, family);
        plan.i.set_code(code_of(i));
        if !d.asm.instruction(&plan.i) {
            return d.refuse();
        }
    }
    d.after(i, family, lazy, &plan);
    d.give_back(&plan);
}

/// What has to be known about the flags before the instruction runs.
#[derive(Default)]
struct Before {
    lazy: Option<Lazy>,
    /// The operands have been compared or tested already.
    replaces_instruction: bool,
}

impl Direct<'_> {
    /// Moves what the flags are made of out of the way, or has them computed.
    fn prepare_flags(&mut self, i: &Instruction, family: Family, access: &[OpAccess; 5]) {
        if !self.live {
            return;
        }
        let kills = matches!(
            family,
            Family::Arithmetic { .. }
                | Family::Compare
                | Family::Logic
                | Family::Test
                | Family::Negate
                | Family::Shift(_)
                | Family::Sets
                | Family::Multiply
        );
        match family {
            Family::Exact { .. } => self.know(),
            Family::Step { .. } if memory::has(i) || is_high_byte(i.op0_register()) => self.know(),
            _ => {}
        }
        if kills {
            return;
        }
        for n in 0..i.op_count() {
            if i.op_kind(n) == OpKind::Register && i.op_register(n).is_gpr() && writes(access[n as usize]) {
                self.rescue(number(i.op_register(n)));
            }
        }
    }

    fn plan(&mut self, i: &Instruction, family: Family, access: &[OpAccess; 5]) -> Option<Plan> {
        let mut plan = Plan { i: *i, borrowed: Vec::new(), pointer: None };
        plan.i.set_has_lock_prefix(false);
        if memory::has(i) {
            plan.pointer = Some(self.point(i, family, access, &mut plan.i)?);
        }
        for n in 0..i.op_count() {
            if i.op_kind(n) != OpKind::Register {
                continue;
            }
            let register = i.op_register(n);
            let host = if register.is_gpr() {
                let w = Width::of_bytes(register.size())?;
                let host = self.host_of(register, access[n as usize], &mut plan)?;
                named(w, host)
            } else {
                named_xmm(self.vectors[register.number()]?)
            };
            plan.i.set_op_register(n, host);
        }
        Some(plan)
    }

    /// Computes the operand's address in this process.
    fn point(
        &mut self,
        i: &Instruction,
        family: Family,
        access: &[OpAccess; 5],
        new: &mut Instruction,
    ) -> Option<Reg> {
        let n = (0..i.op_count()).find(|n| i.op_kind(*n) == OpKind::Memory)?;
        let size = i.memory_size().size() as u32;
        if !size.is_power_of_two() || size > 16 {
            return None;
        }
        self.address(i);
        let unaligned =
            matches!(i.mnemonic(), Mnemonic::Movups | Mnemonic::Movupd | Mnemonic::Movdqu | Mnemonic::Lddqu);
        if size == 16 && !unaligned {
            self.asm.rr(Width::B, &[0xF6], 0, RAX);
            self.asm.bytes(&[15]); // test al, 15
            self.lose_flags();
            self.interpret_if(cc::NE);
        }
        self.probe(size, writes(access[n as usize]), memory::cell_of(i));
        // Flags are brought through RAX.
        let reads = matches!(family, Family::Reads | Family::Exact { .. });
        let pointer = if reads || matches!(family, Family::Step { .. }) {
            self.asm.mov(Width::Q, RDX, RAX);
            RDX
        } else {
            RAX
        };
        point_at(new, pointer);
        Some(pointer)
    }

    /// The host register for an operand.
    fn host_of(&mut self, register: Register, access: OpAccess, plan: &mut Plan) -> Option<Reg> {
        let slot = number(register);
        let high = is_high_byte(register);
        if let (Some(pin), false) = (self.pins[slot], high) {
            return Some(pin);
        }
        if let Some(known) = plan.borrowed.iter_mut().find(|b| b.slot == slot && b.high == high) {
            known.writes |= writes(access);
            return Some(known.host);
        }
        let free = |reg: &Reg| plan.pointer != Some(*reg) && plan.borrowed.iter().all(|b| b.host != *reg);
        let host = [RCX, RDX].into_iter().find(free)?;
        plan.borrowed.push(Borrowed { slot, high, host, writes: writes(access) });
        if !high {
            self.get(Width::Q, host, slot);
        }
        Some(host)
    }

    /// High bytes go into scratch registers.
    fn extract_high(&mut self, plan: &Plan) {
        for borrowed in plan.borrowed.iter().filter(|borrowed| borrowed.high) {
            self.get(Width::D, borrowed.host, borrowed.slot);
            self.asm.shift(Width::D, Shift::Shr, borrowed.host, 8);
            self.lose_flags();
        }
    }

    /// The host's flags become the guest's, as far as the instruction looks at them or leaves them alone.
    fn bring_flags(&mut self, i: &Instruction, family: Family) {
        match family {
            Family::Reads => {
                let wanted = looks_at(condition_of(i).unwrap_or(0));
                self.hold_in_rax(wanted);
            }
            Family::Exact { .. } if self.live => self.hold_in_rax(held::ALL),
            Family::Exact { .. } if i.rflags_read() != 0 => self.hold_in_rax(held::CF),
            Family::Step { .. } if self.live && self.lazy == Lazy::Known => self.hold_in_rax(held::ALL),
            _ => {}
        }
    }

    /// As [`Direct::hold`], but only RAX may change.
    fn hold_in_rax(&mut self, wanted: u8) {
        if wanted & !self.held == 0 {
            return;
        }
        if self.needs_more_than_rax() {
            self.asm.push(RCX);
            self.asm.push(RDX);
            self.hold(wanted);
            self.asm.pop(RDX);
            self.asm.pop(RCX);
        } else {
            self.hold(wanted);
        }
    }

    /// Keeps operands for the flags; the last moment before they change.
    fn before(&mut self, i: &Instruction, family: Family, plan: &Plan) -> Before {
        let none = Before::default();
        if !self.live {
            return none;
        }
        let Some(w) = Width::of_bytes(size_of(i, 0)) else { return none };
        let in_memory = i.op0_kind() == OpKind::Memory;
        match family {
            Family::Arithmetic { sub } => {
                if in_memory {
                    let a = self.operand(i, 0, w, FA, plan);
                    let b = self.operand(i, 1, w, FB, plan);
                    return Before { lazy: Some(Lazy::Operands { sub, w, a, b }), ..none };
                }
                let same =
                    i.op1_kind() == OpKind::Register && number(i.op0_register()) == number(i.op1_register());
                let high = is_high_byte(i.op0_register());
                if same || high {
                    let a = self.copied(i, 0, w, FA, plan);
                    let b = self.copied(i, 1, w, FB, plan);
                    return Before { lazy: Some(Lazy::Operands { sub, w, a, b }), ..none };
                }
                let b = self.operand(i, 1, w, FB, plan);
                let r = Loc::Guest(number(i.op0_register()));
                Before { lazy: Some(Lazy::Result { sub, w, r, b }), ..none }
            }
            Family::Compare => {
                let a = self.operand(i, 0, w, FA, plan);
                let b = self.operand(i, 1, w, FB, plan);
                Before { lazy: Some(Lazy::Operands { sub: true, w, a, b }), ..none }
            }
            Family::Negate => {
                let b = self.copied(i, 0, w, FB, plan);
                Before { lazy: Some(Lazy::Operands { sub: true, w, a: Loc::Imm(0), b }), ..none }
            }
            Family::Shift(op) => {
                let a = self.copied(i, 0, w, FA, plan);
                Before { lazy: Some(Lazy::Shifted { op, w, a, count: count_of(i) }), ..none }
            }
            Family::Test => self.before_test(i, w, plan),
            _ => none,
        }
    }

    /// TEST leaves no result: AND into FA does the same to the flags.
    fn before_test(&mut self, i: &Instruction, w: Width, plan: &Plan) -> Before {
        let plain = |n: u32| i.op_kind(n) == OpKind::Register && !is_high_byte(i.op_register(n));
        if plain(0) && plain(1) && i.op0_register() == i.op1_register() {
            let r = Loc::Guest(number(i.op0_register()));
            return Before { lazy: Some(Lazy::Logic { w, r }), replaces_instruction: false };
        }
        self.copied(i, 0, w, FA, plan);
        let b = self.operand(i, 1, w, FB, plan);
        match b {
            Loc::Imm(value) => self.asm.alu_imm(w, Alu::And, FA, value),
            _ => self.operate(w, Alu::And, FA, b),
        }
        Before { lazy: Some(Lazy::Logic { w, r: Loc::Host(FA) }), replaces_instruction: true }
    }

    /// Where an operand can be found later, if it does not change; `spare` takes it if it is nowhere.
    fn operand(&mut self, i: &Instruction, n: u32, w: Width, spare: Reg, plan: &Plan) -> Loc {
        match i.op_kind(n) {
            OpKind::Register if !is_high_byte(i.op_register(n)) => Loc::Guest(number(i.op_register(n))),
            OpKind::Register | OpKind::Memory => self.copied(i, n, w, spare, plan),
            _ => match i32::try_from(i.immediate(n) as i64) {
                Ok(value) => Loc::Imm(value),
                Err(_) if w != Width::Q => Loc::Imm(i.immediate(n) as i32),
                Err(_) => {
                    self.asm.constant(spare, i.immediate(n));
                    Loc::Host(spare)
                }
            },
        }
    }

    /// An operand, copied to `spare`.
    fn copied(&mut self, i: &Instruction, n: u32, w: Width, spare: Reg, plan: &Plan) -> Loc {
        match (i.op_kind(n), plan.pointer) {
            (OpKind::Memory, Some(pointer)) => self.asm.load_zx(w, spare, at(pointer, 0)),
            (OpKind::Register, _) => {
                let register = i.op_register(n);
                self.get(Width::Q, spare, number(register));
                if is_high_byte(register) {
                    self.asm.shift(Width::Q, Shift::Shr, spare, 8);
                    self.lose_flags();
                }
            }
            _ => return self.operand(i, n, w, spare, plan),
        }
        Loc::Host(spare)
    }

    /// What the flags are now.
    fn after(&mut self, i: &Instruction, family: Family, before: Before, plan: &Plan) {
        if family == Family::Untouched || family == Family::Reads {
            return;
        }
        if !self.live {
            let held = if family == Family::OnlyIfDead { 0 } else { held::ALL };
            let lazy = Lazy::Dead;
            return self.set_lazy(lazy, if family == Family::Multiply { held::CF | held::OF } else { held });
        }
        if let Some(lazy) = before.lazy {
            return self.set_lazy(lazy, held::ALL);
        }
        match family {
            Family::Logic => self.after_logic(i, plan),
            Family::Step { down } => self.after_step(i, down),
            Family::Exact { clears_af } => {
                self.lazy = Lazy::Memory; // anything that is not known yet
                self.save_known();
                if clears_af {
                    self.clear_af();
                }
            }
            Family::Sets => {
                self.lazy = Lazy::Memory;
                self.save_known();
            }
            Family::Multiply => self.after_multiply(i, plan),
            _ => self.refuse(),
        }
    }

    fn after_logic(&mut self, i: &Instruction, plan: &Plan) {
        let Some(w) = Width::of_bytes(size_of(i, 0)) else { return self.refuse() };
        let r = match plan.pointer.filter(|_| i.op0_kind() == OpKind::Memory) {
            Some(pointer) => {
                self.asm.load_zx(w, FA, at(pointer, 0));
                Loc::Host(FA)
            }
            None if is_high_byte(i.op0_register()) => {
                let host = plan.borrowed.iter().find(|b| b.high && b.slot == number(i.op0_register()));
                let Some(host) = host.map(|borrowed| borrowed.host) else { return self.refuse() };
                self.asm.movzx(Width::B, FA, host);
                Loc::Host(FA)
            }
            None => Loc::Guest(number(i.op0_register())),
        };
        self.set_lazy(Lazy::Logic { w, r }, held::ALL);
    }

    /// INC and DEC: in a register, what is known of CF stays as it was.
    fn after_step(&mut self, i: &Instruction, down: bool) {
        let Some(w) = Width::of_bytes(size_of(i, 0)) else { return self.refuse() };
        if self.lazy == Lazy::Known {
            self.lazy = Lazy::Memory;
            return self.save_known();
        }
        let carry = match self.lazy.clone() {
            Lazy::Step { carry, .. } => carry,
            lazy => Box::new(lazy),
        };
        let held = self.held & held::CF | held::RESULT | held::OF;
        let r = Loc::Guest(number(i.op0_register()));
        self.set_lazy(Lazy::Step { down, w, r, carry }, held);
    }

    /// CF and OF from the multiplication, ZF, SF and PF from the result, AF clear.
    fn after_multiply(&mut self, i: &Instruction, plan: &Plan) {
        let Some(w) = Width::of_bytes(size_of(i, 0)) else { return self.refuse() };
        let slot = number(i.op0_register());
        let borrowed = plan.borrowed.iter().find(|borrowed| borrowed.slot == slot).map(|b| b.host);
        match self.pins[slot].or(borrowed) {
            Some(host) => self.product_flags(w, host),
            None => self.refuse(),
        }
    }

    /// Writes scratch registers back.
    fn give_back(&mut self, plan: &Plan) {
        for borrowed in plan.borrowed.iter().filter(|borrowed| borrowed.writes) {
            let Borrowed { slot, high, host, .. } = *borrowed;
            if !high {
                self.set(slot, host);
                continue;
            }
            self.asm.movzx(Width::B, host, host);
            self.asm.shift(Width::D, Shift::Shl, host, 8);
            match self.pins[slot] {
                Some(pin) => {
                    self.asm.alu_imm(Width::Q, Alu::And, pin, !0xFF00);
                    self.asm.alu(Width::Q, Alu::Or, pin, host);
                }
                None => {
                    self.get(Width::Q, RAX, slot);
                    self.asm.alu_imm(Width::Q, Alu::And, RAX, !0xFF00);
                    self.asm.alu(Width::Q, Alu::Or, RAX, host);
                    self.set(slot, RAX);
                }
            }
            self.lose_flags();
        }
    }
}
