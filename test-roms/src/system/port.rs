//! I/O privilege: IOPL, the permission bitmap for every width, and its edges.

use super::board::PORT_VALUE;
use super::case::{Action, Case, Citation, Part, Probe, sdm};
use super::encode::{descriptor, rights, vector::*};
use super::guest::{Guest, PAGE, Program, layout::*, reg::*, selector};
use emu_core::vcpu::SegmentName;
use iced_x86::code_asm::*;

const FAMILY: &str = "I/O privilege";
const IOPL: Citation = sdm("1", "19.5.1", "I/O Privilege Level");
const BITMAP: Citation = sdm("1", "19.5.2", "I/O Permission Bit Map");
const STRINGS: Citation = sdm("2", "", "INS/INSB/INSW/INSD-Input from Port to String");

/// An instruction that uses the port in DX.
struct Access {
    name: &'static str,
    bytes: u64,
    program: Program,
}

const ACCESSES: [Access; 8] = [
    Access { name: "IN AL", bytes: 1, program: |a| a.in_(al, dx) },
    Access { name: "IN AX", bytes: 2, program: |a| a.in_(ax, dx) },
    Access { name: "IN EAX", bytes: 4, program: |a| a.in_(eax, dx) },
    Access { name: "OUT AL", bytes: 1, program: |a| a.out(dx, al) },
    Access { name: "OUT AX", bytes: 2, program: |a| a.out(dx, ax) },
    Access { name: "OUT EAX", bytes: 4, program: |a| a.out(dx, eax) },
    Access { name: "INSD", bytes: 4, program: |a| a.insd() },
    Access { name: "OUTSW", bytes: 2, program: |a| a.outsw() },
];

fn at_port(guest: &mut Guest, access: &Access, port: u64) {
    guest.cpu.gpr[RDX] = port;
    guest.cpu.gpr[RSI] = DATA;
    guest.cpu.gpr[RDI] = DATA;
    guest.code(|a| {
        (access.program)(a)?;
        a.int(i32::from(END))
    });
}

/// The privilege level against IOPL; the bitmap denies all.
fn levels() -> Vec<Case> {
    let mut cases = Vec::new();
    for access in &ACCESSES {
        for cpl in 0..4u64 {
            for iopl in 0..4u64 {
                let mut guest = Guest::protected().at_ring(cpl as u8).flags(iopl << 12);
                guest.poke(TSS + IO_MAP, &[0xFF; 0x2000]);
                at_port(&mut guest, access, 0x80);
                let case =
                    Case::new(FAMILY, format!("{} at CPL {cpl}, IOPL {iopl}", access.name), IOPL, guest);
                cases.push(if cpl <= iopl {
                    case.event(END)
                } else {
                    case.fault(GP, 0, 0).is(Probe::PortWrites, 0).is(Probe::Gpr(RAX), 0)
                });
            }
        }
    }
    cases
}

/// One denied port in the middle of what is allowed, at every offset.
fn single_bits() -> Vec<Case> {
    let mut cases = Vec::new();
    for access in &ACCESSES {
        for (mode, guest) in [
            ("protected", Guest::protected().at_ring(3)),
            ("V86", Guest::protected().v86(3)),
            ("64-bit", Guest::long().at_ring(3)),
        ] {
            for port in 0x3F4..0x3FCu64 {
                const DENIED: u64 = 0x3F8;
                let mut guest = guest.clone();
                guest.poke(TSS + IO_MAP + DENIED / 8, &[1 << (DENIED % 8)]);
                at_port(&mut guest, access, port);
                if mode == "V86" {
                    guest.cpu.gpr[RDI] = 0;
                    guest.cpu.gpr[RSI] = 0;
                }
                let denied = (port..port + access.bytes).contains(&DENIED);
                let name = format!("{} of port {port:x}h, 3F8h denied, {mode}", access.name);
                let case = Case::new(FAMILY, name, BITMAP, guest);
                cases.push(if denied { case.fault(GP, 0, 0) } else { case.event(END) });
            }
        }
    }
    cases
}

/// The map's end: two bytes are read, so the byte behind the last ports must be inside the limit.
fn edges() -> Vec<Case> {
    let mut cases = Vec::new();
    let last = IO_MAP + 0x80 / 8;
    for (name, limit, good) in [
        ("its byte and the next inside the limit", last + 1, true),
        ("only its byte inside the limit", last, false),
        ("outside the limit", last - 1, false),
    ] {
        for access in &ACCESSES[..3] {
            let mut guest = Guest::protected().at_ring(3);
            guest.cpu.tr.limit = limit as u32;
            at_port(&mut guest, access, 0x80);
            let case = Case::new(FAMILY, format!("{}: {name}", access.name), BITMAP, guest);
            cases.push(if good { case.event(END) } else { case.fault(GP, 0, 0) });
        }
    }
    let whole: Guest = Guest::protected().at_ring(3);
    for (access, port, good) in [
        (0usize, 0xFFFFu64, true),
        (1, 0xFFFE, true),
        (2, 0xFFFC, true),
        (1, 0xFFFF, false),
        (2, 0xFFFD, false),
    ] {
        let mut guest = whole.clone();
        at_port(&mut guest, &ACCESSES[access], port);
        let name = format!("{} of port {port:x}h", ACCESSES[access].name);
        let case = Case::new(FAMILY, name, BITMAP, guest);
        // The byte behind the map is all ones.
        cases.push(if good { case.event(END) } else { case.fault(GP, 0, 0) });
    }
    let mut base = Guest::protected().at_ring(3);
    base.poke16(TSS + 0x66, (TSS_LIMIT + 1) as u16);
    at_port(&mut base, &ACCESSES[0], 0);
    cases.push(Case::new(FAMILY, "map base beyond the limit", BITMAP, base).fault(GP, 0, 0));
    let mut narrow = Guest::protected().at_ring(3);
    narrow.descriptor(selector::TASK, descriptor(TSS, TSS_LIMIT, rights::TSS16 | 2));
    narrow.cpu.tr = narrow.segment(selector::TASK);
    narrow.poke16(TSS + 4, selector::DATA0);
    narrow.poke16(TSS + 2, 0xFF00);
    at_port(&mut narrow, &ACCESSES[0], 0x80);
    cases.push(Case::new(FAMILY, "a 16-bit TSS has no map", BITMAP, narrow).fault(GP, 0, 0));
    cases.push(map_not_present());
    cases
}

/// The map is the supervisor's memory, and may be missing: #PF without U.
fn map_not_present() -> Case {
    let mut guest = Guest::paged().at_ring(3);
    // The map moves behind the TSS's page.
    guest.poke16(TSS + 0x66, 0x1000);
    guest.page(TSS + 0x1000, 0);
    at_port(&mut guest, &ACCESSES[0], 0x80);
    let entry = PAGES + 0x1000 + 4 * ((TSS >> 12) + 1);
    Case::new(FAMILY, "the map's page is not present", BITMAP, guest)
        .fault(PF, 0, 0)
        .is(Probe::Cr2, TSS + 0x1000 + 0x80 / 8)
        .then(Action::Poke(entry, ((TSS + 0x1000) as u32 | PAGE as u32).to_le_bytes().to_vec()))
        .event(END)
}

/// A port is not read or written if the memory operand faults, and the index does not move.
fn strings() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut outs = Guest::paged();
    outs.page(DATA, 0);
    at_port(&mut outs, &ACCESSES[7], 0x80);
    cases.push(
        Case::new(FAMILY, "OUTSW from a page not present", STRINGS, outs)
            .fault(PF, 0, 0)
            .is(Probe::PortWrites, 0)
            .is(Probe::Gpr(RSI), DATA),
    );
    let mut ins = Guest::protected();
    ins.descriptor(selector::SPARE, descriptor(0, 0xF_FFFF, rights::FLAT | 0x91));
    let read_only = ins.segment(selector::SPARE);
    ins.cpu.seg[SegmentName::Es as usize] = read_only;
    at_port(&mut ins, &ACCESSES[6], 0x80);
    cases.push(
        Case::new(FAMILY, "INSD to a read-only segment", STRINGS, ins)
            .fault(GP, 0, 0)
            .is(Probe::Gpr(RDI), DATA),
    );
    let mut value = Guest::protected();
    value.poke32(DATA, 0);
    at_port(&mut value, &ACCESSES[6], 0x80);
    cases.push(
        Case::new(FAMILY, "INSD stores what the port gives", STRINGS, value)
            .event(END)
            .is(Probe::Memory(DATA, 4), PORT_VALUE)
            .is(Probe::Gpr(RDI), DATA + 4)
            .is(Probe::Segment(SegmentName::Es, Part::Selector), u64::from(selector::DATA0)),
    );
    cases
}

pub(super) fn cases() -> Vec<Case> {
    [levels(), single_bits(), edges(), strings()].concat()
}
