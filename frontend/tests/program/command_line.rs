//! Bad input: one clear sentence, exit code 2, and nothing touched.

use crate::posada::{Done, finish, guest, posada, run};
use std::fs;

#[track_caller]
fn refused(arguments: &[&str], because: &str) -> Done {
    let mut command = run();
    command.args(arguments);
    let done = finish(command).code(2);
    assert!(done.out.is_empty() && done.err.lines().count() == 1, "one sentence: {}{}", done.out, done.err);
    assert!(done.err.starts_with("posada: ") && done.err.contains(because), "{}", done.err);
    done
}

#[test]
fn help_and_completions() {
    for arguments in [vec!["--help"], vec!["run", "--help"], vec!["--version"], vec!["completions", "zsh"]] {
        let mut command = posada();
        command.args(&arguments);
        assert!(!finish(command).code(0).out.is_empty());
    }
}

#[test]
fn wrong_options() {
    refused(&["--memroy", "1G"], "--memory");
    refused(&["--serial", "tcp"], "stdio, file:PATH, pty or none");
    refused(&["--initrd", "x"], "--kernel");
    refused(&["--serial", "stdio", "--display", "text"], "terminal cannot be both");
    refused(&["--rtc", "yesterday"], "not a date");
    refused(&["--save-at", "5s"], "--save");
}

#[test]
fn absurd_memory() {
    let kernel = guest("amd64/vmlinuz");
    for memory in ["0", "1K", "99999G", "18446744073709551615", "-1", "much"] {
        refused(&["--kernel", kernel.to_str().unwrap(), "--memory", memory], "");
    }
}

#[test]
fn wrong_cpu_names_list_the_right_ones() {
    let kernel = guest("amd64/vmlinuz");
    refused(&["--kernel", kernel.to_str().unwrap(), "--cpu", "pentium-9"], "max");
}

#[test]
fn kernels_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let whole = fs::read(guest("amd64/vmlinuz")).unwrap();
    fs::write(path("empty"), []).unwrap();
    fs::write(path("text"), "this is not a kernel\n".repeat(100)).unwrap();
    refused(&["--kernel", &path("missing")], "missing");
    refused(&["--kernel", folder.path().to_str().unwrap()], "folder");
    refused(&["--kernel", &path("empty")], "");
    refused(&["--kernel", &path("text")], "");
    for length in [1, 511, 600, 4096, whole.len() / 2] {
        fs::write(path("short"), &whole[..length]).unwrap();
        refused(&["--kernel", &path("short")], "");
    }
}

#[test]
fn images_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("odd.img");
    fs::write(&odd, [0; 700]).unwrap();
    let firmware = guest("bios-256k.bin");
    let firmware = firmware.to_str().unwrap();
    for option in ["--disk", "--floppy", "--cdrom"] {
        refused(&["--firmware", firmware, option, folder.path().to_str().unwrap()], "");
        refused(&["--firmware", firmware, option, odd.to_str().unwrap()], "multiple of 512");
    }
    refused(&["--firmware", odd.to_str().unwrap()], "");
}

#[test]
fn outputs_that_cannot_be_written_and_inputs_that_cannot_be_read_touch_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let kernel = guest("amd64/vmlinuz");
    let kernel = kernel.to_str().unwrap();
    refused(&["--kernel", kernel, "--save", "/nowhere/state"], "/nowhere/state");
    refused(&["--kernel", kernel, "--serial", "file:/nowhere/log"], "/nowhere/log");
    refused(&["--kernel", kernel, "--trace", "/nowhere/trace"], "/nowhere/trace");
    let log = folder.path().join("log");
    fs::write(&log, "precious").unwrap();
    let serial = format!("file:{}", log.display());
    refused(&["--kernel", "/nowhere/kernel", "--serial", &serial], "/nowhere/kernel");
    refused(&["--restore", "/nowhere/state", "--serial", &serial], "/nowhere/state");
    assert_eq!(fs::read_to_string(&log).unwrap(), "precious");
}

#[test]
fn scripts_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, "expect login\nfrobnicate\n").unwrap();
    let kernel = guest("amd64/vmlinuz");
    let script = script.to_str().unwrap();
    refused(&["--kernel", kernel.to_str().unwrap(), "--script", script], "line 2");
}
