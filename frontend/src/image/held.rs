//! A file of the host that is an image, held locked: many may read one, or one may write to it.

use super::{Access, ImageError};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Held {
    pub file: File,
    pub path: PathBuf,
    /// The length of the file when it was opened.
    pub bytes: u64,
}

impl Held {
    /// # Errors
    /// Not a file, not to be opened this way, or in use.
    pub fn open(path: &Path, access: Access) -> Result<Self, ImageError> {
        let name = path.display().to_string();
        let what = match access {
            Access::Read => "open for reading",
            Access::Write => "open for reading and writing",
        };
        let failed = |source| ImageError::Failed { what, name: name.clone(), source };
        // Before it is opened: opening a pipe waits for somebody at its other end.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(ImageError::NotAFile { name });
        }
        let file = OpenOptions::new().read(true).write(access == Access::Write).open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        Self { file, path: path.to_owned(), bytes }.locked(access)
    }

    fn locked(self, access: Access) -> Result<Self, ImageError> {
        let locked = match access {
            Access::Read => self.file.try_lock_shared(),
            Access::Write => self.file.try_lock(),
        };
        match locked {
            Ok(()) => Ok(self),
            Err(TryLockError::WouldBlock) => Err(ImageError::InUse { name: self.name() }),
            Err(TryLockError::Error(error)) => Err(self.failed("lock")(error)),
        }
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Makes an error of the host one about this image.
    pub fn failed(&self, what: &'static str) -> impl Fn(io::Error) -> ImageError + use<> {
        let name = self.name();
        move |source| ImageError::Failed { what, name: name.clone(), source }
    }
}
