//! Running other programs, with errors a person can act on.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command line as a person would type it, for messages.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs a program with our terminal; an exit code other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// The same with `input` as what it reads.
pub fn run_with(command: &mut Command, input: &str) -> Result<()> {
    let line = shown(command);
    let mut child =
        command.stdin(Stdio::piped()).spawn().with_context(|| format!("cannot start `{line}`"))?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    written.with_context(|| format!("`{line}` did not read its input"))
}

/// Runs a program quietly and returns what it printed; on failure its own message is part of the error.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("`{line}` failed ({}): {}", out.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Where `program` is found: on PATH, or among the programs of the system's administrator.
pub fn find(program: impl AsRef<Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let administrator = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).chain(administrator);
    folders.find_map(|folder| Some(folder.join(program.as_ref())).filter(|file| file.is_file()))
}

/// The cargo that started us, in the workspace folder.
pub fn cargo<I, S>(arguments: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    command
}

/// The workspace folder: the parent of this package.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// An empty folder of this name in there: what was in it is gone.
pub fn empty_folder(name: &str) -> Result<PathBuf> {
    let folder = target().join(name);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => std::fs::create_dir_all(&folder)?,
    }
    Ok(folder)
}
