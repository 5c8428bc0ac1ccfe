use super::*;
use crate::bench::Bench;
use emu_core::Level::{High, Low};
use emu_core::{Effect, Width};

type Uart = Bench<Ns16550a>;

const DATA: u64 = 0;
const IER: u64 = 1;
const IIR: u64 = 2;
const LCR: u64 = 3;
const MCR: u64 = 4;
const LSR: u64 = 5;
const MSR: u64 = 6;
const SCR: u64 = 7;

/// One character at 115 200 baud, 8N1.
const CHAR: Tick = Tick(5_468_750);

fn bench() -> Uart {
    Bench::new(Ns16550a::new(0))
}

/// 115 200 baud, 8N1, interrupts let through to the board.
fn open(fcr: u8, ier: u8) -> Uart {
    let mut bench = bench();
    bench.outb(LCR, 0x83).outb(DATA, 1).outb(IER, 0).outb(LCR, 0x03).outb(IIR, fcr);
    bench.outb(MCR, 0x0B).outb(IER, ier);
    bench
}

fn sent(bench: &Uart) -> Vec<u8> {
    bench
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Host(HostRequest::Serial { port: 0, byte }) => Some(*byte),
            _ => None,
        })
        .collect()
}

fn type_in(bench: &mut Uart, bytes: &[u8]) {
    for &byte in bytes {
        bench.host(HostEvent::Serial(byte));
    }
}

#[test]
fn reset_configuration() {
    let mut bench = bench();
    let registers: Vec<_> = [IER, IIR, LCR, MCR, LSR, MSR].map(|register| bench.inb(register)).into();
    assert_eq!(registers, [0x00, 0x01, 0x00, 0x00, 0x60, 0xB0]);
}

/// What Linux's 8250 `autoconfig` does to tell a 16550A from its relatives.
#[test]
fn linux_finds_a_16550a() {
    let mut bench = bench();
    bench.outb(IER, 0);
    assert_eq!(bench.inb(IER) & 0x0F, 0);
    bench.outb(IER, 0x0F);
    assert_eq!(bench.inb(IER), 0x0F);
    bench.outb(IER, 0).outb(MCR, 0x1A);
    assert_eq!(bench.inb(MSR) & 0xF0, 0x90);
    bench.outb(MCR, 0).outb(LCR, 0xBF).outb(IIR, 0).outb(LCR, 0).outb(IIR, 0x01);
    assert_eq!(bench.inb(IIR) >> 6, 3);
    // Not a 16650 (no EFR), not a 16750 (no 64-byte FIFO), not an XScale (no UUE).
    bench.outb(LCR, 0x80);
    assert_ne!(bench.inb(IIR), 0);
    bench.outb(LCR, 0xBF);
    assert_ne!(bench.inb(IIR), 0);
    bench.outb(IIR, 0x21).outb(LCR, 0);
    assert_eq!(bench.inb(IIR) >> 5, 6);
    bench.outb(IER, 0x40);
    assert_eq!(bench.inb(IER), 0);
    bench.outb(SCR, 0xA5);
    assert_eq!(bench.inb(SCR), 0xA5);
}

/// The tests for UART_BUG_THRE and UART_BUG_TXEN in `serial8250_do_startup`.
#[test]
fn enabling_the_transmitter_interrupt_raises_it_each_time() {
    let mut bench = open(0x01, 0);
    for _ in 0..2 {
        bench.outb(IER, 0x02).expect(IRQ, High);
        assert_eq!(bench.inb(IIR), 0xC2);
        bench.expect(IRQ, Low);
        assert_eq!(bench.inb(IIR), 0xC1);
        bench.outb(IER, 0);
    }
}

#[test]
fn each_write_to_thr_sends_and_gives_a_new_edge() {
    let mut bench = open(0x01, 0x02);
    bench.inb(IIR);
    bench.edges.clear();
    bench.outb(DATA, b'o').outb(DATA, b'k');
    assert_eq!(sent(&bench), b"ok");
    let levels: Vec<_> = bench.edges.iter().map(|edge| edge.2).collect();
    assert_eq!(levels, [High, Low, High]);
    assert_eq!(bench.inb(LSR), 0x60);
}

#[test]
fn without_out2_the_interrupt_stays_inside() {
    let mut bench = open(0x01, 0x02);
    bench.outb(MCR, 0x03).expect(IRQ, Low);
    bench.outb(MCR, 0x0B).expect(IRQ, High);
    bench.outb(MCR, 0x1B).expect(IRQ, Low); // loopback
}

#[test]
fn fifo_raises_at_the_trigger_and_falls_below_it() {
    let mut bench = open(0x41, 0x01); // 4 bytes
    type_in(&mut bench, b"abcd");
    bench.advance(CHAR.times(3)).expect(IRQ, Low).advance(CHAR).expect(IRQ, High);
    assert_eq!(bench.inb(IIR), 0xC4);
    assert_eq!(bench.inb(DATA), b'a');
    bench.expect(IRQ, Low);
}

#[test]
fn character_timeout_after_four_characters_of_silence() {
    let mut bench = open(0x81, 0x01); // 8 bytes
    type_in(&mut bench, b"ab");
    bench.advance(CHAR.times(6) - Tick(1)).expect(IRQ, Low).advance(Tick(1)).expect(IRQ, High);
    assert_eq!(bench.inb(IIR), 0xCC);
    assert_eq!(bench.inb(DATA), b'a');
    bench.expect(IRQ, Low).advance(CHAR.times(4)).expect(IRQ, High);
    assert_eq!(bench.inb(DATA), b'b');
    bench.expect(IRQ, Low).advance(CHAR.times(100)).expect(IRQ, Low);
}

#[test]
fn nothing_is_lost_when_the_guest_is_slow() {
    let mut bench = open(0x01, 0);
    let bytes: Vec<u8> = (0..=255).cycle().take(receiver::QUEUE).collect();
    assert_eq!(bench.device.host_room(), bytes.len());
    type_in(&mut bench, &bytes);
    assert_eq!(bench.device.host_room(), 0);
    type_in(&mut bench, b"beyond the queue");
    let mut received = Vec::new();
    while received.len() < bytes.len() {
        bench.advance(CHAR.times(16));
        while bench.inb(LSR) & 1 != 0 {
            received.push(bench.inb(DATA));
        }
    }
    assert!(received == bytes);
    assert_eq!(bench.inb(LSR), 0x60);
    bench.advance(CHAR.times(20));
    assert_eq!(bench.inb(LSR), 0x60);
}

#[test]
fn one_character_without_fifo() {
    let mut bench = open(0x00, 0x01);
    type_in(&mut bench, b"xy");
    bench.advance(CHAR.times(5)).expect(IRQ, High);
    assert_eq!((bench.inb(IIR), bench.inb(DATA)), (0x04, b'x'));
    bench.expect(IRQ, Low).advance(CHAR).expect(IRQ, High);
    assert_eq!(bench.inb(DATA), b'y');
}

#[test]
fn clearing_the_fifo_and_changing_its_mode() {
    let mut bench = open(0x01, 0x01);
    type_in(&mut bench, b"ab");
    bench.advance(CHAR.times(2)).outb(IIR, 0x03).expect(IRQ, Low);
    assert_eq!(bench.inb(LSR), 0x60);
    type_in(&mut bench, b"c");
    bench.advance(CHAR).outb(IIR, 0x00);
    assert_eq!(bench.inb(LSR), 0x60);
}

#[test]
fn loopback_returns_data_and_overruns() {
    let mut bench = open(0x01, 0x04);
    bench.outb(MCR, 0x10);
    type_in(&mut bench, b"not now");
    for byte in 0..17 {
        bench.outb(DATA, byte);
    }
    assert!(sent(&bench).is_empty());
    assert_eq!(bench.inb(IIR), 0xC6);
    assert_eq!((bench.inb(LSR), bench.inb(LSR)), (0x63, 0x61));
    let back: Vec<_> = (0..16).map(|_| bench.inb(DATA)).collect();
    assert_eq!(back, (0..16).collect::<Vec<u8>>());
}

#[test]
fn modem_status_changes_interrupt_until_read() {
    let mut bench = open(0x01, 0x08);
    assert_eq!(bench.inb(MSR), 0xB0);
    bench.outb(MCR, 0x1F); // loopback with all outputs on
    assert_eq!(bench.inb(IIR), 0xC1); // RI rising is no delta, the others have not changed
    bench.outb(MCR, 0x10);
    assert_eq!(bench.inb(IIR), 0xC0);
    assert_eq!((bench.inb(MSR), bench.inb(MSR), bench.inb(IIR)), (0x0F, 0x00, 0xC1));
    bench.outb(MCR, 0x0B).expect(IRQ, High);
    assert_eq!(bench.inb(MSR), 0xBB);
    bench.expect(IRQ, Low);
}

#[test]
fn divisor_latch() {
    let mut bench = bench();
    bench.outb(LCR, 0x80).outb(DATA, 0x34).outb(IER, 0x12);
    assert_eq!((bench.inb(DATA), bench.inb(IER)), (0x34, 0x12));
    bench.outb(LCR, 0x03);
    assert_eq!(bench.inb(IER), 0);
}

#[test]
fn stepping_one_tick_at_a_time_equals_the_closed_form() {
    let mut stepped = open(0x01, 0x01);
    let mut jumped = open(0x01, 0x01);
    for bench in [&mut stepped, &mut jumped] {
        type_in(bench, b"a");
        bench.advance(CHAR - Tick(1000));
    }
    for _ in 0..2000 {
        stepped.advance(Tick(1));
    }
    jumped.advance(Tick(2000));
    assert_eq!(stepped.edges, jumped.edges);
    assert_eq!(jumped.edges.last(), Some(&(CHAR, IRQ, High)));
}

#[test]
fn an_idle_port_makes_no_work() {
    let mut bench = open(0x01, 0x0F);
    bench.inb(IIR);
    bench.edges.clear();
    bench.effects.clear();
    bench.advance(Tick::SECOND);
    assert!(bench.edges.is_empty() && bench.effects.is_empty());
}

#[test]
fn every_access_then_save_and_restore() {
    let mut bench = bench();
    for value in 0..=255u64 {
        for offset in 0..9 {
            for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                bench.write(Space::Port, 0, offset, width, value);
                bench.host(HostEvent::Serial(offset as u8));
                bench.advance(CHAR.times(value % 7));
                bench.read(Space::Port, 0, offset, width);
            }
        }
        bench.check_save_restore(Ns16550a::new(0));
    }
}

#[test]
fn impossible_states_are_refused() {
    let mut bench = open(0x01, 0x01);
    let before = bench.device.save();
    let mut odd = open(0x01, 0x01).device;
    odd.receiver.data = vec![0; 17].into();
    assert!(bench.device.restore(&odd.save()).is_err());
    let mut odd = open(0x01, 0x01).device;
    odd.receiver.trigger = 0;
    assert!(bench.device.restore(&odd.save()).is_err());
    assert_eq!(bench.device.save(), before);
}
