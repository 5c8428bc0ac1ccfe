//! Fast system calls, SWAPGS and the base instructions: what they load, and where they refuse.

use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::vector::*;
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::{SegmentName, cr4, efer, rflags};
use iced_x86::code_asm::*;

const FAMILY: &str = "fast system calls";
const SYSCALL: Citation = sdm("2", "", "SYSCALL-Fast System Call");
const SYSRET: Citation = sdm("2", "", "SYSRET-Return From Fast System Call");
const SYSENTER: Citation = sdm("2", "", "SYSENTER-Fast System Call");
const SYSEXIT: Citation = sdm("2", "", "SYSEXIT-Fast Return from Fast System Call");
const SWAPGS: Citation = sdm("2", "", "SWAPGS-Swap GS Base Register");
const BASES: Citation = sdm("2", "", "WRFSBASE/WRGSBASE-Write FS/GS Segment Base");

const TARGET: u64 = CODE + 0x800;
/// Rights of the flat segments these instructions make: accessed readable code with L or D, writable data.
const CODE64_0: u64 = 0xA09B;
const CODE32_0: u64 = 0xC09B;
const DATA_0: u64 = 0xC093;

const USER_CS: u64 = 0x1B;

fn syscall() -> Vec<Case> {
    let mut cases = Vec::new();
    for fmask in [0u64, rflags::IF | rflags::DF, 0xFFFF_FFFF] {
        let set = rflags::IF | rflags::DF | rflags::CF | rflags::NT | rflags::AC;
        let mut guest = Guest::long().at_ring(3).flags(set | rflags::RF);
        guest.cpu.star = 0x1234_0008_0000_0000;
        guest.cpu.lstar = TARGET;
        guest.cpu.fmask = fmask;
        guest.code(|a| a.syscall());
        guest.code_at(0, TARGET, 64, |a| a.hlt());
        let case = Case::new(FAMILY, format!("SYSCALL with IA32_FMASK {fmask:x}h"), SYSCALL, guest);
        let back = case.at(1);
        cases.push(case.all(&[
            (Probe::Rip, TARGET + 1),
            (Probe::Gpr(RCX), back),
            (Probe::Gpr(R11), set | 2),
            (Probe::Flags(0x3F_FFFF), (set | 2) & !fmask | 2),
            (Probe::Gpr(RSP), STACK3),
            (Probe::Segment(SegmentName::Cs, Part::Selector), 8),
            (Probe::Segment(SegmentName::Cs, Part::Rights), CODE64_0),
            (Probe::Segment(SegmentName::Cs, Part::Limit), 0xFFFF_FFFF),
            (Probe::Segment(SegmentName::Ss, Part::Selector), 0x10),
            (Probe::Segment(SegmentName::Ss, Part::Rights), DATA_0),
            (Probe::Cpl, 0),
        ]));
    }
    for (name, guest) in [
        ("without EFER.SCE", {
            let mut guest = Guest::long().at_ring(3);
            guest.cpu.efer &= !efer::SCE;
            guest
        }),
        ("in compatibility mode", Guest::long().compatibility(3)),
        ("in protected mode", {
            let mut guest = Guest::protected();
            guest.cpu.efer |= efer::SCE;
            guest
        }),
    ] {
        let mut guest = guest;
        guest.code(|a| a.syscall());
        cases.push(Case::new(FAMILY, format!("SYSCALL {name}"), SYSCALL, guest).event(UD).rip(0));
    }
    cases
}

fn sysret() -> Vec<Case> {
    let mut cases = Vec::new();
    let image = rflags::IF | rflags::CF | rflags::AC | rflags::VM | rflags::RF | rflags::NT;
    for (name, long) in [("64-bit", true), ("32-bit", false)] {
        let mut guest = Guest::long();
        guest.cpu.star = 0x0023_0008_0000_0000;
        guest.cpu.gpr[RCX] = TARGET | if long { 0 } else { 0xABCD_0000_0000 };
        guest.cpu.gpr[R11] = image | 1 << 40;
        guest.code(|a| if long { a.sysretq() } else { a.sysret() });
        guest.code_at(0, TARGET, if long { 64 } else { 32 }, |a| a.int(i32::from(END)));
        let chosen = if long { 0x33 } else { 0x23 };
        cases.push(Case::new(FAMILY, format!("{name} SYSRET"), SYSRET, guest).event(END).all(&[
            (Probe::SavedRip, TARGET + 2),
            (Probe::SavedCs, chosen),
            (Probe::SavedSs, 0x2B),
            (Probe::SavedRsp, STACK0),
            // RF and VM are not taken, reserved bits neither.
            (Probe::SavedFlags(u64::MAX), image & 0x3C_7FD7 | 2),
        ]));
    }
    for (name, target, fault) in [
        ("last canonical RCX", 0x7FFF_FFFF_FFFFu64, false),
        ("RCX not canonical", 0x8000_0000_0000, true),
        ("high RCX", 0xFFFF_8000_0000_0000, false),
    ] {
        let mut guest = Guest::long();
        guest.cpu.star = 0x0023_0008_0000_0000;
        guest.cpu.gpr[RCX] = target;
        guest.cpu.gpr[R11] = 2;
        guest.code(|a| a.sysretq());
        let case = Case::new(FAMILY, format!("SYSRET: {name}"), SYSRET, guest);
        cases.push(if fault {
            case.fault(GP, 0, 0).is(Probe::SavedCs, u64::from(selector::CODE0))
        } else {
            case.event(PF).is(Probe::SavedError, 0x14).is(Probe::Cr2, target).is(Probe::SavedRip, target)
        });
    }
    let mut user = Guest::long().at_ring(3);
    user.code(|a| a.sysretq());
    cases.push(Case::new(FAMILY, "SYSRET at CPL 3", SYSRET, user).fault(GP, 0, 0));
    let mut compatible = Guest::long().compatibility(0);
    compatible.code(|a| a.sysret());
    cases.push(Case::new(FAMILY, "SYSRET in compatibility mode", SYSRET, compatible).event(UD).rip(0));
    let mut disabled = Guest::long();
    disabled.cpu.efer &= !efer::SCE;
    disabled.code(|a| a.sysretq());
    cases.push(Case::new(FAMILY, "SYSRET without EFER.SCE", SYSRET, disabled).event(UD).rip(0));
    cases
}

fn sysenter() -> Vec<Case> {
    let mut cases = Vec::new();
    let set = rflags::IF | rflags::DF | rflags::CF;
    for (name, guest, long) in [
        ("protected mode", Guest::protected().at_ring(3), false),
        ("protected mode at CPL 0", Guest::protected(), false),
        ("V86 mode", Guest::protected().v86(0), false),
        ("64-bit mode", Guest::long().at_ring(3), true),
        ("compatibility mode", Guest::long().compatibility(3), true),
    ] {
        let mut guest = guest.flags(set);
        guest.cpu.sysenter_cs = 0x0A; // the RPL is ignored
        guest.cpu.sysenter_eip = TARGET;
        guest.cpu.sysenter_esp = STACK1;
        guest.code(|a| a.sysenter());
        guest.code_at(0, TARGET, if long { 64 } else { 32 }, |a| a.hlt());
        cases.push(Case::new(FAMILY, format!("SYSENTER from {name}"), SYSENTER, guest).all(&[
            (Probe::Rip, TARGET + 1),
            (Probe::Gpr(RSP), STACK1),
            (Probe::Flags(0x3_CFFF), rflags::DF | rflags::CF | 2),
            (Probe::Segment(SegmentName::Cs, Part::Selector), 8),
            (Probe::Segment(SegmentName::Cs, Part::Rights), if long { CODE64_0 } else { CODE32_0 }),
            (Probe::Segment(SegmentName::Cs, Part::Base), 0),
            (Probe::Segment(SegmentName::Ss, Part::Selector), 0x10),
            (Probe::Segment(SegmentName::Ss, Part::Rights), DATA_0),
            (Probe::Cpl, 0),
        ]));
    }
    for chosen in [0u64, 3] {
        let mut guest = Guest::protected().at_ring(3);
        guest.cpu.sysenter_cs = chosen;
        guest.code(|a| a.sysenter());
        let name = format!("SYSENTER with IA32_SYSENTER_CS {chosen}");
        cases.push(Case::new(FAMILY, name, SYSENTER, guest).fault(GP, 0, 0));
    }
    let mut real = Guest::real();
    real.cpu.sysenter_cs = 8;
    real.code(|a| a.sysenter());
    cases.push(Case::new(FAMILY, "SYSENTER in real mode", SYSENTER, real).event(GP).rip(0));
    cases
}

fn sysexit() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, guest, wide, chosen) in [
        ("protected mode", Guest::protected(), false, 0x1Bu64),
        ("64-bit mode to 32-bit code", Guest::long(), false, 0x1B),
        ("64-bit mode to 64-bit code", Guest::long(), true, 0x2B),
    ] {
        let mut guest = guest;
        guest.cpu.sysenter_cs = 8;
        guest.cpu.gpr[RDX] = TARGET;
        guest.cpu.gpr[RCX] = STACK3;
        guest.code(|a| if wide { a.sysexitq() } else { a.sysexit() });
        let bits = if wide { 64 } else { 32 };
        // SS is looked at in the program: the handler has its own.
        guest.code_at(0, TARGET, bits, |a| a.int(i32::from(END)));
        cases.push(Case::new(FAMILY, format!("SYSEXIT from {name}"), SYSEXIT, guest).event(END).all(&[
            (Probe::SavedRip, TARGET + 2),
            (Probe::SavedCs, chosen),
            (Probe::SavedSs, chosen + 8),
            (Probe::SavedRsp, STACK3),
        ]));
    }
    let mut user = Guest::protected().at_ring(3);
    user.cpu.sysenter_cs = 8;
    user.code(|a| a.sysexit());
    cases.push(Case::new(FAMILY, "SYSEXIT at CPL 3", SYSEXIT, user).fault(GP, 0, 0));
    let mut null = Guest::protected();
    null.code(|a| a.sysexit());
    cases.push(Case::new(FAMILY, "SYSEXIT with a null IA32_SYSENTER_CS", SYSEXIT, null).fault(GP, 0, 0));
    for (name, to, top) in [("RIP", 1u64 << 47, STACK3), ("RSP", TARGET, 1 << 47)] {
        let mut guest = Guest::long();
        guest.cpu.sysenter_cs = 8;
        (guest.cpu.gpr[RDX], guest.cpu.gpr[RCX]) = (to, top);
        guest.code(|a| a.sysexitq());
        cases.push(
            Case::new(FAMILY, format!("SYSEXIT: {name} not canonical"), SYSEXIT, guest).fault(GP, 0, 0),
        );
    }
    cases
}

fn gs() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut swap = Guest::long();
    swap.cpu.seg[SegmentName::Gs as usize].base = 0x1111;
    swap.cpu.kernel_gs_base = DATA;
    swap.poke32(DATA + 8, 0x7777);
    swap.code(|a| {
        a.swapgs()?;
        a.mov(eax, dword_ptr(8u64).gs())?;
        a.hlt()
    });
    cases.push(Case::new(FAMILY, "SWAPGS", SWAPGS, swap).all(&[
        (Probe::Gpr(RAX), 0x7777),
        (Probe::KernelGsBase, 0x1111),
        (Probe::Segment(SegmentName::Gs, Part::Base), DATA),
    ]));
    let mut user = Guest::long().at_ring(3);
    user.code(|a| a.swapgs());
    cases.push(Case::new(FAMILY, "SWAPGS at CPL 3", SWAPGS, user).fault(GP, 0, 0));
    for (name, guest) in
        [("compatibility mode", Guest::long().compatibility(0)), ("protected mode", Guest::protected())]
    {
        let mut guest = guest;
        guest.code(|a| a.db(&[0x0F, 0x01, 0xF8]));
        cases.push(Case::new(FAMILY, format!("SWAPGS in {name}"), SWAPGS, guest).event(UD).rip(0));
    }
    cases
}

fn bases() -> Vec<Case> {
    let mut cases = Vec::new();
    let rows: [(&str, Program); 4] = [
        ("WRFSBASE", |a| a.wrfsbase(rax)),
        ("WRGSBASE", |a| a.wrgsbase(rax)),
        ("RDFSBASE", |a| a.rdfsbase(rax)),
        ("RDGSBASE", |a| a.rdgsbase(rax)),
    ];
    for (name, program) in rows {
        let mut without = Guest::long();
        without.code(program);
        cases
            .push(Case::new(FAMILY, format!("{name} without CR4.FSGSBASE"), BASES, without).event(UD).rip(0));
        let mut user = Guest::long().at_ring(3);
        user.cpu.cr4 |= cr4::FSGSBASE;
        user.code(|a| {
            program(a)?;
            a.int(i32::from(END))
        });
        cases.push(
            Case::new(FAMILY, format!("{name} at CPL 3"), BASES, user).event(END).is(Probe::SavedCs, USER_CS),
        );
    }
    for (name, program, value, fault) in [
        ("WRFSBASE", (|a| a.wrfsbase(rax)) as Program, 1u64 << 47, true),
        ("WRGSBASE", |a| a.wrgsbase(rax), 1 << 47, true),
        ("WRGSBASE high", |a| a.wrgsbase(rax), 0xFFFF_8000_0000_0000, false),
        ("32-bit WRFSBASE", |a| a.wrfsbase(eax), 0xFFFF_8000_1234_5678, false),
    ] {
        let mut guest = Guest::long();
        guest.cpu.cr4 |= cr4::FSGSBASE;
        guest.cpu.gpr[RAX] = value;
        guest.code(|a| {
            program(a)?;
            a.hlt()
        });
        let case = Case::new(FAMILY, format!("{name} of {value:x}h"), BASES, guest);
        let kept = if name.starts_with("32") { value & 0xFFFF_FFFF } else { value };
        let segment = if name.contains("FS") { SegmentName::Fs } else { SegmentName::Gs };
        cases.push(if fault {
            case.fault(GP, 0, 0)
        } else {
            case.is(Probe::Segment(segment, Part::Base), kept)
        });
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [syscall(), sysret(), sysenter(), sysexit(), gs(), bases()].concat()
}
