//! Times small kernels of work, each of one kind, for `cargo xtask bench`.
//!
//! `guest-bench` runs all kernels, `guest-bench NAME...` some. For each it prints
//! `bench NAME begin`, and then `bench NAME end ITERATIONS NANOSECONDS CHECKSUM`: whoever watches the console can
//! take the emulator's CPU time at the two lines; the nanoseconds are CLOCK_MONOTONIC as the guest sees it. Equal
//! checksums everywhere show that the work was done, and done right.

mod calls;
mod float;
mod integer;
mod memory;
mod system;

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// One kernel: does `iterations` rounds of its work and returns a checksum of the results.
struct Kernel {
    name: &'static str,
    /// Rounds that take some ten milliseconds on a present-day CPU.
    iterations: u64,
    work: fn(u64) -> u64,
}

#[rustfmt::skip]
const KERNELS: [Kernel; 21] = [
    Kernel { name: "alu",        iterations: 20_000_000, work: integer::alu },
    Kernel { name: "collatz",    iterations: 120_000,    work: integer::collatz },
    Kernel { name: "copysum",    iterations: 4_000,     work: memory::copy_and_sum },
    Kernel { name: "adler",      iterations: 120,        work: memory::adler },
    Kernel { name: "chase",      iterations: 4_000_000,  work: memory::list_chase },
    Kernel { name: "crc",        iterations: 100,        work: memory::crc_table },
    Kernel { name: "fib",        iterations: 33,         work: calls::fibonacci },
    Kernel { name: "indirect",   iterations: 3_000_000,  work: calls::indirect },
    Kernel { name: "sort",       iterations: 20,         work: memory::insertion_sort },
    Kernel { name: "sieve",      iterations: 10,         work: memory::sieve },
    Kernel { name: "bytecode",   iterations: 1_000_000,  work: calls::bytecode },
    Kernel { name: "float",      iterations: 8_000_000,  work: float::scalar },
    Kernel { name: "packed",     iterations: 6_000_000,  work: float::packed },
    Kernel { name: "x87",        iterations: 4_000_000,  work: float::x87 },
    Kernel { name: "movs",       iterations: 8_000,      work: memory::rep_movs },
    Kernel { name: "stos",       iterations: 12_000,     work: memory::rep_stos },
    Kernel { name: "syscall",    iterations: 200_000,    work: system::syscall },
    Kernel { name: "pagefault",  iterations: 1,          work: system::page_fault },
    Kernel { name: "forkexec",   iterations: 60,         work: system::fork_exec },
    Kernel { name: "pipe",       iterations: 8_000,      work: system::pipe_ping_pong },
    Kernel { name: "threads",    iterations: 300,        work: system::threads },
];

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.first().is_some_and(|name| name == system::ECHO) {
        return system::echo();
    }
    if names.first().is_some_and(|name| name == system::NOTHING) {
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = names.iter().find(|name| KERNELS.iter().all(|kernel| kernel.name != **name)) {
        eprintln!("guest-bench: there is no kernel {unknown}");
        return ExitCode::FAILURE;
    }
    for kernel in
        KERNELS.iter().filter(|kernel| names.is_empty() || names.iter().any(|name| name == kernel.name))
    {
        run(kernel);
    }
    ExitCode::SUCCESS
}

fn run(kernel: &Kernel) {
    println!("bench {} begin", kernel.name);
    let _ = std::io::stdout().flush();
    let start = Instant::now();
    let checksum = (kernel.work)(black_box(kernel.iterations));
    let nanoseconds = start.elapsed().as_nanos();
    println!("bench {} end {} {nanoseconds} {checksum:016x}", kernel.name, kernel.iterations);
}
