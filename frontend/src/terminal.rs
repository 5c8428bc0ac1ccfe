//! The host's terminal in raw mode, given back as it was however the program ends.

use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, Read, Write};
use std::sync::Mutex;

/// The terminal's own settings while it is raw. Global, because a panic hook has to find them.
static COOKED: Mutex<Option<Termios>> = Mutex::new(None);

/// Leaves the alternate screen, shows the cursor, resets colours: harmless where none of this was changed.
const LEAVE_SCREEN: &[u8] = b"\x1b[?1049l\x1b[?25h\x1b[0m";

/// Raw mode for as long as this value lives.
pub struct Raw {
    screen: bool,
}

impl Raw {
    /// Makes the terminal at standard input raw. With `screen`, also switches to the terminal's second screen, so
    /// that what was there before comes back at the end.
    pub fn enter(screen: bool) -> io::Result<Self> {
        let input = io::stdin();
        let cooked = tcgetattr(&input)?;
        set(Some(cooked.clone()));
        let mut raw = cooked;
        raw.make_raw();
        restore_on_panic();
        tcsetattr(&input, OptionalActions::Drain, &raw)?;
        if screen {
            write_all(b"\x1b[?1049h\x1b[?25l\x1b[2J");
        }
        Ok(Self { screen })
    }

    /// After the program was stopped and continued (SIGCONT), the shell has made the terminal its own.
    pub fn again(&self) {
        if let Ok(mut raw) = tcgetattr(io::stdin()) {
            raw.make_raw();
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &raw);
        }
        if self.screen {
            write_all(b"\x1b[?1049h\x1b[?25l\x1b[2J");
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if self.screen {
            write_all(LEAVE_SCREEN);
        }
        restore();
    }
}

fn set(cooked: Option<Termios>) {
    *COOKED.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = cooked;
}

/// Gives the terminal its own settings back; does nothing a second time.
fn restore() {
    let cooked = COOKED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(cooked) = cooked {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &cooked);
    }
}

/// A panic message must be readable, and the shell usable after it.
fn restore_on_panic() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        write_all(LEAVE_SCREEN);
        restore();
        previous(panic);
    }));
}

/// Writes to standard output, which may be a closed pipe: a reader that went away must not end the guest's run.
pub fn write_all(bytes: &[u8]) {
    let mut output = io::stdout().lock();
    let _ = output.write_all(bytes).and_then(|()| output.flush());
}

/// Whether a person may be typing.
pub fn is_one() -> bool {
    isatty(io::stdin())
}

/// Columns and rows of the terminal, if standard output is one.
pub fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Reads what is there, at least one byte; `None` at the end of the input.
pub fn read(buffer: &mut [u8]) -> Option<usize> {
    loop {
        match io::stdin().lock().read(buffer) {
            Ok(0) => return None,
            Ok(count) => return Some(count),
            Err(error) if error.raw_os_error() == Some(Errno::INTR.raw_os_error()) => {}
            Err(_) => return None,
        }
    }
}
