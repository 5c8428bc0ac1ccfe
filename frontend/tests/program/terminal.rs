//! The terminal: what a person types arrives, and afterwards the terminal is as it was.

use crate::posada::posada;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A firmware that halts at the reset vector: `hlt`, `jmp` to it.
fn halting_firmware(folder: &Path) -> PathBuf {
    let mut image = vec![0; 64 << 10];
    image[0xFFF0..0xFFF3].copy_from_slice(&[0xF4, 0xEB, 0xFD]);
    let file = folder.join("halt.bin");
    std::fs::write(&file, image).unwrap();
    file
}

/// A terminal with the program in it.
struct Terminal {
    person: File,
    program_side: OwnedFd,
    child: Child,
    seen: String,
    _folder: tempfile::TempDir,
}

impl Terminal {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let program_side = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let end = || program_side.try_clone().unwrap();
        let mut command: Command = posada();
        command
            .arg("run")
            .arg("--firmware")
            .arg(halting_firmware(folder.path()))
            .args(["-m", "16M"])
            .args(options);
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        rustix::io::ioctl_fionbio(&person, true).unwrap();
        let person = File::from(person);
        Self { person, program_side, child, seen: String::new(), _folder: folder }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.program_side).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn look(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = self.person.read(&mut buffer) {
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// Waits on host time, generously: the terminal lives outside of the machine.
    #[track_caller]
    fn wait(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: never; seen: {}", self.seen);
            sleep(Duration::from_millis(5));
            self.look();
        }
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        self.wait(text, |terminal| terminal.seen.contains(text));
    }

    fn type_in(&mut self, bytes: &[u8]) {
        self.person.write_all(bytes).unwrap();
    }

    /// The exit code, once the program has ended; the terminal must be as it was.
    #[track_caller]
    fn end(&mut self) -> i32 {
        let mut code = None;
        self.wait("the end", |terminal| {
            code = terminal.child.try_wait().unwrap();
            code.is_some()
        });
        assert!(!self.is_raw(), "the terminal is still raw");
        code.and_then(|status| status.code()).expect("an exit code")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ctrl_a_x_quits_and_the_terminal_is_as_it_was() {
    let mut terminal = Terminal::start(&[]);
    terminal.wait("raw mode", |terminal| terminal.is_raw());
    terminal.type_in(b"\x01h");
    terminal.wait_for("press the power button");
    terminal.type_in(b"\x01i");
    terminal.wait_for("instructions, RIP");
    terminal.wait_for("engine auto: ");
    for engine in ["engine jit", "engine interpreter", "engine auto"] {
        terminal.seen.clear();
        terminal.type_in(b"\x01e");
        terminal.wait_for(engine);
    }
    terminal.type_in(b"\x01s");
    terminal.wait_for("give --save FILE");
    terminal.type_in(b"\x01x");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn signals_leave_a_usable_terminal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut terminal = Terminal::start(&[]);
        terminal.wait("raw mode", |terminal| terminal.is_raw());
        kill_process(Pid::from_child(&terminal.child), signal).unwrap();
        assert_eq!(terminal.end(), 128 + signal.as_raw());
    }
}

#[test]
fn the_text_screen_uses_the_second_screen_and_leaves_it() {
    let mut terminal = Terminal::start(&["--display", "text"]);
    terminal.wait_for("\x1b[?1049h");
    terminal.type_in(b"\x01x");
    assert_eq!(terminal.end(), 0);
    terminal.wait_for("\x1b[?1049l");
    assert!(terminal.seen.contains("\x1b[?25h"), "the cursor stays hidden");
}
