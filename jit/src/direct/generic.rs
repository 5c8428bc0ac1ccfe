//! The template for most instructions: the same instruction again, with host registers and the operand's address in
//! this process, and what its family does to the flags.

use super::asm::*;
use super::family::{Family, count_of, family, size_of};
use super::lazy::{Lazy, Loc, held, looks_at};
use super::recode::code_of;
use super::registers::{FA, FB, is_high_byte, named, named_xmm, number};
use super::sse;
use super::{Direct, Emit, memory};
use crate::flags::condition_of;
use crate::opcode::Opcode;
use crate::translate::operand::is_immediate;
use emu_core::interpreter::Mode;
use iced_x86::{Code, EncodingKind, Instruction, Mnemonic};
use iced_x86::{OpKind, Register};

/// Whether the CPU model executes the instruction.
pub fn offered(i: &Instruction, mode: Mode) -> bool {
    Opcode::of(i).is_offered(mode.model)
}

/// Operands that the template can replace, and nothing that only the instruction knows of.
fn operands_known(i: &Instruction, mode: Mode) -> bool {
    let explicit = (0..i.op_count()).all(|n| match i.op_kind(n) {
        OpKind::Register => {
            let register = i.op_register(n);
            register.is_gpr() || (sse::is_xmm(register) && i.encoding() == EncodingKind::Legacy)
        }
        OpKind::Memory => memory::known(i, mode),
        kind => is_immediate(kind),
    });
    explicit && !Opcode::of(i).implies
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
    let known =
        fits && operands_known(i, mode) && Opcode::of(i).host_has && sse::is_exact(i) && family(i).is_some();
    let listed = i.op_count() > 0 || matches!(i.mnemonic(), Mnemonic::Clc | Mnemonic::Stc | Mnemonic::Cmc);
    let special = matches!(i.mnemonic(), Mnemonic::Xchg | Mnemonic::Xadd | Mnemonic::Cmpxchg | Mnemonic::Lea);
    let undefined = i.code() == Code::Bswap_r16;
    (known && listed && !special && !undefined).then_some(emit)
}

/// A guest register that stands in a scratch register while the instruction runs.
#[derive(Clone, Copy)]
struct Borrowed {
    slot: usize,
    high: bool,
    host: Reg,
    writes: bool,
}

/// The memory operand is here.
pub fn point_at(i: &mut Instruction, Mem { base, disp }: Mem) {
    i.set_memory_base(named(Width::Q, base));
    i.set_memory_index(Register::None);
    i.set_memory_index_scale(1);
    i.set_memory_displacement64(i64::from(disp) as u64);
    i.set_memory_displ_size(match i8::try_from(disp) {
        Ok(0) => 0,
        Ok(_) => 1,
        Err(_) => 8,
    });
    i.set_segment_prefix(Register::None);
}

/// The instruction to encode, and what belongs around it.
struct Plan {
    i: Instruction,
    borrowed: Vec<Borrowed>,
    /// Where the operand is.
    pointer: Option<Mem>,
}

fn emit(d: &mut Direct<'_>, i: &Instruction) {
    let Some(family) = family(i) else { return d.refuse() };
    d.prepare_flags(i, family);
    let Some(mut plan) = d.plan(i, family) else { return d.refuse() };
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
    fn prepare_flags(&mut self, i: &Instruction, family: Family) {
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
            if i.op_kind(n) == OpKind::Register && i.op_register(n).is_gpr() && Opcode::of(i).writes(n) {
                self.rescue(number(i.op_register(n)));
            }
        }
    }

    fn plan(&mut self, i: &Instruction, family: Family) -> Option<Plan> {
        let mut plan = Plan { i: *i, borrowed: Vec::new(), pointer: None };
        plan.i.set_has_lock_prefix(false);
        if memory::has(i) {
            plan.pointer = Some(self.point(i, family, &mut plan.i)?);
        }
        for n in 0..i.op_count() {
            if i.op_kind(n) != OpKind::Register {
                continue;
            }
            let register = i.op_register(n);
            let host = if register.is_gpr() {
                let w = Width::of_bytes(register.size())?;
                let host = self.host_of(register, Opcode::of(i).writes(n), family, &mut plan)?;
                named(w, host)
            } else {
                named_xmm(self.vectors[register.number()]?)
            };
            plan.i.set_op_register(n, host);
        }
        Some(plan)
    }

    /// Computes the operand's address in this process.
    fn point(&mut self, i: &Instruction, family: Family, new: &mut Instruction) -> Option<Mem> {
        let n = (0..i.op_count()).find(|n| i.op_kind(*n) == OpKind::Memory)?;
        let size = i.memory_size().size() as u32;
        if !size.is_power_of_two() || size > 16 {
            return None;
        }
        let unaligned =
            matches!(i.mnemonic(), Mnemonic::Movups | Mnemonic::Movupd | Mnemonic::Movdqu | Mnemonic::Lddqu);
        let aligned = size == 16 && !unaligned;
        if !aligned && let Some(place) = self.reach() {
            point_at(new, place);
            return Some(place);
        }
        self.address(i);
        if aligned {
            self.asm.rr(Width::B, &[0xF6], 0, RAX);
            self.asm.bytes(&[15]); // test al, 15
            self.lose_flags();
            self.interpret_if(cc::NE);
        }
        self.probe(size, Opcode::of(i).writes(n), memory::cell_of(i));
        // Flags are brought through RAX.
        let reads = matches!(family, Family::Reads | Family::Exact { .. });
        let pointer = if reads || matches!(family, Family::Step { .. }) {
            self.asm.mov(Width::Q, RDX, RAX);
            RDX
        } else {
            RAX
        };
        point_at(new, at(pointer, 0));
        Some(at(pointer, 0))
    }

    /// The host register for an operand.
    fn host_of(&mut self, register: Register, writes: bool, family: Family, plan: &mut Plan) -> Option<Reg> {
        let slot = number(register);
        let high = is_high_byte(register);
        if let (Some(pin), false) = (self.pins[slot], high) {
            return Some(pin);
        }
        if let Some(known) = plan.borrowed.iter_mut().find(|b| b.slot == slot && b.high == high) {
            known.writes |= writes;
            return Some(known.host);
        }
        let free = |reg: &Reg| {
            plan.pointer.map(|place| place.base) != Some(*reg) && plan.borrowed.iter().all(|b| b.host != *reg)
        };
        // Flags are brought through RAX, and counted in it.
        let spare = matches!(family, Family::Untouched | Family::OnlyIfDead).then_some(RAX);
        let host = [RCX, RDX].into_iter().chain(spare).find(free)?;
        plan.borrowed.push(Borrowed { slot, high, host, writes });
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
            (OpKind::Memory, Some(place)) => self.asm.load_zx(w, spare, place),
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
            Some(place) => {
                self.asm.load_zx(w, FA, place);
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

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    #[test]
    fn what_looks_at_the_machine_is_not_for_the_host() {
        let mode = Mode { code32: true, flat: 0xFF, flat_code: true, wide_stack: true, ..Mode::default() };
        let cases: [&[u8]; 9] = [
            &[0x0F, 0x00, 0xC0],       // sldt eax
            &[0x0F, 0x00, 0xC8],       // str eax
            &[0x0F, 0x01, 0x00],       // sgdt [eax]
            &[0x0F, 0x01, 0xE0],       // smsw eax
            &[0x0F, 0xB4, 0x08],       // lfs ecx, [eax]
            &[0x62, 0x08],             // bound ecx, [eax]
            &[0x0F, 0xAE, 0x18],       // stmxcsr [eax]
            &[0xE4, 0x60],             // in al, 60h
            &[0xF3, 0x0F, 0xC7, 0xF8], // rdpid eax
        ];
        for model in 0..=u8::MAX {
            let mode = Mode { model, ..mode };
            for bytes in cases {
                let i = Decoder::new(32, bytes, DecoderOptions::NONE).decode();
                assert!(!i.is_invalid() && pick(&i, mode).is_none(), "{bytes:02X?}");
            }
        }
        let add = Decoder::new(32, &[0x01, 0xC8], DecoderOptions::NONE).decode();
        assert!(pick(&add, mode).is_some());
    }
}
