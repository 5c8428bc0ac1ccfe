use super::*;
use crate::bench::Bench;
use emu_core::Effect;

type ApicBench = Bench<Lapic>;

const ID: u64 = 0x20;
const TPR: u64 = 0x80;
const PPR: u64 = 0xA0;
const EOI: u64 = 0xB0;
const LDR: u64 = 0xD0;
const DFR: u64 = 0xE0;
const SVR: u64 = 0xF0;
const ISR: u64 = 0x100;
const TMR: u64 = 0x180;
const IRR: u64 = 0x200;
const ESR: u64 = 0x280;
const ICR: u64 = 0x300;
const LVT_TIMER: u64 = 0x320;
const LVT_LINT0: u64 = 0x350;
const LVT_LINT1: u64 = 0x360;
const LVT_ERROR: u64 = 0x370;
const INITIAL: u64 = 0x380;
const CURRENT: u64 = 0x390;
const DIVIDE: u64 = 0x3E0;

const PERIODIC: u64 = 1 << 17;
const DEADLINE: u64 = 2 << 17;
const MASKED: u64 = 1 << 16;
const BY_ONE: u64 = 0b1011;

fn enabled() -> ApicBench {
    let mut bench = Bench::new(Lapic::new(0));
    bench.set(SVR, 0x1FF);
    bench
}

impl ApicBench {
    fn get(&mut self, offset: u64) -> u64 {
        self.read(Space::Memory, 0, offset, Width::Dword)
    }

    fn set(&mut self, offset: u64, value: u64) -> &mut Self {
        self.write(Space::Memory, 0, offset, Width::Dword, value)
    }

    fn rdmsr(&mut self, msr: u64) -> Option<u64> {
        let at = Self::access(Space::Msr, 0, msr, Width::Qword);
        self.call(|device, cx| device.read(at, cx)).ok()
    }

    fn wrmsr(&mut self, msr: u64, value: u64) -> Option<()> {
        let at = Self::access(Space::Msr, 0, msr, Width::Qword);
        self.call(|device, cx| device.write(at, value, cx)).ok()
    }

    fn message(&mut self, address: u64, data: u64) -> &mut Self {
        self.write(Space::Message, 0, address, Width::Dword, data)
    }

    /// `None` means: ask the 8259A.
    fn acknowledge(&mut self) -> Option<u64> {
        let at = Self::access(Space::IntAck, 0, 0, Width::Byte);
        self.call(|device, cx| device.read(at, cx)).ok()
    }

    /// Whether a message reaches the IRR.
    fn accepts(&mut self, address: u64) -> bool {
        self.message(address, 0x41).level(INTR).is_high() && {
            assert_eq!(self.acknowledge(), Some(0x41));
            self.set(EOI, 0);
            true
        }
    }
}

#[test]
fn power_on_values_are_those_of_the_manual() {
    let mut bench = Bench::new(Lapic::new(0));
    assert_eq!(bench.get(0x30), 0x0005_0014);
    assert_eq!(bench.get(SVR), 0xFF);
    assert_eq!(bench.get(DFR), 0xFFFF_FFFF);
    for lvt in (LVT_TIMER..=LVT_ERROR).step_by(0x10) {
        assert_eq!(bench.get(lvt), MASKED);
    }
    assert_eq!(bench.rdmsr(0x1B), Some(0xFEE0_0900));
    assert!(bench.effects.contains(&Effect::Window { region: 0, base: Some(0xFEE0_0000) }));
}

#[test]
fn the_highest_vector_is_delivered_first_and_nests_by_class() {
    let mut bench = enabled();
    bench.message(0, 0x41).message(0, 0x52).expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), Some(0x52));
    assert_eq!(bench.get(PPR), 0x50);
    bench.expect(INTR, Level::Low);
    bench.message(0, 0x5F).expect(INTR, Level::Low);
    bench.message(0, 0x60).expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), Some(0x60));
    bench.set(EOI, 0).expect(INTR, Level::Low);
    bench.set(EOI, 0).expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), Some(0x5F));
    bench.set(EOI, 0);
    assert_eq!(bench.acknowledge(), Some(0x41));
    assert_eq!(bench.get(ISR + 0x20), 1 << 1);
}

#[test]
fn task_priority_holds_back_its_class_and_shows_in_cr8() {
    let mut bench = enabled();
    bench.set(TPR, 0x45).message(0, 0x4F).expect(INTR, Level::Low);
    assert_eq!((bench.get(PPR), bench.rdmsr(CR8)), (0x45, Some(4)));
    assert_eq!(bench.wrmsr(CR8, 3), Some(()));
    assert_eq!(bench.get(TPR), 0x30);
    bench.expect(INTR, Level::High);
    assert_eq!(bench.wrmsr(CR8, 16), None);
}

#[test]
fn a_vanished_interrupt_gives_the_spurious_vector() {
    let mut bench = enabled();
    bench.set(SVR, 0x1EF).message(0, 0x41).set(TPR, 0xF0);
    assert_eq!(bench.acknowledge(), Some(0xEF));
    assert_eq!(bench.get(ISR + 0x20), 0);
}

#[test]
fn eoi_of_a_level_interrupt_is_broadcast() {
    let mut bench = enabled();
    bench.effects.clear();
    bench.message(0, 0xC041);
    assert_eq!(bench.get(TMR + 0x20), 1 << 1);
    bench.acknowledge();
    bench.set(EOI, 0);
    assert_eq!(bench.effects, [Effect::Eoi { vector: 0x41 }]);
    bench.message(0, 0x41);
    assert_eq!(bench.get(TMR + 0x20), 0);
    bench.acknowledge();
    bench.set(EOI, 0);
    assert_eq!(bench.effects.len(), 1);
    bench.message(0, 0x8041).expect(INTR, Level::Low);
}

#[test]
fn destinations_physical_flat_and_cluster() {
    const LOGICAL: u64 = 1 << 2;
    let mut bench = enabled();
    assert!(bench.accepts(0) && bench.accepts(0xFF << 12) && !bench.accepts(1 << 12));
    bench.set(ID, 7 << 24);
    assert!(bench.accepts(7 << 12) && !bench.accepts(0));
    bench.set(LDR, 0x02 << 24);
    assert!(bench.accepts(0x06 << 12 | LOGICAL) && !bench.accepts(0x05 << 12 | LOGICAL));
    bench.set(DFR, 0).set(LDR, 0x32 << 24);
    assert!(bench.accepts(0x33 << 12 | LOGICAL) && bench.accepts(0xF2 << 12 | LOGICAL));
    assert!(!bench.accepts(0x42 << 12 | LOGICAL) && !bench.accepts(0x31 << 12 | LOGICAL));
}

#[test]
fn virtual_wire_passes_the_8259a_on() {
    let mut bench = enabled();
    bench.set(LVT_LINT0, 0x8700).pin(LINT0, Level::High).expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), None);
    bench.pin(LINT0, Level::Low).expect(INTR, Level::Low);
    bench.set(LVT_LINT0, 0x1_8700).pin(LINT0, Level::High).expect(INTR, Level::Low);
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0100), Some(()));
    bench.expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), None);
    bench.effects.clear();
    bench.pin(LINT1, Level::High);
    assert_eq!(bench.effects, [Effect::Cpu(CpuSignal::Nmi)]);
}

#[test]
fn a_kernel_booted_directly_finds_the_virtual_wire() {
    let mut lapic = Lapic::new(0);
    lapic.set_virtual_wire();
    let mut bench = Bench::new(lapic);
    bench.device.set_virtual_wire();
    bench.pin(LINT0, Level::High).expect(INTR, Level::High);
    bench.effects.clear();
    bench.pin(LINT1, Level::High).pin(LINT1, Level::Low);
    assert_eq!(bench.effects, [Effect::Cpu(CpuSignal::Nmi)]);
}

#[test]
fn a_level_local_interrupt_repeats_until_the_input_drops() {
    let mut bench = enabled();
    bench.set(LVT_LINT0, 0x8041).pin(LINT0, Level::High).expect(INTR, Level::High);
    assert_eq!(bench.get(LVT_LINT0), 0xC041);
    assert_eq!(bench.acknowledge(), Some(0x41));
    bench.set(EOI, 0).expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), Some(0x41));
    bench.pin(LINT0, Level::Low).set(EOI, 0).expect(INTR, Level::Low);
    assert_eq!(bench.get(LVT_LINT0), 0x8041);
    bench.set(LVT_LINT1, 0x42).pin(LINT1, Level::High);
    assert_eq!(bench.acknowledge(), Some(0x42));
    bench.set(EOI, 0).expect(INTR, Level::Low);
}

#[test]
fn software_disable_masks_the_vector_table_and_takes_nothing() {
    let mut bench = enabled();
    bench.set(LVT_TIMER, 0x41).set(SVR, 0xFF);
    assert_eq!(bench.get(LVT_TIMER), MASKED | 0x41);
    bench.set(LVT_TIMER, 0x41);
    assert_eq!(bench.get(LVT_TIMER), MASKED | 0x41);
    bench.message(0, 0x41).expect(INTR, Level::Low);
}

#[test]
fn interprocessor_interrupts_reach_self_when_addressed() {
    let mut bench = enabled();
    bench.set(ICR, 0x0004_0041);
    assert_eq!(bench.acknowledge(), Some(0x41));
    bench.set(EOI, 0).set(ICR, 0x000C_0041).expect(INTR, Level::Low);
    bench.set(ICR + 0x10, 1 << 24).set(ICR, 0x4041).expect(INTR, Level::Low);
    bench.set(ICR + 0x10, 0).set(ICR, 0x4041).expect(INTR, Level::High);
    bench.effects.clear();
    // SeaBIOS: INIT and SIPI to all but self.
    bench.set(ICR, 0x000C_4500).set(ICR, 0x000C_4610);
    // INIT level deassert does nothing.
    bench.set(ICR, 0x8500);
    assert_eq!(bench.effects, []);
    bench.set(ICR, 0x4400).set(ICR, 0x4200).set(ICR, 0x4610);
    let signals = [CpuSignal::Nmi, CpuSignal::Smi, CpuSignal::Sipi(0x10)];
    assert_eq!(bench.effects, signals.map(Effect::Cpu));
    bench.set(ICR, 0xC500);
    assert_eq!(bench.effects[3], Effect::Cpu(CpuSignal::Init));
    assert_eq!((bench.get(SVR), bench.rdmsr(0x1B)), (0xFF, Some(0xFEE0_0900)));
}

#[test]
fn errors_are_latched_until_the_status_is_written() {
    let mut bench = enabled();
    bench.set(LVT_ERROR, 0x50).set(ICR, 0x0004_0005).expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), Some(0x50));
    assert_eq!(bench.get(ESR), 0);
    bench.get(0x40);
    bench.set(ESR, 0);
    assert_eq!(bench.get(ESR), 0xA0);
    bench.set(ESR, 0);
    assert_eq!(bench.get(ESR), 0);
    bench.message(0, 0x0F).set(ESR, 0);
    assert_eq!(bench.get(ESR), 0x40);
}

#[test]
fn a_one_shot_countdown_interrupts_once() {
    let mut bench = enabled();
    bench.set(DIVIDE, BY_ONE).set(LVT_TIMER, 0x41).set(INITIAL, 1000);
    bench.advance(Tick::TSC.times(400));
    assert_eq!(bench.get(CURRENT), 600);
    bench.advance(Tick(Tick::TSC.times(600).0 - 1)).expect(INTR, Level::Low);
    assert_eq!(bench.get(CURRENT), 1);
    bench.advance(Tick(1)).expect(INTR, Level::High);
    assert_eq!(bench.get(CURRENT), 0);
    assert_eq!(bench.acknowledge(), Some(0x41));
    bench.set(EOI, 0).advance(Tick::SECOND).expect(INTR, Level::Low);
}

#[test]
fn stepping_equals_the_closed_form_for_every_divider() {
    for divide in [0, 1, 2, 3, 8, 9, 10, 11u64] {
        let mut stepped = enabled();
        stepped.set(DIVIDE, divide).set(LVT_TIMER, PERIODIC | 0x41).set(INITIAL, 5);
        let divisor = 1 << ((((divide & 3) | (divide >> 1 & 4)) + 1) & 7);
        for nanosecond in 0..5 * divisor * 3u64 {
            let expected = 5 - nanosecond / divisor % 5;
            assert_eq!(stepped.get(CURRENT), expected, "divide {divide} at {nanosecond}");
            stepped.advance(Tick::TSC);
        }
    }
}

#[test]
fn a_periodic_countdown_merges_what_was_not_taken() {
    let mut bench = enabled();
    bench.set(DIVIDE, BY_ONE).set(LVT_TIMER, PERIODIC | 0x41).set(INITIAL, 100);
    bench.advance(Tick::TSC.times(1050)).expect(INTR, Level::High);
    assert_eq!(bench.acknowledge(), Some(0x41));
    bench.set(EOI, 0).expect(INTR, Level::Low);
    bench.advance(Tick::TSC.times(49)).expect(INTR, Level::Low);
    bench.advance(Tick::TSC).expect(INTR, Level::High);
    assert_eq!(bench.get(CURRENT), 100);
    bench.set(LVT_TIMER, PERIODIC | MASKED | 0x41);
    bench.acknowledge();
    bench.set(EOI, 0).advance(Tick::TSC.times(250)).expect(INTR, Level::Low);
    bench.set(LVT_TIMER, PERIODIC | 0x41).advance(Tick::TSC.times(50)).expect(INTR, Level::High);
}

#[test]
fn changing_the_divider_keeps_the_count() {
    let mut bench = enabled();
    bench.set(DIVIDE, BY_ONE).set(LVT_TIMER, 0x41).set(INITIAL, 100).advance(Tick::TSC.times(40));
    bench.set(DIVIDE, 0);
    assert_eq!(bench.get(CURRENT), 60);
    bench.advance(Tick::TSC.times(119)).expect(INTR, Level::Low);
    bench.advance(Tick::TSC).expect(INTR, Level::High);
}

#[test]
fn the_tsc_deadline_fires_at_its_tick_and_reads_zero_after() {
    const MSR: u64 = 0x6E0;
    let mut bench = enabled();
    bench.wrmsr(MSR, 5);
    assert_eq!(bench.rdmsr(MSR), Some(0), "ignored outside its mode");
    bench.set(LVT_TIMER, DEADLINE | 0x41).set(INITIAL, 7);
    assert_eq!((bench.get(CURRENT), bench.get(INITIAL)), (0, 0));
    bench.wrmsr(MSR, 1000);
    bench.advance(Tick(1000 * 63 - 1)).expect(INTR, Level::Low);
    assert_eq!(bench.rdmsr(MSR), Some(1000));
    bench.advance(Tick(1)).expect(INTR, Level::High);
    assert_eq!(bench.rdmsr(MSR), Some(0));
    bench.acknowledge();
    bench.set(EOI, 0);
    bench.wrmsr(MSR, 10);
    bench.expect(INTR, Level::High);
    bench.acknowledge();
    bench.set(EOI, 0);
    bench.wrmsr(MSR, 2000);
    bench.set(LVT_TIMER, 0x41);
    assert_eq!(bench.rdmsr(MSR), Some(0), "leaving the mode disarms");
    bench.advance(Tick::SECOND).expect(INTR, Level::Low);
    bench.set(LVT_TIMER, DEADLINE | 0x41);
    bench.wrmsr(MSR, u64::MAX);
    assert_eq!(bench.rdmsr(MSR), Some(u64::MAX));
}

#[test]
fn x2apic_faults_where_the_manual_says_gp() {
    let mut bench = enabled();
    assert_eq!(bench.rdmsr(0x802), None, "not in xAPIC mode");
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0D01), None, "reserved bit");
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0500), None, "EXTD without EN");
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0D00), Some(()));
    assert_eq!(bench.effects.last(), Some(&Effect::Window { region: 0, base: None }));
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0900), None, "x2APIC to xAPIC");
    for msr in [0x80B, 0x83F, 0x80E, 0x831, 0x809, 0x80C, 0x800, 0x840, 0x8FF] {
        assert_eq!(bench.rdmsr(msr), None, "read of {msr:x}");
    }
    for (msr, value) in [
        (0x802, 0),
        (0x803, 0),
        (0x80A, 0),
        (0x80B, 1),
        (0x80D, 0),
        (0x828, 1),
        (0x808, 0x100),
        (0x80F, 0x1000),
        (0x830, 1 << 20),
        (0x832, 1 << 20),
        (0x838, 1 << 32),
        (0x839, 0),
        (0x83E, 4),
        (0x83F, 0x100),
    ] {
        assert_eq!(bench.wrmsr(msr, value), None, "write of {value:x} to {msr:x}");
    }
    assert_eq!(bench.rdmsr(0x80D), Some(1));
    assert_eq!(bench.wrmsr(0x83F, 0x41), Some(()));
    assert_eq!(bench.acknowledge(), Some(0x41));
    assert_eq!(bench.wrmsr(0x80B, 0), Some(()));
    assert_eq!(bench.wrmsr(0x830, 1 << 32 | 0x41), Some(()));
    bench.expect(INTR, Level::Low);
    assert_eq!(bench.wrmsr(0x830, 1 << 32 | 0x841), Some(()));
    bench.expect(INTR, Level::High);
    assert_eq!(bench.rdmsr(0x830), Some(1 << 32 | 0x841));
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0100), Some(()));
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0D00), None, "disabled to x2APIC");
    assert_eq!(bench.wrmsr(0x1B, 0xFED0_0900), Some(()));
    assert_eq!(bench.effects.last(), Some(&Effect::Window { region: 0, base: Some(0xFED0_0000) }));
}

#[test]
fn a_cpu_without_x2apic_or_deadline_timer_has_no_such_msrs() {
    let features = Features { x2apic: false, tsc_deadline: false };
    let mut bench = Bench::new(Lapic::with_features(0, features));
    assert_eq!(bench.wrmsr(0x1B, 0xFEE0_0D00), None);
    assert_eq!((bench.rdmsr(0x6E0), bench.wrmsr(0x6E0, 1)), (None, None));
}

#[test]
fn every_register_and_value_survives_save_and_restore() {
    for value in [0u64, 0xFFFF_FFFF, 0x5555_5555, 0xAAAA_AAAA, 0x0002_0041, 0x0004_4541] {
        let mut bench = enabled();
        for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
            for offset in 0..0x1000 {
                bench.write(Space::Memory, 0, offset, width, value);
                bench.read(Space::Memory, 0, offset, width);
            }
        }
        bench.check_save_restore(Lapic::new(0));
        for msr in (0x800..0x900).chain([0x1B, 0x6E0, CR8]) {
            bench.wrmsr(msr, value);
            bench.rdmsr(msr);
        }
        bench.advance(Tick::MILLISECOND).check_save_restore(Lapic::new(0));
    }
}

#[test]
fn a_state_of_another_model_is_refused() {
    let saved = enabled().device.save();
    assert!(Lapic::new(1).restore(&saved).is_err());
    let broken = Saved { version: 2, ..saved };
    assert!(Lapic::new(0).restore(&broken).is_err());
}
