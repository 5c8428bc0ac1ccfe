//! A new file that appears under its name only when it is complete, and never instead of another one.

use crate::image::{Held, ImageError};
use anyhow::{Context, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub struct Target {
    pub held: Held,
    name: PathBuf,
    kept: bool,
}

impl Target {
    /// Makes a file beside the one that is to be.
    pub fn beside(name: &Path) -> Result<Self> {
        refuse_existing(name)?;
        let mut part = name.file_name().context("the new image needs a name")?.to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let path = name.with_file_name(part);
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot make the disk image {}", name.display()))?;
        let held = Held { file, path, bytes: 0 };
        Ok(Self { held, name: name.to_owned(), kept: false })
    }

    /// Gives the file its name, once it is on the host's disk.
    pub fn keep(mut self) -> Result<()> {
        self.held
            .file
            .sync_all()
            .with_context(|| format!("cannot write the disk image {}", self.name.display()))?;
        match renameat_with(CWD, &self.held.path, CWD, &self.name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            // Not every file system can look and rename at once.
            Err(Errno::INVAL | Errno::NOSYS) => {
                refuse_existing(&self.name)?;
                fs::rename(&self.held.path, &self.name)?;
            }
            Err(Errno::EXIST) => refuse_existing(&self.name)?,
            Err(error) => Err(error).with_context(|| format!("cannot name {}", self.name.display()))?,
        }
        self.kept = true;
        Ok(())
    }
}

fn refuse_existing(name: &Path) -> Result<()> {
    match fs::symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot make the disk image {}", name.display())),
        Ok(_) => Err(ImageError::Exists { name: name.display().to_string() }.into()),
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.kept {
            // There is nothing to be done about a file that cannot be removed either.
            let _ = fs::remove_file(&self.held.path);
        }
    }
}
