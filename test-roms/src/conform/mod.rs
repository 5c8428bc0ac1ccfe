//! The CPU conformance suite: every instruction form that user mode can execute, against the host's own silicon.
//!
//! A [`Program`](program::Program) is one instruction or a few; [`Registers`](state::Registers) and patches of memory
//! are its inputs. Host and engine see the same linear addresses ([`layout`]), so that results compare bit for bit.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod bench;
pub mod compare;
pub mod engines;
pub mod explain;
pub mod family;
pub mod form;
pub mod generate;
pub mod guest;
pub mod job;
pub mod layout;
pub mod loose;
pub mod memory;
pub mod minimise;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod native;
mod offer;
pub mod pool;
pub mod program;
pub mod recording;
pub mod replay;
pub mod report;
mod stage;
pub mod state;
pub mod undefined;
pub mod values;
mod verdict;
mod words;
pub mod worker;
