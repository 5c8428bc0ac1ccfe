//! The CPU conformance suite: every instruction form that user mode can execute, against the host's own silicon.
//!
//! A [`Program`](program::Program) is one instruction or a few; [`Registers`](state::Registers) and patches of memory
//! are its inputs. Host and engine see the same linear addresses ([`layout`]), so that results compare bit for bit.

pub mod family;
pub mod form;
pub mod generate;
pub mod guest;
pub mod layout;
pub mod memory;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod native;
mod offer;
pub mod program;
pub mod state;
pub mod values;
