//! Single-stepping: when the trap comes, what it interrupts, and what suppresses it.

use super::board::INTR_PORT;
use super::case::{Action, Case, Citation, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::rflags;
use iced_x86::code_asm::*;

const FAMILY: &str = "single step";
const STEP: Citation = sdm("3B", "17.3.1.4", "Single-Step Exception Condition");
const RESUME: Citation = sdm("3B", "17.3.1.1", "Instruction-Breakpoint Exception Condition");
const SHADOW: Citation = sdm("3A", "6.8.3", "Masking Exceptions and Interrupts When Switching Stacks");
const PRIORITY: Citation = sdm("3A", "6.9", "Priority Among Simultaneous Exceptions and Interrupts");
const SYSCALL: Citation = sdm("2", "", "SYSCALL-Fast System Call");
const SYSENTER: Citation = sdm("2", "", "SYSENTER-Fast System Call");

const TF: u64 = rflags::TF;
/// DR6.BS.
const BS: u64 = 1 << 14;
/// DR6 bits that say why: B0 to B3, BD, BS, BT.
const WHY: u64 = 0xE00F;
const RF: u64 = rflags::RF;

/// Where jumps lead.
const TARGET: u64 = CODE + 0x800;

trait Stepped {
    fn stepped(self, n: usize) -> Self;
}

impl Stepped for Case {
    /// A single-step trap in front of instruction `n`.
    fn stepped(self, n: usize) -> Self {
        self.event(DB).rip(n).is(Probe::Dr6(WHY), BS).is(Probe::SavedFlags(TF), TF).is(Probe::Flags(TF), 0)
    }
}

/// Three instructions, in every mode.
fn modes() -> Vec<Case> {
    let rows = [
        ("real mode", Guest::real()),
        ("protected mode", Guest::protected()),
        ("protected mode at CPL 3", Guest::protected().at_ring(3)),
        ("V86 mode", Guest::protected().v86(3)),
        ("64-bit mode", Guest::long()),
        ("64-bit mode at CPL 3", Guest::long().at_ring(3)),
        ("compatibility mode", Guest::long().compatibility(3)),
    ];
    rows.into_iter()
        .map(|(name, guest)| {
            let mut guest = guest.flags(TF);
            guest.code(|a| {
                a.nop()?;
                a.cld()?;
                a.nop()
            });
            Case::new(FAMILY, name, STEP, guest).stepped(1).stepped(2).stepped(3)
        })
        .collect()
}

/// One instruction under TF, and where the trap finds the program.
fn single() -> Vec<Case> {
    let target: u32 = TARGET as u32;
    let rows: [(&str, Program, u64); 8] = [
        ("JMP", |a| a.jmp(TARGET), TARGET),
        ("Jcc taken", |a| a.jne(TARGET), TARGET),
        ("CALL", |a| a.call(TARGET), TARGET),
        ("RET", |a| a.ret(), TARGET),
        ("far RET", |a| a.retf(), TARGET),
        ("IRETD", |a| a.iretd(), TARGET),
        ("LOOP", |a| a.db(&[0xE2, 0x7E]), CODE + 0x80),
        ("INTO without OF", |a| a.into(), CODE + 1),
    ];
    rows.into_iter()
        .map(|(name, program, rip)| {
            let mut guest = Guest::protected().flags(TF);
            guest.cpu.gpr[RCX] = 2;
            guest.stack(4, &[u64::from(target), u64::from(selector::CODE0), 2 | TF]);
            guest.code(program);
            Case::new(FAMILY, name, STEP, guest).event(DB).is(Probe::SavedRip, rip).is(Probe::Dr6(WHY), BS)
        })
        .collect()
}

/// Who sets and clears TF: the instruction that sets it is not trapped, the one that clears it is.
fn changes() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut set = Guest::protected();
    set.stack(4, &[TF | 2]);
    set.code(|a| {
        a.popfd()?;
        a.nop()?;
        a.nop()
    });
    cases.push(Case::new(FAMILY, "POPF sets TF", STEP, set).stepped(2).stepped(3));
    let mut clear = Guest::protected().flags(TF);
    clear.stack(4, &[2]);
    clear.code(|a| {
        a.popfd()?;
        a.nop()?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "POPF clears TF", STEP, clear)
            .event(DB)
            .rip(1)
            .is(Probe::SavedFlags(TF), 0)
            .is(Probe::Dr6(WHY), BS)
            .ends(),
    );
    let mut back = Guest::protected();
    back.stack(4, &[TARGET, u64::from(selector::CODE0), TF | 2]);
    back.code(|a| a.iretd());
    back.code_at(0, TARGET, 32, |a| a.nop());
    cases.push(Case::new(FAMILY, "IRETD sets TF", STEP, back).event(DB).is(Probe::SavedRip, TARGET + 1));
    let mut fault = Guest::protected().flags(TF);
    fault.code(|a| {
        a.ud2()?;
        a.nop()
    });
    cases.push(
        Case::new(FAMILY, "a fault is not a step", STEP, fault)
            .event(UD)
            .rip(0)
            .is(Probe::SavedFlags(TF), TF)
            .is(Probe::Flags(TF), 0)
            .returns_to(1)
            .stepped(2),
    );
    for (name, program, vector) in [
        ("INT n", (|a| a.int(0x44)) as Program, 0x44),
        ("INT3", |a| a.int3(), BP),
        ("INTO", |a| a.into(), OF),
    ] {
        let mut guest = Guest::protected().flags(TF | rflags::OF);
        guest.code(|a| {
            program(a)?;
            a.nop()?;
            a.nop()
        });
        cases.push(
            Case::new(FAMILY, format!("{name} clears TF"), STEP, guest)
                .event(vector)
                .rip(1)
                .is(Probe::SavedFlags(TF), TF)
                .is(Probe::Flags(TF), 0)
                .is(Probe::Dr6(WHY), 0)
                // IRET sets TF: the trap comes one instruction later.
                .stepped(2),
        );
    }
    let mut icebp = Guest::protected();
    icebp.code(|a| {
        a.int1()?;
        a.hlt()
    });
    cases.push(
        Case::new(FAMILY, "INT1 leaves DR6 alone", STEP, icebp)
            .event(DB)
            .rip(1)
            .is(Probe::Dr6(WHY), 0)
            .ends(),
    );
    cases
}

/// A repeated string instruction is trapped after each iteration, with RF in all images but the last.
fn repeated() -> Vec<Case> {
    let rows: [(&str, Program); 6] = [
        ("REP MOVSB", |a| a.rep().movsb()),
        ("REP STOSD", |a| a.rep().stosd()),
        ("REP LODSW", |a| a.rep().lodsw()),
        ("REPE CMPSB", |a| a.repe().cmpsb()),
        ("REP OUTSB", |a| a.rep().outsb()),
        ("REP INSB", |a| a.rep().insb()),
    ];
    let mut cases = Vec::new();
    for (name, program) in rows {
        for count in [0u64, 1, 3] {
            let mut guest = Guest::protected().flags(TF);
            guest.cpu.gpr[RCX] = count;
            guest.cpu.gpr[RSI] = DATA;
            guest.cpu.gpr[RDI] = DATA + 0x100;
            guest.cpu.gpr[RDX] = 0x80;
            guest.code(|a| {
                program(a)?;
                a.nop()
            });
            let mut case = Case::new(FAMILY, format!("{name}, count {count}"), RESUME, guest);
            for left in (0..count.max(1)).rev() {
                let unfinished = left != 0;
                case = case
                    .stepped(usize::from(!unfinished))
                    .is(Probe::Gpr(RCX), left)
                    .is(Probe::SavedFlags(RF), if unfinished { RF } else { 0 });
            }
            cases.push(case);
        }
    }
    cases
}

/// What holds the trap back, or goes together with it.
fn held() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, program) in [("MOV SS", (|a| a.mov(ss, ax)) as Program), ("POP SS", |a| a.pop(ss))] {
        let mut guest = Guest::protected().flags(TF);
        guest.cpu.gpr[RAX] = u64::from(selector::DATA0);
        guest.stack(4, &[u64::from(selector::DATA0)]);
        guest.code(|a| {
            program(a)?;
            a.nop()?;
            a.nop()
        });
        cases.push(Case::new(FAMILY, format!("no trap behind {name}"), SHADOW, guest).stepped(2).stepped(3));
    }
    let mut other = Guest::protected().flags(TF);
    other.cpu.gpr[RAX] = u64::from(selector::DATA0);
    other.code(|a| {
        a.mov(ds, ax)?;
        a.nop()
    });
    cases.push(Case::new(FAMILY, "a trap behind MOV DS", SHADOW, other).stepped(1).stepped(2));
    let mut halt = Guest::protected().flags(TF);
    halt.code(|a| {
        a.hlt()?;
        a.nop()
    });
    cases.push(Case::new(FAMILY, "HLT does not wait", STEP, halt).stepped(1).stepped(2));
    let mut both = Guest::protected().flags(TF | rflags::IF);
    both.cpu.gpr[RAX] = u64::from(INTR);
    both.code(|a| {
        a.out(i32::from(INTR_PORT), al)?;
        a.nop()
    });
    cases.push(
        Case::new(FAMILY, "the trap comes before the interrupt", PRIORITY, both)
            .stepped(1)
            .event(INTR)
            .rip(1)
            .is(Probe::SavedFlags(TF), TF)
            .stepped(2),
    );
    let mut nmi = Guest::protected().flags(TF);
    nmi.code(|a| {
        a.out(i32::from(super::board::NMI_PORT), al)?;
        a.nop()
    });
    // The NMI is not masked by the trap's gate: it comes in front of the handler's first instruction.
    cases.push(
        Case::new(FAMILY, "the trap comes before the NMI", PRIORITY, nmi)
            .event(NMI)
            .is(Probe::SavedRip, super::guest::handler(DB))
            .is(Probe::Dr6(WHY), BS)
            .stepped(1),
    );
    cases
}

/// System calls: SYSCALL masks TF by IA32_FMASK, SYSENTER leaves it.
fn system_calls() -> Vec<Case> {
    let mut cases = Vec::new();
    for (masked, name) in
        [(true, "SYSCALL with TF in IA32_FMASK"), (false, "SYSCALL without TF in IA32_FMASK")]
    {
        let mut guest = Guest::long().at_ring(3).flags(TF);
        guest.cpu.lstar = TARGET;
        guest.cpu.star = u64::from(selector::CODE0) << 32;
        guest.cpu.fmask = if masked { TF } else { 0 };
        guest.code(|a| a.syscall());
        guest.code_at(0, TARGET, 64, |a| {
            a.mov(rsp, STACK0)?;
            a.hlt()
        });
        let case = Case::new(FAMILY, name, SYSCALL, guest);
        cases.push(if masked {
            case.is(Probe::Dr6(WHY), 0).is(Probe::Gpr(R11), TF | 2)
        } else {
            case.event(DB).is(Probe::SavedRip, TARGET).is(Probe::Dr6(WHY), BS)
        });
    }
    let mut enter = Guest::protected().at_ring(3).flags(TF);
    enter.cpu.sysenter_cs = u64::from(selector::CODE0);
    enter.cpu.sysenter_eip = TARGET;
    enter.cpu.sysenter_esp = STACK1;
    enter.code(|a| a.sysenter());
    cases.push(
        Case::new(FAMILY, "SYSENTER leaves TF", SYSENTER, enter)
            .event(DB)
            .is(Probe::SavedRip, TARGET)
            .is(Probe::SavedFlags(TF), TF)
            .then(Action::SetFlags(0)),
    );
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [modes(), single(), changes(), repeated(), held(), system_calls()].concat()
}
