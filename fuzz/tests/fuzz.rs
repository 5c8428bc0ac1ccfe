//! The fuzz targets as tests: a few inputs in every test run, and those that once found something. `cargo xtask fuzz`
//! goes on for longer.

use posada_fuzz::{TARGETS, driver};

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

#[test]
fn a_few_inputs_find_nothing() {
    for (name, target) in TARGETS {
        let report = driver::run(target, 1, |inputs| inputs == 300, |_| ());
        expect_nothing(name, 1, &report);
    }
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
