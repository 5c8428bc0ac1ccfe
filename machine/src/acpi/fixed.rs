//! FADT, MADT and HPET table.

use super::{ACPI_DISABLE, ACPI_ENABLE, OEM_ID, OEM_REVISION, OEM_TABLE_ID, PIRQ, SCI, ports};
use acpi_tables::fadt::{FADT, FADTBuilder, Flags, PmProfile};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};
use acpi_tables::madt::{EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic};
use acpi_tables::sdt::{GenericAddress, Sdt};
use acpi_tables::{Aml, AmlSink};
use zerocopy::byteorder::{LE, U16, U32};
use zerocopy::{Immutable, IntoBytes};

const LOCAL_APIC: u32 = 0xFEE0_0000;
const IO_APIC: u32 = 0xFEC0_0000;
/// The ID our IOAPIC has after reset; the CPU's local APIC has ID 0.
const IO_APIC_ID: u8 = 0;
pub(super) const HPET: u32 = 0xFED0_0000;
pub(super) const HPET_LEN: u32 = 0x400;

/// IA-PC boot architecture flags (ACPI 6.5, table 5.11): ISA devices, and an 8042.
const LEGACY_DEVICES: u16 = 1 << 0;
const KEYBOARD_CONTROLLER: u16 = 1 << 1;
/// PIIX3, "RC: Reset Control Register": hard reset, and go.
const RESET_VALUE: u8 = 0x06;
/// C2 and C3 do not exist (ACPI 6.5, table 5.9, P_LVL2_LAT, P_LVL3_LAT).
const NO_C2: u16 = 0xFFF;
const NO_C3: u16 = 0xFFF;
/// Where the MC146818 keeps the century, as PCs agree.
const CENTURY: u8 = 0x32;

/// The fixed table; its pointers are filled in by the linker.
pub(super) fn fadt() -> FADT {
    let mut fadt = FADTBuilder::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION)
        .preferred_pm_profile(PmProfile::Desktop)
        .flag(Flags::Wbinvd)
        .flag(Flags::ProcC1)
        .flag(Flags::SlpButton)
        .flag(Flags::ResetRegSup);
    fadt.sci_int = u16::from(SCI).into();
    fadt.smi_cmd = u32::from(ports::SMI_COMMAND).into();
    fadt.acpi_enable = ACPI_ENABLE;
    fadt.acpi_disable = ACPI_DISABLE;
    fadt.pm1a_evt_blk = u32::from(ports::PM1_EVENT).into();
    fadt.pm1_evt_len = 4;
    fadt.pm1a_cnt_blk = u32::from(ports::PM1_CONTROL).into();
    fadt.pm1_cnt_len = 2;
    fadt.pm_tmr_blk = u32::from(ports::PM_TIMER).into();
    fadt.pm_tmr_len = 4;
    fadt.gpe0_blk = u32::from(ports::GPE0).into();
    fadt.gpe0_blk_len = ports::GPE0_LEN;
    fadt.p_lvl2_lat = NO_C2.into();
    fadt.p_lvl3_lat = NO_C3.into();
    fadt.century = CENTURY;
    fadt.iapc_boot_arch = (LEGACY_DEVICES | KEYBOARD_CONTROLLER).into();
    fadt.reset_reg = GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, ports::RESET.into());
    fadt.reset_value = RESET_VALUE;
    fadt.finalize()
}

/// ACPI 6.5, 5.2.12.5, "Interrupt Source Override Structure".
#[derive(Clone, IntoBytes, Immutable)]
#[repr(C, packed)]
struct SourceOverride {
    kind: u8,
    len: u8,
    bus: u8,
    source: u8,
    gsi: U32<LE>,
    flags: U16<LE>,
}

impl Aml for SourceOverride {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.vec(self.as_bytes());
    }
}

/// ACPI 6.5, 5.2.12.7, "Local APIC NMI Structure".
#[derive(Clone, IntoBytes, Immutable)]
#[repr(C, packed)]
struct LocalApicNmi {
    kind: u8,
    len: u8,
    processor: u8,
    flags: U16<LE>,
    lint: u8,
}

impl Aml for LocalApicNmi {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.vec(self.as_bytes());
    }
}

/// MPS INTI flags (ACPI 6.5, table 5.26): as the bus says; or active high, level triggered.
const CONFORMS: u16 = 0;
const HIGH_LEVEL: u16 = 0b1101;
/// MADT flag: there are 8259As too, to be disabled when the APICs are used.
const PCAT_COMPAT: u8 = 1;
const MADT_FLAGS: usize = 40;

/// The interrupt controllers.
pub(super) fn madt() -> Vec<u8> {
    let controller = LocalInterruptController::Address(LOCAL_APIC);
    let mut madt = MADT::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION, controller);
    madt.add_structure(ProcessorLocalApic::new(0, 0, EnabledStatus::Enabled));
    madt.add_structure(IoApic::new(IO_APIC_ID, IO_APIC, 0));
    let mut reroute = |source: u8, gsi: u8, flags: u16| {
        let gsi = u32::from(gsi).into();
        madt.add_structure(SourceOverride { kind: 2, len: 10, bus: 0, source, gsi, flags: flags.into() });
    };
    reroute(0, 2, CONFORMS);
    reroute(SCI, SCI, HIGH_LEVEL);
    reroute(PIRQ[0], PIRQ[0], HIGH_LEVEL);
    reroute(PIRQ[2], PIRQ[2], HIGH_LEVEL);
    let flags = CONFORMS.into();
    madt.add_structure(LocalApicNmi { kind: 4, len: 6, processor: 0xFF, flags, lint: 1 });
    let mut bytes = Vec::new();
    madt.to_aml_bytes(&mut bytes);
    bytes[MADT_FLAGS] = PCAT_COMPAT;
    bytes
}

/// IA-PC HPET specification 1.0a, 3.2.4, "The ACPI 2.0 HPET Description Table": three 64-bit timers, legacy
/// replacement, vendor 8086h.
const EVENT_TIMER_BLOCK: u32 = 0x8086_A201;
/// The least period in main-counter ticks that loses no interrupt.
const MIN_TICK: u16 = 100;

pub(super) fn hpet() -> Vec<u8> {
    let mut table = Sdt::new(*b"HPET", 56, 1, OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    table.write_u32(36, EVENT_TIMER_BLOCK);
    table.write(
        40,
        GenericAddress {
            register_bit_width: 64,
            access_size: 0,
            ..GenericAddress::mmio_address::<u64>(HPET.into())
        },
    );
    table.write_u8(52, 0);
    table.write_u16(53, MIN_TICK);
    table.write_u8(55, 0);
    table.as_slice().to_vec()
}
