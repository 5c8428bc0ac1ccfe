//! What the host key does together with another key.

use super::host_key::HostKey;
use winit::keyboard::KeyCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    FullScreen,
    Scaling,
    StatusLine,
    CdRom,
    Floppy,
    Paste,
    Screenshot,
    CtrlAltDel,
    Pause,
    PowerButton,
    Reset,
    Save,
    NextEngine,
    Quit,
}

/// The keys, as the help shows them.
#[rustfmt::skip]
const COMMANDS: [(KeyCode, &str, Command, &str); 15] = [
    (KeyCode::F1,     "F1",     Command::Help,        "show or hide this help"),
    (KeyCode::KeyF,   "F",      Command::FullScreen,  "full screen, or a window again"),
    (KeyCode::KeyS,   "S",      Command::Scaling,     "scale smoothly, or by whole numbers"),
    (KeyCode::KeyL,   "L",      Command::StatusLine,  "show or hide the status line"),
    (KeyCode::KeyC,   "C",      Command::CdRom,       "change or eject the CD or DVD"),
    (KeyCode::KeyA,   "A",      Command::Floppy,      "change or eject the diskette in A"),
    (KeyCode::KeyV,   "V",      Command::Paste,       "type the clipboard"),
    (KeyCode::KeyP,   "P",      Command::Screenshot,  "save a screenshot (PNG)"),
    (KeyCode::Delete, "Del",    Command::CtrlAltDel,  "press Ctrl-Alt-Del"),
    (KeyCode::Space,  "Space",  Command::Pause,       "pause, or go on"),
    (KeyCode::KeyB,   "B",      Command::PowerButton, "press the power button"),
    (KeyCode::KeyR,   "R",      Command::Reset,       "press the reset button"),
    (KeyCode::KeyW,   "W",      Command::Save,        "write the saved state (--save)"),
    (KeyCode::KeyE,   "E",      Command::NextEngine,  "go on under the next engine"),
    (KeyCode::KeyQ,   "Q",      Command::Quit,        "end at once"),
];

/// What a key commands while the host key is held.
pub fn of_key(key: KeyCode) -> Option<Command> {
    COMMANDS.iter().find(|row| row.0 == key).map(|row| row.2)
}

/// The lines of the help.
pub fn help(host: HostKey) -> Vec<String> {
    let host = host.name();
    let mut lines = vec![
        format!("{:<22}{}", "Click", "give the mouse to the guest"),
        format!("{host:<22}{}", "take the mouse back"),
        format!("{:<22}{}", "Close the window", "press the power button; twice: end"),
        String::new(),
    ];
    lines.extend(COMMANDS.iter().map(|(_, key, _, what)| {
        let keys = format!("{host} + {key}");
        format!("{keys:<22}{what}")
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_command_has_one_key() {
        for (index, row) in COMMANDS.iter().enumerate() {
            assert_eq!(of_key(row.0), Some(row.2));
            assert!(COMMANDS[..index].iter().all(|other| other.2 != row.2));
        }
        assert_eq!(of_key(KeyCode::KeyX), None);
    }

    #[test]
    fn the_help_fits_a_small_window() {
        for host in HostKey::value_variants() {
            let help = help(*host);
            assert!(help.len() < 20 && help.iter().all(|line| line.len() <= 60 && line.is_ascii()));
            assert!(COMMANDS.iter().all(|row| row.0 != host.code()));
        }
    }
}
