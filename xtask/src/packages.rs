//! Programs of the host that a command runs, and the Debian packages they come in.

use crate::command;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// A program and the package it is in.
pub type Tool = (&'static str, &'static str);

/// Makes sure that the programs are here: installs what is missing if we are root on Debian or Ubuntu, else says
/// what to install. `who` names the command in the message.
pub fn require(who: &str, tools: &[Tool]) -> Result<()> {
    let missing = tools.iter().filter(|(program, _)| command::find(program).is_none());
    install(who, &missing.map(|&(_, package)| package).collect::<Vec<_>>())
}

/// Installs packages if we are root on Debian or Ubuntu, else says that they must be.
pub fn install(who: &str, missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() || command::find("apt-get").is_none() {
        bail!(
            "{who} needs programs that are not here: install the Debian packages {list} as root and try again"
        );
    }
    eprintln!("{who}: installing the Debian packages {list}");
    let apt_get = |arguments: &[&str]| {
        let mut apt_get = Command::new("apt-get");
        apt_get.args(arguments).arg("--quiet=2").env("DEBIAN_FRONTEND", "noninteractive");
        command::run(&mut apt_get)
    };
    let install = [&["install", "--yes", "--no-install-recommends"], missing].concat();
    // The index of packages may be old, or not there at all.
    apt_get(&install)
        .or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&install)))
        .with_context(|| format!("{who} needs the Debian packages {list}"))
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_here_needs_nothing() {
        assert!(super::require("test", &[("sh", "dash")]).is_ok());
    }
}
