//! What a disagreement with KVM is worth. Its emulator of instructions (Linux, arch/x86/kvm/emulate.c) runs whatever
//! the host's CPU does not run for it; where that is most of a guest, it shows.

use crate::system::{Case, Disagreement};

/// What KVM cannot do that the case needs, if its disagreement says no more than that. The rules go by what was
/// found and by the case's name: behind one of them, a mistake of ours would not be seen.
pub fn incapable(case: &Case, found: &Disagreement) -> Option<&'static str> {
    let got = |start: &str| found.got.starts_with(start);
    let expected = |start: &str| found.expected.starts_with(start);
    let ran = |start: &str| case.name.starts_with(start);
    let reasons = [
        (got("vector 6,"), "its emulator has no such instruction: #UD"),
        (got("shutdown"), "it gives up by a shutdown"),
        (expected("vector 1") && got("halted") && case.family == "breakpoints", "it does not watch data"),
        (case.name.contains("1 GiB"), "its CPUID has no 1 GiB pages"),
        (case.name.contains("is reserved"), "its physical addresses are of another width"),
        (matches!(case.family, "task switches" | "task switch faults"), "it does not switch tasks"),
        (
            case.family == "segment limits" && expected("vector 12"),
            "#SS comes by a task gate, and it has none",
        ),
        (case.family == "V86 mode" || case.name.contains("V86"), "its emulator has no V86 mode"),
        (ran("32-bit paging") || ran("PAE paging"), "it does not page outside of long mode"),
        (case.family == "fast system calls" || ran("SYSCALL"), "SYSCALL and SYSRET belong to its host"),
    ];
    reasons.iter().find(|(applies, _)| *applies).map(|(_, why)| *why)
}

/// Family, a part of the case's name, and what KVM does wrong there.
const MISTAKES: [(&str, &str, &str); 27] = [
    ("interrupts and gates", "met by interrupt", "interrupts do not check the gate and its stack"),
    ("interrupts and gates", "met by benign exception", "a benign exception is taken for a contributory one"),
    ("interrupts and gates", "vector 44h, interrupt", "error codes have no EXT bit"),
    ("interrupts and gates", "IVT limit 112h", "the limit of the IVT is not looked at"),
    (
        "interrupts and gates",
        "no room for the frame",
        "real mode has no shutdown for a stack that is too small",
    ),
    ("64-bit gates", "met by interrupt", "interrupts do not check the gate, error codes have no EXT bit"),
    ("flag privileges", "PVI", "its emulator knows no CR4.PVI"),
    ("far returns", "IRETQ with SS", "a return to a bad SS is let through"),
    ("far returns", "IRETQ: null SS", "a return to a null SS is let through"),
    ("far returns", "IRETQ to RIP", "the fault comes behind IRET, not at it"),
    ("far returns", "IRETD inside compatibility mode", "its emulator has no IRETD"),
    ("single step", "REP", "REP is one step"),
    ("single step", "no trap behind", "MOV SS and POP SS hold no trap back"),
    ("single step", "HLT does not wait", "the trap is lost"),
    ("single step", "the trap comes before", "the trap is lost, or comes behind the interrupt"),
    ("interrupt boundaries", "", "it stops some instructions after the access that raises the interrupt"),
    ("canonical addresses", "", "only the first byte of an access must be canonical"),
    ("control registers and MSRs", "MOV CR", "the upper half of the operand is dropped"),
    ("control registers and MSRs", "TSC_AUX", "its CPUID has no RDTSCP"),
    ("control registers and MSRs", "not canonical", "it is AMD's rule: such a SYSENTER register is kept"),
    ("control registers and MSRs", "WRMSR", "reserved bits of the register are not looked at"),
    ("control registers and MSRs", "LTR", "long mode takes a 16-bit TSS; the error code names no selector"),
    ("breakpoints", "are one trap", "data are not watched"),
    ("breakpoints", "with GD", "the general-detect fault does not set RF"),
    ("breakpoints", "reserved bits", "DR7 bit 11 can be set without RTM"),
    ("breakpoints", "not behind MOV SS", "MOV SS holds no breakpoint back"),
    ("breakpoints", "REP", "REP is one step"),
];

/// What KVM is known to do wrong in a case.
pub fn mistake(case: &Case) -> Option<&'static str> {
    let found = MISTAKES.iter().find(|(family, part, _)| case.family == *family && case.name.contains(part));
    found.map(|(.., why)| *why)
}
