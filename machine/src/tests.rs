//! The whole machine, its real chips, and an engine that runs programs of a few words.

mod display;

use crate::boot::BootError;
use crate::clock::TimeMode;
use crate::config::{Firmware, Linux, MachineConfig, test_cpu};
use crate::{Machine, MachineError, RestoreMachineError, RunLimit, RunOutcome};
use devices::disk::{Disk, MemoryDisk};
use emu_core::vcpu::{Activity, rflags};
use emu_core::{
    Attention, Bus, Caps, DebugStop, Engine, Exit, Forget, HostEvent, HostRequest, Stop, Tick, VcpuState,
    Width,
};
use std::sync::atomic::Ordering;

/// An instruction of the fake CPU. R15 is the instruction pointer, R14 sums up what was read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Nop,
    Out(u16, Width, u32),
    In(u16, Width),
    /// Writes R14 to memory and counts it up.
    Store(u64),
    Jump(u64),
    Sti,
    Halt,
    TripleFault,
}
use Op::*;

/// Runs a program; keeps nothing between runs. Interrupts are only taken in HLT.
pub(crate) struct Fake(pub(crate) &'static [Op]);

impl Fake {
    fn step(&self, cpu: &mut VcpuState, bus: &mut dyn Bus) -> Option<Exit> {
        let at = usize::try_from(cpu.gpr[15]).expect("inside the program");
        cpu.gpr[15] += 1;
        let mut exit = None;
        match self.0.get(at).copied().unwrap_or(Halt) {
            Nop => {}
            Out(port, width, value) => bus.port_write(port, width, value.into()),
            In(port, width) => {
                cpu.gpr[14] = cpu.gpr[14].wrapping_mul(31).wrapping_add(bus.port_read(port, width))
            }
            Store(gpa) => {
                cpu.gpr[14] = cpu.gpr[14].wrapping_add(1);
                bus.memory().write(gpa, &cpu.gpr[14].to_le_bytes());
            }
            Jump(to) => cpu.gpr[15] = to,
            Sti => cpu.rflags |= rflags::IF,
            Halt => {
                cpu.activity = Activity::Halted;
                exit = Some(Exit::Halted);
            }
            TripleFault => return Some(Exit::Shutdown),
        }
        bus.retire(1);
        exit
    }
}

impl Engine for Fake {
    fn caps(&self) -> Caps {
        Caps { counts: true }
    }

    fn run(&mut self, cpu: &mut VcpuState, bus: &mut dyn Bus, stop: &Stop) -> Exit {
        loop {
            let attention = bus.attention().load(Ordering::Acquire);
            let sleeps = cpu.activity == Activity::Halted;
            if sleeps && attention & Attention::INTR != 0 && cpu.rflags & rflags::IF != 0 {
                cpu.gpr[13] = cpu.gpr[13] << 8 | u64::from(bus.acknowledge());
                cpu.rflags &= !rflags::IF;
                cpu.activity = Activity::Running;
            }
            if cpu.activity == Activity::Halted {
                return Exit::Halted;
            }
            if bus.allowance() == 0 {
                return Exit::Stopped;
            }
            if stop.at == Some(cpu.gpr[15]) {
                return Exit::Debug(DebugStop::Address(cpu.gpr[15]));
            }
            if let Some(exit) = self.step(cpu, bus) {
                return exit;
            }
        }
    }

    fn forget(&mut self, _what: Forget) {}
}

fn config(time: TimeMode) -> MachineConfig {
    let mut config = MachineConfig::new(8 << 20, test_cpu(), time);
    let kernel = crate::boot::test_image(0x400);
    config.linux = Some(Linux { kernel, initrd: vec![1; 100], command_line: "quiet".into() });
    config
}

fn machine(program: &'static [Op]) -> Machine {
    Machine::new(config(TimeMode::Deterministic), Box::new(Fake(program))).expect("a machine")
}

/// Runs until a millisecond has passed.
fn run(machine: &mut Machine) -> RunOutcome {
    machine.run(RunLimit::until(machine.now() + Tick::MILLISECOND))
}

/// 8259As in AT order with IRQ0 at vector 30h unmasked; the 8254 ticks every 1000 periods; wait, acknowledge, again.
const TIMER: &[Op] = &[
    Out(0x20, Width::Byte, 0x11),
    Out(0x21, Width::Byte, 0x30),
    Out(0x21, Width::Byte, 0x04),
    Out(0x21, Width::Byte, 0x01),
    Out(0x21, Width::Byte, 0xFE),
    Out(0x43, Width::Byte, 0x34),
    Out(0x40, Width::Byte, 0xE8),
    Out(0x40, Width::Byte, 0x03),
    Sti,
    Halt,
    Out(0x20, Width::Byte, 0x20),
    In(0x40, Width::Byte),
    In(0x40, Width::Byte),
    Store(0x30_0000),
    Jump(8),
];

#[test]
fn the_timer_interrupts_through_both_controllers() {
    let mut machine = machine(TIMER);
    let end = Tick::PIT.times(10_500);
    assert_eq!(machine.run(RunLimit::until(end)), RunOutcome::Stopped);
    assert_eq!(machine.cpu().gpr[13], 0x3030_3030_3030_3030, "vector 30h, many times");
    let acknowledged = machine.retired();
    assert!(acknowledged < 200, "it slept most of the time: {acknowledged} instructions");
    assert!(machine.now() >= end && machine.now() < end + Tick(126 * 10));
}

#[test]
fn a_run_in_pieces_is_the_same_run() {
    let end = Tick::MILLISECOND.times(20);
    let mut whole = machine(TIMER);
    whole.run(RunLimit::until(end));
    let mut pieces = machine(TIMER);
    let mut step = 1;
    while pieces.now() < end {
        step = step * 7 % 1009;
        let until = end.min(pieces.now() + Tick::MICROSECOND.times(step));
        pieces.run(RunLimit { until, instructions: step, at: None });
    }
    assert_eq!(pieces.state_hash(), whole.state_hash());
    assert_eq!(pieces.retired(), whole.retired());
}

#[test]
fn a_restored_machine_goes_on_alike() {
    let end = Tick::MILLISECOND.times(20);
    let mut whole = machine(TIMER);
    whole.run(RunLimit::until(end));
    for micros in [0, 3, 840, 7_777] {
        let mut first = machine(TIMER);
        first.run(RunLimit::until(Tick::MICROSECOND.times(micros)));
        let mut file = Vec::new();
        first.save(&mut file).expect("a vector takes it");
        let engine = Box::new(Fake(TIMER));
        let mut second = Machine::restore(&mut &file[..], config(TimeMode::Deterministic), engine)
            .expect("a saved machine");
        assert_eq!(second.state_hash(), first.state_hash());
        second.run(RunLimit::until(end));
        assert_eq!(second.state_hash(), whole.state_hash(), "saved at {micros} us");
    }
}

/// An engine that does not count.
struct Fast;

impl Engine for Fast {
    fn caps(&self) -> Caps {
        Caps { counts: false }
    }

    fn run(&mut self, _: &mut VcpuState, _: &mut dyn Bus, _: &Stop) -> Exit {
        Exit::Stopped
    }

    fn forget(&mut self, _what: Forget) {}
}

#[test]
fn a_deterministic_machine_refuses_an_engine_that_cannot_count() {
    let mut machine = machine(TIMER);
    let refused = machine.set_engine(Box::new(Fast));
    assert!(matches!(refused, Err(MachineError::EngineCannotCount)));
    assert_eq!(machine.run(RunLimit::instructions(5)), RunOutcome::Stopped);
    assert_eq!(machine.retired(), 5, "the old engine stays");
    let mut paced = Machine::new(config(TimeMode::Paced), Box::new(Fake(TIMER))).expect("a machine");
    assert!(paced.set_engine(Box::new(Fast)).is_ok());
}

#[test]
fn an_engine_can_be_changed_between_any_two_instructions() {
    let end = Tick::MILLISECOND.times(20);
    let mut whole = machine(TIMER);
    whole.run(RunLimit::until(end));
    let mut changed = machine(TIMER);
    while changed.now() < end {
        changed.run(RunLimit { until: end, instructions: 3, at: None });
        changed.set_engine(Box::new(Fake(TIMER))).expect("it counts");
    }
    assert_eq!(changed.state_hash(), whole.state_hash());
}

fn restore_error(file: &[u8], config: MachineConfig) -> RestoreMachineError {
    let restored = Machine::restore(&mut &file[..], config, Box::new(Fake(TIMER)));
    restored.err().expect("damaged or wrong")
}

#[test]
fn a_flipped_byte_anywhere_is_noticed() {
    let mut machine = machine(TIMER);
    run(&mut machine);
    let mut file = Vec::new();
    machine.save(&mut file).expect("a vector takes it");
    crate::snapshot::check_sections(&file).expect("as it was");
    for at in 0..file.len() {
        file[at] ^= 0x10;
        assert!(crate::snapshot::check_sections(&file).is_err(), "byte {at} of {}", file.len());
        if at % 211 == 0 {
            restore_error(&file, config(TimeMode::Deterministic));
        }
        file[at] ^= 0x10;
    }
    for len in (0..file.len()).step_by(97) {
        assert!(crate::snapshot::check_sections(&file[..len]).is_err(), "cut to {len}");
    }
    file.push(0);
    restore_error(&file, config(TimeMode::Deterministic));
}

#[test]
fn another_machine_is_refused_by_name() {
    let machine = machine(TIMER);
    let mut file = Vec::new();
    machine.save(&mut file).expect("a vector takes it");
    let described = crate::snapshot::describe(&file[..]).expect("a description");
    assert_eq!((described.memory, described.cpu.as_str(), described.firmware), (8 << 20, "test", 0));
    assert!(described.devices.iter().any(|name| name == "i8254"));
    let mut other = config(TimeMode::Deterministic);
    other.memory = 16 << 20;
    let error = restore_error(&file, other);
    assert_eq!(
        error.to_string(),
        "the machine was saved with 8388608 bytes of memory, but 16777216 are asked for"
    );
    let mut other = config(TimeMode::Deterministic);
    other.cpu.name = "386".into();
    assert!(matches!(restore_error(&file, other), RestoreMachineError::Cpu { .. }));
    let error = restore_error(b"#!/bin/sh", config(TimeMode::Deterministic));
    assert_eq!(error.to_string(), "this is not a saved machine");
}

#[test]
fn soft_off_ends_the_run_for_good() {
    // PMCNTRL: SLP_EN with SLP_TYP 0.
    let mut machine = machine(&[Nop, Out(0x604, Width::Word, 0x2000), Nop]);
    assert_eq!(machine.run(RunLimit::NONE), RunOutcome::PowerOff);
    assert_eq!(machine.run(RunLimit::NONE), RunOutcome::PowerOff);
}

const RESET: &[Op] =
    &[Store(0x30_0000), Out(0xCF9, Width::Byte, 0x02), Out(0xCF9, Width::Byte, 0x06), Jump(0)];

#[test]
fn a_reset_starts_the_kernel_again() {
    let mut machine = machine(RESET);
    machine.memory().write(0x7202, b"gone");
    assert_eq!(machine.run(RunLimit::instructions(8)), RunOutcome::Stopped);
    assert_eq!(machine.resets(), 2);
    assert_eq!(machine.memory().read_array(0x7202), *b"HdrS", "loaded again");
    assert_eq!(machine.cpu().gpr[6], 0x7000);
}

#[test]
fn a_reset_can_end_the_run() {
    let mut config = config(TimeMode::Deterministic);
    config.stop_at_reset = true;
    let mut machine = Machine::new(config, Box::new(Fake(RESET))).expect("a machine");
    assert_eq!(machine.run(RunLimit::NONE), RunOutcome::Reset);
}

#[test]
fn a_triple_fault_resets() {
    let mut machine = machine(&[Nop, TripleFault]);
    machine.run(RunLimit::instructions(5));
    assert!(machine.resets() >= 4);
}

#[test]
fn the_guest_can_end_the_program() {
    let mut machine = machine(&[Out(0x501, Width::Byte, 0x10), Nop]);
    assert!(matches!(machine.run(RunLimit::NONE), RunOutcome::Exit(_)));
}

#[test]
fn a20_changes_between_two_instructions() {
    let mut machine = machine(&[Out(0x92, Width::Byte, 0x00), Nop, Nop]);
    assert!(machine.cpu().a20, "open for a kernel");
    machine.run(RunLimit::instructions(1));
    machine.run(RunLimit::instructions(1));
    let keyboard_holds_it_open = machine.board().a20();
    assert_eq!(machine.cpu().a20, keyboard_holds_it_open);
}

#[test]
fn serial_output_comes_out_before_the_guest_sleeps() {
    let mut machine = machine(&[Out(0x3F8, Width::Byte, 0x41), Halt]);
    assert_eq!(machine.run(RunLimit::NONE), RunOutcome::Stopped);
    let requests = machine.take_requests();
    assert_eq!(requests, [HostRequest::Serial { port: 0, byte: b'A' }]);
}

#[test]
fn a_guest_that_nothing_wakes_is_asleep() {
    let mut machine = machine(&[Halt]);
    let outcome = machine.run(RunLimit::until(Tick::SECOND.times(100)));
    assert!(matches!(outcome, RunOutcome::Stopped | RunOutcome::Asleep));
    assert!(machine.retired() <= 1);
}

#[test]
fn breakpoints_stop_before_the_instruction() {
    let mut machine = machine(&[Nop, Nop, Nop]);
    let outcome = machine.run(RunLimit { at: Some(2), ..RunLimit::NONE });
    assert_eq!((outcome, machine.retired()), (RunOutcome::Debug(DebugStop::Address(2)), 2));
}

/// Reads a byte from the serial port for ever.
const LISTEN: &[Op] = &[In(0x3F8, Width::Byte), Jump(0)];

#[test]
fn a_guest_that_only_computes_is_interrupted_by_time() {
    for time in [TimeMode::Deterministic, TimeMode::Paced] {
        let mut machine = Machine::new(config(time), Box::new(Fake(&[Nop, Jump(0)]))).expect("a machine");
        assert_eq!(run(&mut machine), RunOutcome::Stopped);
        assert!(machine.now() >= Tick::MILLISECOND);
    }
}

#[test]
fn scripted_events_happen_at_their_time() {
    let at = Tick::MICROSECOND.times(123);
    let heard = |end: Tick| {
        let mut machine = machine(LISTEN);
        machine.schedule(at, HostEvent::Serial(b'B'));
        machine.schedule(at, HostEvent::Serial(b'C'));
        machine.run(RunLimit::until(end));
        machine.cpu().gpr[14]
    };
    let silent = |end: Tick| {
        let mut machine = machine(LISTEN);
        machine.run(RunLimit::until(end));
        machine.cpu().gpr[14]
    };
    assert_eq!(heard(at), silent(at));
    let later = at + Tick::MILLISECOND.times(30);
    assert_ne!(heard(later), silent(later));
}

#[test]
fn a_handle_stops_a_paced_machine_that_sleeps() {
    let mut machine = Machine::new(config(TimeMode::Paced), Box::new(Fake(&[Halt]))).expect("a machine");
    let handle = machine.handle();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        handle.stop();
    });
    assert_eq!(machine.run(RunLimit::NONE), RunOutcome::Stopped);
    stopper.join().expect("the stopper");
    assert!(machine.now() >= Tick::MILLISECOND.times(15), "guest time went on while it slept");
}

#[test]
fn every_row_of_the_wiring_names_a_chip() {
    let with_disks = |count| {
        let mut config = config(TimeMode::Deterministic);
        config.virtio_disks = (0..count).map(|_| Box::new(MemoryDisk::zeroed(1)) as Box<dyn Disk>).collect();
        Machine::new(config, Box::new(Fake(&[Halt])))
    };
    let error = with_disks(5).err().expect("there are four slots");
    assert_eq!(error.to_string(), "5 virtio disks are more than the PC has slots for (4)");
    let machine = with_disks(4).expect("a machine");
    let names: Vec<_> = machine.board().names().collect();
    let wiring = crate::pc::wiring::wiring(true);
    for region in &wiring.regions {
        assert!(names.contains(&region.device), "{region:?}");
    }
    for wire in &wiring.wires {
        assert!(names.contains(&wire.from.0), "{wire:?}");
        if let crate::board::wiring::End::Pin(name, _) = wire.to {
            assert!(names.contains(&name), "{wire:?}");
        }
    }
    for function in &wiring.functions {
        assert!(names.contains(&function.name), "{function:?}");
    }
}

#[test]
fn every_port_of_every_width_can_be_poked() {
    let mut machine = machine(&[Halt]);
    for port in 0..=u16::MAX {
        for width in [Width::Byte, Width::Word, Width::Dword] {
            machine.board_mut().port_read(port, width);
            machine.board_mut().port_write(port, width, 0xA5A5_5A5A);
        }
    }
    for base in [0xA_0000, 0xFEC0_0000, 0xFED0_0000, 0xFEE0_0000u64] {
        for offset in (0..0x1000).step_by(4) {
            machine.board_mut().memory_read(base + offset, Width::Dword);
            machine.board_mut().memory_write(base + offset, Width::Dword, 0xFFFF_FFFF);
        }
    }
    run(&mut machine);
}

#[test]
fn a_machine_without_a_local_apic_works_too() {
    let mut config = config(TimeMode::Deterministic);
    config.cpu.apic = false;
    let mut machine = Machine::new(config, Box::new(Fake(TIMER))).expect("a machine");
    run(&mut machine);
    assert_eq!(machine.cpu().gpr[13] & 0xFF, 0x30);
}

fn with_firmware(program: &'static [Op]) -> Machine {
    let mut config = config(TimeMode::Deterministic);
    config.linux = None;
    let mut image = vec![0xF4; 0x2_0000];
    image[0x1_FFF0] = 0xEA;
    config.firmware = Some(Firmware { image, vga_bios: Some(vec![0x55, 0xAA]) });
    Machine::new(config, Box::new(Fake(program))).expect("a machine")
}

#[test]
fn a_firmware_starts_at_the_reset_vector_and_finds_its_files() {
    let mut machine = with_firmware(&[Halt]);
    assert_eq!((machine.cpu().rip, machine.cpu().seg[1].base), (0xFFF0, 0xFFFF_0000));
    assert_eq!(machine.memory().read_array(0xFFFF_FFF0), [0xEA]);
    assert_eq!(machine.memory().read_array(0xF_FFF0), [0xEA]);
    let board = machine.board_mut();
    board.port_write(0x510, Width::Word, 0x19);
    let mut byte = || board.port_read(0x511, Width::Byte).to_le_bytes()[0];
    let count = u32::from_be_bytes([byte(), byte(), byte(), byte()]);
    let names: Vec<String> = (0..count)
        .map(|_| {
            let entry: Vec<u8> = (0..64).map(|_| byte()).collect();
            String::from_utf8_lossy(&entry[8..]).trim_end_matches('\0').to_owned()
        })
        .collect();
    for file in ["etc/acpi/rsdp", "etc/acpi/tables", "etc/e820", "etc/table-loader", "pci1234,1111.rom"] {
        assert!(names.iter().any(|name| name == file), "{file} in {names:?}");
    }
}

#[test]
fn a_processor_reset_leaves_the_platform_alone() {
    let mut machine = with_firmware(&[Store(0x30_0000), Out(0x64, Width::Byte, 0xFE), Nop]);
    machine.run(RunLimit::instructions(3));
    assert_eq!((machine.resets(), machine.cpu().gpr[15]), (0, 1), "the CPU started over, once");
    assert_eq!(machine.memory().read_array(0x30_0000), [1]);
}

#[test]
fn a_restored_firmware_machine_needs_no_firmware_file() {
    let machine = with_firmware(&[Halt]);
    let mut file = Vec::new();
    machine.save(&mut file).expect("a vector takes it");
    let mut bare = config(TimeMode::Deterministic);
    bare.linux = None;
    let restored = Machine::restore(&mut &file[..], bare, Box::new(Fake(&[Halt]))).expect("a saved machine");
    assert_eq!(restored.state_hash(), machine.state_hash());
    assert_eq!(restored.memory().read_array(0xFFFF_FFF0), [0xEA]);
}

#[test]
fn a_broken_kernel_is_one_sentence() {
    let mut config = config(TimeMode::Deterministic);
    config.linux = Some(Linux { kernel: vec![0; 5000], ..Linux::default() });
    let error = Machine::new(config, Box::new(Fake(&[]))).err().expect("no kernel");
    assert!(matches!(error, MachineError::Boot(BootError::NotAKernel)));
    assert_eq!(error.to_string(), "the kernel is not a bzImage: it has no Linux boot header");
}
