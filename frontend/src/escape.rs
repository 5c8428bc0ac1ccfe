//! The escape key of the terminal: Ctrl-A, then a letter. Everything else goes to the guest.

/// What the person at the terminal wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Quit,
    Help,
    Save,
    Reset,
    PowerButton,
    Status,
    NextEngine,
}

/// One piece of terminal input after the escape key has been taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    Byte(u8),
    Wish(Wish),
}

pub const HELP: &str = "\
Ctrl-A x   quit            Ctrl-A p        press the power button
Ctrl-A s   save the state  Ctrl-A r        press the reset button
Ctrl-A i   how it is doing Ctrl-A e        go on under the next engine
Ctrl-A h   this list       Ctrl-A Ctrl-A   send a Ctrl-A to the guest
";

const CTRL_A: u8 = 1;

/// The state between two bytes.
#[derive(Default)]
pub struct Escape {
    armed: bool,
}

impl Escape {
    /// Takes the next byte; a byte that is part of an escape gives nothing yet, an unknown escape gives the help.
    pub fn take(&mut self, byte: u8) -> Option<Typed> {
        if !self.armed {
            self.armed = byte == CTRL_A;
            return (!self.armed).then_some(Typed::Byte(byte));
        }
        self.armed = false;
        Some(match byte.to_ascii_lowercase() {
            CTRL_A => Typed::Byte(CTRL_A),
            b'x' => Typed::Wish(Wish::Quit),
            b's' => Typed::Wish(Wish::Save),
            b'r' => Typed::Wish(Wish::Reset),
            b'p' => Typed::Wish(Wish::PowerButton),
            b'i' => Typed::Wish(Wish::Status),
            b'e' => Typed::Wish(Wish::NextEngine),
            _ => Typed::Wish(Wish::Help),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Escape, Typed, Wish};

    fn typed(bytes: &[u8]) -> Vec<Typed> {
        let mut escape = Escape::default();
        bytes.iter().filter_map(|&byte| escape.take(byte)).collect()
    }

    #[test]
    fn escapes_are_taken_out_of_the_input() {
        let quit = Typed::Wish(Wish::Quit);
        assert_eq!(typed(b"a\x01xb"), [Typed::Byte(b'a'), quit, Typed::Byte(b'b')]);
        assert_eq!(typed(b"\x01\x01"), [Typed::Byte(1)]);
        assert_eq!(typed(b"\x01?"), [Typed::Wish(Wish::Help)]);
        assert_eq!(typed(b"\x01"), []);
    }
}
