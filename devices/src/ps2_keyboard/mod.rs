//! PS/2 keyboard (101/102 keys), as the 8042 sees it at the end of its cable.
//!
//! Follows IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)". The keyboard repeats keys
//! by itself, in guest time; repeats that come from the host are ignored. Left out: fake shifts around the cursor
//! keys while Num Lock is on (guests ignore them), and the delay of the self test.

mod codes;
mod state;
#[cfg(test)]
mod tests;

pub use codes::PAUSE as PAUSE_KEY;
pub(crate) use codes::{Set, translate};
pub(crate) use state::KeyboardV1;

use codes::Modifiers;
use emu_core::Tick;
use std::collections::VecDeque;

/// Room for key codes. The real 16 bytes would lose what a script types ahead.
const BUFFER: usize = 1024;
/// Room up to which a held key repeats.
const REPEAT_BUFFER: usize = 16;
/// Room for answers; no command has more than three bytes of it.
const REPLIES: usize = 16;

const ACK: u8 = 0xFA;
const RESEND: u8 = 0xFE;
const BAT_OK: u8 = 0xAA;
const ECHO: u8 = 0xEE;
const ID: [u8; 2] = [0xAB, 0x83];
/// Delay 500 ms, 10.9 characters per second.
const DEFAULT_TYPEMATIC: u8 = 0x2B;

/// A set of up to 256 keys or codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys([u64; 4]);

impl Keys {
    const ALL: Self = Self([u64::MAX; 4]);

    fn contains(self, n: u8) -> bool {
        self.0[usize::from(n / 64)] & 1 << (n % 64) != 0
    }

    fn set(&mut self, n: u8, member: bool) {
        let (word, bit) = (&mut self.0[usize::from(n / 64)], 1 << (n % 64));
        *word = if member { *word | bit } else { *word & !bit };
    }
}

/// The command whose parameter comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Command,
    Leds,
    ScanCodeSet,
    Typematic,
    /// Codes of keys that get a type in set 3, until a command comes.
    KeyType {
        typematic: bool,
        breaks: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Keyboard {
    expect: Expect,
    scanning: bool,
    set: Set,
    leds: u8,
    typematic: u8,
    /// Types of keys in set 3, by set-3 code.
    typematic_keys: Keys,
    break_keys: Keys,
    /// Keys that are down, by [`place`].
    held: Keys,
    /// The key that repeats and when it does next.
    repeat: Option<(u16, Tick)>,
    replies: VecDeque<u8>,
    keys: VecDeque<u8>,
    last_sent: u8,
}

/// Set 3 after power-on: which codes only make, and which make and break without repeating ("Scan Code Set 3").
const MAKE_ONLY: [u8; 36] = [
    0x08, 0x07, 0x0F, 0x17, 0x1F, 0x27, 0x2F, 0x37, 0x3F, 0x47, 0x4F, 0x56, 0x5E, 0x57, 0x5F, 0x62, 0x39,
    0x58, 0x67, 0x6E, 0x6F, 0x65, 0x6D, 0x76, 0x6C, 0x6B, 0x69, 0x77, 0x75, 0x73, 0x72, 0x70, 0x7E, 0x7D,
    0x74, 0x7A,
];
const MAKE_BREAK: [u8; 5] = [0x11, 0x12, 0x14, 0x19, 0x59];

fn default_types() -> (Keys, Keys) {
    let (mut typematic, mut breaks) = (Keys::ALL, Keys::default());
    for code in MAKE_ONLY.into_iter().chain(MAKE_BREAK) {
        typematic.set(code, false);
    }
    for code in MAKE_BREAK {
        breaks.set(code, true);
    }
    (typematic, breaks)
}

/// Where a key is in [`Keyboard::held`].
fn place(key: u16) -> u8 {
    let [code, prefix] = key.to_le_bytes();
    code & 0x7F | if prefix != 0 { 0x80 } else { 0 }
}

impl Keyboard {
    pub(crate) fn new() -> Self {
        let (typematic_keys, break_keys) = default_types();
        Self {
            expect: Expect::Command,
            scanning: true,
            set: Set::Two,
            leds: 0,
            typematic: DEFAULT_TYPEMATIC,
            typematic_keys,
            break_keys,
            held: Keys::default(),
            repeat: None,
            replies: VecDeque::new(),
            keys: VecDeque::new(),
            last_sent: 0,
        }
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.replies.is_empty() || !self.keys.is_empty()
    }

    /// Scroll Lock, Num Lock and Caps Lock in bits 0 to 2.
    pub(crate) fn leds(&self) -> u8 {
        self.leds
    }

    /// Whether a key pressed now finds an empty buffer and a guest that is not busy with commands.
    pub(crate) fn is_idle(&self) -> bool {
        self.scanning && self.expect == Expect::Command && !self.has_output()
    }

    /// The next byte to the controller: answers go before keys.
    pub(crate) fn take(&mut self) -> Option<u8> {
        let byte = self.replies.pop_front().or_else(|| self.keys.pop_front())?;
        self.last_sent = byte;
        Some(byte)
    }

    fn reply(&mut self, byte: u8) {
        if self.replies.len() < REPLIES {
            self.replies.push_back(byte);
        }
    }

    /// A byte from the controller.
    pub(crate) fn write(&mut self, byte: u8) {
        match std::mem::replace(&mut self.expect, Expect::Command) {
            // Bytes from EDh on are commands even where a parameter is expected.
            Expect::Command => self.command(byte),
            _ if byte >= 0xED => self.command(byte),
            Expect::Leds => {
                self.leds = byte & 7;
                self.reply(ACK);
            }
            Expect::ScanCodeSet => self.select_set(byte),
            Expect::Typematic => {
                self.typematic = byte & 0x7F;
                self.reply(ACK);
            }
            Expect::KeyType { typematic, breaks } => {
                self.typematic_keys.set(byte, typematic);
                self.break_keys.set(byte, breaks);
                self.expect = Expect::KeyType { typematic, breaks };
                self.reply(ACK);
            }
        }
    }

    fn select_set(&mut self, byte: u8) {
        self.reply(ACK);
        match byte {
            0 => self.reply(match self.set {
                Set::One => 1,
                Set::Two => 2,
                Set::Three => 3,
            }),
            1 => self.set = Set::One,
            2 => self.set = Set::Two,
            3 => self.set = Set::Three,
            _ => {
                self.replies.pop_back();
                self.reply(RESEND);
            }
        }
    }

    /// "Commands from the System".
    fn command(&mut self, byte: u8) {
        match byte {
            0xED => self.acknowledge_and_expect(Expect::Leds),
            0xEE => self.reply(ECHO),
            0xF0 => {
                self.clear_keys();
                self.acknowledge_and_expect(Expect::ScanCodeSet);
            }
            0xF2 => {
                self.reply(ACK);
                ID.into_iter().for_each(|byte| self.reply(byte));
            }
            0xF3 => self.acknowledge_and_expect(Expect::Typematic),
            0xF4 => {
                self.clear_keys();
                self.scanning = true;
                self.reply(ACK);
            }
            0xF5 => self.set_defaults(false),
            0xF6 => self.set_defaults(true),
            0xF7 => self.set_all_types(Keys::ALL, Keys::default()),
            0xF8 => self.set_all_types(Keys::default(), Keys::ALL),
            0xF9 => self.set_all_types(Keys::default(), Keys::default()),
            0xFA => self.set_all_types(Keys::ALL, Keys::ALL),
            0xFB => self.acknowledge_and_expect(Expect::KeyType { typematic: true, breaks: false }),
            0xFC => self.acknowledge_and_expect(Expect::KeyType { typematic: false, breaks: true }),
            0xFD => self.acknowledge_and_expect(Expect::KeyType { typematic: false, breaks: false }),
            0xFE => self.reply(self.last_sent),
            0xFF => {
                *self = Self { held: self.held, ..Self::new() };
                self.reply(ACK);
                self.reply(BAT_OK);
            }
            _ => self.reply(RESEND),
        }
    }

    fn acknowledge_and_expect(&mut self, expect: Expect) {
        self.expect = expect;
        self.reply(ACK);
    }

    fn clear_keys(&mut self) {
        self.keys.clear();
        self.repeat = None;
    }

    fn set_defaults(&mut self, scanning: bool) {
        self.clear_keys();
        (self.typematic_keys, self.break_keys) = default_types();
        self.set = Set::Two;
        self.typematic = DEFAULT_TYPEMATIC;
        self.scanning = scanning;
        self.reply(ACK);
    }

    fn set_all_types(&mut self, typematic: Keys, breaks: Keys) {
        self.clear_keys();
        (self.typematic_keys, self.break_keys) = (typematic, breaks);
        self.reply(ACK);
    }

    /// A key goes down or up.
    pub(crate) fn key(&mut self, key: u16, pressed: bool, now: Tick) {
        if pressed && self.held.contains(place(key)) && key != PAUSE_KEY {
            return; // the host's repetition
        }
        self.held.set(place(key), pressed && key != PAUSE_KEY);
        if !pressed && self.repeat.is_some_and(|(repeating, _)| repeating == key) {
            self.repeat = None;
        }
        if !self.scanning {
            return;
        }
        self.send(key, pressed);
        if pressed {
            self.repeat = self.repeats(key).then(|| (key, now + self.delay()));
        }
    }

    fn send(&mut self, key: u16, pressed: bool) {
        let bytes = match self.set {
            Set::One | Set::Two => codes::bytes(self.set, key, pressed, self.modifiers()),
            Set::Three => self.set_3_bytes(key, pressed),
        };
        if self.keys.len() + bytes.len() <= BUFFER {
            self.keys.extend(bytes);
        } else if self.keys.len() == BUFFER - 1 || self.keys.back() != Some(&self.overrun()) {
            self.keys.truncate(BUFFER - 1);
            self.keys.push_back(self.overrun());
        }
    }

    fn set_3_bytes(&self, key: u16, pressed: bool) -> Vec<u8> {
        match codes::set_3(key) {
            Some(code) if pressed => vec![code],
            Some(code) if self.break_keys.contains(code) => vec![0xF0, code],
            _ => vec![],
        }
    }

    /// "Key Detection Error or Overrun".
    fn overrun(&self) -> u8 {
        if self.set == Set::One { 0xFF } else { 0x00 }
    }

    fn modifiers(&self) -> Modifiers {
        let held = |keys: &[u16]| keys.iter().any(|&key| self.held.contains(place(key)));
        Modifiers { shift: held(&[0x2A, 0x36]), ctrl: held(&[0x1D, 0xE01D]), alt: held(&[0x38, 0xE038]) }
    }

    fn repeats(&self, key: u16) -> bool {
        match self.set {
            Set::One | Set::Two => key != PAUSE_KEY,
            Set::Three => codes::set_3(key).is_some_and(|code| self.typematic_keys.contains(code)),
        }
    }

    /// "Set Typematic Rate/Delay": bits 5-6, in quarters of a second.
    fn delay(&self) -> Tick {
        Tick::MILLISECOND.times(250 * (u64::from(self.typematic >> 5 & 3) + 1))
    }

    /// Bits 0-2 (A) and 3-4 (B): (8 + A) * 2^B / 240 s.
    fn period(&self) -> Tick {
        let (a, b) = (u64::from(self.typematic & 7), self.typematic >> 3 & 3);
        Tick(Tick::SECOND.0 / 240).times((8 + a) << b)
    }

    /// When the held key repeats next.
    pub(crate) fn repeats_at(&self) -> Option<Tick> {
        self.repeat.map(|(_, at)| at)
    }

    pub(crate) fn repeat(&mut self, now: Tick) {
        let Some((key, at)) = self.repeat.filter(|&(_, at)| at <= now) else { return };
        self.repeat = Some((key, at.max(now) + self.period()));
        if self.keys.len() < REPEAT_BUFFER {
            self.send(key, true);
        }
    }
}
