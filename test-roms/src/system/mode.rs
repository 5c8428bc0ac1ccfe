//! From mode to mode by the program's own means: real, protected, paged, PAE, long, compatibility, and back.

use super::case::{Case, Citation, Part, Probe, sdm};
use super::encode::{FLAT_LIMIT, descriptor, rights, vector::*};
use super::guest::{Guest, Program, layout::*, reg::*, selector};
use emu_core::vcpu::{SegmentName, cr0, cr4, efer};
use iced_x86::code_asm::*;
use iced_x86::{Code, IcedError, Instruction};

const FAMILY: &str = "mode switches";
const PROTECTED: Citation = sdm("3A", "9.9.1", "Switching to Protected Mode");
const REAL: Citation = sdm("3A", "9.9.2", "Switching Back to Real-Address Mode");
const LONG: Citation = sdm("3A", "9.8.5", "Initializing IA-32e Mode");
const LEAVE: Citation = sdm("3A", "9.8.5.4", "Switching Out of IA-32e Mode Operation");
const COMPATIBLE: Citation = sdm("3A", "9.8.5.3", "64-bit Mode and Compatibility Mode Operation");
const RESET: Citation = sdm("3A", "9.1.4", "First Instruction Executed");
const PREFIX: Citation =
    sdm("3A", "5.2", "Fields and Flags Used for Segment-Level and Page-Level Protection");

const EFER_MSR: u32 = 0xC000_0080;
const STAGE32: u64 = CODE + 0x400;
const STAGE64: u64 = CODE + 0x800;
const STAGE16: u64 = CODE + 0xC00;
/// Operands of LGDT and LIDT, in the reach of real-mode code (1000h:).
const GDT_POINTER: u64 = CODE + 0xF00;
const IVT_POINTER: u64 = CODE + 0xF10;

fn far(a: &mut CodeAssembler, code: Code, selector: u16, offset: u64) -> Result<(), IcedError> {
    a.add_instruction(Instruction::with_far_branch(code, selector, offset as u32)?)
}

/// Real mode, with the tables of protected mode (or of long mode) in memory and nothing of them loaded.
fn real(tables: Guest) -> Guest {
    let mut guest = Guest::real();
    guest.memory.extend(tables.memory);
    // The vector table and the real-mode handlers stay those of real mode.
    let mut pointer = u32::from(selector::LIMIT).to_le_bytes().to_vec();
    pointer.truncate(2);
    pointer.extend_from_slice(&(GDT as u32).to_le_bytes());
    guest.poke(GDT_POINTER, &pointer);
    guest.poke(IVT_POINTER, &[0xFF, 0x03, 0, 0, 0, 0]);
    guest.cpu.gpr[RSP] = 0xFF00;
    // DS = CODE >> 4.
    let code = guest.cpu.seg[1];
    guest.cpu.seg[3] = code;
    guest
}

const LOAD_GDT: Program = |a| a.db(&[0x66, 0x0F, 0x01, 0x16, 0x00, 0x0F]); // LGDT [0F00h], 32-bit base

/// LGDT, CR0.PE, far JMP to 32-bit code, segments.
fn enter_protected(a: &mut CodeAssembler, target: u64) -> Result<(), IcedError> {
    a.cli()?;
    LOAD_GDT(a)?;
    a.mov(eax, cr0)?;
    a.or(al, 1)?;
    a.mov(cr0, eax)?;
    far(a, Code::Jmp_ptr1632, selector::CODE32, target)
}

fn flat_segments(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(eax, u32::from(selector::DATA0))?;
    a.mov(ds, ax)?;
    a.mov(es, ax)?;
    a.mov(ss, ax)?;
    a.mov(esp, STACK0 as u32)
}

/// CR4.PAE, CR3, EFER.LME, CR0.PG.
fn enter_long(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(eax, cr4)?;
    a.or(eax, cr4::PAE as u32)?;
    a.mov(cr4, eax)?;
    a.mov(eax, PAGES as u32)?;
    a.mov(cr3, eax)?;
    a.mov(ecx, EFER_MSR)?;
    a.rdmsr()?;
    a.or(eax, efer::LME as u32)?;
    a.wrmsr()?;
    a.mov(eax, cr0)?;
    a.or(eax, cr0::PG as u32)?;
    a.mov(cr0, eax)
}

fn to_protected() -> Case {
    let mut guest = real(Guest::protected());
    guest.code(|a| enter_protected(a, STAGE32));
    guest.code_at(0, STAGE32, 32, |a| {
        flat_segments(a)?;
        a.mov(ebx, 0x1234_5678)?;
        a.hlt()
    });
    Case::new(FAMILY, "real to protected", PROTECTED, guest).all(&[
        (Probe::Gpr(RBX), 0x1234_5678),
        (Probe::Segment(SegmentName::Cs, Part::Selector), u64::from(selector::CODE32)),
        (Probe::Segment(SegmentName::Ss, Part::Limit), 0xFFFF_FFFF),
        (Probe::Cr0(1), 1),
        (Probe::Cpl, 0),
    ])
}

/// Between MOV CR0 and the far JMP the old CS goes on: 16-bit code.
fn without_jump() -> Case {
    let mut guest = real(Guest::protected());
    guest.code(|a| {
        a.cli()?;
        LOAD_GDT(a)?;
        a.mov(eax, cr0)?;
        a.or(al, 1)?;
        a.mov(cr0, eax)?;
        a.mov(ax, 0x1234u32)?;
        a.mov(bx, cs)?;
        a.hlt()
    });
    Case::new(FAMILY, "protected mode with the CS of real mode", PROTECTED, guest).all(&[
        (Probe::Gpr(RBX), CODE >> 4),
        (Probe::Segment(SegmentName::Cs, Part::Base), CODE),
        (Probe::Segment(SegmentName::Cs, Part::Limit), 0xFFFF),
    ])
}

/// Back through 16-bit segments; the real-mode interrupt works again.
fn there_and_back() -> Case {
    let mut guest = real(Guest::protected());
    guest.code(|a| enter_protected(a, STAGE32));
    guest.code_at(0, STAGE32, 32, |a| {
        flat_segments(a)?;
        far(a, Code::Jmp_ptr1632, selector::CODE16, STAGE16 - CODE)
    });
    guest.code_at(CODE, STAGE16 - CODE, 16, |a| {
        a.mov(ax, u32::from(selector::DATA16))?;
        a.mov(ds, ax)?;
        a.mov(es, ax)?;
        a.mov(ss, ax)?;
        a.mov(eax, cr0)?;
        a.and(al, !1)?;
        a.mov(cr0, eax)?;
        far(a, Code::Jmp_ptr1616, (CODE >> 4) as u16, STAGE16 - CODE + 0x40)
    });
    guest.code_at(CODE, STAGE16 - CODE + 0x40, 16, |a| {
        a.mov(ax, (CODE >> 4) as u32)?;
        a.mov(ss, ax)?;
        a.mov(sp, 0xFE00u32)?;
        a.mov(ax, 0x4000u32)?;
        a.mov(ds, ax)?;
        a.db(&[0x2E, 0x66, 0x0F, 0x01, 0x1E, 0x10, 0x0F])?; // LIDT CS:[0F10h]
        a.int(0x44)?;
        a.hlt()
    });
    // The handlers in memory are those of protected mode: HLT and IRET all the same.
    Case::new(FAMILY, "real to protected and back", REAL, guest)
        .event(0x44)
        .is(Probe::SavedCs, CODE >> 4)
        .is(Probe::Cr0(1), 0)
        .ends()
        .is(Probe::Segment(SegmentName::Ds, Part::Base), 0x4_0000)
        .is(Probe::Segment(SegmentName::Ds, Part::Limit), 0xFFFF)
        .is(Probe::Gpr(RSP), STACK0 & !0xFFFF | 0xFE00)
}

/// "Unreal" mode: a limit that protected mode has loaded stays in real mode, which changes only the base.
fn unreal() -> Case {
    let mut guest = real(Guest::protected());
    guest.poke32(0x12_3456, 0xFACE_B00C);
    guest.code(|a| {
        a.cli()?;
        LOAD_GDT(a)?;
        a.mov(eax, cr0)?;
        a.or(al, 1)?;
        a.mov(cr0, eax)?;
        a.mov(bx, u32::from(selector::DATA0))?;
        a.mov(es, bx)?;
        a.and(al, !1)?;
        a.mov(cr0, eax)?;
        a.xor(bx, bx)?;
        a.mov(es, bx)?; // the base changes, the limit does not
        a.mov(edi, 0x12_3456)?;
        a.mov(edx, dword_ptr(edi).es())?;
        a.hlt()
    });
    Case::new(FAMILY, "unreal mode", REAL, guest)
        .is(Probe::Gpr(RDX), 0xFACE_B00C)
        .is(Probe::Segment(SegmentName::Es, Part::Limit), 0xFFFF_FFFF)
}

/// 32-bit paging, PAE paging, and none again.
fn pagings() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, template, wide) in [("32-bit", Guest::paged(), false), ("PAE", Guest::pae(), true)] {
        let mut guest = Guest::protected();
        guest.memory.extend(template.memory);
        let table_entry =
            if wide { PAGES + 0x3000 + 8 * (DATA >> 12) } else { PAGES + 0x1000 + 4 * (DATA >> 12) };
        guest.poke(table_entry, &((DATA + 0x1000) as u32 | 7).to_le_bytes());
        guest.poke32(DATA, 0x1111);
        guest.poke32(DATA + 0x1000, 0x2222);
        guest.code(|a| {
            if wide {
                a.mov(eax, cr4)?;
                a.or(eax, cr4::PAE as u32)?;
                a.mov(cr4, eax)?;
            }
            a.mov(eax, PAGES as u32)?;
            a.mov(cr3, eax)?;
            a.mov(ecx, dword_ptr(DATA as u32))?;
            a.mov(eax, cr0)?;
            a.or(eax, cr0::PG as u32)?;
            a.mov(cr0, eax)?;
            a.mov(edx, dword_ptr(DATA as u32))?;
            a.and(eax, !(cr0::PG as u32))?;
            a.mov(cr0, eax)?;
            a.mov(ebx, dword_ptr(DATA as u32))?;
            a.hlt()
        });
        cases.push(Case::new(FAMILY, format!("{name} paging on and off"), PROTECTED, guest).all(&[
            (Probe::Gpr(RCX), 0x1111),
            (Probe::Gpr(RDX), 0x2222),
            (Probe::Gpr(RBX), 0x1111),
        ]));
    }
    cases
}

/// The whole way: real, protected, compatibility, 64-bit, compatibility, protected, real.
fn long_and_back() -> Case {
    let mut guest = real(Guest::long());
    guest.code(|a| enter_protected(a, STAGE32));
    guest.code_at(0, STAGE32, 32, |a| {
        flat_segments(a)?;
        enter_long(a)?;
        // Still 32-bit code: compatibility mode, LMA set.
        a.rdmsr()?;
        a.mov(ebx, eax)?;
        far(a, Code::Jmp_ptr1632, selector::CODE0, STAGE64)
    });
    guest.code_at(0, STAGE64, 64, |a| {
        a.mov(r8, 0x1234_5678_9ABC_DEF0u64)?;
        a.mov(qword_ptr(DATA), r8)?;
        // Back to compatibility mode by a far return.
        a.push(i32::from(selector::CODE32))?;
        a.push((STAGE32 + 0x100) as i32)?;
        a.db(&[0x48, 0xCB])
    });
    guest.code_at(0, STAGE32 + 0x100, 32, |a| {
        a.mov(eax, cr0)?;
        a.and(eax, !(cr0::PG as u32))?;
        a.mov(cr0, eax)?;
        a.mov(ecx, EFER_MSR)?;
        a.rdmsr()?;
        a.mov(edi, eax)?;
        a.and(eax, !(efer::LME as u32))?;
        a.wrmsr()?;
        far(a, Code::Jmp_ptr1632, selector::CODE16, STAGE16 - CODE)
    });
    guest.code_at(CODE, STAGE16 - CODE, 16, |a| {
        a.mov(eax, cr0)?;
        a.and(al, !1)?;
        a.mov(cr0, eax)?;
        far(a, Code::Jmp_ptr1616, (CODE >> 4) as u16, STAGE16 - CODE + 0x40)
    });
    guest.code_at(CODE, STAGE16 - CODE + 0x40, 16, |a| a.hlt());
    Case::new(FAMILY, "real to long mode and all the way back", LEAVE, guest).all(&[
        (Probe::Memory(DATA, 8), 0x1234_5678_9ABC_DEF0),
        (Probe::Gpr(RBX), efer::LME | efer::LMA),
        // LMA went with paging, LME was left to the program.
        (Probe::Gpr(RDI), efer::LME),
        (Probe::Efer(efer::LME | efer::LMA), 0),
        (Probe::Cr0(cr0::PG | cr0::PE), 0),
        (Probe::Segment(SegmentName::Cs, Part::Selector), CODE >> 4),
    ])
}

/// What long mode refuses to be entered by.
fn refused() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut without_pae = Guest::protected();
    without_pae.cpu.efer = efer::LME;
    without_pae.cpu.gpr[RAX] = without_pae.cpu.cr0 | cr0::PG;
    without_pae.code(|a| a.mov(cr0, eax));
    cases.push(
        Case::new(FAMILY, "long mode without PAE", LONG, without_pae)
            .fault(GP, 0, 0)
            .is(Probe::Efer(efer::LMA), 0),
    );
    let mut narrow = Guest::protected();
    narrow.memory.extend(Guest::long().memory);
    narrow.memory.extend(Guest::protected().memory);
    narrow.cpu.efer = efer::LME;
    narrow.cpu.cr4 |= cr4::PAE;
    narrow.cpu.cr3 = PAGES;
    narrow.descriptor(selector::TASK, descriptor(TSS, 0x67, rights::TSS16 | 2));
    narrow.cpu.tr = narrow.segment(selector::TASK);
    narrow.cpu.gpr[RAX] = narrow.cpu.cr0 | cr0::PG;
    narrow.code(|a| a.mov(cr0, eax));
    cases.push(Case::new(FAMILY, "long mode with a 16-bit TSS", LONG, narrow).fault(GP, 0, 0));
    let mut lme = Guest::paged();
    lme.cpu.gpr[RCX] = u64::from(EFER_MSR);
    lme.cpu.gpr[RAX] = efer::LME;
    lme.code(|a| a.wrmsr());
    cases.push(Case::new(FAMILY, "EFER.LME set under paging", LONG, lme).fault(GP, 0, 0));
    cases
}

/// 64-bit code and compatibility code call each other; operands are cut to the mode's size.
fn compatibility() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut guest = Guest::long();
    guest.cpu.gpr[RAX] = 0xFFFF_FFFF_FFFF_FFFF;
    guest.poke32(DATA, STAGE32 as u32);
    guest.poke16(DATA + 4, selector::CODE32);
    guest.code(|a| {
        let pointer = iced_x86::MemoryOperand::with_displ(DATA, 8);
        a.add_instruction(Instruction::with1(Code::Call_m1632, pointer)?)?;
        a.inc(rbx)?;
        a.hlt()
    });
    guest.code_at(0, STAGE32, 32, |a| {
        a.inc(eax)?; // 40h: a REX prefix in 64-bit mode
        a.mov(ebx, 0xFFFF_FFFFu32)?;
        a.retf()
    });
    cases.push(Case::new(FAMILY, "64-bit code calls compatibility code", COMPATIBLE, guest).all(&[
        (Probe::Gpr(RAX), 0),
        (Probe::Gpr(RBX), 0x1_0000_0000),
        (Probe::Gpr(RSP), STACK0),
        (Probe::Segment(SegmentName::Cs, Part::Selector), u64::from(selector::CODE0)),
    ]));
    // Segmentation is back in compatibility mode.
    let mut limited = Guest::long().compatibility(0);
    limited.descriptor(selector::SPARE, descriptor(DATA, 0xFFF, rights::BIG | rights::DATA));
    limited.cpu.gpr[RAX] = u64::from(selector::SPARE);
    limited.poke32(DATA + 0xFFC, 0x4321);
    limited.code(|a| {
        a.mov(ds, ax)?;
        a.mov(ebx, dword_ptr(0xFFC))?;
        a.mov(ecx, dword_ptr(0xFFD))
    });
    cases.push(
        Case::new(FAMILY, "bases and limits of compatibility mode", COMPATIBLE, limited)
            .fault(GP, 0, 2)
            .is(Probe::Gpr(RBX), 0x4321),
    );
    let mut both = Guest::long();
    both.descriptor(selector::SPARE, descriptor(0, FLAT_LIMIT, 0xE09A));
    both.poke32(DATA, STAGE64 as u32);
    both.poke16(DATA + 4, selector::SPARE);
    both.code(|a| {
        let pointer = iced_x86::MemoryOperand::with_displ(DATA, 8);
        a.add_instruction(Instruction::with1(Code::Jmp_m1632, pointer)?)
    });
    cases.push(Case::new(FAMILY, "code with L and D", PREFIX, both).fault(GP, u64::from(selector::SPARE), 0));
    cases
}

/// The state at reset, and a program that starts there.
fn reset() -> Case {
    let mut guest = Guest::real();
    let fresh = emu_core::vcpu::VcpuState::at_reset(guest.cpu.model, 0x0700_0000);
    guest.cpu = fresh;
    // The board has no ROM below 4 GiB: an alias of RAM stands in for it, reached as the reset vector is.
    guest.cpu.seg[1].base = 0xF_0000;
    guest.code(|a| {
        a.mov(ax, cs)?;
        far(a, Code::Jmp_ptr1616, 0x1000, 0x40)
    });
    guest.code_at(CODE, 0x40, 16, |a| a.hlt());
    Case::new(FAMILY, "from the reset vector", RESET, guest).all(&[
        (Probe::Gpr(RAX), 0xF000),
        (Probe::Segment(SegmentName::Cs, Part::Base), CODE),
        (Probe::Rip, 0x41),
        (Probe::Cr0(0xFFFF_FFFF), 0x6000_0010),
        (Probe::Flags(0x3F_FFFF), 2),
    ])
}

pub(super) fn cases() -> Vec<Case> {
    [
        vec![to_protected(), without_jump(), there_and_back(), unreal(), long_and_back(), reset()],
        pagings(),
        refused(),
        compatibility(),
    ]
    .concat()
}
