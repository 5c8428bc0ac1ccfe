//! Posada's own firmware, assembled from Rust.
//!
//! [`system`] is the BIOS proper, [`video`] the video BIOS, an option ROM of its own. [`assembler`] makes bytes of
//! their source.

#![forbid(unsafe_code)]
// One level for each instruction of a routine.
#![recursion_limit = "256"]

pub mod assembler;
pub mod system;
pub mod video;
