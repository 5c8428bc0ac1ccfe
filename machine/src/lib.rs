//! The motherboard: wiring, memory layout, run loop, boot loaders and saved machines.
//!
//! This crate is the only one that names both devices and engines. A [`board::Board`] carries out what the chips
//! do to the world and is the bus an engine sees; a [`Machine`] owns the board, the vCPU and its engine, and runs.

#![forbid(unsafe_code)]
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]
#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

pub mod board;
pub mod clock;
pub mod host;

pub mod acpi;
pub mod boot;
pub mod config;
pub mod pc;
