//! The board with fake chips.

use super::wiring::{Decode, End, Function, Region, Wire, Wiring};
use super::*;
use crate::clock::TimeMode;
use crate::pc::layout::Layout;
use emu_core::{Bus, CpuSignal, Level, Pin, RestoreError, Saved, Space, TimerId, Width};
use std::sync::Mutex;

/// What a fake chip was called with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Read(Space, u64, Width),
    Write(Space, u64, Width, u64),
    Pin(Pin, Level),
    Deadline(TimerId, Tick),
}

type Log = Arc<Mutex<Vec<(&'static str, Call)>>>;
type Act = fn(&Call, &mut Cx<'_>) -> Result<u64, BusFault>;

/// A chip that notes its calls and does what a function says.
struct Fake {
    name: &'static str,
    widest: Width,
    act: Act,
    log: Log,
}

impl Fake {
    fn called(&mut self, call: Call, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        let result = (self.act)(&call, cx);
        self.log.lock().expect("one thread").push((self.name, call));
        result
    }
}

impl Device for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn reset(&mut self, _how: Reset, _cx: &mut Cx<'_>) {}

    fn widest(&self, _region: u8) -> Width {
        self.widest
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        self.called(Call::Read(at.space, at.offset, at.width), cx)
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        self.called(Call::Write(at.space, at.offset, at.width, value), cx).map(|_| ())
    }

    fn deadline(&mut self, timer: TimerId, cx: &mut Cx<'_>) {
        let _value = self.called(Call::Deadline(timer, cx.now()), cx);
    }

    fn pin(&mut self, pin: Pin, level: Level, cx: &mut Cx<'_>) {
        let _value = self.called(Call::Pin(pin, level), cx);
    }

    fn save(&self) -> Saved {
        Saved::pack(1, &())
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        saved.unpack(1)
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

/// Ports 10h-17h (bytes), 20h-23h (dwords); memory FED00000h; PCI 0:2.0 is `wide`.
fn board(act: Act) -> (Board, Log) {
    let log = Log::default();
    let chip = |name, widest| -> Box<dyn Device> { Box::new(Fake { name, widest, act, log: log.clone() }) };
    let devices = vec![chip("a", Width::Byte), chip("b", Width::Byte), chip("wide", Width::Dword)];
    let port = |device, base, len| Region { device, region: 0, decode: Decode::Port, base: Some(base), len };
    let wire = |from, to| Wire { from, to, when: None };
    let wiring = Wiring {
        regions: vec![
            port("a", 0x10, 8),
            port("wide", 0x20, 4),
            Region { device: "wide", region: 1, decode: Decode::Memory, base: Some(0xFED0_0000), len: 16 },
        ],
        wires: vec![
            wire(("a", Pin(0)), End::Pin("b", Pin(5))),
            wire(("a", Pin(1)), End::Intr),
            wire(("wide", Pin(3)), End::Pin("b", Pin(2))),
            wire(("a", Pin(9)), End::A20),
        ],
        functions: vec![Function { device: 2, function: 0, name: "wide" }],
        local_apic: "none",
        pic: "b",
        io_apics: &["b"],
        host: |_| "a",
    };
    let memory = Layout::new(2 << 20).build(0).expect("memory");
    let clock = Clock::new(TimeMode::Deterministic, Tick::ZERO, 0);
    let mut board = Board::new(devices, &wiring, memory.map, memory.blocks, clock, Arc::default());
    board.reset(Reset::PowerOn);
    board.attention().store(0, Ordering::Release);
    log.lock().expect("one thread").clear();
    (board, log)
}

fn calls(log: &Log) -> Vec<(&'static str, Call)> {
    std::mem::take(&mut *log.lock().expect("one thread"))
}

fn quiet(_: &Call, _: &mut Cx<'_>) -> Result<u64, BusFault> {
    Ok(0x1122_3344_5566_7788)
}

#[test]
fn wide_accesses_are_split_in_ascending_order() {
    let (mut board, log) = board(quiet);
    board.port_write(0x12, Width::Word, 0xBBAA);
    let byte = |offset, value| ("a", Call::Write(Space::Port, offset, Width::Byte, value));
    assert_eq!(calls(&log), [byte(2, 0xAA), byte(3, 0xBB)]);
    assert_eq!(board.port_read(0x20, Width::Dword), 0x5566_7788);
    assert_eq!(calls(&log), [("wide", Call::Read(Space::Port, 0, Width::Dword))]);
    assert_eq!(board.memory_read(0xFED0_0008, Width::Qword), 0x5566_7788_5566_7788);
    let dword = |offset| ("wide", Call::Read(Space::Memory, offset, Width::Dword));
    assert_eq!(calls(&log), [dword(8), dword(12)]);
}

#[test]
fn what_nobody_answers_floats_and_is_counted() {
    let (mut board, log) = board(quiet);
    board.trace_mut().enable(true);
    assert_eq!(board.port_read(0x16, Width::Dword), 0xFFFF_8888, "two bytes of a, two of nobody");
    assert_eq!(calls(&log).len(), 2);
    assert_eq!(board.port_read(0xFFFF, Width::Word), 0xFFFF);
    board.memory_write(0xFED0_000F, Width::Word, 0);
    assert_eq!(board.trace().floats(), 3);
    let text: Vec<String> = board.trace_mut().take().iter().map(Record::to_string).collect();
    assert!(text[0].ends_with("nobody answers a 4-byte read of Port 0x16"), "{text:?}");
    for _ in 0..1000 {
        board.port_read(0x3333, Width::Byte);
    }
    assert_eq!((board.trace_mut().take().len(), board.trace().suppressed()), (4, 996), "polling is not news");
    for port in 0x4000..0x5000 {
        board.port_read(port, Width::Byte);
    }
    assert_eq!(board.trace_mut().take().len(), 100 - 3 - 4, "rate-limited");
}

#[test]
fn a_faulting_chip_lets_the_bus_float() {
    let (mut board, _log) = board(|_, _| Err(BusFault));
    assert_eq!(board.port_read(0x10, Width::Byte), 0xFF);
    assert_eq!(board.trace().floats(), 1);
}

#[test]
fn configuration_cycles_reach_functions() {
    let (mut board, log) = board(quiet);
    board.port_write(0xCF8, Width::Dword, 0x8000_1040);
    assert_eq!(board.port_read(0xCF8, Width::Dword), 0x8000_1040);
    assert_eq!(board.port_read(0xCFE, Width::Word), 0x7788);
    assert_eq!(calls(&log), [("wide", Call::Read(Space::Config, 0x42, Width::Word))]);
    board.port_write(0xCF8, Width::Dword, 0x8000_0840);
    assert_eq!(board.port_read(0xCFC, Width::Dword), 0xFFFF_FFFF);
    assert_eq!(board.port_read(0xCFC, Width::Byte), 0xFF);
    assert_eq!(board.trace().floats(), 0, "probing an absent function is nothing to note");
    board.port_write(0xCF8, Width::Byte, 0);
    assert_eq!(board.port_read(0xCF8, Width::Dword), 0x8000_0840, "only a dword reaches the latch");
}

#[test]
fn a_pulse_inside_one_call_does_not_vanish() {
    let (mut board, log) = board(|call, cx| {
        if matches!(call, Call::Write(..)) {
            cx.drive(Pin(0), Level::High);
            cx.drive(Pin(0), Level::Low);
            cx.drive(Pin(0), Level::High);
        }
        Ok(0)
    });
    board.port_write(0x10, Width::Byte, 1);
    let edge = |level| ("b", Call::Pin(Pin(5), level));
    assert_eq!(calls(&log)[1..], [edge(Level::High), edge(Level::Low), edge(Level::High)]);
}

#[test]
fn effects_are_carried_out_in_order_and_never_nested() {
    let (mut board, log) = board(|call, cx| {
        match call {
            Call::Write(Space::Port, ..) => {
                cx.drive(Pin(0), Level::High);
                cx.eoi(7);
            }
            // What this leads to comes after the broadcast.
            Call::Pin(..) => cx.eoi(8),
            _ => {}
        }
        Ok(0)
    });
    board.port_write(0x10, Width::Byte, 1);
    let eoi = |vector| ("b", Call::Write(Space::Eoi, 0, Width::Byte, vector));
    assert_eq!(calls(&log)[1..], [("b", Call::Pin(Pin(5), Level::High)), eoi(7), eoi(8)]);
}

#[test]
fn deadlines_fire_at_their_own_time_in_order() {
    let (mut board, log) = board(|call, cx| {
        if let Call::Write(..) = call {
            cx.arm(TimerId(1), Tick(500));
            cx.arm(TimerId(2), Tick(300));
            cx.arm(TimerId(3), Tick(500));
            cx.arm(TimerId(4), Tick(400));
            cx.disarm(TimerId(4));
        }
        Ok(0)
    });
    board.port_write(0x10, Width::Byte, 1);
    assert_eq!(board.allowance(), 3, "300 ticks are less than three instructions");
    calls(&log);
    board.retire(3);
    board.port_read(0x20, Width::Byte);
    board.retire(3);
    board.port_read(0x20, Width::Byte);
    let fired: Vec<_> =
        calls(&log).into_iter().filter(|(_, call)| matches!(call, Call::Deadline(..))).collect();
    let deadline = |timer, at| ("a", Call::Deadline(TimerId(timer), Tick(at)));
    assert_eq!(fired, [deadline(2, 300), deadline(1, 500), deadline(3, 500)]);
}

#[test]
fn a_deadline_in_the_past_fires_as_soon_as_the_call_returns() {
    let (mut board, log) = board(|call, cx| {
        if let Call::Write(..) = call {
            cx.arm(TimerId(1), Tick::ZERO);
        }
        Ok(0)
    });
    board.retire(10);
    board.port_write(0x10, Width::Byte, 1);
    assert_eq!(calls(&log)[1], ("a", Call::Deadline(TimerId(1), Tick(1260))), "and sees no time run back");
}

#[test]
fn a_timer_that_never_stops_does_not_hang_the_board() {
    let (mut board, log) = board(|_, cx| {
        cx.arm(TimerId(1), Tick::ZERO);
        Ok(0)
    });
    board.port_write(0x10, Width::Byte, 1);
    assert!(calls(&log).len() <= 2 + 2 * MAX_FIRED as usize);
    assert_eq!(board.allowance(), 256, "the guest goes on for a while");
    board.retire(256);
    assert_eq!(board.allowance(), 0, "and then more of them fire");
}

#[test]
fn interrupt_request_is_a_bit_and_the_pic_gives_the_vector() {
    let (mut board, log) = board(|call, cx| {
        if let Call::Write(_, _, _, value) = call {
            cx.drive(Pin(1), Level::from(*value != 0));
        }
        Ok(0x68)
    });
    board.port_write(0x10, Width::Byte, 1);
    assert_eq!(board.attention().load(Ordering::Acquire), Attention::INTR);
    assert_eq!(board.acknowledge(), 0x68);
    assert_eq!(calls(&log)[1], ("b", Call::Read(Space::IntAck, 0, Width::Byte)));
    board.port_write(0x10, Width::Byte, 0);
    assert_eq!(board.attention().load(Ordering::Acquire), 0);
}

/// `a` asks for a DMA transfer; `wide` drives DREQ2 of `b`, which is taken for the controller.
fn dma(call: &Call, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
    match *call {
        // The requester raises DREQ.
        Call::Write(Space::Config, _, _, _) => cx.drive(Pin(3), Level::High),
        // The controller grants.
        Call::Pin(Pin(2), Level::High) => cx.dma(2, 0x1000, 4, true, false),
        // The requester gives three bytes.
        Call::Read(Space::Dma, terminal_count, _) => {
            return if terminal_count == 1 { Err(BusFault) } else { Ok(0xA5) };
        }
        _ => {}
    }
    Ok(0)
}

#[test]
fn dma_moves_bytes_until_the_device_stops_and_tells_the_count() {
    let (mut board, log) = board(dma);
    board.port_write(0xCF8, Width::Dword, 0x8000_1000);
    board.port_write(0xCFC, Width::Byte, 0);
    assert_eq!(Bus::memory(&board).read_array(0x1000), [0xA5, 0xA5, 0xA5, 0]);
    let calls = calls(&log);
    assert_eq!(calls.last(), Some(&("b", Call::Write(Space::Dma, 0, Width::Dword, 3))));
    let reads = calls.iter().filter(|(name, call)| *name == "wide" && matches!(call, Call::Read(..)));
    assert_eq!(reads.count(), 4);
}

#[test]
fn endless_dma_is_cut_off() {
    let (mut board, _log) = board(|call, cx| {
        if matches!(call, Call::Write(..)) {
            cx.dma(0, 0, u32::MAX, false, true);
        }
        Ok(0)
    });
    board.port_write(0x10, Width::Byte, 1);
    board.port_write(0x10, Width::Byte, 1);
}

#[test]
fn messages_outside_the_interrupt_range_are_memory_writes() {
    let (mut board, _log) = board(|call, cx| {
        if matches!(call, Call::Write(..)) {
            cx.message(0x2000, 0x1234_5678);
        }
        Ok(0)
    });
    board.port_write(0x10, Width::Byte, 1);
    assert_eq!(Bus::memory(&board).read_array(0x2000), 0x1234_5678u32.to_le_bytes());
}

#[test]
fn signals_wait_for_the_run_loop_and_stop_the_engine() {
    let (mut board, _log) = board(|call, cx| {
        if matches!(call, Call::Write(..)) {
            cx.power(Power::Reset);
            cx.power(Power::CpuReset);
            cx.cpu(CpuSignal::Init);
            cx.cpu(CpuSignal::Nmi);
            cx.host(HostRequest::Exit(3));
            cx.host(HostRequest::Debug(b'x'));
        }
        Ok(0)
    });
    board.port_write(0x10, Width::Byte, 1);
    assert_eq!(board.allowance(), 0);
    assert_eq!(board.attention().load(Ordering::Acquire), Attention::STOP | Attention::NMI);
    let Signals { power, exit, init } = board.take_signals();
    assert_eq!((power, exit, init), (Some(Power::Reset), Some(3), true), "the stronger power request wins");
    assert_eq!(board.take_requests(), [HostRequest::Debug(b'x')]);
}

#[test]
fn the_a20_gate_follows_its_line() {
    let (mut board, _log) = board(|call, cx| {
        if let Call::Write(_, _, _, value) = call {
            cx.drive(Pin(9), Level::from(*value != 0));
        }
        Ok(0)
    });
    assert!(!board.a20(), "the line is low after reset");
    board.port_write(0x10, Width::Byte, 1);
    assert!(board.a20());
    board.port_write(0x10, Width::Byte, 0);
    assert!(!board.a20());
}

#[test]
fn board_state_comes_back_without_edges() {
    let act: Act = |call, cx| {
        if let Call::Write(Space::Port, ..) = call {
            cx.drive(Pin(0), Level::High);
            cx.drive(Pin(1), Level::High);
            cx.arm(TimerId(1), Tick(5000));
            cx.window(0, Some(0x4000));
            cx.shadow(0xF_0000, 0x1_0000, true, true);
            cx.cpu(CpuSignal::Nmi);
        }
        Ok(0)
    };
    let (mut before, _log) = board(act);
    before.port_write(0xCF8, Width::Dword, 0x8000_1000);
    before.port_write(0x10, Width::Byte, 1);
    before.retire(7);
    let (saved, devices) = (before.save(), before.save_devices());
    let (mut after, log) = board(act);
    after.restore(&saved, &devices).expect("its own state");
    assert_eq!(after.save(), saved);
    assert_eq!(calls(&log), [], "no edges");
    assert_eq!(after.attention().load(Ordering::Acquire), Attention::INTR | Attention::NMI);
    assert_eq!(after.port_read(0x4003, Width::Byte), 0, "the moved window");
    assert_eq!(calls(&log)[0], ("a", Call::Read(Space::Port, 3, Width::Byte)));
    assert_eq!(after.clock().retired(), 7);
}

#[test]
fn a_state_of_other_chips_is_refused() {
    let (mut board, _log) = board(quiet);
    let (saved, mut devices) = (board.save(), board.save_devices());
    devices[1].name = "other".into();
    let error = board.restore(&saved, &devices).expect_err("other chips");
    let text = "the saved machine has the chips [a, other, wide], this one has [a, b, wide]";
    assert_eq!(error.to_string(), text);
    devices.pop();
    assert!(board.restore(&saved, &devices).is_err());
}
