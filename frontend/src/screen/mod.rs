//! The PC's text screen and keyboard, in a terminal.

pub mod cp437;
pub mod keyboard;
pub mod keys;
pub mod paint;
