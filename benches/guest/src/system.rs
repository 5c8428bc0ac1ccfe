//! Work for the kernel: system calls, page faults, processes, pipes, threads.
#![allow(unsafe_code, reason = "the bare SYSCALL instruction can only be named in assembly")]

use std::arch::asm;
use std::hint::black_box;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::process::{Command, ExitCode, Stdio};

/// First argument of a child that sends every byte back.
pub const ECHO: &str = "--echo";
/// First argument of a child that ends at once.
pub const NOTHING: &str = "--nothing";

/// The cheapest system call there is: getppid (Linux x86-64 number 110).
pub fn syscall(iterations: u64) -> u64 {
    let mut same = 0;
    let first = getppid();
    for _ in 0..iterations {
        same += u64::from(getppid() == first);
    }
    same
}

fn getppid() -> u64 {
    let parent;
    // SAFETY: getppid takes no arguments and touches no memory of ours; SYSCALL clobbers RCX and R11.
    unsafe {
        asm!("syscall", inout("rax") 110_u64 => parent, out("rcx") _, out("r11") _, options(nostack));
    }
    parent
}

/// Touches every page of 64 MiB of fresh memory.
pub fn page_fault(iterations: u64) -> u64 {
    const PAGE: usize = 4096;
    let mut touched = 0;
    for _ in 0..iterations {
        let mut memory: Vec<u8> = Vec::with_capacity(64 << 20);
        for page in memory.spare_capacity_mut().chunks_mut(PAGE) {
            page[0].write(1);
            touched += 1;
        }
        black_box(&memory);
    }
    touched
}

fn child(what: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(what);
    command
}

/// Starts a process and waits for its end.
pub fn fork_exec(iterations: u64) -> u64 {
    (0..iterations).map(|_| child(NOTHING).status().map_or(0, |status| u64::from(status.success()))).sum()
}

/// Sends a byte to another process and waits for it to come back.
pub fn pipe_ping_pong(iterations: u64) -> u64 {
    let Ok(mut process) = child(ECHO).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else { return 0 };
    let (Some(mut to), Some(mut from)) = (process.stdin.take(), process.stdout.take()) else { return 0 };
    let mut sum = 0;
    for round in 0..iterations {
        let mut byte = [round.to_le_bytes()[0]];
        if to.write_all(&byte).and_then(|()| from.read_exact(&mut byte)).is_err() {
            return 0;
        }
        sum += u64::from(byte[0]);
    }
    drop(to);
    let _ = process.wait();
    sum
}

/// The other end of [`pipe_ping_pong`]. Without std's line buffer, which would hold the byte back.
pub fn echo() -> ExitCode {
    use std::os::fd::AsFd;
    let (Ok(input), Ok(output)) =
        (std::io::stdin().as_fd().try_clone_to_owned(), std::io::stdout().as_fd().try_clone_to_owned())
    else {
        return ExitCode::FAILURE;
    };
    let (mut input, mut output) = (PipeReader::from(input), PipeWriter::from(output));
    let mut byte = [0];
    while input.read_exact(&mut byte).is_ok() && output.write_all(&byte).is_ok() {}
    ExitCode::SUCCESS
}

/// Starts a thread and waits for its end.
pub fn threads(iterations: u64) -> u64 {
    (0..iterations).map(|round| std::thread::spawn(move || black_box(round)).join().unwrap_or(0)).sum()
}
