//! A screen that nobody sees, for tests of the window: the programs that make one and use it, and the libraries that
//! Posada opens at run time for its window.

use crate::command::{self, output};
use crate::packages;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Programs and their packages.
const TOOLS: [packages::Tool; 4] =
    [("Xvfb", "xvfb"), ("xdotool", "xdotool"), ("xclip", "xclip"), ("qemu-img", "qemu-utils")];

/// Libraries and their packages.
const LIBRARIES: [(&str, &str); 4] = [
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
];

/// Makes sure that all of it is here.
///
/// # Errors
/// It is not, and cannot be installed; says what is missing.
pub fn require(who: &str) -> Result<()> {
    let programs = TOOLS.iter().filter(|(program, _)| command::find(program).is_none());
    let known = known_libraries();
    let libraries = LIBRARIES.iter().filter(|(library, _)| !known.contains(library));
    let missing: Vec<&str> = programs.chain(libraries).map(|&(_, package)| package).collect();
    packages::install(who, &missing)
}

/// A program that ends with this value.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Such a screen.
pub struct Screen {
    display: String,
    _server: Running,
}

impl Screen {
    /// Of this width and height in pixels.
    ///
    /// # Errors
    /// Xvfb does not start.
    pub fn open((width, height): (u32, u32)) -> Result<Self> {
        let mut xvfb = Command::new("Xvfb");
        let size = format!("{width}x{height}x24");
        xvfb.args(["-displayfd", "1", "-screen", "0", &size, "-nolisten", "tcp", "-noreset"]);
        let mut server = Running(xvfb.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().context("a child without output")?).read_line(&mut line)?;
        match line.trim() {
            "" => bail!("Xvfb does not start"),
            number => Ok(Self { display: format!(":{number}"), _server: server }),
        }
    }

    /// A program on this screen.
    pub fn at(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        command
    }
}

/// What the dynamic linker finds; ldconfig(8), `-p`.
fn known_libraries() -> String {
    let ldconfig = command::find("ldconfig").unwrap_or_else(|| "ldconfig".into());
    output(Command::new(ldconfig).arg("-p")).unwrap_or_default()
}
