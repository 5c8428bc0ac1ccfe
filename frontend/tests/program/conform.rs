//! `posada conform` as a person runs it.

use crate::posada::{Done, finish, posada};
use std::fs;

fn conform(arguments: &[&str]) -> Done {
    let mut command = posada();
    command.arg("conform").args(arguments);
    finish(command)
}

#[track_caller]
fn refused(arguments: &[&str], because: &str) {
    let done = conform(arguments).code(2);
    assert!(done.out.is_empty() && done.err.lines().count() == 1, "one sentence: {}{}", done.out, done.err);
    assert!(done.err.starts_with("posada: ") && done.err.contains(because), "{}", done.err);
}

/// A host that cannot be compared with says so; then there is nothing to test here.
fn no_oracle(done: &Done) -> bool {
    done.code == 2 && done.err.contains("this host's CPU has no")
}

#[test]
fn a_short_run_agrees_and_writes_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.md");
    let done = conform(&[
        "--family",
        "logic",
        "--family",
        "sequence",
        "--vectors",
        "40000",
        "--workers",
        "2",
        "--report",
        "--format",
        "markdown",
        "--output",
        table.to_str().unwrap(),
    ]);
    if no_oracle(&done) {
        return;
    }
    done.code(0);
    let table = fs::read_to_string(table).unwrap();
    assert!(table.contains("| logic | 64 |") && table.contains("; 0 disagreements."), "{table}");
    assert!(table.contains("sequences of 2 to 8"), "{table}");
}

#[test]
fn one_round_of_a_seed_is_always_the_same() {
    let run = || conform(&["--form", "Add_rm32_r32", "--size", "32", "--seed", "5", "--round", "3"]);
    let first = run();
    if no_oracle(&first) {
        return;
    }
    let vectors = |done: &Done| done.out.split(" vectors").next().map(str::to_owned);
    assert_eq!(vectors(&first.code(0)), vectors(&run()));
}

#[test]
fn recordings_are_made_checked_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vectors");
    let name = file.to_str().unwrap();
    let made = conform(&["--family", "decimal", "--record", name]);
    if no_oracle(&made) {
        return;
    }
    made.code(0);
    conform(&["--recorded", name]).code(0).said(" 0 disagreements");
    let mut bytes = fs::read(&file).unwrap();
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        bytes[at] ^= 0x40;
        fs::write(&file, &bytes).unwrap();
        conform(&["--recorded", name]).code(2);
        bytes[at] ^= 0x40;
    }
    fs::write(&file, "no recording").unwrap();
    refused(&["--recorded", name], "is not a recording");
    refused(&["--recorded", "/no/where"], "cannot read the recording");
}

#[test]
fn families_are_listed() {
    conform(&["--list"]).code(0).said("x87-transcendental").said("64 bits");
}

#[test]
fn wrong_options() {
    refused(&["--engine", "warp"], "there is no engine `warp`");
    refused(&["--family", "logics"], "there is no family `logics`");
    refused(&["--form", "Add"], "there is no form `Add`");
    refused(&["--form", "Syscall"], "enters the host's kernel");
    refused(&["--size", "8"], "--size");
    refused(&["--format", "html"], "--report");
    refused(&["--report", "--output", "/no/where/table"], "cannot write the report");
    refused(&["--record", "/no/where/vectors"], "cannot write the recording");
}
