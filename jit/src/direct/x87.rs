//! x87 instructions: the same again, on the guest's state in the host's unit (see [`tier::Leave::X87`]).
//!
//! All exceptions are masked and none is pending while a region with such instructions runs, so none of them faults but
//! by its memory operand, which is probed first. What the processor remembers of the last instruction (FIP, FDP, FOP:
//! Intel SDM Vol. 1 8.1.8) goes to the `Cpu`: the operand's address at once, the rest at the next exit or end of a block,
//! see [`Note`].
//!
//! Environments and images, BCD and MMX are the interpreter's.
//!
//! [`tier::Leave::X87`]: emu_core::interpreter::tier::Leave::X87

use super::asm::*;
use super::generic::offered;
use super::lazy::{Lazy, held, looks_at};
use super::registers::slot_of;
use super::{Direct, Emit, memory};
use emu_core::interpreter::{Mode, layout};
use emu_core::isa::x87::control;
use iced_x86::{Code, CpuidFeature, Instruction, Mnemonic, OpKind, Register};

const AX: usize = 0;
const CS: usize = 1;

/// What the `Cpu` does not know yet of the last x87 instruction.
#[derive(Clone, Copy, Default)]
pub struct Note {
    /// Offset of the instruction, and its FOP.
    code: Option<(i64, u16)>,
    /// Segment register of the last memory operand.
    data: Option<usize>,
}

/// Where the instructions that are not a plain re-encoding differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Registers, tags, status word, a memory operand: all but EFLAGS.
    Plain,
    /// FCMOVcc, with the number of the condition.
    Conditional(u8),
    /// FCOMI and its like.
    ToFlags,
    LoadControl,
    StoreControl,
    /// FNSTSW to memory.
    StoreStatus,
    /// FNSTSW AX.
    StatusToAx,
    ClearExceptions,
    /// FWAIT: nothing is pending.
    Wait,
}

fn kind(i: &Instruction) -> Option<Kind> {
    use Mnemonic::*;
    Some(match i.mnemonic() {
        Fld | Fst | Fstp | Fild | Fist | Fistp | Fisttp | Fxch => Kind::Plain,
        Fadd | Fsub | Fsubr | Fmul | Fdiv | Fdivr | Faddp | Fsubp | Fsubrp | Fmulp | Fdivp | Fdivrp => {
            Kind::Plain
        }
        Fiadd | Fisub | Fisubr | Fimul | Fidiv | Fidivr => Kind::Plain,
        Fcom | Fcomp | Fcompp | Fucom | Fucomp | Fucompp | Ficom | Ficomp | Ftst | Fxam => Kind::Plain,
        Fchs | Fabs | Fsqrt | Frndint | Fscale | Fprem | Fprem1 => Kind::Plain,
        F2xm1 | Fyl2x | Fyl2xp1 | Fpatan | Fsin | Fcos | Fxtract | Fptan | Fsincos => Kind::Plain,
        Fld1 | Fldl2t | Fldl2e | Fldpi | Fldlg2 | Fldln2 | Fldz => Kind::Plain,
        Fincstp | Fdecstp | Ffree | Fnop => Kind::Plain,
        Fcmovb => Kind::Conditional(2),
        Fcmovnb => Kind::Conditional(3),
        Fcmove => Kind::Conditional(4),
        Fcmovne => Kind::Conditional(5),
        Fcmovbe => Kind::Conditional(6),
        Fcmovnbe => Kind::Conditional(7),
        Fcmovu => Kind::Conditional(10),
        Fcmovnu => Kind::Conditional(11),
        Fcomi | Fcomip | Fucomi | Fucomip => Kind::ToFlags,
        Fldcw => Kind::LoadControl,
        Fnstcw => Kind::StoreControl,
        Fnstsw if i.code() == Code::Fnstsw_AX => Kind::StatusToAx,
        Fnstsw => Kind::StoreStatus,
        Fnclex => Kind::ClearExceptions,
        Wait => Kind::Wait,
        _ => return None,
    })
}

fn host_has(i: &Instruction) -> bool {
    // The others are older than x86-64.
    i.mnemonic() != Mnemonic::Fisttp || super::recode::host_has_sse3()
}

pub fn pick(i: &Instruction, mode: Mode) -> Option<Emit> {
    let plain = !i.has_rep_prefix() && !i.has_repne_prefix() && offered(i, mode) && host_has(i);
    let operand = !memory::has(i) || memory::known(i, mode);
    (plain && operand).then(|| kind(i))?.map(|_| emit as Emit)
}

/// It wants the guest's state in the host's unit, if it is translated.
pub fn is_native(i: &Instruction) -> bool {
    kind(i).is_some()
}

/// The interpreter may need the x87 or MMX state for it.
pub fn concerns(i: &Instruction) -> bool {
    use CpuidFeature::*;
    let apart = i.cpuid_features().iter().all(|feature| {
        matches!(
            feature,
            INTEL8086
                | INTEL186
                | INTEL286
                | INTEL386
                | INTEL486
                | X64
                | CMOV
                | MULTIBYTENOP
                | CX8
                | CMPXCHG16B
                | POPCNT
                | MOVBE
                | BMI1
                | BMI2
                | LZCNT
                | SSE
                | SSE2
                | SSE3
                | SSSE3
                | SSE4_1
                | SSE4_2
                | AES
                | PCLMULQDQ
                | AVX
                | AVX2
                | FMA
        )
    });
    let mmx = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Register && i.op_register(n).is_mm());
    // From memory too these are MMX instructions (Intel SDM Vol. 2, "CVTPI2PS").
    !apart || mmx || matches!(i.mnemonic(), Mnemonic::Cvtpi2ps | Mnemonic::Cvtpi2pd)
}

fn emit(d: &mut Direct<'_>, i: &Instruction) {
    match kind(i) {
        Some(Kind::Plain) => {
            d.operate_x87(i);
            d.note_x87(i);
        }
        Some(Kind::Conditional(condition)) => {
            d.hold(looks_at(condition));
            d.operate_x87(i);
            d.note_x87(i);
        }
        Some(Kind::ToFlags) => {
            d.clear_c1();
            d.operate_x87(i);
            d.note_x87(i);
            d.after_comparison();
        }
        Some(Kind::LoadControl) => d.load_control(i),
        Some(Kind::StoreControl) => d.store_control(i),
        Some(Kind::StoreStatus) => {
            d.address(i);
            d.probe(2, true, memory::cell_of(i));
            d.encode_x87(i);
        }
        Some(Kind::StatusToAx) => d.status_to_ax(),
        Some(Kind::ClearExceptions) => d.asm.bytes(&[0xDB, 0xE2]),
        Some(Kind::Wait) => {}
        None => d.refuse(),
    }
}

/// The segment register that the interpreter remembers for a memory operand: in 64-bit code most prefixes count for
/// nothing (Intel SDM Vol. 1 3.3.7.1).
fn segment_of(i: &Instruction, long: bool) -> usize {
    let named = i.memory_segment();
    let stack = matches!(i.memory_base().full_register(), Register::RSP | Register::RBP);
    match named {
        Register::FS | Register::GS => named.number(),
        _ if !long => named.number(),
        _ if stack => Register::SS.number(),
        _ => Register::DS.number(),
    }
}

impl Direct<'_> {
    /// The instruction; its operand's effective address is remembered.
    fn operate_x87(&mut self, i: &Instruction) {
        if memory::has(i) {
            let write = matches!(
                i.mnemonic(),
                Mnemonic::Fst | Mnemonic::Fstp | Mnemonic::Fist | Mnemonic::Fistp | Mnemonic::Fisttp
            );
            self.address(i);
            self.probe(i.memory_size().size() as u32, write, memory::cell_of(i));
            self.store_pointer(i);
        }
        self.encode_x87(i);
    }

    /// FDP, the operand's effective address. RAX stays; changes RCX and RDX.
    fn store_pointer(&mut self, i: &Instruction) {
        let w = self.address_width();
        self.asm.mov(Width::Q, RDX, RAX);
        self.effective(i, RAX, w);
        self.asm.store(Width::Q, of_cpu(layout::X87_DP), RAX);
        self.asm.mov(Width::Q, RAX, RDX);
    }

    /// The same instruction; its memory operand is at RAX.
    fn encode_x87(&mut self, i: &Instruction) {
        let mut new = *i;
        if memory::has(i) {
            super::generic::point_at(&mut new, at(RAX, 0));
        }
        if !self.asm.instruction(&new) {
            self.refuse();
        }
    }

    /// Remembers the instruction for the next exit.
    fn note_x87(&mut self, i: &Instruction) {
        self.note.code = Some((self.off, self.fop));
        if memory::has(i) {
            self.note.data = Some(segment_of(i, self.long()));
        }
    }

    /// FCOMI and its like clear C1, says the manual (Intel SDM Vol. 2, "FCOMI"), and so does the interpreter. Silicon (Zen 5)
    /// leaves it alone if there is no stack fault; FDECSTP and FINCSTP clear it everywhere.
    fn clear_c1(&mut self) {
        self.asm.bytes(&[0xD9, 0xF6, 0xD9, 0xF7]);
    }

    /// ZF, PF and CF are the result, OF, SF and AF are clear (Intel SDM Vol. 2, "FCOMI").
    fn after_comparison(&mut self) {
        if !self.live {
            return self.set_lazy(Lazy::Dead, held::ALL);
        }
        self.lazy = Lazy::Memory; // anything that is not known yet
        self.save_known();
    }

    /// FLDCW, if it leaves all exceptions masked.
    fn load_control(&mut self, i: &Instruction) {
        const MASKS: i32 = control::MASKS as i32;
        self.address(i);
        self.probe(2, false, memory::cell_of(i));
        self.asm.load_zx(Width::W, RCX, at(RAX, 0));
        self.asm.mov(Width::D, RDX, RCX);
        self.asm.alu_imm(Width::D, Alu::And, RDX, MASKS);
        self.asm.alu_imm(Width::D, Alu::Cmp, RDX, MASKS);
        self.interpret_if(cc::NE);
        self.asm.alu_imm(Width::D, Alu::And, RCX, control::WRITABLE.into());
        self.asm.alu_imm(Width::D, Alu::Or, RCX, control::FIXED.into());
        self.asm.store(Width::W, of_cpu(layout::X87_CONTROL), RCX);
        self.asm.rm(Width::D, &[0xD9], 5, of_cpu(layout::X87_CONTROL)); // fldcw
    }

    fn store_control(&mut self, i: &Instruction) {
        self.address(i);
        self.probe(2, true, memory::cell_of(i));
        self.asm.load_zx(Width::W, RCX, of_cpu(layout::X87_CONTROL));
        self.asm.store(Width::W, at(RAX, 0), RCX);
    }

    fn status_to_ax(&mut self) {
        self.rescue_if_live(&[AX]);
        self.asm.bytes(&[0xDF, 0xE0]); // fnstsw ax
        match self.pins[AX] {
            Some(pin) => self.asm.mov(Width::W, pin, RAX),
            None => self.asm.store(Width::W, slot_of(AX), RAX),
        }
    }

    /// Writes what is noted to the `Cpu`. Changes RCX. Flags stay.
    pub fn write_note(&mut self, note: Note) {
        let selector = |n: usize| of_cpu(layout::SELECTORS + layout::SELECTOR_BYTES * n);
        if let Some((off, fop)) = note.code {
            self.rip(RCX, off);
            self.asm.store(Width::Q, of_cpu(layout::X87_IP), RCX);
            self.asm.load_zx(Width::W, RCX, selector(CS));
            self.asm.store(Width::W, of_cpu(layout::X87_CS), RCX);
            self.asm.constant(RCX, fop.into());
            self.asm.store(Width::W, of_cpu(layout::X87_OPCODE), RCX);
        }
        if let Some(segment) = note.data {
            self.asm.load_zx(Width::W, RCX, selector(segment));
            self.asm.store(Width::W, of_cpu(layout::X87_DS), RCX);
        }
    }

    /// The same for good: at the end of a block, and before the interpreter executes an instruction.
    pub fn flush_note(&mut self) {
        let note = std::mem::take(&mut self.note);
        self.write_note(note);
    }
}
