//! INT 16h.

use crate::both;
use crate::expect::{AX, NOT_ZERO, Row, ZERO, ah, al, ax, bx, call, host, int, memory, with};
use emu_core::HostEvent;

fn key(code: u16, pressed: bool) -> Row {
    host(HostEvent::Key { code, pressed })
}

#[test]
fn what_is_put_into_the_buffer_comes_out() {
    let put = |name: &str, code| call(name, 0x16, with(0x0500, 0, code, 0), [al(0)]);
    let mut rows = vec![
        int("nothing there", 0x16, 0x0100, [ZERO, AX]),
        int("nothing there, enhanced", 0x16, 0x1100, [ZERO, AX]),
        put("a letter", 0x1E61),
        int("it is there", 0x16, 0x0100, [NOT_ZERO, ax(0x1E61)]),
        int("and still", 0x16, 0x1100, [NOT_ZERO, ax(0x1E61)]),
        int("read", 0x16, 0x0000, [ax(0x1E61)]),
        put("the pad's Enter", 0xE00D),
        int("as the old keyboard's", 0x16, 0x0000, [ax(0x1C0D)]),
        put("a cursor key", 0x48E0),
        int("as the old keyboard's", 0x16, 0x0000, [ax(0x4800)]),
        put("a cursor key", 0x48E0),
        int("as it is", 0x16, 0x1000, [ax(0x48E0)]),
    ];
    for n in 0..15u16 {
        rows.push(put("fifteen fit in", 0x1100 | n));
    }
    rows.push(call("the sixteenth does not", 0x16, with(0x0500, 0, 0x1234, 0), [al(1)]));
    for n in 0..15u16 {
        rows.push(int("in their order", 0x16, 0x1000, [ax(0x1100 | n)]));
    }
    rows.push(put("F11, which the old keyboard had not", 0x8500));
    rows.push(
        int("so it is not there", 0x16, 0x0100, [ZERO, AX])
            .seabios("it gives new keys to programs that ask for the old ones", [NOT_ZERO, ax(0x8500)]),
    );
    both(&rows);
}

#[test]
fn states_and_abilities() {
    both(&[
        int("no shift key", 0x16, 0x0200, [al(0)]),
        int("no shift key, enhanced", 0x16, 0x1200, [ax(0)]),
        key(0x2A, true),
        key(0x1E, true),
        int("A", 0x16, 0x0000, [ax(0x1E41)]),
        int("left shift", 0x16, 0x0200, [al(2)]),
        int("left shift, enhanced", 0x16, 0x1200, [ax(0x0002)]),
        key(0x1E, false),
        key(0x2A, false),
        key(0x3A, true),
        key(0x3A, false),
        key(0xE01D, true),
        key(0x1E, true),
        int("Ctrl-A", 0x16, 0x0000, [ax(0x1E01)]),
        int("caps lock, right ctrl", 0x16, 0x1200, [ax(0x0444)]),
        int("the data area says the same", 0x16, 0x0200, [al(0x44), memory(0x417, &[0x44])]),
        call("typematic rate", 0x16, with(0x0305, 0x0103, 0, 0), []),
        int("abilities", 0x16, 0x0900, [al(0x34)])
            .seabios("it sets any rate, but does not say so", [al(0x30)]),
        int("identity", 0x16, 0x0A00, [bx(0x41AB)]),
        int("no such function", 0x16, 0x5500, []),
        int("are there functions 10h-12h", 0x16, 0x9200, [ah(0x80)]),
    ]);
}
