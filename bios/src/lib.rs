//! Posada's own firmware, assembled from Rust.
//!
//! [`system`] is the BIOS proper, [`video`] the video BIOS, an option ROM of its own.

#![forbid(unsafe_code)]

pub mod system;
pub mod video;
