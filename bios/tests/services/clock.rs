//! INT 1Ah: the time of day, and PCI.

use crate::both;
use crate::expect::{
    AX, CARRY, DI, DX, GOOD, Registers, Row, ah, al, ax, bx, call, cl, cx, dh, dl, dx, ecx, edx, int, with,
};

#[test]
fn time_and_date() {
    both(&[
        call("set the ticks", 0x1A, with(0x0100, 0, 0x0017, 0xFFF0), [ah(0)]),
        int("they count on", 0x1A, 0x0000, [al(0), cx(0x0017), DX]),
        int("time", 0x1A, 0x0200, [GOOD, ax(0), cx(0), DX]),
        int("date", 0x1A, 0x0400, [GOOD, AX, ah(0), cx(0x2026), dx(0x0101)]),
        call("set the time", 0x1A, with(0x0300, 0, 0x2359, 0x5801), [GOOD, AX, ah(0)]),
        int("it is set", 0x1A, 0x0200, [GOOD, ax(0x0023), cx(0x2359), dh(0x58), dl(1)]),
        call("set the date", 0x1A, with(0x0500, 0, 0x2031, 0x1231), [GOOD, AX, ah(0)]),
        int("it is set", 0x1A, 0x0400, [GOOD, AX, ah(0), cx(0x2031), dx(0x1231)]),
        call("set the alarm", 0x1A, with(0x0600, 0, 0x0102, 0x0300), [GOOD, AX, ah(0)]),
        call("there is one", 0x1A, with(0x0600, 0, 0x0102, 0x0300), [CARRY, AX]),
        int("no alarm", 0x1A, 0x0700, [GOOD, AX, ah(0)]),
        call("again", 0x1A, with(0x0600, 0, 0x0102, 0x0300), [GOOD, AX, ah(0)]),
        int("no alarm", 0x1A, 0x0700, [GOOD, AX, ah(0)]),
        int("no such function", 0x1A, 0x0A00, [CARRY, AX]),
        int("no such function", 0x1A, 0x8000, [CARRY, AX]),
    ]);
}

const IDE: u16 = 9;
const ANY: &str = "it takes any register number, and leaves low bits out";

fn pci(
    name: &str,
    function: u8,
    bx: u16,
    ecx: u32,
    di: u16,
    expected: impl Into<Vec<crate::expect::Expect>>,
) -> Row {
    let usual = with(0xB100 | u16::from(function), bx, 0, 0);
    let registers = Registers { ecx, edi: usual.edi & 0xFFFF_0000 | u32::from(di), ..usual };
    call(name, 0x1A, registers, expected)
}

#[test]
fn pci_bios() {
    let find = |name: &str, function: u16, ecx, dx: u16, si: u32, expected: Vec<_>| {
        let usual = with(0xB100 | function, 0, 0, dx);
        call(name, 0x1A, Registers { ecx, esi: si, ..usual }, expected)
    };
    both(&[
        int("present", 0x1A, 0xB101, [GOOD, ah(0), al(1), edx(0x2049_4350), bx(0x0210), cl(0), DI]),
        find("the IDE function", 2, 0x7010, 0x8086, 0, vec![GOOD, ah(0), bx(IDE)]),
        find("there is one only", 2, 0x7010, 0x8086, 1, vec![CARRY, ah(0x86)]),
        find("no such device", 2, 0x4321, 0x1234, 0, vec![CARRY, ah(0x86)]),
        find("the VGA by its class", 3, 0x0003_0000, 0, 0, vec![GOOD, ah(0), bx(0x0010)]),
        find("no such class", 3, 0x0012_3456, 0, 0, vec![CARRY, ah(0x86)]),
        pci("a byte", 8, IDE, 0, 0x0B, [GOOD, ah(0), cl(1)]),
        pci("a word", 9, IDE, 0, 0x02, [GOOD, ah(0), cx(0x7010)]),
        pci("a dword", 0x0A, IDE, 0, 0, [GOOD, ah(0), ecx(0x7010_8086)]),
        pci("a misplaced word", 9, IDE, 0, 3, [CARRY, ah(0x87)]).seabios(ANY, [GOOD, ah(0), cx(0x7010)]),
        pci("a misplaced dword", 0x0A, IDE, 0, 2, [CARRY, ah(0x87)])
            .seabios(ANY, [GOOD, ah(0), ecx(0x7010_8086)]),
        pci("no such register", 8, IDE, 0, 0x100, [CARRY, ah(0x87)]).seabios(ANY, [GOOD, ah(0), cl(0x86)]),
        pci("write a byte", 0x0B, 0x0010, 0x5A, 0x3C, [GOOD, ah(0)]),
        pci("it is written", 8, 0x0010, 0, 0x3C, [GOOD, ah(0), cl(0x5A)]),
        pci("write a word", 0x0C, 0x0010, 0x07, 4, [GOOD, ah(0)]),
        pci("it is written, but the bus master's bit", 9, 0x0010, 0, 4, [GOOD, ah(0), cx(0x03)]),
        pci("write a dword", 0x0D, 0x0010, 0xE800_0008, 0x10, [GOOD, ah(0)]),
        pci("it is written", 0x0A, 0x0010, 0, 0x10, [GOOD, ah(0), ecx(0xE800_0008)]),
        pci("no such function", 0x0F, 0, 0, 0, [CARRY, ah(0x81)]),
    ]);
}
