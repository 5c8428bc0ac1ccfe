//! A 64 KiB ROM that goes from the reset vector through real mode, protected mode, 32-bit paging and long mode. In
//! each it says so on port 402h, takes an interrupt of the 8254, and says so again; then it leaves through port 501h.
//!
//! It expects to be seen at F0000h as well as just below 4 GiB, 1 MiB of RAM, an 8259A pair, an 8254, and where CPUID
//! tells of a local APIC, its registers at FEE00000h. It uses no other firmware. Tables (GDT, IDT) are made here as
//! bytes, at fixed places in the ROM.

use crate::{exit, port};
use iced_x86::code_asm::*;
use iced_x86::{Code, IcedError, Instruction};

/// Bytes in the ROM.
pub const SIZE: usize = 0x1_0000;

/// What port 402h hears from a CPU with long mode. Without, the last two lines are missing.
pub const MARKS: [&str; 8] = [
    "real mode\n",
    "real mode interrupt\n",
    "protected mode\n",
    "protected mode interrupt\n",
    "paging\n",
    "paging interrupt\n",
    "long mode\n",
    "long mode interrupt\n",
];

/// Where the ROM is seen below 1 MiB.
const BASE: u32 = 0xF_0000;
const BASE_SEGMENT: u16 = 0xF000;

// Places in the ROM.
const REAL: u16 = 0x0000;
const REAL_TIMER: u16 = 0x0800;
const PROTECTED: u16 = 0x1000;
const LONG: u16 = 0x2000;
const TEXT: u16 = 0x7000;
const GDT: u16 = 0x8000;
const GDT_POINTER: u16 = 0x8100;
const IDT_POINTER_32: u16 = 0x8110;
const IDT_POINTER_64: u16 = 0x8120;
const IDT_32: u16 = 0x9000;
const IDT_64: u16 = 0xA000;
const RESET_VECTOR: u16 = 0xFFF0;

// Places in RAM.
const TICKS: u32 = 0x500;
const PROBE: u32 = 0x600;
const STACK: u32 = 0x7000;
const PAGE_DIRECTORY: u32 = 0x1_0000;
const PAGE_TABLE: u32 = 0x1_1000;
const PML4: u32 = 0x1_2000;
const PDPT: u32 = 0x1_3000;
const PAGE_DIRECTORY_64: u32 = 0x1_4000;

// Selectors.
const CODE_32: u16 = 0x08;
const DATA: u16 = 0x10;
const CODE_64: u16 = 0x18;

/// IRQ0 comes as this vector.
const TIMER_VECTOR: usize = 0x20;
const VECTORS: usize = TIMER_VECTOR + 1;

/// What the probe in memory holds.
const PROBE_VALUE: u32 = 0x5AFE_C0DE;
/// A linear address that 32-bit paging takes to page 0: the last page of the table.
const ALIAS_32: u32 = 0x003F_F000;
/// A linear address that 4-level paging takes to physical 0: the second large page.
const ALIAS_64: u32 = 0x0020_0000;

const CR0_PE: u32 = 1 << 0;
const CR0_PG: u32 = 1 << 31;
const CR4_PAE: u32 = 1 << 5;
const EFER: u32 = 0xC000_0080;
const EFER_LME: u32 = 1 << 8;
/// Present, writable.
const PAGE: u32 = 3;
/// Present, writable, 2 MiB.
const LARGE_PAGE: u32 = 0x83;

/// The ROM.
///
/// # Panics
/// Never: the program is a constant, and the test below assembles it.
pub fn image() -> Vec<u8> {
    assemble().expect("the program is a constant that assembles")
}

/// A ROM under construction.
struct Rom(Vec<u8>);

impl Rom {
    fn place(&mut self, at: u16, bytes: &[u8]) {
        let at = usize::from(at);
        let free = &mut self.0[at..at + bytes.len()];
        assert!(free.iter().all(|byte| *byte == 0), "pieces do not overlap");
        free.copy_from_slice(bytes);
    }
}

/// Code with the addresses of its interrupt handlers.
struct Stage {
    code: Vec<u8>,
    timer: u64,
    exception: u64,
}

fn assemble() -> Result<Vec<u8>, IcedError> {
    let mut rom = Rom(vec![0; SIZE]);
    let (protected, long) = (protected_mode()?, long_mode()?);
    rom.place(REAL, &real_mode()?);
    rom.place(REAL_TIMER, &real_mode_timer()?);
    rom.place(PROTECTED, &protected.code);
    rom.place(LONG, &long.code);
    rom.place(TEXT, MARKS.concat().as_bytes());
    rom.place(GDT, &gdt());
    rom.place(GDT_POINTER, &pointer(GDT, 4 * 8));
    rom.place(IDT_POINTER_32, &pointer(IDT_32, VECTORS * 8));
    rom.place(IDT_POINTER_64, &pointer(IDT_64, VECTORS * 16));
    rom.place(IDT_32, &idt(&protected, CODE_32, false));
    rom.place(IDT_64, &idt(&long, CODE_64, true));
    rom.place(RESET_VECTOR, &reset_vector()?);
    Ok(rom.0)
}

fn reset_vector() -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    a.add_instruction(Instruction::with_far_branch(Code::Jmp_ptr1616, BASE_SEGMENT, REAL.into())?)?;
    a.assemble(RESET_VECTOR.into())
}

/// Null, 32-bit code, data, 64-bit code: flat, and already accessed, as a ROM cannot be written.
fn gdt() -> Vec<u8> {
    [0u64, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00AF_9B00_0000_FFFF]
        .iter()
        .flat_map(|descriptor| descriptor.to_le_bytes())
        .collect()
}

/// The operand of LGDT and LIDT, long enough for every mode.
fn pointer(table: u16, bytes: usize) -> Vec<u8> {
    let limit = (bytes - 1) as u16;
    let mut pointer = limit.to_le_bytes().to_vec();
    pointer.extend((u64::from(BASE) + u64::from(table)).to_le_bytes());
    pointer
}

/// Interrupt gates: exceptions for vectors 0-31, then the timer.
fn idt(stage: &Stage, code: u16, wide: bool) -> Vec<u8> {
    let gate = |vector| {
        let [o0, o1, o2, o3, o4, o5, o6, o7] =
            if vector == TIMER_VECTOR { stage.timer } else { stage.exception }.to_le_bytes();
        let [s0, s1] = code.to_le_bytes();
        let mut gate = vec![o0, o1, s0, s1, 0, 0x8E, o2, o3];
        if wide {
            gate.extend([o4, o5, o6, o7, 0, 0, 0, 0]);
        }
        gate
    };
    (0..VECTORS).flat_map(gate).collect()
}

/// Where a mark is in the ROM, and how long.
fn mark(number: usize) -> (u16, u32) {
    let before: usize = MARKS[..number].iter().map(|mark| mark.len()).sum();
    (TEXT + before as u16, MARKS[number].len() as u32)
}

fn say_16(a: &mut CodeAssembler, number: usize) -> Result<(), IcedError> {
    let (at, len) = mark(number);
    a.mov(si, u32::from(at))?;
    a.mov(cx, len)?;
    a.mov(dx, u32::from(port::DEBUG_CONSOLE))?;
    a.rep().outsb()
}

/// In 32-bit and in 64-bit code: writing ESI clears the upper half of RSI.
fn say(a: &mut CodeAssembler, number: usize) -> Result<(), IcedError> {
    let (at, len) = mark(number);
    a.mov(esi, BASE + u32::from(at))?;
    a.mov(ecx, len)?;
    a.mov(edx, u32::from(port::DEBUG_CONSOLE))?;
    a.rep().outsb()
}

/// Leaves with this value; where there is no such port, halts.
fn leave(a: &mut CodeAssembler, value: u8) -> Result<(), IcedError> {
    let mut for_ever = a.create_label();
    a.mov(dx, u32::from(port::DEBUG_EXIT))?;
    a.mov(al, u32::from(value))?;
    a.out(dx, al)?;
    a.set_label(&mut for_ever)?;
    a.cli()?;
    a.hlt()?;
    a.jmp(for_ever)
}

fn out(a: &mut CodeAssembler, port: u32, value: u32) -> Result<(), IcedError> {
    a.mov(al, value)?;
    a.out(port, al)
}

/// Halts until a timer interrupt has been counted.
fn await_tick(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let mut wait = a.create_label();
    let ticks = if a.bitness() == 16 { dword_ptr(bx) } else { dword_ptr(ebx) };
    a.mov(ebx, TICKS)?;
    a.mov(ticks, 0)?;
    a.sti()?;
    a.set_label(&mut wait)?;
    a.hlt()?;
    a.cmp(ticks, 0)?;
    a.je(wait)?;
    a.cli()
}

/// The timer's handler up to the return: counts, and ends the interrupt at the 8259A.
fn count_tick(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let ticks = if a.bitness() == 16 { dword_ptr(TICKS).ds() } else { dword_ptr(ebx) };
    if a.bitness() == 64 {
        a.push(rax)?
    } else {
        a.push(eax)?
    };
    a.inc(ticks)?;
    out(a, 0x20, 0x20)?;
    if a.bitness() == 64 { a.pop(rax) } else { a.pop(eax) }
}

/// 8259A pair: edge triggered, vectors 20h and 28h, all masked but IRQ0. 8254: counter 0 in mode 2, 1193 clocks.
fn set_up_chips(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let icw_and_imr =
        [(0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1), (0xA0, 0x11), (0xA1, 0x28), (0xA1, 2), (0xA1, 1)];
    let masks_and_counter = [(0x21, 0xFE), (0xA1, 0xFF), (0x43, 0x34), (0x40, 0xA9), (0x40, 0x04)];
    icw_and_imr.into_iter().chain(masks_and_counter).try_for_each(|(port, value)| out(a, port, value))
}

fn real_mode_timer() -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    count_tick(&mut a)?;
    a.iret()?;
    a.assemble(REAL_TIMER.into())
}

fn real_mode() -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(16)?;
    a.cli()?;
    a.cld()?;
    a.xor(ax, ax)?;
    a.mov(ss, ax)?;
    a.mov(sp, STACK)?;
    a.mov(ax, u32::from(BASE_SEGMENT))?;
    a.mov(ds, ax)?;
    say_16(&mut a, 0)?;
    set_up_local_apic(&mut a)?;
    set_up_chips(&mut a)?;
    a.xor(ax, ax)?;
    a.mov(ds, ax)?;
    a.mov(word_ptr(TIMER_VECTOR * 4), u32::from(REAL_TIMER))?;
    a.mov(word_ptr(TIMER_VECTOR * 4 + 2), u32::from(BASE_SEGMENT))?;
    await_tick(&mut a)?;
    a.mov(ax, u32::from(BASE_SEGMENT))?;
    a.mov(ds, ax)?;
    say_16(&mut a, 1)?;

    load_gdt(&mut a)?;
    a.mov(eax, cr0)?;
    a.or(eax, CR0_PE)?;
    a.mov(cr0, eax)?;
    let to = BASE + u32::from(PROTECTED);
    a.add_instruction(Instruction::with_far_branch(Code::Jmp_ptr1632, CODE_32, to)?)?;
    a.assemble(REAL.into())
}

/// Ends a stage: its handlers, which come last.
fn with_handlers(
    mut a: CodeAssembler,
    at: u16,
    iret: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>,
) -> Result<Stage, IcedError> {
    let (mut timer, mut exception) = (a.create_label(), a.create_label());
    a.set_label(&mut timer)?;
    count_tick(&mut a)?;
    iret(&mut a)?;
    a.set_label(&mut exception)?;
    leave(&mut a, exit::EXCEPTION)?;
    let ip = u64::from(BASE) + u64::from(at);
    let result = a.assemble_options(ip, iced_x86::BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS)?;
    let (timer, exception) = (result.label_ip(&timer)?, result.label_ip(&exception)?);
    Ok(Stage { code: result.inner.code_buffer, timer, exception })
}

fn set_data_segments(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(eax, u32::from(DATA))?;
    a.mov(ds, eax)?;
    a.mov(es, eax)?;
    a.mov(ss, eax)
}

/// Writes a value at the probe and looks for it at `alias + PROBE`.
fn probe_alias(a: &mut CodeAssembler, alias: u32) -> Result<(), IcedError> {
    let mut same = a.create_label();
    a.mov(edi, PROBE)?;
    a.mov(dword_ptr(edi), PROBE_VALUE)?;
    a.mov(edi, alias + PROBE)?;
    a.cmp(dword_ptr(edi), PROBE_VALUE)?;
    a.je(same)?;
    leave(a, exit::WRONG_PAGE)?;
    a.set_label(&mut same)?;
    a.zero_bytes()
}

fn protected_mode() -> Result<Stage, IcedError> {
    let mut a = CodeAssembler::new(32)?;
    let mut no_long_mode = a.create_label();
    set_data_segments(&mut a)?;
    a.mov(esp, STACK)?;
    say(&mut a, 2)?;
    a.lidt(fword_ptr(BASE + u32::from(IDT_POINTER_32)))?;
    await_tick(&mut a)?;
    say(&mut a, 3)?;

    page_tables_32(&mut a)?;
    a.mov(eax, PAGE_DIRECTORY)?;
    a.mov(cr3, eax)?;
    a.mov(eax, cr0)?;
    a.or(eax, CR0_PG)?;
    a.mov(cr0, eax)?;
    probe_alias(&mut a, ALIAS_32)?;
    say(&mut a, 4)?;
    await_tick(&mut a)?;
    say(&mut a, 5)?;

    jump_without_long_mode(&mut a, no_long_mode)?;
    enter_long_mode(&mut a)?;
    a.set_label(&mut no_long_mode)?;
    leave(&mut a, exit::PASSED_32_BIT)?;
    with_handlers(a, PROTECTED, |a| a.iretd())
}

/// One table: the first 4 MiB as they are, but for the last page.
fn page_tables_32(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let mut fill = a.create_label();
    clear_pages(a, PAGE_DIRECTORY, 1)?;
    a.mov(edi, PAGE_TABLE)?;
    a.mov(eax, PAGE)?;
    a.mov(ecx, 1024)?;
    a.set_label(&mut fill)?;
    a.stosd()?;
    a.add(eax, 0x1000)?;
    a.loop_(fill)?;
    a.mov(dword_ptr(PAGE_TABLE + (ALIAS_32 >> 12) * 4), PAGE)?;
    a.mov(dword_ptr(PAGE_DIRECTORY), PAGE_TABLE | PAGE)
}

fn clear_pages(a: &mut CodeAssembler, at: u32, pages: u32) -> Result<(), IcedError> {
    a.mov(edi, at)?;
    a.xor(eax, eax)?;
    a.mov(ecx, pages * 1024)?;
    a.rep().stosd()
}

/// SDM Vol. 1 20.1: CPUID is there if EFLAGS.ID can be changed.
fn jump_without_cpuid(a: &mut CodeAssembler, to: CodeLabel) -> Result<(), IcedError> {
    const ID: u32 = 1 << 21;
    a.pushfd()?;
    a.pop(eax)?;
    a.mov(ecx, eax)?;
    a.xor(eax, ID)?;
    a.push(eax)?;
    a.popfd()?;
    a.pushfd()?;
    a.pop(eax)?;
    a.xor(eax, ecx)?;
    a.test(eax, ID)?;
    a.jz(to)
}

/// SDM Vol. 3A 10.5.1: after reset the 8259A's INTR ends at the local APIC's masked LINT0. Lets it through ("virtual
/// wire mode"), with a data segment of 4 GiB left over from a moment of protected mode.
fn set_up_local_apic(a: &mut CodeAssembler) -> Result<(), IcedError> {
    const HAS_APIC: u32 = 1 << 9;
    const SVR: u32 = 0xFEE0_00F0;
    const LVT_LINT0: u32 = 0xFEE0_0350;
    let mut none = a.create_label();
    jump_without_cpuid(a, none)?;
    a.mov(eax, 1)?;
    a.cpuid()?;
    a.test(edx, HAS_APIC)?;
    a.jz(none)?;
    load_gdt(a)?;
    a.mov(eax, cr0)?;
    a.or(eax, CR0_PE)?;
    a.mov(cr0, eax)?;
    a.mov(bx, u32::from(DATA))?;
    a.mov(ds, bx)?;
    a.and(eax, !CR0_PE)?;
    a.mov(cr0, eax)?;
    a.mov(ebx, SVR)?;
    a.mov(dword_ptr(ebx), 0x1FF)?;
    a.mov(ebx, LVT_LINT0)?;
    a.mov(dword_ptr(ebx), 0x700)?;
    a.set_label(&mut none)?;
    a.zero_bytes()
}

/// The 66h form loads all 32 bits of the base. DS is the ROM.
fn load_gdt(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.db(&[0x66])?;
    a.lgdt(fword_ptr(u32::from(GDT_POINTER)))
}

/// CPUID.80000001h:EDX bit 29 is long mode.
fn jump_without_long_mode(a: &mut CodeAssembler, to: CodeLabel) -> Result<(), IcedError> {
    jump_without_cpuid(a, to)?;
    a.mov(eax, 0x8000_0000u32)?;
    a.cpuid()?;
    a.cmp(eax, 0x8000_0001u32)?;
    a.jb(to)?;
    a.mov(eax, 0x8000_0001u32)?;
    a.cpuid()?;
    a.test(edx, 1 << 29)?;
    a.jz(to)
}

/// SDM Vol. 3A 9.8.5: paging off, PAE on, CR3, EFER.LME, paging on.
fn enter_long_mode(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.mov(eax, cr0)?;
    a.and(eax, !CR0_PG)?;
    a.mov(cr0, eax)?;
    clear_pages(a, PML4, 3)?;
    a.mov(dword_ptr(PML4), PDPT | PAGE)?;
    a.mov(dword_ptr(PDPT), PAGE_DIRECTORY_64 | PAGE)?;
    a.mov(dword_ptr(PAGE_DIRECTORY_64), LARGE_PAGE)?;
    a.mov(dword_ptr(PAGE_DIRECTORY_64 + 8), LARGE_PAGE)?;
    a.mov(eax, cr4)?;
    a.or(eax, CR4_PAE)?;
    a.mov(cr4, eax)?;
    a.mov(eax, PML4)?;
    a.mov(cr3, eax)?;
    a.mov(ecx, EFER)?;
    a.rdmsr()?;
    a.or(eax, EFER_LME)?;
    a.wrmsr()?;
    a.mov(eax, cr0)?;
    a.or(eax, CR0_PG)?;
    a.mov(cr0, eax)?;
    let to = BASE + u32::from(LONG);
    a.add_instruction(Instruction::with_far_branch(Code::Jmp_ptr1632, CODE_64, to)?)
}

fn long_mode() -> Result<Stage, IcedError> {
    let mut a = CodeAssembler::new(64)?;
    set_data_segments(&mut a)?;
    a.mov(rsp, u64::from(STACK))?;
    probe_alias(&mut a, ALIAS_64)?;
    say(&mut a, 6)?;
    a.mov(rax, u64::from(BASE + u32::from(IDT_POINTER_64)))?;
    a.lidt(tbyte_ptr(rax))?;
    await_tick(&mut a)?;
    say(&mut a, 7)?;
    leave(&mut a, exit::PASSED)?;
    with_handlers(a, LONG, |a| a.iretq())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rom_starts_at_its_reset_vector() {
        let rom = image();
        assert_eq!(rom.len(), SIZE);
        assert_eq!(rom[usize::from(RESET_VECTOR)..][..5], [0xEA, 0, 0, 0, 0xF0]);
        assert_eq!(&rom[usize::from(TEXT)..][..10], b"real mode\n");
    }

    #[test]
    fn gates_point_into_their_stage() {
        let rom = image();
        let gate = &rom[usize::from(IDT_32) + TIMER_VECTOR * 8..][..8];
        let offset = u32::from_le_bytes([gate[0], gate[1], gate[6], gate[7]]);
        assert!((BASE + 0x1000..BASE + 0x2000).contains(&offset));
        assert_eq!(u16::from_le_bytes([gate[2], gate[3]]), CODE_32);
    }
}
