//! What the BIOS must know of the machine it is in.

/// A row of the memory map that INT 15h AX=E820h tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    pub start: u64,
    pub len: u64,
    /// ACPI 6.5, table 15.4: 1 is memory.
    pub kind: u32,
}

/// The processor, as tables name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    pub name: String,
    /// CPUID.1:EAX, and EDX after reset.
    pub signature: u32,
    /// CPUID.1:EDX.
    pub features: u32,
    /// There are a local APIC and an IOAPIC, so the MP table is there too.
    pub apic: bool,
}

/// ACPI tables that are linked for an address already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acpi {
    pub address: u32,
    pub tables: Vec<u8>,
    pub rsdp: Vec<u8>,
}

/// A kind of drive to boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BootDevice {
    Diskette = 1,
    Disk = 2,
    Cd = 3,
}

/// Everything that the image depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The end of RAM below 4 GiB.
    pub low_end: u64,
    /// Bytes of RAM above 4 GiB.
    pub high: u64,
    pub memory_map: Vec<AddressRange>,
    pub cpu: Cpu,
    /// `None` where memory is too small for the tables.
    pub acpi: Option<Acpi>,
    /// Interrupts that PIRQA-D are routed to.
    pub pirq: [u8; 4],
    /// Ports of power management.
    pub pm_base: u16,
    /// The option ROM that C0000h shall hold.
    pub video: Vec<u8>,
    /// In which order drives are tried.
    pub boot_order: Vec<BootDevice>,
    /// Ask what to boot before booting.
    pub boot_menu: bool,
}

const MEMORY: u32 = 1;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl Configuration {
    /// Where the memory that begins at 1 MiB ends: what programs may use.
    fn usable_end(&self) -> u64 {
        let row = self.memory_map.iter().find(|row| row.start == MIB && row.kind == MEMORY);
        row.map_or(MIB, |row| row.start.saturating_add(row.len))
    }

    /// INT 15h AX=E801h: KiB from 1 to 16 MiB, and units of 64 KiB above.
    pub(super) fn e801(&self) -> [u16; 2] {
        let end = self.usable_end();
        let below = (end.min(16 * MIB) - MIB) / KIB;
        let above = end.saturating_sub(16 * MIB) / (64 * KIB);
        [below, above].map(|size| u16::try_from(size).unwrap_or(u16::MAX))
    }

    /// INT 15h AH=88h: KiB above 1 MiB, at most 63 MiB, since some programs take more for a sign.
    pub(super) fn extended_kib(&self) -> u16 {
        let kib = (self.usable_end() - MIB) / KIB;
        u16::try_from(kib.min(63 * KIB)).expect("63 Ki is less than 64 Ki")
    }

    /// Bytes of RAM.
    pub(super) fn memory(&self) -> u64 {
        self.low_end.saturating_add(self.high)
    }

    /// Interrupts that are level triggered: those of PCI (PIIX3, "ELCR").
    pub(super) fn level_triggered(&self) -> u16 {
        self.pirq.iter().fold(0, |lines, irq| lines | 1u16.checked_shl((*irq).into()).unwrap_or(0))
    }
}
