//! From a place on the host's keyboard to the key at that place on the guest's.
//!
//! Codes: IBM PS/2 Hardware Interface Technical Reference, "Keyboard", scan code set 1, extended keys with E0h in the
//! high byte; the keys of Japanese keyboards and the media keys: Microsoft, "Keyboard Scan Code Specification".

use super::command::{self, Command};
use super::host_key::HostKey;
use winit::keyboard::KeyCode as K;

#[rustfmt::skip]
const CODES: [(K, u16); 120] = [
    (K::Escape, 0x01), (K::Digit1, 0x02), (K::Digit2, 0x03), (K::Digit3, 0x04), (K::Digit4, 0x05),
    (K::Digit5, 0x06), (K::Digit6, 0x07), (K::Digit7, 0x08), (K::Digit8, 0x09), (K::Digit9, 0x0A),
    (K::Digit0, 0x0B), (K::Minus, 0x0C), (K::Equal, 0x0D), (K::Backspace, 0x0E), (K::Tab, 0x0F),
    (K::KeyQ, 0x10), (K::KeyW, 0x11), (K::KeyE, 0x12), (K::KeyR, 0x13), (K::KeyT, 0x14),
    (K::KeyY, 0x15), (K::KeyU, 0x16), (K::KeyI, 0x17), (K::KeyO, 0x18), (K::KeyP, 0x19),
    (K::BracketLeft, 0x1A), (K::BracketRight, 0x1B), (K::Enter, 0x1C), (K::ControlLeft, 0x1D), (K::KeyA, 0x1E),
    (K::KeyS, 0x1F), (K::KeyD, 0x20), (K::KeyF, 0x21), (K::KeyG, 0x22), (K::KeyH, 0x23),
    (K::KeyJ, 0x24), (K::KeyK, 0x25), (K::KeyL, 0x26), (K::Semicolon, 0x27), (K::Quote, 0x28),
    (K::Backquote, 0x29), (K::ShiftLeft, 0x2A), (K::Backslash, 0x2B), (K::KeyZ, 0x2C), (K::KeyX, 0x2D),
    (K::KeyC, 0x2E), (K::KeyV, 0x2F), (K::KeyB, 0x30), (K::KeyN, 0x31), (K::KeyM, 0x32),
    (K::Comma, 0x33), (K::Period, 0x34), (K::Slash, 0x35), (K::ShiftRight, 0x36), (K::NumpadMultiply, 0x37),
    (K::AltLeft, 0x38), (K::Space, 0x39), (K::CapsLock, 0x3A), (K::F1, 0x3B), (K::F2, 0x3C),
    (K::F3, 0x3D), (K::F4, 0x3E), (K::F5, 0x3F), (K::F6, 0x40), (K::F7, 0x41),
    (K::F8, 0x42), (K::F9, 0x43), (K::F10, 0x44), (K::NumLock, 0x45), (K::ScrollLock, 0x46),
    (K::Numpad7, 0x47), (K::Numpad8, 0x48), (K::Numpad9, 0x49), (K::NumpadSubtract, 0x4A), (K::Numpad4, 0x4B),
    (K::Numpad5, 0x4C), (K::Numpad6, 0x4D), (K::NumpadAdd, 0x4E), (K::Numpad1, 0x4F), (K::Numpad2, 0x50),
    (K::Numpad3, 0x51), (K::Numpad0, 0x52), (K::NumpadDecimal, 0x53), (K::IntlBackslash, 0x56), (K::F11, 0x57),
    (K::F12, 0x58), (K::NumpadEqual, 0x59), (K::KanaMode, 0x70), (K::IntlRo, 0x73), (K::Convert, 0x79),
    (K::NonConvert, 0x7B), (K::IntlYen, 0x7D), (K::NumpadComma, 0x7E), (K::NumpadEnter, 0xE01C),
    (K::ControlRight, 0xE01D), (K::NumpadDivide, 0xE035), (K::PrintScreen, 0xE037), (K::AltRight, 0xE038),
    (K::Home, 0xE047), (K::ArrowUp, 0xE048), (K::PageUp, 0xE049), (K::ArrowLeft, 0xE04B),
    (K::ArrowRight, 0xE04D), (K::End, 0xE04F), (K::ArrowDown, 0xE050), (K::PageDown, 0xE051),
    (K::Insert, 0xE052), (K::Delete, 0xE053), (K::SuperLeft, 0xE05B), (K::SuperRight, 0xE05C),
    (K::ContextMenu, 0xE05D), (K::MediaTrackPrevious, 0xE010), (K::MediaTrackNext, 0xE019),
    (K::AudioVolumeMute, 0xE020), (K::MediaPlayPause, 0xE022), (K::MediaStop, 0xE024),
    (K::AudioVolumeDown, 0xE02E), (K::AudioVolumeUp, 0xE030), (K::BrowserHome, 0xE032), (K::Pause, 0xE11D),
];

/// The code of a key; none for keys that a PC does not have.
fn code(key: K) -> Option<u16> {
    CODES.iter().find(|row| row.0 == key).map(|row| row.1)
}

/// What a key of the host comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Guest {
        code: u16,
        pressed: bool,
    },
    Command(Command),
    /// The host key went down and up again with nothing in between.
    HostKeyAlone,
    Nothing,
}

/// The keys that are down.
pub struct Keys {
    host_key: HostKey,
    /// The host key is down; with whether it has commanded something.
    host: Option<bool>,
    /// Keys that the guest believes to be down.
    held: Vec<u16>,
}

impl Keys {
    pub fn new(host_key: HostKey) -> Self {
        Self { host_key, host: None, held: Vec::new() }
    }

    pub fn host_key(&self) -> HostKey {
        self.host_key
    }

    pub fn take(&mut self, key: K, pressed: bool) -> Meaning {
        if key == self.host_key.code() {
            let before = std::mem::replace(&mut self.host, pressed.then_some(false));
            return if before == Some(false) && !pressed { Meaning::HostKeyAlone } else { Meaning::Nothing };
        }
        if pressed && let Some(used) = &mut self.host {
            *used = true;
            return command::of_key(key).map_or(Meaning::Nothing, Meaning::Command);
        }
        let Some(code) = code(key) else { return Meaning::Nothing };
        let held = self.held.iter().position(|&held| held == code);
        match (pressed, held) {
            (true, None) => self.held.push(code),
            (false, Some(place)) => drop(self.held.swap_remove(place)),
            // The host repeats what the guest's keyboard repeats by itself, or releases what was never the guest's.
            (true, Some(_)) | (false, None) => return Meaning::Nothing,
        }
        Meaning::Guest { code, pressed }
    }

    /// The codes to release, so that the guest believes no key to be held.
    pub fn release(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.held)
    }

    /// The window is left, and would not see it go up.
    pub fn forget_host_key(&mut self) {
        self.host = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_there_once() {
        for (index, row) in CODES.iter().enumerate() {
            assert!(CODES[..index].iter().all(|other| other.0 != row.0 && other.1 != row.1), "{row:?}");
        }
        let plain = |code| CODES.iter().any(|row| row.1 == code);
        assert!((0x01..=0x53).all(plain), "all of the first keyboard with 83 keys");
    }

    #[test]
    fn the_guest_sees_presses_and_releases_once() {
        let mut keys = Keys::new(HostKey::RightCtrl);
        let guest = |pressed| Meaning::Guest { code: 0x1E, pressed };
        assert_eq!(keys.take(K::KeyA, true), guest(true));
        assert_eq!(keys.take(K::KeyA, true), Meaning::Nothing);
        assert_eq!(keys.take(K::KeyA, false), guest(false));
        assert_eq!(keys.take(K::KeyA, false), Meaning::Nothing);
        assert_eq!(keys.take(K::F35, true), Meaning::Nothing);
        keys.take(K::ShiftLeft, true);
        assert_eq!(keys.release(), [0x2A]);
        assert!(keys.release().is_empty());
        assert_eq!(keys.take(K::ShiftLeft, false), Meaning::Nothing, "it is up for the guest already");
    }

    #[test]
    fn the_host_key_commands() {
        let mut keys = Keys::new(HostKey::RightCtrl);
        keys.take(K::KeyA, true);
        assert_eq!(keys.take(K::ControlRight, true), Meaning::Nothing);
        assert_eq!(keys.take(K::F1, true), Meaning::Command(Command::Help));
        assert_eq!(keys.take(K::F1, false), Meaning::Nothing, "the guest has not seen it go down");
        assert_eq!(keys.take(K::KeyX, true), Meaning::Nothing);
        assert_eq!(keys.take(K::KeyA, false), Meaning::Guest { code: 0x1E, pressed: false });
        assert_eq!(keys.take(K::ControlRight, false), Meaning::Nothing, "it has commanded");
        keys.take(K::ControlRight, true);
        assert_eq!(keys.take(K::ControlRight, false), Meaning::HostKeyAlone);
    }
}
