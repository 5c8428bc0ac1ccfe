use super::*;

fn out(keyboard: &mut Keyboard) -> Vec<u8> {
    std::iter::from_fn(|| keyboard.take()).collect()
}

fn answer(keyboard: &mut Keyboard, bytes: &[u8]) -> Vec<u8> {
    bytes.iter().for_each(|&byte| keyboard.write(byte));
    out(keyboard)
}

fn press(keyboard: &mut Keyboard, key: u16) -> (Vec<u8>, Vec<u8>) {
    keyboard.key(key, true, Tick::ZERO);
    let make = out(keyboard);
    keyboard.key(key, false, Tick::ZERO);
    (make, out(keyboard))
}

#[test]
fn commands_and_their_answers() {
    let mut keyboard = Keyboard::new();
    for (bytes, expected) in [
        (&[0xFF][..], &[0xFA, 0xAA][..]),
        (&[0xF2], &[0xFA, 0xAB, 0x83]),
        (&[0xEE], &[0xEE]),
        (&[0xED, 0x02], &[0xFA, 0xFA]),
        (&[0xF3, 0x00], &[0xFA, 0xFA]),
        (&[0xF0, 0x00], &[0xFA, 0xFA, 0x02]),
        (&[0xF0, 0x03], &[0xFA, 0xFA]),
        (&[0xF0, 0x00], &[0xFA, 0xFA, 0x03]),
        (&[0xF0, 0x04], &[0xFA, 0xFE]),
        (&[0xED, 0xF4], &[0xFA, 0xFA]), // a command instead of the parameter
        (&[0x12], &[0xFE]),
        (&[0xFC, 0x1C, 0x1B, 0xF4], &[0xFA, 0xFA, 0xFA, 0xFA]),
        (&[0xF6], &[0xFA]),
    ] {
        assert_eq!(answer(&mut keyboard, bytes), expected, "{bytes:02X?}");
    }
    answer(&mut keyboard, &[0xF2]);
    assert_eq!(answer(&mut keyboard, &[0xFE]), [0x83]);
}

#[test]
fn sets_1_and_2() {
    let mut keyboard = Keyboard::new();
    assert_eq!(press(&mut keyboard, 0x1E), (vec![0x1C], vec![0xF0, 0x1C])); // A
    assert_eq!(press(&mut keyboard, 0x41), (vec![0x83], vec![0xF0, 0x83])); // F7
    assert_eq!(press(&mut keyboard, 0xE048), (vec![0xE0, 0x75], vec![0xE0, 0xF0, 0x75])); // up
    let print = (vec![0xE0, 0x12, 0xE0, 0x7C], vec![0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12]);
    assert_eq!(press(&mut keyboard, 0xE037), print);
    let pause = vec![0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77];
    assert_eq!(press(&mut keyboard, PAUSE_KEY), (pause.clone(), vec![]));
    assert_eq!(press(&mut keyboard, PAUSE_KEY), (pause, vec![]));
    answer(&mut keyboard, &[0xF0, 0x01]);
    assert_eq!(press(&mut keyboard, 0x1E), (vec![0x1E], vec![0x9E]));
    assert_eq!(press(&mut keyboard, 0xE048), (vec![0xE0, 0x48], vec![0xE0, 0xC8]));
    keyboard.key(0x38, true, Tick::ZERO); // Alt
    out(&mut keyboard);
    assert_eq!(press(&mut keyboard, 0xE037), (vec![0x54], vec![0xD4]));
    keyboard.key(0x1D, true, Tick::ZERO); // Ctrl
    out(&mut keyboard);
    assert_eq!(press(&mut keyboard, PAUSE_KEY), (vec![0xE0, 0x46, 0xE0, 0xC6], vec![]));
}

#[test]
fn translated_set_2_is_set_1_for_every_key() {
    for prefix in [0x0000, 0xE000] {
        for code in 1..0x80u16 {
            let (mut one, mut two) = (Keyboard::new(), Keyboard::new());
            answer(&mut one, &[0xF0, 0x01]);
            let translated = |bytes: Vec<u8>| {
                let mut release = 0;
                bytes.into_iter().fold(Vec::new(), |mut out, byte| {
                    match byte {
                        0xF0 => release = 0x80,
                        _ => out.push(translate(byte) | std::mem::take(&mut release)),
                    }
                    out
                })
            };
            let (make, release) = press(&mut two, prefix | code);
            let expected = press(&mut one, prefix | code);
            if !make.is_empty() {
                assert_eq!((translated(make), translated(release)), expected, "{code:02X}");
            }
        }
    }
}

#[test]
fn the_translation_names_each_key_once() {
    let mut seen = [false; 256];
    for byte in (0..=0x84).filter(|byte| ![0x02, 0x7F].contains(byte)) {
        assert!(!std::mem::replace(&mut seen[usize::from(translate(byte))], true), "{byte:02X}");
    }
}

#[test]
fn set_3_has_types_of_keys() {
    let mut keyboard = Keyboard::new();
    answer(&mut keyboard, &[0xF0, 0x03]);
    assert_eq!(press(&mut keyboard, 0x1E), (vec![0x1C], vec![])); // typematic
    assert_eq!(press(&mut keyboard, 0x2A), (vec![0x12], vec![0xF0, 0x12])); // make/break
    answer(&mut keyboard, &[0xF8]);
    assert_eq!(press(&mut keyboard, 0xE048), (vec![0x63], vec![0xF0, 0x63]));
    answer(&mut keyboard, &[0xFD, 0x63]);
    answer(&mut keyboard, &[0xF4]);
    assert_eq!(press(&mut keyboard, 0xE048), (vec![0x63], vec![]));
    assert_eq!(press(&mut keyboard, 0x1E), (vec![0x1C], vec![0xF0, 0x1C]));
}

#[test]
fn the_last_key_held_repeats() {
    let mut keyboard = Keyboard::new();
    keyboard.key(0x1E, true, Tick::ZERO);
    assert_eq!(keyboard.repeats_at(), Some(Tick::MILLISECOND.times(500)));
    keyboard.key(0x1E, true, Tick::MILLISECOND); // the host's repetition
    keyboard.key(0x30, true, Tick::MILLISECOND);
    assert_eq!(out(&mut keyboard), [0x1C, 0x32]);
    let first = Tick::MILLISECOND.times(501);
    assert_eq!(keyboard.repeats_at(), Some(first));
    keyboard.repeat(first);
    assert_eq!(out(&mut keyboard), [0x32]);
    assert_eq!(keyboard.repeats_at(), Some(first + Tick(22 * 262_500_000)));
    keyboard.key(0x1E, false, first);
    assert!(keyboard.repeats_at().is_some());
    keyboard.key(0x30, false, first);
    assert_eq!(keyboard.repeats_at(), None);
}

#[test]
fn repeats_do_not_fill_the_buffer() {
    let mut keyboard = Keyboard::new();
    keyboard.key(0x1E, true, Tick::ZERO);
    for _ in 0..10_000 {
        keyboard.repeat(keyboard.repeats_at().expect("held"));
    }
    assert_eq!(out(&mut keyboard).len(), 16);
}

#[test]
fn the_buffer_ends_in_one_overrun_code() {
    let mut keyboard = Keyboard::new();
    for _ in 0..2000 {
        keyboard.key(0x1E, true, Tick::ZERO);
        keyboard.key(0x1E, false, Tick::ZERO);
    }
    let bytes = out(&mut keyboard);
    assert_eq!((bytes.len(), bytes.iter().filter(|&&byte| byte == 0).count()), (BUFFER, 1));
}

#[test]
fn disabled_it_sends_nothing() {
    let mut keyboard = Keyboard::new();
    answer(&mut keyboard, &[0xF5]);
    assert_eq!(press(&mut keyboard, 0x1E), (vec![], vec![]));
    answer(&mut keyboard, &[0xF4]);
    assert_eq!(press(&mut keyboard, 0x1E).0, [0x1C]);
}

#[test]
fn every_key_code_is_harmless() {
    let mut keyboard = Keyboard::new();
    for set in 1..=3 {
        answer(&mut keyboard, &[0xF0, set]);
        for key in 0..=u16::MAX {
            press(&mut keyboard, key);
        }
    }
}
