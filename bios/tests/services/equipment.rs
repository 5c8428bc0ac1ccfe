//! INT 5, 11h, 12h, 14h and 17h.

use crate::bench::Drives;
use crate::expect::{GOOD, Row, ah, al, ax, call, host, int, memory, with};
use crate::{both, both_with};
use emu_core::HostEvent;

#[test]
fn equipment_and_memory() {
    both(&[
        // One diskette drive, coprocessor, mouse, 80x25 colour, one serial port.
        int("equipment", 0x11, 0, [ax(0x0227)]),
        int("memory", 0x12, 0, [ax(639)]),
        int(
            "the data area says the same",
            0x12,
            0,
            [ax(639), memory(0x410, &[0x27, 0x02]), memory(0x413, &[0x7F, 0x02])],
        ),
    ]);
}

#[test]
fn the_serial_port_sends_and_receives() {
    let serial = |name: &str, ax, dx, expected: Vec<_>| call(name, 0x14, with(ax, 0, 0, dx), expected);
    let rows: Vec<Row> = vec![
        serial("9600 baud, 8N1", 0x00E3, 0, vec![ax(0x60B0)]),
        serial("status", 0x0300, 0, vec![ax(0x60B0)]),
        serial("send", 0x0153, 0, vec![ah(0x60), al(0x53)]),
        host(HostEvent::Serial(b'R')),
        serial("receive", 0x0200, 0, vec![ax(0x0052)])
            .seabios("it gives all of the line status, not the errors alone", [ax(0x6152)]),
        serial("no such port", 0x0300, 1, vec![]),
        serial("no such number", 0x0300, 9, vec![]),
        serial("no such function", 0x4400, 0, vec![]),
    ];
    for run in both_with(&rows, Drives::default) {
        assert_eq!(run.serial, b"S");
    }
}

#[test]
fn there_is_no_printer() {
    both(&[
        call("send", 0x17, with(0x0041, 0, 0, 0), []),
        call("set up", 0x17, with(0x0100, 0, 0, 0), []),
        call("status", 0x17, with(0x0200, 0, 0, 2), []),
        call("no such number", 0x17, with(0x0200, 0, 0, 7), []),
        int("print screen", 0x05, 0, [GOOD]),
    ]);
}
