//! The video BIOS in a machine: scripts of INT 10h calls, and what they leave in memory, registers and on the screen.

mod bench;
mod firmware;
mod fonts;
mod golden;
mod graphics;
mod modes;
mod palette;
mod state;
mod text;
mod vbe;
