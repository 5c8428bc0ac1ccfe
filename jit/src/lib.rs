//! The translator: hot code of the guest as machine code of the host, by Cranelift.
//!
//! It plugs into the interpreter (`emu_core::interpreter::tier`): a *region*, up to two pages of code reached by direct
//! branches from one hot block, becomes one function over the guest's registers as SSA values. Whatever the function
//! does not do by itself it leaves to the interpreter, at the instruction in question and with exact counts.
//!
//! [`region`] finds the code, [`facts`] is what must be known of it as a whole, [`translate`] turns it into Cranelift's
//! IR, [`compiler`] into machine code on a thread of its own, [`arena`] holds that, and [`engine`] is the whole as an
//! [`emu_core::Engine`]. [`observe`] is for people who want to look. Only `arena` and `entry` contain unsafe code.

mod arena;
mod compiler;
mod engine;
mod entry;
mod facts;
mod flags;
pub mod observe;
mod region;
mod translate;

pub use compiler::OptLevel;
pub use engine::{Jit, Options};
pub use entry::Report;
