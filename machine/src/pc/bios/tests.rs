//! A program asks our BIOS for its services, on the whole machine.

use super::BootPlan;
use crate::config::test_cpu;
use crate::{Disk, Firmware, Machine, MachineConfig, RunLimit, RunOutcome, TimeMode};
use bios::assembler::{Source, assemble};
use devices::disk::MemoryDisk;
use emu_core::interpreter::Interpreter;
use emu_core::{HostEvent, HostRequest, Tick};

const SECTORS: usize = 4096;
const PASSED: u32 = 0x31;
const PATIENCE: Tick = Tick::SECOND.times(20);

fn program() -> Box<dyn Disk> {
    let source = Source { name: "services.asm", text: include_str!("services.asm") };
    let mut image = assemble(&[source], &[], 16 * 512).expect("the program assembles").bytes;
    image.resize(SECTORS * 512, 0);
    Box::new(MemoryDisk::from_bytes(image))
}

fn machine(disk: Option<Box<dyn Disk>>) -> Machine {
    let mut config = MachineConfig::new(16 << 20, test_cpu(), TimeMode::Deterministic);
    let firmware = Firmware::posada(config.memory, &config.cpu, Vec::new(), &BootPlan::default());
    config.firmware = Some(firmware.expect("no video BIOS fits"));
    config.disks[0] = disk;
    Machine::new(config, Box::new(Interpreter::new())).expect("a machine")
}

fn heard(machine: &mut Machine, text: &mut String) {
    for request in machine.take_requests() {
        if let HostRequest::Debug(byte) = request {
            text.push(char::from(byte));
        }
    }
}

/// Runs until the debug port has said `mark`.
fn until(machine: &mut Machine, text: &mut String, mark: &str) -> Option<RunOutcome> {
    while !text.ends_with(mark) {
        let until = machine.now() + Tick::MILLISECOND;
        let outcome = machine.run(RunLimit::until(until));
        heard(machine, text);
        if !matches!(outcome, RunOutcome::Stopped) || machine.now() > PATIENCE {
            return Some(outcome);
        }
    }
    None
}

fn key(machine: &Machine, code: u16, pressed: bool) {
    machine.handle().post(HostEvent::Key { code, pressed });
}

#[test]
fn services_do_what_they_promise() {
    let (mut machine, mut text) = (machine(Some(program())), String::new());
    let stopped = until(&mut machine, &mut text, "K");
    assert!(stopped.is_none(), "{stopped:?}: {text}");
    // a, Shift-A, F1, cursor up, Alt-x.
    for (code, pressed) in [
        (0x1E, true),
        (0x1E, false),
        (0x2A, true),
        (0x1E, true),
        (0x1E, false),
        (0x2A, false),
        (0x3B, true),
        (0x3B, false),
        (0xE048, true),
        (0xE048, false),
        (0x38, true),
        (0x2D, true),
        (0x2D, false),
        (0x38, false),
    ] {
        key(&machine, code, pressed);
    }
    let stopped = until(&mut machine, &mut text, "M");
    assert!(stopped.is_none(), "{stopped:?}: {text}");
    machine.handle().post(HostEvent::Mouse { dx: 5, dy: 0, wheel: 0, buttons: 0 });
    let outcome = machine.run(RunLimit::until(machine.now() + Tick::SECOND));
    heard(&mut machine, &mut text);
    assert_eq!(outcome, RunOutcome::Exit(PASSED), "{text}");
}

#[test]
fn what_was_tried_is_said_when_nothing_boots() {
    let (mut machine, mut text) = (machine(None), String::new());
    let stopped = until(&mut machine, &mut text, "Press a key to try again.\r\n");
    assert!(stopped.is_none(), "{text}");
    assert!(text.contains("Memory: 16 MiB"), "{text}");
    assert!(text.contains("No bootable device. Tried:\r\n  Diskette drive 0\r\n"), "{text}");
}
