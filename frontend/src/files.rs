//! Reading and writing whole files with errors a person can act on.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Nothing a PC is started from is larger; a disk image given as a kernel should not fill the host's memory.
const LARGEST: u64 = 1 << 30;

/// Reads a file; `what` names its role.
pub fn read(what: &str, path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let about = fs::metadata(path).with_context(|| format!("cannot read the {what} {name}"))?;
    if about.is_dir() {
        bail!("cannot read the {what} {name}: it is a folder");
    }
    if about.len() > LARGEST {
        bail!("{name} is {} bytes long, too large for a {what}", about.len());
    }
    fs::read(path).with_context(|| format!("cannot read the {what} {name}"))
}

/// A new file for output, before anything runs.
pub fn create(what: &str, path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write the {what} {}", path.display()))
}

/// Fails now if a file could not be written at the end of the run. An existing file is left as it is.
pub fn check_writable(what: &str, path: &Path) -> Result<()> {
    if path.is_dir() {
        bail!("cannot write the {what} {}: it is a folder", path.display());
    }
    let probe = part(path);
    let written = File::create(&probe).and_then(|_| fs::remove_file(&probe));
    written.with_context(|| format!("cannot write the {what} {}", path.display()))
}

fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_missing_places_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = |result: Result<()>| format!("{:#}", result.unwrap_err());
        assert!(error(read("kernel", folder.path()).map(drop)).contains("it is a folder"));
        assert!(error(read("kernel", &folder.path().join("x")).map(drop)).contains("kernel"));
        assert!(error(check_writable("state", folder.path())).contains("folder"));
        assert!(error(check_writable("state", &folder.path().join("no/where"))).contains("No such file"));
    }
}
