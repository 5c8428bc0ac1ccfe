//! Call gates: who may go through, where the stack switches to, and what goes wrong on the way.

use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{FLAT_LIMIT, descriptor, gate, gate_type, rights, vector::*};
use super::guest::{Guest, Program, layout::*, selector};
use emu_core::vcpu::SegmentName;
use iced_x86::{Code, Instruction};

const FAMILY: &str = "call gates";
const ACCESS: Citation = sdm("3A", "5.8.4", "Accessing a Code Segment Through a Call Gate");
const GATES: Citation = sdm("3A", "5.8.3", "Call Gates");
const STACKS: Citation = sdm("3A", "5.8.5", "Stack Switching");
const STACKS64: Citation = sdm("3A", "5.8.5.1", "Stack Switching in 64-bit Mode");
const CALL: Citation = sdm("2", "", "CALL-Call Procedure");

/// Where gates lead: INT 80h.
const TARGET: u64 = CODE + 0x800;
/// The target code segment of a case.
const CODE_SELECTOR: u16 = selector::SPARE2;
/// The gate.
const GATE: u16 = selector::SPARE;

/// `CALL` or `JMP` to the gate, RPL as given.
fn transfer(guest: &mut Guest, jump: bool, rpl: u16) {
    let target = GATE | rpl;
    let pointer = DATA + 0x100;
    guest.poke32(pointer, 0xFFFF_FFFF);
    guest.poke16(pointer + 4, target);
    let long = guest.bits() == 64;
    guest.code(|a| {
        if long {
            let operand = iced_x86::MemoryOperand::with_displ(pointer, 8);
            let code = if jump { Code::Jmp_m1632 } else { Code::Call_m1632 };
            a.add_instruction(Instruction::with1(code, operand)?)?;
        } else {
            let code = if jump { Code::Jmp_ptr1632 } else { Code::Call_ptr1632 };
            a.add_instruction(Instruction::with_far_branch(code, target, 0xFFFF_FFFF)?)?;
        }
        a.int(i32::from(END) + 1)
    });
    let bits = guest.bits();
    guest.code_at(0, TARGET, bits, |a| a.int(i32::from(END)));
}

/// A matrix row: who goes through which gate to which code.
#[derive(Clone, Copy)]
struct Row {
    long: bool,
    jump: bool,
    cpl: u64,
    rpl: u64,
    gate_dpl: u64,
    gate_present: bool,
    conforming: bool,
    code_dpl: u64,
    code_present: bool,
}

enum Verdict {
    Fault(u8, u16),
    /// Arrives at this CPL.
    Arrives(u64),
}

impl Row {
    fn verdict(&self) -> Verdict {
        if self.gate_dpl < self.cpl || self.rpl > self.gate_dpl {
            return Verdict::Fault(GP, GATE);
        }
        if !self.gate_present {
            return Verdict::Fault(NP, GATE);
        }
        let entitled = match (self.jump, self.conforming) {
            (true, false) => self.code_dpl == self.cpl,
            _ => self.code_dpl <= self.cpl,
        };
        if !entitled {
            return Verdict::Fault(GP, CODE_SELECTOR);
        }
        if !self.code_present {
            return Verdict::Fault(NP, CODE_SELECTOR);
        }
        Verdict::Arrives(if self.conforming { self.cpl } else { self.code_dpl })
    }

    fn case(&self) -> Case {
        let Self { long, jump, cpl, rpl, gate_dpl, gate_present, conforming, code_dpl, code_present } = *self;
        let name = format!(
            "{} {}: CPL {cpl}, RPL {rpl}, gate DPL {gate_dpl} P {}, {} code DPL {code_dpl} P {}",
            if long { "long mode" } else { "protected mode" },
            if jump { "JMP" } else { "CALL" },
            u8::from(gate_present),
            if conforming { "conforming" } else { "nonconforming" },
            u8::from(code_present),
        );
        let mut guest = if long { Guest::long() } else { Guest::protected() }.at_ring(cpl as u8);
        let width = if long { rights::FLAT64 } else { rights::FLAT };
        let kind = 0x1A | u64::from(conforming) << 2 | u64::from(code_present) << 7;
        guest.descriptor(CODE_SELECTOR, descriptor(0, FLAT_LIMIT, width | rights::dpl(kind, code_dpl)));
        let kind = gate_type::CALL32 & !0x80 | u64::from(gate_present) << 7;
        guest.descriptor(GATE, gate(CODE_SELECTOR, TARGET, rights::dpl(kind, gate_dpl), 0));
        guest.poke64(GDT + u64::from(GATE) + 8, 0);
        transfer(&mut guest, jump, rpl as u16);
        let case = Case::new(FAMILY, name, ACCESS, guest);
        match self.verdict() {
            Verdict::Fault(vector, selector) => case.fault(vector, u64::from(selector), 0),
            Verdict::Arrives(level) => case
                .event(END)
                .is(Probe::SavedRip, TARGET + 2)
                .is(Probe::SavedCs, u64::from(CODE_SELECTOR) | level),
        }
    }
}

fn matrix() -> Vec<Case> {
    let mut cases = Vec::new();
    for bits in 0..512u64 {
        let bit = |n: u64| bits >> n & 1 != 0;
        let level = |n: u64| if bit(n) { 3 } else { 0 };
        let row = Row {
            long: bit(0),
            jump: bit(1),
            cpl: level(2),
            rpl: level(3),
            gate_dpl: level(4),
            gate_present: bit(5),
            conforming: bit(6),
            code_dpl: level(7),
            code_present: bit(8),
        };
        // What is not present is looked at in the plain cases only.
        let plain = row.rpl == 0 && row.gate_dpl == 3 && row.code_dpl == 0;
        if plain || (row.gate_present && row.code_present) {
            cases.push(row.case());
        }
    }
    cases
}

/// The stack of an inner level: parameters are copied in their order, below the old SS:ESP.
fn parameters() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, size) in [(gate_type::CALL16, 2u64), (gate_type::CALL32, 4)] {
        for count in [0u64, 1, 5, 31] {
            for (level, code, data, top) in [
                (0u64, selector::CODE0, selector::DATA0, STACK0),
                (1, selector::CODE1, selector::DATA1, STACK1),
                (2, selector::CODE2, selector::DATA2, STACK2),
            ] {
                let mut guest = Guest::protected().at_ring(3);
                guest.descriptor(GATE, gate(code & !3, TARGET, kind | gate_type::DPL3, count));
                // A 16-bit gate has a 16-bit offset: its target is below 64 KiB.
                let target = if size == 2 { TARGET & 0xFFFF } else { TARGET };
                let words: Vec<u64> = (0..count).map(|n| 0x1000 + n).collect();
                guest.stack(size, &words);
                let before = guest.cpu.gpr[4];
                transfer(&mut guest, false, 3);
                guest.code_at(0, target, 32, |a| a.int(i32::from(END)));
                let bytes = size * (count + 4);
                let name = format!("{}-bit gate to CPL {level} with {count} parameters", 8 * size);
                let mut case = Case::new(FAMILY, name, STACKS, guest);
                let (low, back) = (top - bytes, case.at(1));
                let narrow = u64::MAX >> (64 - 8 * size);
                case = case
                    .event(END)
                    .is(Probe::SavedRsp, low)
                    .is(Probe::SavedSs, u64::from(data))
                    .is(Probe::Memory(low, size), back & narrow)
                    .is(Probe::Memory(low + size, size), u64::from(selector::CODE3))
                    .is(Probe::Memory(top - 2 * size, size), before & narrow)
                    .is(Probe::Memory(top - size, size), u64::from(selector::DATA3));
                for (n, word) in (0..).zip(words) {
                    case = case.is(Probe::Memory(low + (2 + n) * size, size), word);
                }
                cases.push(case);
            }
        }
    }
    cases
}

/// The 64-bit gate: eight-byte words, no parameters, SS null with the new CPL.
fn long_stack() -> Vec<Case> {
    [(0u64, selector::CODE0, STACK0), (1, selector::CODE1, STACK1), (2, selector::CODE2, STACK2)]
        .into_iter()
        .map(|(level, code, top)| {
            let mut guest = Guest::long().at_ring(3);
            guest.descriptor(GATE, gate(code & !3, TARGET, gate_type::CALL32 | gate_type::DPL3, 31));
            guest.poke64(GDT + u64::from(GATE) + 8, 0);
            transfer(&mut guest, false, 3);
            let case = Case::new(FAMILY, format!("64-bit gate to CPL {level}: stack"), STACKS64, guest);
            let back = case.at(1);
            case.event(END).all(&[
                (Probe::SavedRsp, top - 32),
                (Probe::SavedSs, level),
                (Probe::SavedCs, u64::from(code & !3) | level),
                (Probe::Memory(top - 32, 8), back),
                (Probe::Memory(top - 24, 8), u64::from(selector::CODE3)),
                (Probe::Memory(top - 16, 8), STACK3),
                (Probe::Memory(top - 8, 8), u64::from(selector::DATA3)),
            ])
        })
        .collect()
}

/// A gate to the own level leaves only the return address, in words of the gate's size.
fn same_level() -> Vec<Case> {
    [(gate_type::CALL16, 2u64), (gate_type::CALL32, 4)]
        .into_iter()
        .map(|(kind, size)| {
            let mut guest = Guest::protected();
            guest.descriptor(GATE, gate(selector::CODE0, TARGET & 0xFFFF, kind, 3));
            transfer(&mut guest, false, 0);
            guest.code_at(0, TARGET & 0xFFFF, 32, |a| a.hlt());
            let case = Case::new(FAMILY, format!("{}-bit gate to the same level", 8 * size), CALL, guest);
            let back = case.at(1) & (u64::MAX >> (64 - 8 * size));
            let low = STACK0 - 2 * size;
            case.all(&[
                (Probe::Gpr(4), low),
                (Probe::Memory(low, size), back),
                (Probe::Memory(low + size, size), u64::from(selector::CODE0)),
                (Probe::Segment(SegmentName::Cs, Part::Selector), u64::from(selector::CODE0)),
            ])
        })
        .collect()
}

/// One thing wrong with a gate of protected mode or what it leads to.
struct Flaw {
    name: &'static str,
    change: fn(&mut Guest),
    vector: u8,
    error: u16,
    citation: Citation,
}

const fn flaw(
    name: &'static str,
    vector: u8,
    error: u16,
    citation: Citation,
    change: fn(&mut Guest),
) -> Flaw {
    Flaw { name, change, vector, error, citation }
}

fn spare_stack(guest: &mut Guest, limit: u64, rights: u64, rpl: u16) {
    guest.descriptor(0xB0, descriptor(0, limit, rights));
    guest.poke16(TSS + 8, 0xB0 | rpl);
}

const STACK_DATA: u64 = rights::FLAT | rights::DATA;

const FLAWS: [Flaw; 15] = [
    flaw("null target", GP, 0, GATES, |g| g.descriptor(GATE, gate(3, TARGET, 0xEC, 0))),
    flaw("target outside the GDT", GP, 0x1F8, GATES, |g| g.descriptor(GATE, gate(0x1F8, TARGET, 0xEC, 0))),
    flaw("target is data", GP, 0x10, GATES, |g| g.descriptor(GATE, gate(0x10, TARGET, 0xEC, 0))),
    flaw("target is a TSS", GP, 0x28, GATES, |g| g.descriptor(GATE, gate(0x28, TARGET, 0xEC, 0))),
    flaw("entry beyond the code's limit", GP, 0, CALL, |g| {
        g.descriptor(CODE_SELECTOR, descriptor(0, 0xFFFF, rights::BIG | rights::CODE));
        g.descriptor(GATE, gate(CODE_SELECTOR, 0x1_0000, 0xEC, 0));
    }),
    flaw("null stack", TS, 0, CALL, |g| g.poke16(TSS + 8, 0)),
    flaw("stack outside the GDT", TS, 0x1F8, CALL, |g| g.poke16(TSS + 8, 0x1F8)),
    flaw("stack of another RPL", TS, 0x10, CALL, |g| g.poke16(TSS + 8, selector::DATA0 | 1)),
    flaw("stack of another DPL", TS, 0x20, CALL, |g| g.poke16(TSS + 8, selector::DATA3 & !3)),
    flaw("stack read-only", TS, 0xB0, CALL, |g| spare_stack(g, FLAT_LIMIT, rights::FLAT | 0x91, 0)),
    flaw("stack is code", TS, 0xB0, CALL, |g| spare_stack(g, FLAT_LIMIT, rights::FLAT | 0x9B, 0)),
    flaw("stack not present", SS, 0xB0, CALL, |g| spare_stack(g, FLAT_LIMIT, STACK_DATA & !0x80, 0)),
    flaw("stack too small", SS, 0xB0, CALL, |g| {
        spare_stack(g, 0xFFFF, rights::BIG | rights::DATA, 0);
        g.poke32(TSS + 4, 0x1_0001);
    }),
    flaw("stack too small for the parameters", SS, 0xB0, CALL, |g| {
        spare_stack(g, 19, rights::BIG | rights::DATA | 4, 0);
        g.descriptor(GATE, gate(selector::CODE0, TARGET, 0xEC, 2));
        g.poke32(TSS + 4, 20 + 4 * 5);
    }),
    flaw("TSS too small for the stack", TS, 0x28, CALL, |g| g.cpu.tr.limit = 8),
];

fn flaws() -> Vec<Case> {
    FLAWS
        .iter()
        .map(|flaw| {
            let mut guest = Guest::protected().at_ring(3);
            guest.descriptor(GATE, gate(selector::CODE0, TARGET, gate_type::CALL32 | gate_type::DPL3, 0));
            // The gate's stack is level 0's, and so is the handlers': they get a task of their own.
            guest.gate(flaw.vector, gate(selector::TASK2, 0, gate_type::TASK | gate_type::DPL3, 0));
            guest = guest.through_task(flaw.vector);
            (flaw.change)(&mut guest);
            transfer(&mut guest, false, 3);
            let case = Case::new(FAMILY, flaw.name, flaw.citation, guest);
            let rip = case.at(0);
            case.event(flaw.vector)
                .is(Probe::SavedError, u64::from(flaw.error))
                .is(Probe::Memory(TSS + 0x20, 4), rip)
                .is(Probe::Memory(TSS + 0x38, 4), STACK3)
                .is(Probe::Memory(TSS + 0x4C, 2), u64::from(selector::CODE3))
        })
        .collect()
}

/// The same in long mode, where #SS and #GP are on an interrupt stack of their own.
fn long_flaws() -> Vec<Case> {
    const LONG: [Flaw; 7] = [
        flaw("64-bit gate: 16-bit gate type", GP, GATE, GATES, |g| {
            g.descriptor(GATE, gate(selector::CODE0, TARGET, 0xE4, 0))
        }),
        flaw("64-bit gate: type in the upper half", GP, GATE, GATES, |g| {
            g.poke64(GDT + u64::from(GATE) + 8, 1 << 40)
        }),
        flaw("64-bit gate: upper half outside the GDT", GP, GATE, GATES, |g| g.cpu.gdtr.limit = GATE + 14),
        flaw("64-bit gate: target is 32-bit code", GP, selector::CODE32, GATES, |g| {
            g.descriptor(GATE, gate(selector::CODE32, TARGET, 0xEC, 0))
        }),
        flaw("64-bit gate: entry not canonical", GP, 0, CALL, |g| {
            g.poke64(GDT + u64::from(GATE) + 8, 0x8000)
        }),
        flaw("64-bit gate: stack not canonical", SS, 0, CALL, |g| g.poke64(TSS + 4, 0x8000_0000_0000)),
        flaw("64-bit gate: TSS too small", TS, selector::TASK, CALL, |g| g.cpu.tr.limit = 10),
    ];
    LONG.iter()
        .map(|flaw| {
            let mut guest = Guest::long().at_ring(3);
            guest.descriptor(GATE, gate(selector::CODE0, TARGET, gate_type::CALL32 | gate_type::DPL3, 0));
            guest.poke64(GDT + u64::from(GATE) + 8, 0);
            if flaw.vector != TS {
                guest.poke64(TSS + 0x24, STACK1);
                guest.gate(flaw.vector, gate(selector::CODE0, super::guest::handler(flaw.vector), 0x8E, 1));
            }
            (flaw.change)(&mut guest);
            transfer(&mut guest, false, 3);
            let case = Case::new(FAMILY, flaw.name, flaw.citation, guest);
            if flaw.vector == TS {
                // The handler's own stack is in the same TSS: contributory upon contributory, three times.
                return case.shuts_down();
            }
            case.fault(flaw.vector, u64::from(flaw.error), 0)
        })
        .collect()
}

/// Far transfers to descriptors that are neither code, nor gates, nor tasks.
fn no_target() -> Vec<Case> {
    let jump: Program = |a| a.add_instruction(Instruction::with_far_branch(Code::Jmp_ptr1632, GATE, 0)?);
    let call: Program = |a| a.add_instruction(Instruction::with_far_branch(Code::Call_ptr1632, GATE, 0)?);
    let kinds = [0x80, 0x82, 0x86, 0x87, 0x88, 0x8A, 0x8D, 0x8E, 0x8F, 0x91, 0x93, 0x97];
    let mut cases = Vec::new();
    for (name, program) in [("JMP", jump), ("CALL", call)] {
        for kind in kinds {
            let mut guest = Guest::protected();
            guest.descriptor(GATE, descriptor(0, FLAT_LIMIT, kind));
            guest.code(program);
            let name = format!("{name} to a descriptor of type {:02x}h", kind & 0x1F);
            cases.push(Case::new(FAMILY, name, CALL, guest).fault(GP, u64::from(GATE), 0));
        }
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [matrix(), parameters(), long_stack(), same_level(), flaws(), long_flaws(), no_target()].concat()
}
