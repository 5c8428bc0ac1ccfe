//! From what a terminal sends to what a PC keyboard sends: keys of the US layout as set-1 make codes.
//!
//! Codes: IBM PS/2 Hardware Interface Technical Reference, "Keyboard", scan code set 1. Extended keys have E0h in
//! the high byte. Terminal sequences: XTerm Control Sequences, "PC-Style Function Keys".

use emu_core::HostEvent;

const SHIFT: u16 = 0x2A;
const CONTROL: u16 = 0x1D;
const ALT: u16 = 0x38;
const ESCAPE: u16 = 0x01;

/// A key with the modifiers held while it is pressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stroke {
    pub code: u16,
    pub shift: bool,
    pub control: bool,
    pub alt: bool,
}

impl Stroke {
    const fn plain(code: u16) -> Self {
        Self { code, shift: false, control: false, alt: false }
    }

    /// Press and release, modifiers outside.
    pub fn events(self) -> Vec<HostEvent> {
        let held = [(self.control, CONTROL), (self.alt, ALT), (self.shift, SHIFT)];
        let down = held.iter().filter(|(is_held, _)| *is_held).map(|&(_, code)| code);
        let press: Vec<u16> = down.chain([self.code]).collect();
        let event = |code, pressed| HostEvent::Key { code, pressed };
        let pressed = press.iter().map(|&code| event(code, true));
        pressed.chain(press.iter().rev().map(|&code| event(code, false))).collect()
    }
}

/// Keys that have a name rather than a character.
#[rustfmt::skip]
const NAMED: [(&str, u16); 32] = [
    ("esc", ESCAPE),   ("enter", 0x1C),    ("tab", 0x0F),     ("backspace", 0x0E), ("space", 0x39),
    ("f1", 0x3B),      ("f2", 0x3C),       ("f3", 0x3D),      ("f4", 0x3E),        ("f5", 0x3F),
    ("f6", 0x40),      ("f7", 0x41),       ("f8", 0x42),      ("f9", 0x43),        ("f10", 0x44),
    ("f11", 0x57),     ("f12", 0x58),      ("up", 0xE048),    ("down", 0xE050),    ("left", 0xE04B),
    ("right", 0xE04D), ("home", 0xE047),   ("end", 0xE04F),   ("pgup", 0xE049),    ("pgdn", 0xE051),
    ("ins", 0xE052),   ("del", 0xE053),    ("capslock", 0x3A), ("numlock", 0x45),  ("scrolllock", 0x46),
    ("shift", SHIFT),  ("menu", 0xE05D),
];

/// The unshifted and shifted characters of the main block, in order of their codes from the first.
const ROWS: [(u16, &str, &str); 4] = [
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1E, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
];

/// The stroke that types an ASCII character, control characters included.
pub fn of_character(character: u8) -> Option<Stroke> {
    match character {
        b'\r' | b'\n' => return Some(Stroke::plain(0x1C)),
        b'\t' => return Some(Stroke::plain(0x0F)),
        0x08 | 0x7F => return Some(Stroke::plain(0x0E)),
        0x1B => return Some(Stroke::plain(ESCAPE)),
        b' ' => return Some(Stroke::plain(0x39)),
        0x01..=0x1A => {
            return of_character(character + 0x60).map(|stroke| Stroke { control: true, ..stroke });
        }
        _ => {}
    }
    ROWS.iter().find_map(|&(first, plain, shifted)| {
        let at =
            |row: &str| row.bytes().position(|byte| byte == character).and_then(|at| u16::try_from(at).ok());
        let unshifted = at(plain).map(|index| Stroke::plain(first + index));
        unshifted.or_else(|| at(shifted).map(|index| Stroke { shift: true, ..Stroke::plain(first + index) }))
    })
}

/// A stroke by name, for scripts: `a`, `f8`, `ctrl+alt+del`.
pub fn of_name(name: &str) -> Option<Stroke> {
    let (modifiers, key) = match name.rsplit_once('+') {
        Some((modifiers, key)) if !key.is_empty() => (modifiers, key),
        _ => ("", name),
    };
    let named = NAMED.iter().find(|(name, _)| *name == key).map(|&(_, code)| Stroke::plain(code));
    let single = || match key.as_bytes() {
        &[character] => of_character(character),
        _ => None,
    };
    let mut stroke = named.or_else(single)?;
    for modifier in modifiers.split('+').filter(|modifier| !modifier.is_empty()) {
        match modifier {
            "ctrl" => stroke.control = true,
            "alt" => stroke.alt = true,
            "shift" => stroke.shift = true,
            _ => return None,
        }
    }
    Some(stroke)
}

/// The strokes behind one piece of terminal input. A terminal sends a whole sequence at once, so an ESC that ends a
/// piece is the key itself.
pub fn of_input(mut input: &[u8]) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    while let Some((&first, rest)) = input.split_first() {
        let (stroke, rest) = match (first, rest) {
            (0x1B, [b'[' | b'O', sequence @ ..]) if !sequence.is_empty() => function_key(sequence),
            (0x1B, [character, rest @ ..]) if *character != 0x1B => {
                (of_character(*character).map(|stroke| Stroke { alt: true, ..stroke }), rest)
            }
            _ => (of_character(first), rest),
        };
        strokes.extend(stroke);
        input = rest;
    }
    strokes
}

/// What follows `ESC [` or `ESC O`: parameters, then a final byte.
fn function_key(sequence: &[u8]) -> (Option<Stroke>, &[u8]) {
    let Some(end) = sequence.iter().position(|byte| (0x40..=0x7E).contains(byte)) else { return (None, &[]) };
    let parameters = String::from_utf8_lossy(&sequence[..end]).into_owned();
    let mut numbers = parameters.split(';').map(|number| number.parse::<u8>().unwrap_or(1));
    let (first, modifiers) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1).wrapping_sub(1));
    let name = match sequence[end] {
        b'A' => "up",
        b'B' => "down",
        b'C' => "right",
        b'D' => "left",
        b'H' => "home",
        b'F' => "end",
        b'P' => "f1",
        b'Q' => "f2",
        b'R' => "f3",
        b'S' => "f4",
        b'Z' => "shift+tab",
        b'~' => numbered_key(first),
        _ => "",
    };
    let stroke = of_name(name).map(|stroke| Stroke {
        shift: stroke.shift || modifiers & 1 != 0,
        alt: modifiers & 2 != 0,
        control: modifiers & 4 != 0,
        ..stroke
    });
    (stroke, &sequence[end + 1..])
}

/// `ESC [ number ~`.
fn numbered_key(number: u8) -> &'static str {
    match number {
        1 | 7 => "home",
        2 => "ins",
        3 => "del",
        4 | 8 => "end",
        5 => "pgup",
        6 => "pgdn",
        11 => "f1",
        12 => "f2",
        13 => "f3",
        14 => "f4",
        15 => "f5",
        17 => "f6",
        18 => "f7",
        19 => "f8",
        20 => "f9",
        21 => "f10",
        23 => "f11",
        24 => "f12",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(input: &[u8]) -> Vec<u16> {
        of_input(input).iter().map(|stroke| stroke.code).collect()
    }

    #[test]
    fn every_printable_character_can_be_typed() {
        for character in b' '..=b'~' {
            assert!(of_character(character).is_some(), "{}", char::from(character));
        }
        assert_eq!(of_character(b'Z'), Some(Stroke { shift: true, ..Stroke::plain(0x2C) }));
        assert_eq!(of_character(b'?'), Some(Stroke { shift: true, ..Stroke::plain(0x35) }));
        assert_eq!(of_character(3), Some(Stroke { control: true, ..Stroke::plain(0x2E) }));
    }

    #[test]
    fn terminal_sequences_are_keys() {
        assert_eq!(codes(b"\x1b[A\x1b[3~\x1bOPx"), [0xE048, 0xE053, 0x3B, 0x2D]);
        assert_eq!(codes(b"\x1b"), [ESCAPE]);
        assert_eq!(codes(b"\x1b\x1b"), [ESCAPE, ESCAPE]);
        assert_eq!(of_input(b"\x1bx"), [Stroke { alt: true, ..Stroke::plain(0x2D) }]);
        assert_eq!(of_input(b"\x1b[1;5C"), [Stroke { control: true, ..Stroke::plain(0xE04D) }]);
        assert!(codes(b"\x1b[99").is_empty());
    }

    #[test]
    fn names_in_scripts() {
        let del = of_name("ctrl+alt+del").unwrap();
        assert_eq!(del, Stroke { code: 0xE053, shift: false, control: true, alt: true });
        assert_eq!(of_name("+").map(|stroke| stroke.code), Some(0x0D));
        assert_eq!(of_name("hyper+x"), None);
        assert_eq!(del.events().len(), 6);
    }
}
