//! INT 18h and 19h, and the order of drives: what boots after what.

use crate::bench::{Bios, Drives, Run, Step, program};
use crate::expect::{int, steps};
use crate::medium::Ram;
use emu_core::{HostEvent, HostRequest, Tick};
use machine::{BootDevice, BootPlan, Machine, RunLimit};

const DISK: BootPlan = BootPlan { order: Vec::new(), menu: false };

fn order(order: &[BootDevice]) -> BootPlan {
    BootPlan { order: order.to_vec(), ..DISK }
}

/// A boot sector that calls this interrupt at once.
fn sector(interrupt: u8) -> Vec<u8> {
    let mut bytes = vec![0xCD, interrupt, 0xF4, 0xEB, 0xFD];
    bytes.resize(512, 0);
    bytes[510..].copy_from_slice(&[0x55, 0xAA]);
    bytes.resize(4096 * 512, 0);
    bytes
}

/// The lines that say what was tried.
fn tried(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("Booting from ")).collect()
}

#[test]
fn int_19h_boots_again_and_int_18h_the_next() {
    for interrupt in [0x19, 0x18] {
        let rows = [int("boot", interrupt, 0, []), int("here again", 0x12, 0, [])];
        let steps = steps(&rows);
        // The second disk is where the script goes on.
        let disks = vec![Ram::of(program(&steps, 4096)), Ram::of(program(&steps, 4096))];
        let machine =
            Drives { disks, ..Drives::default() }.machine(Bios::Posada, &order(&[BootDevice::Disk]));
        let run = Run::of(machine, &steps);
        let second = if interrupt == 0x19 { "Hard disk 0 (IDE)..." } else { "Hard disk 1 (IDE)..." };
        assert_eq!(tried(&run.text), ["Hard disk 0 (IDE)...", second], "{}", run.text);
    }
}

#[test]
fn virtio_disks_come_behind_ide_disks() {
    let rows = [int("the only call", 0x12, 0, [])];
    let steps: Vec<Step> = steps(&rows);
    let drives = Drives {
        disks: vec![Ram::of(vec![0; 4096 * 512])],
        virtio: vec![Ram::of(sector(0x18)), Ram::of(program(&steps, 4096))],
        ..Drives::default()
    };
    let run =
        Run::of(drives.machine(Bios::Posada, &order(&[BootDevice::Diskette, BootDevice::Disk])), &steps);
    let all =
        ["Diskette drive 0...", "Hard disk 0 (IDE)...", "Hard disk 1 (virtio)...", "Hard disk 2 (virtio)..."];
    assert_eq!(tried(&run.text), all, "{}", run.text);
}

/// Runs until the debug port has said this; gives back all that it said.
fn until(machine: &mut Machine, text: &mut String, mark: &str) {
    while !text.contains(mark) {
        let next = machine.now() + Tick::MILLISECOND;
        assert!(next < Tick::SECOND.times(10), "no `{mark}` in {text}");
        machine.run(RunLimit::until(next));
        for request in machine.take_requests() {
            if let HostRequest::Debug(byte) = request {
                text.push(char::from(byte));
            }
        }
    }
}

/// The chosen one first, and behind it the others, each once.
#[test]
fn the_menu_names_all_and_the_chosen_one_comes_first() {
    let disks = vec![Ram::of(vec![0; 4096 * 512])];
    let drives = Drives { disks, virtio: vec![Ram::of(sector(0x18))], ..Drives::default() };
    let plan = BootPlan { menu: true, ..order(&[BootDevice::Disk, BootDevice::Cd]) };
    let (mut machine, mut text) = (drives.machine(Bios::Posada, &plan), String::new());
    until(&mut machine, &mut text, "3. CD-ROM drive 0\r\n");
    assert!(text.contains("  1. Hard disk 0 (IDE)\r\n  2. Hard disk 1 (virtio)\r\n"), "{text}");
    for pressed in [true, false] {
        machine.handle().post(HostEvent::Key { code: 0x03, pressed });
    }
    until(&mut machine, &mut text, "Press a key to try again.\r\n");
    assert_eq!(
        tried(&text),
        ["Hard disk 1 (virtio)...", "Hard disk 0 (IDE)...", "CD-ROM drive 0..."],
        "{text}"
    );
}
