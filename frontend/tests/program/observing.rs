//! Looking inside: `--stats`, `--dump-region`, `--perf-map`.

use crate::posada::{debian, finish, guest};
use std::fs;
use std::process::Stdio;

#[test]
fn statistics_name_tiers_and_exits() {
    let mut command = debian("amd64", "");
    command.args(["--until-text", "Linux version", "--stats", "--engine", "jit"]);
    let done = finish(command).code(0);
    for part in [
        "interpreted",
        "compiled",
        "regions",
        "us an instruction",
        "indirect branch",
        "calls out",
        "TLB misses",
    ] {
        assert!(done.err.contains(part), "`{part}` in\n{}", done.err);
    }
}

#[test]
fn regions_are_shown_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let regions = folder.path().join("regions");
    let mut command = debian("amd64", "");
    command.args(["--until-text", "Linux version", "--engine", "jit", "--dump-region", "all"]);
    command.arg("--dump-to").arg(&regions);
    finish(command).code(0);
    let files: Vec<_> = fs::read_dir(&regions).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 5, "{files:?}");
    let text = fs::read_to_string(&files[0]).unwrap();
    for part in ["region ", "-bit code: ", "and exits)", "cmp r15,", "jl near"] {
        assert!(text.contains(part), "`{part}` in\n{text}");
    }
}

#[test]
fn perf_gets_names() {
    let folder = tempfile::tempdir().unwrap();
    let symbols = folder.path().join("symbols");
    fs::write(&symbols, "0000000000100000 T the_start\nffffffff81000000 T _text\n").unwrap();
    let mut command = debian("amd64", "");
    command
        .args(["--until-text", "Linux version", "--engine", "jit", "--perf-map", "--symbols"])
        .arg(&symbols);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let map = format!("/tmp/perf-{}.map", child.id());
    assert!(child.wait_with_output().unwrap().status.success());
    let text = fs::read_to_string(&map).unwrap();
    fs::remove_file(&map).unwrap();
    assert!(text.lines().count() > 5, "{text}");
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(words.len() == 3 && words[2].starts_with("guest_"), "{line}");
        assert!(words[..2].iter().all(|word| u64::from_str_radix(word, 16).is_ok()), "{line}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for arguments in [["--dump-region", "everywhere"], ["--dump-to", "/tmp"], ["--symbols", "/nowhere"]] {
        let mut command = debian("amd64", "");
        command.args(arguments);
        finish(command).code(2);
    }
    let mut command = debian("amd64", "");
    command.arg("--perf-map").arg("--symbols").arg(guest("amd64/vmlinuz"));
    let done = finish(command).code(2);
    assert!(done.err.contains("as nm writes it"), "{}", done.err);
}
