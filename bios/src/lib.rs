//! Posada's own firmware, assembled from Rust.
//!
//! [`system`] is the BIOS proper, [`video`] the video BIOS, an option ROM of its own.

#![forbid(unsafe_code)]
// One level for each instruction of a routine.
#![recursion_limit = "256"]

pub mod system;
pub mod video;
