//! The translators: hot code of the guest as machine code of the host, directly or by Cranelift.
//!
//! It plugs into the interpreter (`emu_core::interpreter::tier`): a *region*, some pages of code reached by direct
//! branches from one hot block, becomes a piece of machine code. Whatever that does not do by itself it leaves to the
//! interpreter, at the instruction in question and with exact counts.
//!
//! `region` finds the code and `facts` is what must be known of it as a whole. `direct` writes x86-64 code at once;
//! `translate` makes a function over the guest's registers as SSA values in Cranelift's IR, and `compiler` has that
//! compiled on a thread of its own. `arena` holds the code, `entry` decides and is the interpreter's tier, and [`Jit`] is
//! the whole as an [`emu_core::Engine`]. [`observe`] is for people who want to look. Only `arena` and `entry` contain
//! unsafe code.

mod arena;
mod compiler;
mod direct;
mod engine;
mod entry;
mod facts;
mod flags;
pub mod observe;
mod opcode;
mod region;
mod translate;

pub use compiler::OptLevel;
pub use engine::{Jit, Options};
pub use entry::{Report, Work};
