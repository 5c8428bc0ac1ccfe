//! Saved state of the keyboard, part of the 8042's.

use super::{BUFFER, Expect, Keyboard, Keys, REPLIES, Set};
use emu_core::{RestoreError, Tick};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct KeyboardV1 {
    expect: ExpectV1,
    scanning: bool,
    /// 1 to 3.
    set: u8,
    leds: u8,
    typematic: u8,
    typematic_keys: [u64; 4],
    break_keys: [u64; 4],
    held: [u64; 4],
    repeat: Option<(u16, Tick)>,
    replies: Vec<u8>,
    keys: Vec<u8>,
    last_sent: u8,
}

#[derive(Serialize, Deserialize)]
enum ExpectV1 {
    Command,
    Leds,
    ScanCodeSet,
    Typematic,
    KeyType { typematic: bool, breaks: bool },
}

impl Keyboard {
    pub(crate) fn save(&self) -> KeyboardV1 {
        let Self {
            expect,
            scanning,
            set,
            leds,
            typematic,
            typematic_keys,
            break_keys,
            held,
            repeat,
            replies,
            keys,
            last_sent,
        } = self;
        KeyboardV1 {
            expect: match *expect {
                Expect::Command => ExpectV1::Command,
                Expect::Leds => ExpectV1::Leds,
                Expect::ScanCodeSet => ExpectV1::ScanCodeSet,
                Expect::Typematic => ExpectV1::Typematic,
                Expect::KeyType { typematic, breaks } => ExpectV1::KeyType { typematic, breaks },
            },
            scanning: *scanning,
            set: match set {
                Set::One => 1,
                Set::Two => 2,
                Set::Three => 3,
            },
            leds: *leds,
            typematic: *typematic,
            typematic_keys: typematic_keys.0,
            break_keys: break_keys.0,
            held: held.0,
            repeat: *repeat,
            replies: replies.iter().copied().collect(),
            keys: keys.iter().copied().collect(),
            last_sent: *last_sent,
        }
    }

    pub(crate) fn restored(state: KeyboardV1) -> Result<Self, RestoreError> {
        let KeyboardV1 {
            expect,
            scanning,
            set,
            leds,
            typematic,
            typematic_keys,
            break_keys,
            held,
            repeat,
            replies,
            keys,
            last_sent,
        } = state;
        if replies.len() > REPLIES || keys.len() > BUFFER {
            return Err(RestoreError::Value("more bytes than the keyboard has room for"));
        }
        if leds > 7 || typematic > 0x7F {
            return Err(RestoreError::Value("keyboard LEDs or typematic rate"));
        }
        Ok(Self {
            expect: match expect {
                ExpectV1::Command => Expect::Command,
                ExpectV1::Leds => Expect::Leds,
                ExpectV1::ScanCodeSet => Expect::ScanCodeSet,
                ExpectV1::Typematic => Expect::Typematic,
                ExpectV1::KeyType { typematic, breaks } => Expect::KeyType { typematic, breaks },
            },
            scanning,
            set: match set {
                1 => Set::One,
                2 => Set::Two,
                3 => Set::Three,
                _ => return Err(RestoreError::Value("scan code set")),
            },
            leds,
            typematic,
            typematic_keys: Keys(typematic_keys),
            break_keys: Keys(break_keys),
            held: Keys(held),
            repeat,
            replies: replies.into(),
            keys: keys.into(),
            last_sent,
        })
    }
}
