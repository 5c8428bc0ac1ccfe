use super::*;
use crate::bench::Bench;
use emu_core::Level::{High, Low};
use emu_core::{Effect, Width};

type Kbc = Bench<I8042>;

fn bench() -> Kbc {
    Bench::new(I8042::new())
}

fn command(bench: &mut Kbc, byte: u8) {
    bench.write(Space::Port, 1, 0, Width::Byte, byte.into());
}

fn status(bench: &mut Kbc) -> u8 {
    bench.read(Space::Port, 1, 0, Width::Byte) as u8
}

/// Sends a command and gives the answer, as `i8042_command` of Linux does.
fn ask(bench: &mut Kbc, byte: u8) -> u8 {
    command(bench, byte);
    assert_eq!(status(bench) & 0x21, 0x01, "answer to {byte:02X}");
    bench.inb(0)
}

fn command_byte(bench: &mut Kbc, byte: u8) {
    command(bench, 0x60);
    bench.outb(0, byte);
}

/// Every byte that arrives, each with whether it is the mouse's.
fn drain(bench: &mut Kbc) -> Vec<(bool, u8)> {
    let mut bytes = Vec::new();
    loop {
        bench.advance(Tick::MILLISECOND.times(20));
        match status(bench) & 0x21 {
            0 => return bytes,
            bits => bytes.push((bits & 0x20 != 0, bench.inb(0))),
        }
    }
}

fn keyboard_bytes(bytes: &[u8]) -> Vec<(bool, u8)> {
    bytes.iter().map(|&byte| (false, byte)).collect()
}

fn mouse_bytes(bytes: &[u8]) -> Vec<(bool, u8)> {
    bytes.iter().map(|&byte| (true, byte)).collect()
}

fn tell_mouse(bench: &mut Kbc, byte: u8) -> Vec<(bool, u8)> {
    command(bench, 0xD4);
    bench.outb(0, byte);
    drain(bench)
}

#[test]
fn self_tests_and_command_byte() {
    let mut bench = bench();
    assert_eq!(status(&mut bench), 0x14);
    assert_eq!(ask(&mut bench, 0xAA), 0x55);
    assert_eq!(ask(&mut bench, 0xAB), 0x00);
    assert_eq!(ask(&mut bench, 0xA9), 0x00);
    assert_eq!(ask(&mut bench, 0xA4), 0xF1);
    assert_eq!(ask(&mut bench, 0xC0) & 0x80, 0x80);
    assert_eq!(ask(&mut bench, 0x20), 0x45);
    command_byte(&mut bench, 0x30);
    assert_eq!(ask(&mut bench, 0x20), 0x30);
    assert_eq!(status(&mut bench), 0x18); // SYS follows, the last write was a command
    command(&mut bench, 0x65);
    bench.outb(0, 0xA5);
    assert_eq!((ask(&mut bench, 0x25), ask(&mut bench, 0x24)), (0xA5, 0x00));
}

/// `i8042_check_aux` and `i8042_check_mux` of Linux.
#[test]
fn linux_finds_the_aux_port() {
    let mut bench = bench();
    command(&mut bench, 0xD3);
    bench.outb(0, 0x5A);
    assert_eq!((status(&mut bench) & 0x21, bench.inb(0)), (0x21, 0x5A));
    command(&mut bench, 0xA7);
    assert_eq!(ask(&mut bench, 0x20) & 0x20, 0x20);
    command(&mut bench, 0xA8);
    assert_eq!(ask(&mut bench, 0x20) & 0x20, 0x00);
    // The interrupt test: loop a byte back with the interrupt on.
    command_byte(&mut bench, 0x47);
    command(&mut bench, 0xD3);
    bench.outb(0, 0xA5).expect(IRQ12, High).expect(IRQ1, Low);
    assert_eq!(bench.inb(0), 0xA5);
    bench.expect(IRQ12, Low);
}

#[test]
fn keyboard_probe_with_translation() {
    let mut bench = bench();
    bench.outb(0, 0xF2);
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0xFA, 0xAB, 0x41]));
    bench.outb(0, 0xFF);
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0xFA, 0xAA]));
    command_byte(&mut bench, 0x05);
    bench.outb(0, 0xF2);
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0xFA, 0xAB, 0x83]));
}

#[test]
fn keys_arrive_one_by_one_each_with_its_interrupt() {
    let mut bench = bench();
    bench.host(HostEvent::Key { code: 0xE048, pressed: true });
    bench.host(HostEvent::Key { code: 0xE048, pressed: false });
    bench.advance(BYTE - Tick(1)).expect(IRQ1, Low).advance(Tick(1)).expect(IRQ1, High);
    assert_eq!(bench.inb(0), 0xE0);
    bench.expect(IRQ1, Low);
    assert_eq!(bench.inb(0), 0xE0); // the buffer is empty, and shows the last byte
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0x48, 0xE0, 0xC8]));
    assert_eq!(bench.edges.iter().filter(|edge| edge.1 == IRQ1 && edge.2 == High).count(), 4);
}

#[test]
fn without_translation_set_2_comes_through() {
    let mut bench = bench();
    command_byte(&mut bench, 0x05);
    bench.host(HostEvent::Key { code: 0x1E, pressed: true });
    bench.host(HostEvent::Key { code: 0x1E, pressed: false });
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0x1C, 0xF0, 0x1C]));
}

#[test]
fn a_held_key_repeats_in_guest_time_until_released() {
    let mut bench = bench();
    bench.host(HostEvent::Key { code: 0x1E, pressed: true });
    let mut makes = 0;
    for _ in 0..2000 {
        bench.advance(Tick::MILLISECOND);
        if status(&mut bench) & 1 != 0 {
            assert_eq!(bench.inb(0), 0x1E);
            makes += 1;
        }
    }
    assert_eq!(makes, 1 + 17); // 500 ms, then one every 91.7 ms
    bench.host(HostEvent::Key { code: 0x1E, pressed: false });
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0x9E]));
    bench.edges.clear();
    bench.advance(Tick::SECOND.times(10));
    assert!(bench.edges.is_empty());
}

#[test]
fn a_disabled_keyboard_keeps_its_keys_and_a_write_enables_it() {
    let mut bench = bench();
    command(&mut bench, 0xAD);
    bench.host(HostEvent::Key { code: 0x1E, pressed: true });
    bench.host(HostEvent::Key { code: 0x1E, pressed: false });
    assert!(drain(&mut bench).is_empty());
    bench.outb(0, 0xEE);
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0xEE, 0x1E, 0x9E]));
    assert_eq!(ask(&mut bench, 0x20) & 0x10, 0);
}

#[test]
fn an_answer_waits_for_the_output_buffer() {
    let mut bench = bench();
    bench.host(HostEvent::Key { code: 0x1E, pressed: true });
    bench.advance(Tick::MILLISECOND);
    command(&mut bench, 0x20);
    bench.edges.clear();
    assert_eq!(bench.inb(0), 0x1E);
    assert_eq!(bench.edges.len(), 2); // down and up again
    assert_eq!((status(&mut bench) & 1, bench.inb(0)), (1, 0x45));
    assert_eq!(status(&mut bench) & 1, 0);
}

#[test]
fn mouse_probe_wheel_and_report() {
    let mut bench = bench();
    command_byte(&mut bench, 0x47);
    assert_eq!(tell_mouse(&mut bench, 0xFF), mouse_bytes(&[0xFA, 0xAA, 0x00]));
    for byte in [0xF3, 200, 0xF3, 100, 0xF3, 80] {
        assert_eq!(tell_mouse(&mut bench, byte), mouse_bytes(&[0xFA]));
    }
    assert_eq!(tell_mouse(&mut bench, 0xF2), mouse_bytes(&[0xFA, 0x03]));
    tell_mouse(&mut bench, 0xF4);
    bench.host(HostEvent::Mouse { dx: 5, dy: -3, wheel: 1, buttons: 1 });
    bench.advance(BYTE).expect(IRQ12, High).expect(IRQ1, Low);
    assert_eq!(drain(&mut bench), mouse_bytes(&[0x09, 5, 3, 0xFF]));
}

#[test]
fn a_disabled_mouse_waits_and_the_keyboard_goes_first() {
    let mut bench = bench();
    tell_mouse(&mut bench, 0xF4);
    command(&mut bench, 0xA7);
    bench.host(HostEvent::Mouse { dx: 1, dy: 0, wheel: 0, buttons: 0 });
    assert!(drain(&mut bench).is_empty());
    bench.host(HostEvent::Key { code: 0x02, pressed: true });
    command(&mut bench, 0xA8);
    let mut expected = keyboard_bytes(&[0x02]);
    expected.extend(mouse_bytes(&[0x08, 1, 0]));
    assert_eq!(drain(&mut bench), expected);
}

#[test]
fn a20_and_reset() {
    let mut bench = bench();
    bench.expect(A20, High);
    assert_eq!(ask(&mut bench, 0xD0), 0xC3);
    command(&mut bench, 0xD1);
    bench.outb(0, 0xDD).expect(A20, Low);
    assert_eq!(ask(&mut bench, 0xD0), 0xC1);
    command(&mut bench, 0xDF);
    bench.expect(A20, High);
    command(&mut bench, 0xDD);
    bench.expect(A20, Low);
    assert!(bench.effects.is_empty());
    command(&mut bench, 0xFE);
    command(&mut bench, 0xFF);
    assert_eq!(bench.effects, [Effect::Power(Power::CpuReset)]);
    command(&mut bench, 0xD1);
    bench.outb(0, 0x02).expect(A20, High);
    assert_eq!(bench.effects.len(), 2);
}

#[test]
fn output_buffer_loop_of_the_keyboard() {
    let mut bench = bench();
    command(&mut bench, 0xD2);
    bench.outb(0, 0x1E).expect(IRQ1, High);
    assert_eq!((status(&mut bench) & 0x21, bench.inb(0)), (0x01, 0x1E));
    // A command in between takes the expected byte back.
    command(&mut bench, 0xD2);
    command(&mut bench, 0xAE);
    bench.outb(0, 0xEE);
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0xEE]));
}

#[test]
fn stepping_equals_the_closed_form() {
    let mut stepped = bench();
    let mut jumped = bench();
    for bench in [&mut stepped, &mut jumped] {
        bench.host(HostEvent::Key { code: 0x1E, pressed: true });
    }
    for _ in 0..7000 {
        stepped.advance(Tick::MICROSECOND.times(100));
    }
    jumped.advance(Tick::MILLISECOND.times(700));
    assert_eq!(stepped.edges, jumped.edges);
    assert_eq!(stepped.device.save(), jumped.device.save());
}

#[test]
fn every_access_then_save_and_restore() {
    let mut bench = bench();
    for value in 0..=255u64 {
        for data in [0x00, 0x02, 0x5A, 0xF0, 0xFF, value] {
            for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
                bench.write(Space::Port, 1, 0, width, value);
                bench.write(Space::Port, 0, 0, width, data);
                bench.write(Space::Port, 2, 0, width, data);
                bench.host(HostEvent::Key { code: value as u16 | 0xE000, pressed: data & 1 == 0 });
                bench.host(HostEvent::Mouse { dx: 3, dy: 400, wheel: -1, buttons: value as u8 });
                bench.advance(Tick::MILLISECOND.times(data % 4));
                bench.read(Space::Port, 1, 0, width);
                bench.read(Space::Port, 0, 0, width);
                bench.read(Space::Port, 0, 1, width);
            }
        }
        bench.check_save_restore(I8042::new());
    }
}

#[test]
fn a_restored_controller_goes_on_as_the_saved_one() {
    let mut bench = bench();
    bench.host(HostEvent::Key { code: 0xE048, pressed: true });
    bench.advance(BYTE);
    assert_eq!(bench.inb(0), 0xE0);
    let saved = bench.device.save();
    bench.device = I8042::new();
    bench.device.restore(&saved).expect("own state");
    assert_eq!(drain(&mut bench), keyboard_bytes(&[0x48]));
}

#[test]
fn impossible_states_are_refused() {
    let mut bench = bench();
    let before = bench.device.save();
    let mut odd = I8042::new();
    odd.expect = Expect::Ram(32);
    assert!(bench.device.restore(&odd.save()).is_err());
    assert_eq!(bench.device.save(), before);
}

#[test]
fn polling_shows_halves_of_the_input_port() {
    let mut bench = bench();
    command(&mut bench, 0xC2);
    assert_eq!(status(&mut bench), 0xAC); // keyboard not locked, no jumper; the last write was a command
    command(&mut bench, 0xC1);
    assert_eq!(status(&mut bench), 0x0C);
    command(&mut bench, 0xAE);
    assert_eq!(status(&mut bench), 0x1C);
}

#[test]
fn the_host_sees_the_lights() {
    let mut bench = bench();
    assert_eq!(bench.device.leds(), 0);
    bench.outb(0, 0xED).outb(0, 0x06);
    assert_eq!(bench.device.leds(), 0x06);
    drain(&mut bench);
    bench.outb(0, 0xFF);
    assert_eq!(bench.device.leds(), 0);
}

#[test]
fn the_keyboard_is_idle_when_the_guest_has_taken_everything() {
    let mut bench = bench();
    assert!(bench.device.keyboard_is_idle());
    bench.host(HostEvent::Key { code: 0x1E, pressed: true });
    bench.host(HostEvent::Key { code: 0x1E, pressed: false });
    assert!(!bench.device.keyboard_is_idle());
    bench.advance(Tick::SECOND);
    bench.inb(0);
    assert!(!bench.device.keyboard_is_idle(), "the release has not been read yet");
    drain(&mut bench);
    assert!(bench.device.keyboard_is_idle());
    bench.outb(0, 0xED);
    drain(&mut bench);
    assert!(!bench.device.keyboard_is_idle(), "a parameter is awaited");
    bench.outb(0, 0x00);
    drain(&mut bench);
    command(&mut bench, 0xAD);
    assert!(!bench.device.keyboard_is_idle(), "disabled");
}

#[test]
fn five_buttons_through_the_controller() {
    let mut bench = bench();
    command_byte(&mut bench, 0x47);
    for byte in [0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF3, 200, 0xF3, 200, 0xF3, 80] {
        assert_eq!(tell_mouse(&mut bench, byte), mouse_bytes(&[0xFA]));
    }
    assert_eq!(tell_mouse(&mut bench, 0xF2), mouse_bytes(&[0xFA, 0x04]));
    tell_mouse(&mut bench, 0xF4);
    bench.host(HostEvent::Mouse { dx: 0, dy: 0, wheel: -1, buttons: 0x10 });
    assert_eq!(drain(&mut bench), mouse_bytes(&[0x08, 0, 0, 0x21]));
}

/// Two controllers get the same random treatment; one is saved and restored all the time, and nobody can tell.
#[test]
fn random_guests_and_hosts() {
    let (mut kept, mut restored) = (bench(), bench());
    let mut random = 0x1234_5678_9ABC_DEF1u64;
    for step in 0..60_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let [what, value, more, ..] = random.to_le_bytes();
        let read = [&mut kept, &mut restored].map(|bench| match what % 8 {
            0 => bench.inb(0).into(),
            1 => bench.read(Space::Port, 1, 0, Width::Byte),
            2 => bench.outb(0, value).now.0,
            3 => bench.write(Space::Port, 1, 0, Width::Byte, value.into()).now.0,
            4 => bench.host(HostEvent::Key { code: (random >> 16) as u16, pressed: more & 1 == 0 }).now.0,
            5 => {
                let (dx, dy) = ((random >> 16) as i16, (random >> 32) as i16);
                bench.host(HostEvent::Mouse { dx, dy, wheel: more as i8, buttons: value }).now.0
            }
            // Commands that lead far: to the mouse, the knocks, set 3.
            6 => {
                command(bench, 0xD4);
                bench.outb(0, [0xF3, 200, 100, 80, 0xF4, 0xEB, 0xF0, 0xE9][usize::from(value % 8)]).now.0
            }
            _ => bench.advance(Tick::MICROSECOND.times(u64::from(value) * 37)).now.0,
        });
        assert_eq!(read[0], read[1], "step {step}");
        if step % 16 == 0 {
            let saved = restored.device.save();
            restored.device = I8042::new();
            restored.device.restore(&saved).expect("own state");
        }
    }
    assert_eq!(kept.edges, restored.edges);
    assert_eq!(kept.device.save(), restored.device.save());
}
