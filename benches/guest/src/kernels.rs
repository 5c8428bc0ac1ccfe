//! The kernels: one kind of work each.

use crate::{calls, codegen, float, integer, memory, system};
use std::hint::black_box;
use std::time::Instant;

/// One kernel: does `iterations` rounds of its work and returns a checksum of the results.
pub struct Kernel {
    pub name: &'static str,
    /// Rounds that take some hundred milliseconds on a present-day CPU: longer than an emulator needs to get warm.
    iterations: u64,
    work: fn(u64) -> u64,
}

#[rustfmt::skip]
pub const KERNELS: [Kernel; 22] = [
    Kernel { name: "alu",        iterations: 100_000_000, work: integer::alu },
    Kernel { name: "collatz",    iterations: 600_000,     work: integer::collatz },
    Kernel { name: "copysum",    iterations: 20_000,      work: memory::copy_and_sum },
    Kernel { name: "adler",      iterations: 600,         work: memory::adler },
    Kernel { name: "chase",      iterations: 20_000_000,  work: memory::list_chase },
    Kernel { name: "crc",        iterations: 500,         work: memory::crc_table },
    Kernel { name: "fib",        iterations: 36,          work: calls::fibonacci },
    Kernel { name: "indirect",   iterations: 15_000_000,  work: calls::indirect },
    Kernel { name: "sort",       iterations: 100,         work: memory::insertion_sort },
    Kernel { name: "sieve",      iterations: 50,          work: memory::sieve },
    Kernel { name: "bytecode",   iterations: 5_000_000,   work: calls::bytecode },
    Kernel { name: "float",      iterations: 40_000_000,  work: float::scalar },
    Kernel { name: "packed",     iterations: 30_000_000,  work: float::packed },
    Kernel { name: "x87",        iterations: 20_000_000,  work: float::x87 },
    Kernel { name: "movs",       iterations: 32_000,      work: memory::rep_movs },
    Kernel { name: "stos",       iterations: 240_000,     work: memory::rep_stos },
    Kernel { name: "syscall",    iterations: 1_000_000,   work: system::syscall },
    Kernel { name: "pagefault",  iterations: 4,           work: system::page_fault },
    Kernel { name: "forkexec",   iterations: 200,         work: system::fork_exec },
    Kernel { name: "pipe",       iterations: 16_000,      work: system::pipe_ping_pong },
    Kernel { name: "threads",    iterations: 1_500,       work: system::threads },
    Kernel { name: "codegen",    iterations: 2_000,       work: codegen::functions },
];

/// Runs the named kernels, or all.
pub fn run(names: &[String]) -> Result<(), String> {
    let named = |kernel: &Kernel| names.is_empty() || names.iter().any(|name| name == kernel.name);
    if let Some(unknown) = names.iter().find(|name| KERNELS.iter().all(|kernel| kernel.name != **name)) {
        return Err(format!("there is no kernel {unknown}"));
    }
    for Kernel { name, iterations, work } in KERNELS.iter().filter(|kernel| named(kernel)) {
        crate::begin(name);
        let start = Instant::now();
        let checksum = work(black_box(*iterations));
        crate::end(name, *iterations, start.elapsed().as_nanos(), checksum);
    }
    Ok(())
}
