//! Interrupts of the hardware, and those that the BIOS calls for programs: INT 8-0Fh, 70h-77h, 1Bh, 1Ch, 4Ah, 5.

use crate::bench::COUNT;
use crate::both;
use crate::expect::{AX, Expect, GOOD, Row, al, ax, call, cx, dx, hook, host, idle, int, memory, with};
use emu_core::HostEvent;

fn key(code: u16) -> [Row; 2] {
    [true, false].map(|pressed| host(HostEvent::Key { code, pressed }))
}

/// Calls counted by the end of the script.
fn counted(times: u8) -> Expect {
    memory(COUNT, &[times, 0])
}

#[test]
fn handlers_that_only_acknowledge_change_nothing() {
    let all = [
        0x05, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x1B, 0x1C, 0x4A, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76,
        0x77,
    ];
    let mut rows: Vec<Row> = all.map(|n| int(format!("INT {n:02x}h"), n, 0, [])).into();
    // The diskette's and the disk's say that they have come.
    rows.push(int("what they leave", 0x12, 0, [ax(639), memory(0x43E, &[0x80]), memory(0x48E, &[0xFF])]));
    both(&rows);
}

#[test]
fn the_day_ends() {
    both(&[
        hook(0x1C),
        call("nearly midnight", 0x1A, with(0x0100, 0, 0x0018, 0x00AF), [AX]),
        int("a tick", 0x08, 0, [counted(1)]),
        int("midnight, once", 0x1A, 0, [al(1), cx(0), dx(0)]),
        int("and no more", 0x1A, 0, [al(0), cx(0), dx(0)]),
    ]);
}

#[test]
fn an_alarm_calls_the_program() {
    both(&[
        hook(0x4A),
        call("set the time", 0x1A, with(0x0300, 0, 0x1200, 0x0000), [GOOD, AX]),
        call("set the alarm", 0x1A, with(0x0600, 0, 0x1200, 0x0100), [GOOD, AX]),
        idle(24),
        int("it has come", 0x12, 0, [ax(639), counted(1)]),
    ]);
}

#[test]
fn keys_call_the_program() {
    let mut rows = vec![hook(0x1B), hook(0x05), host(HostEvent::Key { code: 0x1D, pressed: true })];
    rows.extend(key(0xE046));
    rows.push(host(HostEvent::Key { code: 0x1D, pressed: false }));
    rows.push(int("Break is a key too", 0x16, 0x0000, [ax(0)]));
    rows.extend(key(0xE037));
    rows.extend(key(0x1E));
    rows.push(int("print screen is none", 0x16, 0x0000, [ax(0x1E61), counted(2), memory(0x471, &[0x80])]));
    both(&rows);
}
