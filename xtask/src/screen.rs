//! A screen that nobody sees, for tests of the window: the programs that make one and use it, and the libraries that
//! Posada opens at run time for its window.

use crate::command::{self, output};
use crate::packages;
use anyhow::Result;
use std::process::Command;

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

/// What the dynamic linker finds; ldconfig(8), `-p`.
fn known_libraries() -> String {
    let ldconfig = command::find("ldconfig").unwrap_or_else(|| "ldconfig".into());
    output(Command::new(ldconfig).arg("-p")).unwrap_or_default()
}
