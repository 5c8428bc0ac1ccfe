use super::*;

fn out(mouse: &mut Mouse, now: Tick) -> Vec<u8> {
    std::iter::from_fn(|| mouse.take(now)).collect()
}

fn answer(mouse: &mut Mouse, bytes: &[u8]) -> Vec<u8> {
    bytes.iter().for_each(|&byte| mouse.write(byte));
    out(mouse, Tick::ZERO)
}

#[test]
fn commands_and_their_answers() {
    let mut mouse = Mouse::new();
    for (bytes, expected) in [
        (&[0xFF][..], &[0xFA, 0xAA, 0x00][..]),
        (&[0xF2], &[0xFA, 0x00]),
        (&[0xE9], &[0xFA, 0x00, 0x02, 100]),
        (&[0xE8, 0x03], &[0xFA, 0xFA]),
        (&[0xE8, 0x04], &[0xFA, 0xFE]),
        (&[0xF3, 40], &[0xFA, 0xFA]),
        (&[0xF3, 41], &[0xFA, 0xFE]),
        (&[0xE7, 0xF4], &[0xFA, 0xFA]),
        (&[0xE9], &[0xFA, 0x30, 0x03, 40]),
        (&[0xEE, 0x55, 0xF4, 0xEC], &[0xFA, 0x55, 0xF4, 0xFA]), // wrap
        (&[0xF6, 0xE9], &[0xFA, 0xFA, 0x00, 0x02, 100]),
        (&[0x00], &[0xFE]),
    ] {
        assert_eq!(answer(&mut mouse, bytes), expected, "{bytes:02X?}");
    }
    answer(&mut mouse, &[0xE9]);
    assert_eq!(answer(&mut mouse, &[0xFE]), [100]);
}

#[test]
fn the_knock_turns_the_wheel_on() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF3, 200, 0xF3, 100, 0xF3, 80]);
    assert_eq!(answer(&mut mouse, &[0xF2]), [0xFA, 0x03]);
    answer(&mut mouse, &[0xF4]);
    mouse.movement(0, 0, 1, 0);
    assert_eq!(out(&mut mouse, Tick::ZERO), [0x08, 0, 0, 0xFF]);
    assert_eq!(answer(&mut mouse, &[0xFF]), [0xFA, 0xAA, 0x00]);
}

#[test]
fn reports_have_signs_buttons_and_keep_the_rest() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF4]);
    mouse.movement(-300, 10, 0, 0b101);
    assert_eq!(out(&mut mouse, Tick::ZERO), [0x08 | 0x30 | 5, 0x01, 0xF6]);
    assert_eq!(out(&mut mouse, Tick::MILLISECOND.times(10)), [0x08 | 0x10 | 5, 0xD3, 0x00]);
    mouse.movement(0, 0, 5, 0b101); // no wheel, nothing new
    assert_eq!(mouse.ready_at(Tick::SECOND), None);
}

#[test]
fn the_sample_rate_paces_reports() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF3, 20, 0xF4]);
    mouse.movement(1, 0, 0, 0);
    assert_eq!(out(&mut mouse, Tick::SECOND).len(), 3);
    mouse.movement(1, 0, 0, 0);
    let next = Tick::SECOND + Tick::MILLISECOND.times(50);
    assert_eq!(mouse.ready_at(Tick::SECOND), Some(next));
    assert!(out(&mut mouse, next - Tick(1)).is_empty());
    assert_eq!(out(&mut mouse, next), [0x08, 1, 0]);
}

#[test]
fn remote_mode_reports_on_request() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF0]);
    mouse.movement(7, -3, 0, 1);
    assert_eq!(mouse.ready_at(Tick::ZERO), None);
    assert_eq!(answer(&mut mouse, &[0xEB]), [0xFA, 0x09, 7, 3]);
    assert_eq!(answer(&mut mouse, &[0xE9]), [0xFA, 0x44, 2, 100]);
    assert_eq!(answer(&mut mouse, &[0xEA]), [0xFA]);
}

#[test]
fn scaling_2_to_1() {
    for (n, scaled) in [(0, 0), (1, 1), (2, 1), (3, 3), (4, 6), (5, 9), (6, 12), (-5, -9), (127, 254)] {
        assert_eq!(scale(n), scaled);
    }
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xE7, 0xF4]);
    mouse.movement(5, 0, 0, 0);
    assert_eq!(out(&mut mouse, Tick::ZERO), [0x08, 9, 0]);
}

#[test]
fn a_command_discards_the_report_under_way() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF4]);
    mouse.movement(1, 1, 0, 0);
    assert_eq!(mouse.take(Tick::ZERO), Some(0x28));
    assert_eq!(answer(&mut mouse, &[0xF2]), [0xFA, 0x00]);
}

#[test]
fn movement_is_bounded() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF0]);
    for _ in 0..100_000 {
        mouse.movement(i16::MIN, i16::MIN, i8::MIN, 0xFF);
    }
    assert_eq!(mouse.dx, -MOVEMENT);
    assert_eq!(mouse.dy, MOVEMENT);
}

const KNOCK_WHEEL: [u8; 6] = [0xF3, 200, 0xF3, 100, 0xF3, 80];
const KNOCK_BUTTONS: [u8; 6] = [0xF3, 200, 0xF3, 200, 0xF3, 80];

#[test]
fn the_second_knock_turns_five_buttons_on() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &KNOCK_BUTTONS);
    assert_eq!(answer(&mut mouse, &[0xF2]), [0xFA, 0x00], "only a mouse with a wheel has five buttons");
    answer(&mut mouse, &KNOCK_WHEEL);
    answer(&mut mouse, &KNOCK_BUTTONS);
    assert_eq!(answer(&mut mouse, &[0xF2]), [0xFA, 0x04]);
    answer(&mut mouse, &[0xF3, 100, 0xF4]);
    mouse.movement(0, 0, 1, 0b11001);
    assert_eq!(out(&mut mouse, Tick::ZERO), [0x09, 0, 0, 0x3F]);
    mouse.movement(0, 0, -1, 0);
    assert_eq!(out(&mut mouse, Tick::SECOND), [0x08, 0, 0, 0x01]);
    answer(&mut mouse, &KNOCK_WHEEL);
    assert_eq!(answer(&mut mouse, &[0xF2]), [0xFA, 0x04], "the first knock does not take the buttons away");
}

#[test]
fn a_mouse_of_three_buttons_does_not_know_the_fourth() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF4]);
    mouse.movement(0, 0, 0, 0b01000);
    assert_eq!(mouse.ready_at(Tick::ZERO), None);
}

#[test]
fn a_quick_click_is_two_reports() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF4]);
    mouse.movement(2, 0, 0, 1);
    mouse.movement(0, 0, 0, 0);
    assert_eq!(out(&mut mouse, Tick::ZERO), [0x09, 2, 0]);
    assert_eq!(out(&mut mouse, Tick::SECOND), [0x08, 0, 0]);
    for n in 0..100 {
        mouse.movement(0, 0, 0, n & 1);
    }
    let mut reports = 0;
    let mut last = 0xFF;
    while mouse.ready_at(Tick::SECOND).is_some() {
        reports += 1;
        last = out(&mut mouse, Tick::SECOND.times(2 + reports))[0] & 1;
    }
    assert_eq!((reports, last), (CLICKS as u64, 1), "bounded, and the last state is the true one");
}

#[test]
fn lost_movement_is_reported_once() {
    let mut mouse = Mouse::new();
    answer(&mut mouse, &[0xF0]);
    mouse.movement(0x7FFF, 5, 0, 0);
    assert_eq!(answer(&mut mouse, &[0xEB]), [0xFA, 0x28, 0xFF, 0xFB]);
    mouse.movement(300, 0, 0, 0);
    assert_eq!(answer(&mut mouse, &[0xEB]), [0xFA, 0x48, 0xFF, 0x00]);
    assert_eq!(answer(&mut mouse, &[0xEB]), [0xFA, 0x08, 0xFF, 0x00]);
}
