//! What a hostile guest could do to Posada, as functions of a byte string: no byte string may make one panic.
//!
//! - [`fuzz_devices`] pokes one chip: ports, MMIO, configuration registers, pins, time, host events, and saved states
//!   with changes in them;
//! - [`fuzz_cpu`] runs bytes as code, in every mode, on a tiny machine, interpreted and compiled.
//!
//! `cargo run -p posada-fuzz -- --target devices --seconds 60` runs them on random input and prints the smallest
//! input it finds that panics; `--input HEX` runs that one again. For coverage-guided fuzzing the same functions serve
//! as targets of libFuzzer (`cargo install cargo-fuzz`; needs a nightly compiler): `cargo fuzz init` in a directory
//! outside of the workspace, `posada-fuzz = { path = ".../fuzz" }` as dependency, and
//! `fuzz_target!(|data: &[u8]| posada_fuzz::fuzz_devices(data));`.

#![forbid(unsafe_code)]

mod chips;
mod cpu;
mod devices;
pub mod driver;
mod input;
mod mutate;

pub use cpu::fuzz_cpu;
pub use devices::fuzz_devices;

/// A target: panics where it finds a bug.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 2] = [("cpu", fuzz_cpu), ("devices", fuzz_devices)];
