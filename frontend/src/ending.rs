//! How a run ends, and the exit code that tells it.
//!
//! Even codes are Posada's, odd ones are the guest's own (isa-debug-exit), so the two never mix; signals give 128 + n
//! as in a shell.

use std::process::ExitCode;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The guest switched the power off.
    PowerOff,
    /// The person at the terminal asked for it.
    Quit,
    /// The script came to its end.
    ScriptDone,
    /// The Linux guest's kernel panicked and stays halted (or would reboot, and `--no-reboot` was given).
    KernelPanic,
    /// The guest reset the machine and `--no-reboot` was given.
    Reset,
    /// The script's line was not fulfilled in time, or the run took longer than `--timeout` of guest time.
    TooLate(String),
    /// The guest wrote this value to the isa-debug-exit port.
    GuestExit(u32),
    /// Two engines in lockstep have come to different states.
    Apart(String),
    /// A signal ended the program.
    Signal(i32),
}

/// The exit code of bad input and of failures on the host's side.
pub const FAILED: u8 = 2;

impl Ending {
    /// The process exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::PowerOff | Self::Quit | Self::ScriptDone | Self::Reset => 0,
            Self::KernelPanic => 4,
            Self::TooLate(_) => 6,
            Self::Apart(_) => 8,
            // QEMU's isa-debug-exit, which test kernels expect: (value << 1) | 1, of which a process keeps 8 bits.
            Self::GuestExit(value) => value.to_le_bytes()[0] << 1 | 1,
            Self::Signal(number) => u8::try_from(*number).unwrap_or(0).saturating_add(128),
        }
    }

    /// The closing line for a person, without the name of the program; `None` where the guest has said it itself.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::PowerOff => Some("the guest has powered off".into()),
            Self::Quit | Self::ScriptDone => None,
            Self::Reset => Some("the guest has reset the machine".into()),
            Self::KernelPanic => Some("the guest's kernel has panicked".into()),
            Self::TooLate(what) | Self::Apart(what) => Some(what.clone()),
            Self::GuestExit(value) => Some(format!("the guest has ended the run with value {value:#x}")),
            Self::Signal(number) => Some(format!("ended by signal {number}")),
        }
    }
}

impl From<&Ending> for ExitCode {
    fn from(ending: &Ending) -> Self {
        ending.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;

    #[test]
    fn guests_codes_are_odd_and_ours_are_even() {
        assert_eq!(Ending::GuestExit(0x10).code(), 0x21);
        assert_eq!(Ending::GuestExit(0xFFFF_FFFF).code(), 0xFF);
        let apart = Ending::Apart(String::new());
        for ours in [Ending::PowerOff, Ending::KernelPanic, Ending::TooLate(String::new()), apart] {
            assert_eq!(ours.code() % 2, 0);
        }
        assert_eq!(Ending::Signal(15).code(), 143);
    }
}
