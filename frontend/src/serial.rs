//! Where the bytes of the first serial port go, and where they come from.

use crate::files;
use crate::inbox::{Happening, Poster};
use crate::options::Serial;
use crate::terminal;
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

/// The host's end of the cable.
pub enum Cable {
    Terminal,
    File { host: File, name: String },
    Pty { host: File, name: String },
    Nothing,
}

impl Cable {
    /// Opens the sink before the machine is built, so that a wrong path ends the run before it begins.
    pub fn open(serial: &Serial) -> Result<Self> {
        Ok(match serial {
            Serial::Stdio => Self::Terminal,
            Serial::File(path) => {
                Self::File { host: files::create("serial log", path)?, name: path.display().to_string() }
            }
            Serial::Pty => open_pty().context("cannot open a pseudo-terminal")?,
            Serial::None => Self::Nothing,
        })
    }

    /// Sends the guest's bytes. A full or vanished receiver loses them, as an unplugged cable does.
    pub fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Terminal => terminal::write_all(bytes),
            Self::File { host, .. } | Self::Pty { host, .. } => {
                let _ = host.write_all(bytes);
            }
            Self::Nothing => {}
        }
    }

    /// Where the other end is, for a person.
    pub fn place(&self) -> String {
        match self {
            Self::Terminal => "this terminal".into(),
            Self::File { name, .. } => name.clone(),
            Self::Pty { name, .. } => format!("{name} (connect for example with `screen {name}`)"),
            Self::Nothing => "not connected".into(),
        }
    }

    /// Starts a thread that passes on what arrives at a pseudo-terminal.
    pub fn listen(&self, poster: Poster) -> Result<()> {
        if let Self::Pty { host, .. } = self {
            let host = host.try_clone()?;
            thread::spawn(move || listen_to_pty(host, &poster));
        }
        Ok(())
    }
}

/// How often to look whether somebody has opened the other end.
const UNPLUGGED: Duration = Duration::from_millis(100);

fn listen_to_pty(mut host: File, poster: &Poster) {
    let mut buffer = [0; 1024];
    loop {
        let ready = poll(&mut [PollFd::new(&host, PollFlags::IN)], None);
        match host.read(&mut buffer) {
            Ok(count) if count > 0 && ready.is_ok() => {
                if !poster.post(Happening::Received(buffer[..count].to_vec())) {
                    return;
                }
            }
            // EIO: nobody has the other end open at the moment.
            Ok(_) | Err(_) => thread::sleep(UNPLUGGED),
        }
    }
}

fn open_pty() -> Result<Cable> {
    let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&host)?;
    unlockpt(&host)?;
    let name = ptsname(&host, Vec::new())?.to_string_lossy().into_owned();
    let mut settings = tcgetattr(&host)?;
    settings.make_raw();
    tcsetattr(&host, OptionalActions::Now, &settings)?;
    // A writer must not wait for a reader that is not there.
    rustix::io::ioctl_fionbio(&host, true)?;
    Ok(Cable::Pty { host: File::from(host), name })
}
