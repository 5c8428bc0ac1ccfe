//! Replacing a file in one step.

use super::SaveError;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a new file beside `path` and, when all of it is on disk, puts it in the place of `path`. On error what was
/// at `path` is untouched.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), SaveError>,
) -> Result<(), SaveError> {
    let fail = |error: io::Error| SaveError::File { path: path.display().to_string(), error };
    if path.is_dir() {
        return Err(fail(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(fail)?;
    let mut to = BufWriter::new(new.as_file());
    write(&mut to).map_err(|error| match error {
        SaveError::Write(error) => fail(error),
        named => named,
    })?;
    to.flush().map_err(fail)?;
    drop(to);
    new.as_file().sync_all().map_err(fail)?;
    new.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_what_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("saved");
        replace(&path, |to| Ok(to.write_all(b"one")?)).expect("written");
        let error = replace(&path, |to| {
            to.write_all(b"tw")?;
            Err(SaveError::Write(io::Error::other("disk full")))
        });
        let said = error.expect_err("the disk is full").to_string();
        assert!(said.contains(&path.display().to_string()) && said.ends_with(": disk full"), "{said}");
        assert_eq!(std::fs::read(&path).expect("still there"), b"one");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing left behind");
        replace(&path, |to| Ok(to.write_all(b"two")?)).expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"two");
    }

    #[test]
    fn a_directory_or_a_missing_folder_is_one_clear_sentence() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path().to_owned(), folder.path().join("no/such")] {
            let error = replace(&path, |_| Ok(())).expect_err("no place for a file");
            assert!(error.to_string().starts_with("cannot write the saved machine to"), "{error}");
        }
    }
}
