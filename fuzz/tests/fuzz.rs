//! The fuzz targets as tests: a few inputs in every test run, and for POSADA_FUZZ_SECONDS each (default 60) when
//! asked for with `--ignored`.

use posada_fuzz::{TARGETS, driver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[track_caller]
fn expect_nothing(name: &str, seed: u64, report: &driver::Report) {
    println!("{name}: seed {seed}, {} inputs", report.inputs);
    if let Some(finding) = &report.finding {
        let again = driver::hex(&finding.input);
        panic!("{}\nagain: posada-fuzz --target {name} --input {again}", finding.panic);
    }
}

fn target(name: &str) -> fn(&[u8]) {
    TARGETS.into_iter().find(|(target, _)| *target == name).expect("a target of this name").1
}

fn fuzz(name: &str) {
    let seconds = std::env::var("POSADA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let report = driver::run_for(target(name), seed, Duration::from_secs(seconds), |_| ());
    expect_nothing(name, seed, &report);
}

#[test]
fn a_few_inputs_find_nothing() {
    for (name, target) in TARGETS {
        let report = driver::run(target, 1, |inputs| inputs == 300, |_| ());
        expect_nothing(name, 1, &report);
    }
}

#[test]
#[ignore = "takes as long as it is told to"]
fn fuzz_cpu() {
    fuzz("cpu");
}

#[test]
#[ignore = "takes as long as it is told to"]
fn fuzz_devices() {
    fuzz("devices");
}

/// Inputs that once found something.
const FOUND: [(&str, &str); 2] = [
    ("cpu", include_str!("../found/cpu-past-the-last-op.hex")),
    ("cpu", include_str!("../found/cpu-handler-that-faults.hex")),
];

#[test]
fn what_was_found_stays_fixed() {
    for (name, input) in FOUND {
        let input = driver::unhex(input.trim()).expect("hexadecimal");
        assert_eq!(driver::panic_of(target(name), &input), None);
    }
}
