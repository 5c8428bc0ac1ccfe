//! The folder of guests: where it is, what must be in it, and the check that it is what we once put there.

use crate::command;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub struct Cache {
    folder: PathBuf,
    /// Held so that two set-ups do not write at the same time.
    _lock: File,
}

impl Cache {
    /// `$POSADA_CACHE`, else `target/guests`. Always absolute: programs that run elsewhere are told of it.
    pub fn folder() -> PathBuf {
        let given = std::env::var_os("POSADA_CACHE").filter(|folder| !folder.is_empty());
        let folder = given.map_or_else(|| command::target().join("guests"), PathBuf::from);
        std::path::absolute(&folder).unwrap_or(folder)
    }

    pub fn open() -> Result<Self> {
        let folder = Self::folder();
        let what = || format!("cannot use {} as the folder of guests", folder.display());
        fs::create_dir_all(&folder).with_context(what)?;
        let lock = File::create(folder.join(".lock")).with_context(what)?;
        lock.lock().with_context(what)?;
        Ok(Self { folder, _lock: lock })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path(name);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Writes a file so that a reader sees the old or the new one, never a part. An equal file is left alone.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(name);
        if fs::read(&path).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        let part = path.with_extension("part");
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            fs::write(&part, bytes)?;
            fs::rename(&part, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether every one of `names` is here, unchanged since it was recorded in this manifest.
    pub fn is_complete(&self, manifest: &str, names: &[&str]) -> bool {
        let Ok(manifest) = fs::read_to_string(self.path(manifest)) else { return false };
        let recorded =
            |name: &str| manifest.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix("  "));
        names.iter().all(|name| {
            let Some(expected) = recorded(name) else { return false };
            sha256_of(&self.path(name)).is_ok_and(|sum| sum == expected)
        })
    }

    /// Records names and SHA-256 of what is here now, in the format of `sha256sum`; done last, so that an interrupted
    /// set-up starts again.
    pub fn record(&self, manifest: &str, names: &[&str]) -> Result<()> {
        let mut lines = String::new();
        for name in names {
            writeln!(lines, "{}  {name}", sha256_of(&self.path(name))?)?;
        }
        self.write(manifest, lines.as_bytes())
    }
}

/// Images of disks are large: read piece by piece.
fn sha256_of(file: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    File::open(file)
        .and_then(|mut file| io::copy(&mut file, &mut hasher))
        .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Fails unless the file has this SHA-256.
pub fn verify(file: &Path, expected: &str) -> Result<()> {
    if sha256_of(file)? != expected {
        bail!(
            "{} is damaged: its SHA-256 is not the one of the package index; delete it and try again",
            file.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::sha256_of;
    use std::path::Path;

    #[test]
    fn sha256_of_nothing() {
        // FIPS 180-4 example value, the empty message.
        let nothing = sha256_of(Path::new("/dev/null")).unwrap();
        assert_eq!(nothing, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
