//! Placing a kernel and everything it wants to find, and the CPU state at its entry (boot.rst, "32-bit Boot
//! Protocol" and "64-bit Boot Protocol").

use super::zero_page::{Places, zero_page};
use super::{BootError, SetupHeader};
use crate::acpi;
use crate::config::{Cpu, Linux};
use crate::pc::layout::{BIOS_START, EBDA, Layout, MEGABYTE};
use emu_core::memory::PAGE_SIZE;
use emu_core::vcpu::{Segment, TableRegister, cr0, cr4, efer};
use emu_core::{MemoryMap, VcpuState};

/// Where we put things in conventional memory.
mod place {
    pub(super) const GDT: u64 = 0x1000;
    pub(super) const ZERO_PAGE: u64 = 0x7000;
    /// Grows down from here.
    pub(super) const STACK: u64 = 0x7000;
    /// PML4, PDPT and four page directories: the first 4 GiB, identity-mapped.
    pub(super) const PAGE_TABLES: u64 = 0x9000;
    pub(super) const COMMAND_LINE: u64 = 0x2_0000;
}

/// Selectors that the protocol asks for: __BOOT_CS and __BOOT_DS.
const BOOT_CS: u16 = 0x10;
const BOOT_DS: u16 = 0x18;
/// The 64-bit entry lies this far into the kernel.
const ENTRY_64: u64 = 0x200;

/// Descriptors of flat code and data segments, accessed (Intel SDM Vol. 3A 3.4.5).
const CODE_64: u64 = 0x00AF_9B00_0000_FFFF;
const CODE_32: u64 = 0x00CF_9B00_0000_FFFF;
const DATA: u64 = 0x00CF_9300_0000_FFFF;

/// Page-table entry bits (Intel SDM Vol. 3A 4.5): present, writable; page size.
const TABLE: u64 = 0b11;
const LARGE: u64 = TABLE | 1 << 7;

/// MTRRs as a firmware leaves them: enabled, write-back by default and below A0000h, write-protect for the ROM area
/// (Intel SDM Vol. 3A 12.11).
const MTRR_DEF_TYPE: u64 = 0xC06;
const MTRR_WB: u64 = 0x0606_0606_0606_0606;
const MTRR_WP: u64 = 0x0505_0505_0505_0505;

/// A kernel in memory, ready to go.
#[derive(Clone, Debug)]
pub struct Entry {
    long_mode: bool,
    kernel: u64,
    rsdp: Vec<u8>,
}

impl Entry {
    /// Loads kernel, initrd, command line, boot parameters and ACPI tables.
    ///
    /// # Errors
    /// The kernel is not one, or memory is too small.
    pub fn load(linux: &Linux, layout: &Layout, cpu: &Cpu, memory: &MemoryMap) -> Result<Self, BootError> {
        let header = SetupHeader::parse(&linux.kernel)?;
        let kernel = &linux.kernel[header.payload_start()..];
        let (at, initrd_at) = plan(&header, kernel.len() as u64, linux.initrd.len() as u64, layout)?;
        let limit = header.cmdline_size;
        if linux.command_line.len() as u64 > u64::from(limit) {
            return Err(BootError::CommandLine { len: linux.command_line.len(), limit });
        }
        memory.write(at, kernel);
        memory.write(initrd_at, &linux.initrd);
        memory.write(place::COMMAND_LINE, linux.command_line.as_bytes());
        memory.write(place::COMMAND_LINE + linux.command_line.len() as u64, &[0]);

        let long_mode = header.has_64_bit_entry && cpu.long_mode;
        let rsdp = write_acpi(layout, cpu.apic, memory);
        let address = |gpa: u64| u32::try_from(gpa).expect("the plan stays below 3 GiB");
        let places = Places {
            kernel: address(at),
            initrd: if linux.initrd.is_empty() { 0 } else { address(initrd_at) },
            initrd_len: address(linux.initrd.len() as u64),
            command_line: address(place::COMMAND_LINE),
            rsdp: BIOS_START,
        };
        let e820 = layout.e820_for_kernel();
        memory.write(place::ZERO_PAGE, &zero_page(&header, places, &e820, layout.low_end()));
        write_tables(memory, long_mode);
        write_bios_data(memory);
        Ok(Self { long_mode, kernel: at, rsdp })
    }

    /// The ACPI root pointer, to appear at E0000h.
    pub fn rsdp(&self) -> &[u8] {
        &self.rsdp
    }

    /// Puts a CPU that was just reset at the kernel's entry.
    pub fn apply(&self, cpu: &mut VcpuState) {
        let code = if self.long_mode { CODE_64 } else { CODE_32 };
        cpu.seg = [segment(BOOT_DS, DATA); 6];
        cpu.seg[1] = segment(BOOT_CS, code);
        cpu.gdtr = TableRegister { base: place::GDT, limit: 4 * 8 - 1 };
        cpu.idtr = TableRegister::default();
        cpu.gpr = [0; 16];
        cpu.gpr[4] = place::STACK;
        cpu.gpr[6] = place::ZERO_PAGE;
        cpu.rip = self.kernel;
        cpu.cr0 = cr0::PE | cr0::ET;
        if self.long_mode {
            cpu.cr0 |= cr0::PG;
            cpu.cr3 = place::PAGE_TABLES;
            cpu.cr4 = cr4::PAE;
            cpu.efer = efer::LME | efer::LMA;
            cpu.rip += ENTRY_64;
        }
        cpu.mtrr.def_type = MTRR_DEF_TYPE;
        cpu.mtrr.fixed = [MTRR_WP; 11];
        cpu.mtrr.fixed[..2].fill(MTRR_WB);
        cpu.mtrr.fixed[2] = 0;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two words of a descriptor")]
fn segment(selector: u16, descriptor: u64) -> Segment {
    Segment::from_descriptor(selector, descriptor as u32, (descriptor >> 32) as u32)
}

/// Where the kernel and the initrd go. The kernel goes where it likes to be, or as low as it can be moved; the
/// initrd as high as the kernel can reach.
fn plan(header: &SetupHeader, kernel: u64, initrd: u64, layout: &Layout) -> Result<(u64, u64), BootError> {
    let top = layout.acpi();
    let needs = header.init_size.max(kernel);
    let fits = |at: u64| {
        let room = header.initrd_end().min(top);
        let initrd_at = room.checked_sub(initrd)? & !(PAGE_SIZE - 1);
        let end = at.checked_add(needs)?;
        let together = end <= top && (initrd == 0 || end <= initrd_at);
        together.then_some((at, initrd_at))
    };
    let lowest = MEGABYTE.next_multiple_of(header.kernel_alignment);
    let lower = if header.relocatable { fits(lowest) } else { None };
    fits(header.pref_address).or(lower).ok_or_else(|| {
        let start = if header.relocatable { lowest } else { header.pref_address };
        let need = start.saturating_add(needs).saturating_add(initrd).saturating_add(layout.low_end() - top);
        BootError::TooLittleMemory { have: layout.low_end() >> 20, need: need.div_ceil(1 << 20) + 1 }
    })
}

/// The tables at the top of low RAM, for a root pointer at E0000h, which is returned.
fn write_acpi(layout: &Layout, apic: bool, memory: &MemoryMap) -> Vec<u8> {
    let acpi::Linked { tables, rsdp } = acpi::Tables::new(apic).link(layout.acpi());
    memory.write(layout.acpi(), &tables);
    rsdp
}

/// The descriptor table, and identity-mapped page tables for the first 4 GiB (2 MiB pages).
fn write_tables(memory: &MemoryMap, long_mode: bool) {
    let code = if long_mode { CODE_64 } else { CODE_32 };
    let gdt: Vec<u8> = [0, 0, code, DATA].iter().flat_map(|entry: &u64| entry.to_le_bytes()).collect();
    memory.write(place::GDT, &gdt);
    if !long_mode {
        return;
    }
    let entry = |table: u64, index: u64, value: u64| memory.write(table + 8 * index, &value.to_le_bytes());
    let pdpt = place::PAGE_TABLES + PAGE_SIZE;
    memory.write(place::PAGE_TABLES, &[0; 6 * 4096]);
    entry(place::PAGE_TABLES, 0, pdpt | TABLE);
    for gib in 0..4 {
        let directory = pdpt + PAGE_SIZE * (1 + gib);
        entry(pdpt, gib, directory | TABLE);
        for page in 0..512 {
            entry(directory, page, (gib << 30) | (page << 21) | LARGE);
        }
    }
}

/// What a BIOS would have left at 400h: where the extended BIOS data area is, and the size of conventional memory.
fn write_bios_data(memory: &MemoryMap) {
    let segment = u16::try_from(EBDA >> 4).expect("below 1 MiB");
    let kilobytes = u16::try_from(EBDA >> 10).expect("below 1 MiB");
    memory.write(0x40E, &segment.to_le_bytes());
    memory.write(0x413, &kilobytes.to_le_bytes());
    memory.write(EBDA, &[1]);
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::image;
    use super::*;
    use crate::config::test_cpu;

    fn load(mebibytes: u64, linux: &Linux) -> Result<(Entry, MemoryMap), BootError> {
        let layout = Layout::new(mebibytes << 20);
        let memory = layout.build(0).expect("memory").map;
        Entry::load(linux, &layout, &test_cpu(), &memory).map(|entry| (entry, memory))
    }

    fn linux(initrd: usize) -> Linux {
        Linux { kernel: image(0x3000), initrd: vec![7; initrd], command_line: "quiet".into() }
    }

    #[test]
    fn kernel_initrd_and_parameters_are_in_place() {
        let (entry, memory) = load(64, &linux(5000)).expect("enough memory");
        assert_eq!(entry.kernel, 0x100_0000);
        assert_eq!(memory.read_array(0x100_0001), [1, 2, 3], "the payload");
        assert_eq!(memory.read_array(0x2_0000), *b"quiet\0");
        let initrd = u64::from(u32::from_le_bytes(memory.read_array(0x7218)));
        assert_eq!(u32::from_le_bytes(memory.read_array(0x721C)), 5000);
        assert!(initrd.is_multiple_of(4096) && initrd + 5000 <= (64 << 20) - 0x1_0000);
        assert_eq!(memory.read_array(initrd + 4999), [7]);
        assert_eq!(memory.read_array(0x7202), *b"HdrS");
        assert_eq!(memory.read_array(0x71E8), [Layout::new(64 << 20).e820_for_kernel().len() as u8]);
        assert_eq!(entry.rsdp()[..8], *b"RSD PTR ");
    }

    #[test]
    fn the_64_bit_entry_has_paging_and_flat_segments() {
        let (entry, memory) = load(64, &linux(0)).expect("enough memory");
        let mut cpu = VcpuState::at_reset(0, 0);
        entry.apply(&mut cpu);
        assert_eq!((cpu.rip, cpu.gpr[6], cpu.efer), (0x100_0200, 0x7000, efer::LME | efer::LMA));
        assert_eq!((cpu.seg[1].rights, cpu.seg[1].limit), (0xA09B, u32::MAX));
        assert_eq!((cpu.seg[3].selector, cpu.seg[3].rights), (0x18, 0xC093));
        let last = u64::from_le_bytes(memory.read_array(0xE000 + 511 * 8));
        assert_eq!(last, 0xFFE0_0083, "the last 2 MiB below 4 GiB");
    }

    #[test]
    fn a_32_bit_cpu_gets_the_32_bit_entry() {
        let layout = Layout::new(64 << 20);
        let memory = layout.build(0).expect("memory").map;
        let cpu = Cpu { long_mode: false, ..test_cpu() };
        let entry = Entry::load(&linux(0), &layout, &cpu, &memory).expect("enough memory");
        let mut cpu = VcpuState::at_reset(0, 0);
        entry.apply(&mut cpu);
        assert_eq!((cpu.rip, cpu.cr0, cpu.efer), (0x100_0000, cr0::PE | cr0::ET, 0));
        assert_eq!(cpu.seg[1].rights, 0xC09B);
    }

    #[test]
    fn a_small_machine_moves_the_kernel_down_or_says_how_much_it_needs() {
        let (entry, _) = load(8, &linux(0)).expect("8 MiB do");
        assert_eq!(entry.kernel, 0x20_0000);
        let error = load(8, &linux(7 << 20)).expect_err("too little");
        assert!(matches!(error, BootError::TooLittleMemory { have: 8, need: 11..=13 }), "{error:?}");
        assert!(load(1, &linux(0)).is_err());
    }

    #[test]
    fn a_long_command_line_is_refused() {
        let linux = Linux { command_line: "x".repeat(2048), ..linux(0) };
        let error = load(64, &linux).expect_err("too long");
        assert_eq!(error, BootError::CommandLine { len: 2048, limit: 2047 });
    }
}
