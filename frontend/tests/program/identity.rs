//! Deterministic runs: equal to each other, and equal across a save and a restore in a new process.

use crate::posada::{debian, finish, guest, play, posada, run};
use std::path::Path;

/// A boot that does some work and powers off; the last line is the hash of the whole machine.
fn boot() -> std::process::Command {
    let mut command = debian("amd64", "posada.run=shell");
    command.args(["--hash", "--serial", "none"]);
    command
}

fn hash(out: &str) -> String {
    let hash = out.lines().last().expect("a hash").to_owned();
    assert_eq!(hash.len(), 64, "`{hash}` is not a hash");
    hash
}

fn restore(state: &Path) -> std::process::Command {
    let mut command = run();
    command.arg("--restore").arg(state);
    command.args(["--deterministic", "--timeout", "10min", "--hash", "--serial", "none"]);
    command
}

#[test]
fn two_runs_are_equal() {
    let [first, second] = [boot(), boot()].map(|run| hash(&finish(run).code(0).out));
    assert_eq!(first, second);
}

#[test]
fn every_engine_gives_the_same_run() {
    let hashes = ["interpreter", "auto", "jit"].map(|engine| {
        let mut boot = boot();
        boot.args(["--engine", engine]);
        hash(&finish(boot).code(0).out)
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[test]
fn engines_may_change_on_the_way() {
    let steps = ["wait 311ms", "wait 700ms", "wait 1007ms", "off"];
    let hash_of = |engines: [&str; 4]| {
        let lines = engines.iter().zip(steps).map(|(engine, step)| format!("engine {engine}\n{step}\n"));
        hash(&play(boot(), &lines.collect::<String>()).code(0).out)
    };
    let one = hash_of(["interpreter"; 4]);
    assert_eq!(hash_of(["jit", "auto", "interpreter", "jit"]), one);
}

#[test]
fn a_saved_run_goes_on_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    let whole = hash(&finish(boot()).code(0).out);
    // Odd moments: in the decompressor, in early boot, in driver set-up, in user space.
    for moment in ["137ms", "731ms", "1693ms", "2711ms"] {
        let state = folder.path().join(moment);
        let mut save = boot();
        save.arg("--save").arg(&state).arg("--save-at").arg(moment);
        finish(save).code(0);
        let restored = hash(&finish(restore(&state)).code(0).out);
        assert_eq!(restored, whole, "saved at {moment}");
    }
}

#[test]
fn a_damaged_state_is_refused_wherever_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut save = boot();
    save.arg("--save").arg(&state).args(["--save-at", "20ms"]);
    finish(save).code(0);
    let good = std::fs::read(&state).unwrap();
    let damaged = folder.path().join("damaged");
    let refused = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        let done = finish(restore(&damaged)).code(2);
        assert_eq!(done.err.lines().count(), 1, "one sentence: {}", done.err);
    };
    for part in 0..40 {
        let at = good.len() / 40 * part + part;
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (part % 8);
        refused(&bytes);
    }
    for length in [0, 1, 16, good.len() / 2, good.len() - 1] {
        refused(&good[..length]);
    }
}

/// An image based on Debian's disk, and the value of --disk for it.
fn based_on_debian(overlay: &Path) -> std::ffi::OsString {
    let base = guest("debian-amd64.qcow2");
    let mut create = posada();
    create.args(["image", "create", "--backing"]).arg(&base).arg(overlay);
    finish(create).code(0);
    let mut disk = overlay.as_os_str().to_owned();
    disk.push(",backing=");
    disk.push(base.parent().expect("the folder of the guests"));
    disk
}

/// GRUB, a kernel that gives each process its PCID, systemd: what one engine remembers of an address space, and another
/// does not, must make no difference.
#[test]
fn debian_runs_the_same_under_every_engine() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, "screen Debian GNU/Linux\nkey enter\nwait 25s\n").unwrap();
    let hashes = ["auto", "interpreter"].map(|engine| {
        let mut command = run();
        command.arg("--disk").arg(guest("debian-amd64.qcow2")).args(["--snapshot", "--memory", "512M"]);
        command.args(["--deterministic", "--serial", "none", "--hash", "--engine", engine]);
        command.arg("--script").arg(&script);
        hash(&finish(command).code(0).out)
    });
    assert_eq!(hashes[0], hashes[1]);
}

/// While systemd starts services from the disk, and the kernel's console is in the frame buffer of the display adapter.
#[test]
fn a_run_saved_with_graphics_and_a_busy_disk_goes_on_as_if_nothing_had_happened() {
    let moments: Vec<String> = (0..12).map(|n| format!("{}ms", 24_700 + 331 * n)).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("script"), "screen Debian GNU/Linux\nkey enter\nwait 10min\n").unwrap();
    let with = |disk: &std::ffi::OsStr| {
        let mut command = run();
        command.arg("--disk").arg(disk).args(["--deterministic", "--serial", "none"]);
        command
    };
    let from_the_menu = |disk: &std::ffi::OsStr| {
        let mut command = with(disk);
        command.args(["--memory", "256M", "--script"]).arg(file("script"));
        command
    };
    let restored = |disk: &std::ffi::OsStr, moment: &str| {
        let mut command = with(disk);
        command.arg("--restore").arg(file(moment));
        command
    };
    let save = |mut command: std::process::Command, moment: &str| {
        command.arg("--hash").arg("--save").arg(file(moment)).args(["--save-at", moment]);
        hash(&finish(command).code(0).out)
    };
    let last = moments.last().expect("a moment");
    let whole = save(from_the_menu(&based_on_debian(&file("whole.qcow2"))), last);
    let disk = based_on_debian(&file("pieces.qcow2"));
    save(from_the_menu(&disk), &moments[0]);
    let mut pieces = String::new();
    for pair in moments.windows(2) {
        pieces = save(restored(&disk, &pair[0]), &pair[1]);
    }
    assert_eq!(pieces, whole);
    // The names of features in the header stand in any order: all behind its cluster.
    let written = |name: &str| std::fs::read(file(name)).unwrap().split_off(1 << 16);
    assert!(written("pieces.qcow2") == written("whole.qcow2"), "the guest wrote something else");
    let shot = format!("screenshot {}\n", file("picture.png").display());
    play(restored(&disk, last), &shot).code(0);
    let picture = std::fs::read(file("picture.png")).unwrap();
    assert_eq!(picture[16..24], [0, 0, 4, 0, 0, 0, 3, 0], "1024 x 768 dots, as IHDR has them");
}
