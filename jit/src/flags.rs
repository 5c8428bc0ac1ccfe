//! Status flags in compiled code: what the last instructions that set them have left, as SSA values.
//!
//! Nothing is computed before somebody asks. A flag nobody asks for costs nothing, and side exits, which want all of
//! them, pay in their own cold code. Where blocks meet, the values become block parameters if they have the same
//! [`Shape`] on every way there, else they are written to the interpreter's lazy flags.

use crate::translate::Translator;
use cranelift_codegen::ir::{Type, Value};
use iced_x86::{ConditionCode, Instruction, Mnemonic, OpKind};
use std::rc::Rc;

/// A byte of 0 or 1, computed where it is wanted: in the cold code of an exit, if only there.
pub type Late = Rc<dyn Fn(&mut Translator<'_>) -> Value>;

/// The status flags at some point. Operands have the width of their instruction.
#[derive(Clone)]
pub enum Flags {
    /// They stand in the interpreter's lazy flags.
    Memory,
    /// Nobody wants them here.
    Dead,
    Add {
        a: Value,
        b: Value,
        r: Value,
    },
    Sub {
        a: Value,
        b: Value,
        r: Value,
    },
    Logic {
        r: Value,
    },
    /// r = a + b + carry or a - b - borrow.
    Carry {
        a: Value,
        b: Value,
        r: Value,
        sub: bool,
    },
    /// INC and DEC: CF as before.
    Step {
        r: Value,
        down: bool,
        before: Rc<Flags>,
    },
    /// ZF, SF and PF from `r`, AF clear, CF and OF given.
    Result {
        r: Value,
        cf: Late,
        of: Late,
    },
    /// One flag is new.
    Only {
        flag: Flag,
        value: Late,
        before: Rc<Flags>,
    },
    /// `before` if the condition holds, else `after`.
    Choice {
        keep: Late,
        before: Rc<Flags>,
        after: Rc<Flags>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    Cf,
    Pf,
    Af,
    Zf,
    Sf,
    Of,
}

/// Where CF stands for a [`Shape::Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    Clear,
    /// Two operands of this width: the first is below the second.
    Below(Type),
}

/// Flags that can be block parameters: which of [`Flags`], and of what width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Memory,
    Add(Type),
    Sub(Type),
    Logic(Type),
    Step { width: Type, down: bool, carried: Carried },
}

/// What an instruction does with the flags it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It reads some, keeps some, or may leave the region before it sets them.
    Wants,
    /// It sets all.
    Kills,
    /// It does not touch them.
    Passes,
}

/// The number of the condition: the low four opcode bits.
pub fn condition_of(i: &Instruction) -> Option<u8> {
    use ConditionCode as C;
    Some(match i.condition_code() {
        C::None => return None,
        C::o => 0,
        C::no => 1,
        C::b => 2,
        C::ae => 3,
        C::e => 4,
        C::ne => 5,
        C::be => 6,
        C::a => 7,
        C::s => 8,
        C::ns => 9,
        C::p => 10,
        C::np => 11,
        C::l => 12,
        C::ge => 13,
        C::le => 14,
        C::g => 15,
    })
}

fn width_of(i: &Instruction) -> Option<Type> {
    let bytes = match i.op0_kind() {
        OpKind::Register => i.op0_register().size(),
        OpKind::Memory => i.memory_size().size(),
        _ => return None,
    };
    Type::int(8 * bytes as u16)
}

fn touches_memory(i: &Instruction) -> bool {
    let may_fault = matches!(
        i.mnemonic(),
        Mnemonic::Div | Mnemonic::Idiv | Mnemonic::Leave | Mnemonic::Cli | Mnemonic::Swapgs
    );
    let operand = (0..i.op_count()).any(|n| i.op_kind(n) == OpKind::Memory) && i.mnemonic() != Mnemonic::Lea;
    may_fault || operand || i.is_stack_instruction()
}

impl Need {
    pub fn of(i: &Instruction) -> Self {
        use Mnemonic::*;
        let touched = i.rflags_read() | i.rflags_modified();
        match i.mnemonic() {
            _ if touches_memory(i) => Self::Wants,
            Add | Sub | Cmp | Neg | And | Or | Xor | Test | Imul | Mul => Self::Kills,
            _ if touched & STATUS_BITS == 0 => Self::Passes,
            _ => Self::Wants,
        }
    }
}

/// iced-x86's bits for the status flags.
const STATUS_BITS: u32 = {
    use iced_x86::RflagsBits as B;
    B::CF | B::PF | B::AF | B::ZF | B::SF | B::OF
};

impl Shape {
    /// How many values are passed.
    pub fn parts(self) -> usize {
        match self {
            Self::Memory => 0,
            Self::Logic(_) | Self::Step { carried: Carried::Clear, .. } => 1,
            Self::Add(_) | Self::Sub(_) | Self::Step { .. } => 3,
        }
    }

    /// The shape after an instruction; that of the [`Flags`] that its translation leaves.
    pub fn after(self, i: &Instruction) -> Self {
        use Mnemonic::*;
        let touched = i.rflags_modified() & STATUS_BITS != 0;
        let Some(width) = width_of(i) else { return if touched { Self::Memory } else { self } };
        match i.mnemonic() {
            Add | Xadd => Self::Add(width),
            Sub | Cmp | Neg | Cmpxchg => Self::Sub(width),
            And | Or | Xor | Test => Self::Logic(width),
            Inc | Dec => match self.carried() {
                Some(carried) => Self::Step { width, down: i.mnemonic() == Dec, carried },
                None => Self::Memory,
            },
            _ if touched => Self::Memory,
            _ => self,
        }
    }

    fn carried(self) -> Option<Carried> {
        match self {
            Self::Memory => None,
            Self::Add(width) | Self::Sub(width) => Some(Carried::Below(width)),
            Self::Logic(_) => Some(Carried::Clear),
            Self::Step { carried, .. } => Some(carried),
        }
    }
}
