//! From what a terminal sends to what a PC keyboard sends: set-1 make codes.
//!
//! Codes: IBM PS/2 Hardware Interface Technical Reference, "Keyboard", scan code set 1. Extended keys have E0h in
//! the high byte. Terminal sequences: XTerm Control Sequences, "PC-Style Function Keys".

use super::keyboard::KeyboardLayout;
use emu_core::HostEvent;

const SHIFT: u16 = 0x2A;
const CONTROL: u16 = 0x1D;
const ALT: u16 = 0x38;
const ALT_GR: u16 = 0xE038;
const ESCAPE: u16 = 0x01;

/// A key with the modifiers held while it is pressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stroke {
    pub code: u16,
    pub shift: bool,
    pub control: bool,
    pub alt: bool,
    pub alt_gr: bool,
}

impl Stroke {
    pub const fn plain(code: u16) -> Self {
        Self { code, shift: false, control: false, alt: false, alt_gr: false }
    }

    /// Press and release, modifiers outside.
    pub fn events(self) -> Vec<HostEvent> {
        let held = [(self.control, CONTROL), (self.alt, ALT), (self.alt_gr, ALT_GR), (self.shift, SHIFT)];
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

/// The strokes that type a character, control characters included; none if the layout does not have it.
pub fn of_character(layout: KeyboardLayout, character: char) -> Vec<Stroke> {
    let code = match character {
        '\r' | '\n' => 0x1C,
        '\t' => 0x0F,
        '\x08' | '\x7F' => 0x0E,
        '\x1B' => ESCAPE,
        '\x01'..='\x1A' => {
            let letter = u32::from(character) + 0x60;
            let mut strokes = char::from_u32(letter).map_or_else(Vec::new, |letter| layout.strokes(letter));
            strokes.iter_mut().for_each(|stroke| stroke.control = true);
            return strokes;
        }
        _ => return layout.strokes(character),
    };
    vec![Stroke::plain(code)]
}

/// A stroke by name, for scripts: `a`, `f8`, `ctrl+alt+del`.
pub fn of_name(layout: KeyboardLayout, name: &str) -> Option<Stroke> {
    let (modifiers, key) = match name.rsplit_once('+') {
        Some((modifiers, key)) if !key.is_empty() => (modifiers, key),
        _ => ("", name),
    };
    let named = NAMED.iter().find(|(name, _)| *name == key).map(|&(_, code)| Stroke::plain(code));
    let single = || match of_character(layout, key.parse().ok()?).as_slice() {
        [stroke] => Some(*stroke),
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
pub fn of_input(layout: KeyboardLayout, input: &[u8]) -> Vec<Stroke> {
    let text = String::from_utf8_lossy(input);
    let (mut rest, mut strokes) = (text.as_ref(), Vec::new());
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        let second = rest.chars().next().filter(|_| first == '\x1B');
        match second {
            Some('[' | 'O') if rest.len() > 1 => {
                let (stroke, after) = function_key(&rest[1..]);
                strokes.extend(stroke);
                rest = after;
            }
            Some(character) if character != '\x1B' => {
                let held = of_character(layout, character).into_iter();
                strokes.extend(held.map(|stroke| Stroke { alt: true, ..stroke }));
                rest = &rest[character.len_utf8()..];
            }
            _ => strokes.extend(of_character(layout, first)),
        }
    }
    strokes
}

/// What follows `ESC [` or `ESC O`: parameters, then a final byte.
fn function_key(sequence: &str) -> (Option<Stroke>, &str) {
    let Some(end) = sequence.find(|one: char| ('@'..='~').contains(&one)) else { return (None, "") };
    let mut numbers = sequence[..end].split(';').map(|number| number.parse::<u8>().unwrap_or(1));
    let (first, modifiers) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1).wrapping_sub(1));
    let name = match sequence.as_bytes()[end] {
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
    // These keys are where they are in every layout.
    let stroke = of_name(KeyboardLayout::default(), name).map(|stroke| Stroke {
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

    const US: KeyboardLayout = KeyboardLayout::Us;

    fn codes(input: &[u8]) -> Vec<u16> {
        of_input(US, input).iter().map(|stroke| stroke.code).collect()
    }

    #[test]
    fn characters_and_control_characters() {
        assert_eq!(of_character(US, 'Z'), [Stroke { shift: true, ..Stroke::plain(0x2C) }]);
        assert_eq!(of_character(US, '\x03'), [Stroke { control: true, ..Stroke::plain(0x2E) }]);
        let azerty = of_character(KeyboardLayout::Fr, '\x01');
        assert_eq!(azerty, [Stroke { control: true, ..Stroke::plain(0x10) }]);
        assert_eq!(of_character(US, '\n'), [Stroke::plain(0x1C)]);
        assert!(of_character(US, '\0').is_empty());
    }

    #[test]
    fn terminal_sequences_are_keys() {
        assert_eq!(codes(b"\x1b[A\x1b[3~\x1bOPx"), [0xE048, 0xE053, 0x3B, 0x2D]);
        assert_eq!(codes(b"\x1b"), [ESCAPE]);
        assert_eq!(codes(b"\x1b\x1b"), [ESCAPE, ESCAPE]);
        assert_eq!(of_input(US, b"\x1bx"), [Stroke { alt: true, ..Stroke::plain(0x2D) }]);
        assert_eq!(of_input(US, b"\x1b[1;5C"), [Stroke { control: true, ..Stroke::plain(0xE04D) }]);
        assert!(codes(b"\x1b[99").is_empty());
        assert!(codes("\x1b[\u{e9}".as_bytes()).is_empty(), "no end");
        assert_eq!(of_input(KeyboardLayout::De, "\u{fc}".as_bytes()), [Stroke::plain(0x1A)]);
        assert!(codes(&[0xFF, 0xC3]).is_empty());
    }

    #[test]
    fn names_in_scripts() {
        let del = of_name(US, "ctrl+alt+del").unwrap();
        assert_eq!(del, Stroke { control: true, alt: true, ..Stroke::plain(0xE053) });
        assert_eq!(of_name(US, "+").map(|stroke| stroke.code), Some(0x0D));
        assert_eq!(of_name(KeyboardLayout::De, "ctrl+y").map(|stroke| stroke.code), Some(0x2C));
        assert_eq!(of_name(US, "hyper+x"), None);
        assert_eq!(del.events().len(), 6);
    }
}
