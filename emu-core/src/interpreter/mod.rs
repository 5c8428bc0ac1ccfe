//! The reference engine: a tail-threaded interpreter over pre-decoded ops. It is complete, and it is the definition.

mod alu;
mod assist;
mod avx;
mod bits;
mod bmi;
mod branch;
mod cache;
mod counters;
mod cpu;
mod data;
mod decoded;
mod exception;
mod fetch;
mod fill;
mod frame_code;
mod fuse;
mod jumps;
pub mod layout;
mod limits;
mod lower;
mod memory;
mod muldiv;
mod offer;
mod op;
mod path;
mod probe;
mod refresh;
mod regions;
mod run;
mod shift;
mod sse;
mod stack;
mod string;
mod system;
#[cfg(test)]
mod testbed;
pub mod tier;
mod tlb;
mod word;
mod x87;

pub use counters::Counters;
pub use cpu::{Cpu, Mode};
use op::Faulted;
pub use run::Interpreter;
