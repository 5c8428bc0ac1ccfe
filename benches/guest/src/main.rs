//! Times small kernels of work, each of one kind, and whole programs of Debian, for `cargo xtask bench`.
//!
//! `guest-bench` runs all kernels, `guest-bench NAME...` some; `guest-bench --programs FOLDER [NAME...]` runs the
//! programs of the Debian tree in FOLDER; `guest-bench --list` names both; `guest-bench --soak` writes and runs new
//! code without end. Where no command line can be given, the variable BENCH holds the names, separated by commas.
//!
//! For each it prints `bench NAME begin`, and then `bench NAME end ITERATIONS NANOSECONDS CHECKSUM`: whoever watches
//! the console can take the emulator's CPU time at the two lines (or at `bench NAME done`, if that comes before); the nanoseconds are CLOCK_MONOTONIC as the guest sees
//! it for a kernel, and the CPU time of the process for a program. Equal checksums everywhere show that the work was
//! done, and done right.

mod calls;
mod codegen;
mod float;
mod integer;
mod kernels;
mod memory;
mod programs;
mod random;
mod system;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [system::ECHO] => return system::echo(),
        [system::NOTHING] => return ExitCode::SUCCESS,
        ["--list"] => {
            list();
            Ok(())
        }
        ["--soak"] => codegen::soak(),
        ["--programs", folder, names @ ..] => programs::run(Path::new(folder), &selected(names)),
        names => kernels::run(&selected(names)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("guest-bench: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// The names on the command line, else those of BENCH; none means all.
fn selected(names: &[&str]) -> Vec<String> {
    if !names.is_empty() {
        return names.iter().map(|&name| name.to_owned()).collect();
    }
    let variable = std::env::var("BENCH").unwrap_or_default();
    variable.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn list() {
    for kernel in &kernels::KERNELS {
        println!("kernel {}", kernel.name);
    }
    for program in &programs::PROGRAMS {
        println!("program {}", program.name);
    }
}

fn begin(name: &str) {
    println!("bench {name} begin");
    // The console may be a pipe; the watcher has to see the line now.
    let _ = std::io::stdout().flush();
}

/// Where what `end` tells takes time to find out: this is where the work ended.
fn done(name: &str) {
    println!("bench {name} done");
    let _ = std::io::stdout().flush();
}

fn end(name: &str, iterations: u64, nanoseconds: u128, checksum: u64) {
    println!("bench {name} end {iterations} {nanoseconds} {checksum:016x}");
    let _ = std::io::stdout().flush();
}
