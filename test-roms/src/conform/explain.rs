//! A disagreement in words: what ran, on what, what differs, and how to see it again.

use super::form::forms;
use super::job::{Disagreement, Job, Subject};
use super::program::{CodeSize, Program};
use super::state::{Inputs, Registers};
use emu_core::vcpu::X87;
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, NasmFormatter};
use std::fmt::{self, Write};

/// What `--form` calls sequences.
pub const SEQUENCE: &str = "sequence";

/// A subject's name and the size of its code.
pub fn name(subject: Subject) -> (String, u32) {
    match subject {
        Subject::Form(n) => (format!("{:?}", forms()[n].code), forms()[n].size.bits()),
        Subject::Sequence(size) => (SEQUENCE.to_owned(), size.bits()),
    }
}

/// The size of a subject's code.
pub fn size(subject: Subject) -> CodeSize {
    match subject {
        Subject::Form(n) => forms()[n].size,
        Subject::Sequence(size) => size,
    }
}

/// iced-x86's number of the opcode, if the subject is one.
pub fn code(subject: Subject) -> Option<u16> {
    match subject {
        Subject::Form(n) => Some(forms()[n].code as u16),
        Subject::Sequence(_) => None,
    }
}

/// The command line that does a job again.
pub fn again(job: &Job, engine: &str) -> String {
    let (form, bits) = name(job.subject);
    let Job { seed, round, .. } = job;
    format!("posada conform --engine {engine} --form {form} --size {bits} --seed {seed} --round {round}")
}

/// The whole text; lines end in newlines.
pub fn disagreement(found: &Disagreement, engine: &str) -> String {
    let mut text = String::new();
    let (form, bits) = name(found.job.subject);
    let _infallible = write(&mut text, found, &form, bits, engine);
    text
}

fn write(text: &mut String, found: &Disagreement, form: &str, bits: u32, engine: &str) -> fmt::Result {
    writeln!(text, "disagreement: {form} in {bits}-bit code")?;
    listing(text, &found.program)?;
    inputs(text, &found.inputs)?;
    for difference in &found.differences {
        writeln!(text, "  {difference}")?;
    }
    writeln!(text, "  again: {}", again(&found.job, engine))
}

/// Address, bytes and disassembly of each instruction.
fn listing(text: &mut String, program: &Program) -> fmt::Result {
    let start = program.start() - program.size.base();
    let mut decoder = Decoder::with_ip(program.size.bits(), &program.code, start, DecoderOptions::NONE);
    let mut formatter = NasmFormatter::new();
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        let from = decoder.position();
        decoder.decode_out(&mut instruction);
        let bytes = &program.code[from..decoder.position()];
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let mut words = String::new();
        formatter.format(&instruction, &mut words);
        writeln!(text, "  {:08x}  {:24}  {words}", instruction.ip(), bytes.join(" "))?;
    }
    Ok(())
}

/// Only what is not at rest.
fn inputs(text: &mut String, inputs: &Inputs) -> fmt::Result {
    let r = &inputs.registers;
    let mut words: Vec<String> = Vec::new();
    let names = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
        "r14", "r15",
    ];
    words.extend(names.iter().zip(r.gpr).filter(|(_, v)| *v != 0).map(|(name, v)| format!("{name}={v:x}")));
    words.push(format!("flags={:x}", r.rflags));
    words.extend((r.mxcsr != 0x1F80).then(|| format!("mxcsr={:x}", r.mxcsr)));
    vectors(&mut words, r);
    x87(&mut words, &r.x87);
    for patch in &inputs.patches {
        let bytes: String = patch.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        words.push(format!("[{:x}]={bytes}", patch.at));
    }
    writeln!(text, "  inputs: {}", words.join(" "))
}

fn vectors(words: &mut Vec<String>, r: &Registers) {
    let set = |prefix: &'static str, values: &[u128; 16]| {
        let values = values.iter().enumerate().filter(|(_, v)| **v != 0);
        values.map(|(n, v)| format!("{prefix}{n}={v:x}")).collect::<Vec<_>>()
    };
    words.extend(set("xmm", &r.xmm));
    words.extend(set("ymm_high", &r.ymm_high));
}

fn x87(words: &mut Vec<String>, x87: &X87) {
    if *x87 == X87::default() {
        return;
    }
    words.push(format!("fcw={:x} fsw={:x} empty={:x}", x87.control, x87.status, x87.empty));
    let registers = x87.r.iter().enumerate().filter(|(_, r)| **r != Default::default());
    words.extend(registers.map(|(n, r)| format!("r{n}={:x}:{:x}", r.exponent, r.significand)));
}
