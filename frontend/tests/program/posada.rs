//! Running the program itself, on real guests.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A file of the folder of guests. A test without its guest fails: it must not look as if it had passed.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("POSADA_CACHE").map_or_else(default_folder, PathBuf::from);
    let file = folder.join(name);
    assert!(file.is_file(), "{} is missing: fetch the guests with `cargo xtask setup`", file.display());
    file
}

/// `guests` in the folder of the build.
fn default_folder() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_posada"));
    let found = program.ancestors().map(|folder| folder.join("guests")).find(|folder| folder.is_dir());
    found.unwrap_or_else(|| PathBuf::from("target/guests"))
}

pub fn posada() -> Command {
    Command::new(env!("CARGO_BIN_EXE_posada"))
}

/// `posada run` with nothing typed.
pub fn run() -> Command {
    let mut command = posada();
    command.arg("run").stdin(std::process::Stdio::null());
    command
}

/// A Debian kernel of this architecture, deterministic unless changed.
pub fn debian(architecture: &str, append: &str) -> Command {
    let mut command = run();
    command.arg("--kernel").arg(guest(&format!("{architecture}/vmlinuz")));
    command.arg("--initrd").arg(guest(&format!("initramfs-{architecture}.cpio.gz")));
    command.arg("--append").arg(format!("console=ttyS0 {append}"));
    command.args(["--memory", "256M", "--deterministic", "--timeout", "10min"]);
    command
}

/// What a run came to.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Fails with all that was said, unless the exit code is this one.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- output ---\n{}\n--- errors ---\n{}", self.out, self.err);
        self
    }

    /// Fails unless the guest (or the program) printed this.
    #[track_caller]
    pub fn said(self, text: &str) -> Self {
        assert!(self.out.contains(text), "`{text}` is not in\n{}\n--- errors ---\n{}", self.out, self.err);
        self
    }
}

pub fn finish(mut command: Command) -> Done {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done { code: status.code().expect("an exit code, not a signal"), out: text(stdout), err: text(stderr) }
}

/// Plays a script to the end.
pub fn play(mut command: Command, script: &str) -> Done {
    let folder = tempfile::tempdir().expect("a folder for the script");
    let file = folder.path().join("script");
    std::fs::write(&file, script).expect("the script is written");
    command.arg("--script").arg(&file);
    finish(command)
}
