//! A short run against the host's own CPU.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use emu_core::isa::cpuid;
use std::time::{SystemTime, UNIX_EPOCH};
use test_roms::conform::bench::{Bench, SetUpError};
use test_roms::conform::engines::ENGINES;
use test_roms::conform::explain;
use test_roms::conform::form::{self, forms};
use test_roms::conform::job::{Job, Subject};
use test_roms::conform::program::CodeSize;

fn subjects() -> impl Iterator<Item = Subject> {
    let model = &cpuid::MODELS[usize::from(cpuid::by_name("max").expect("a model"))];
    let tried =
        |form: &form::Form| form.testable() && form.host_offers() && form.engine_offers(&model.features);
    let forms = forms().iter().enumerate().filter(move |(_, form)| tried(form));
    let sequences = CodeSize::ALL.into_iter().cycle().take(300).map(Subject::Sequence);
    forms.map(|(n, _)| Subject::Form(n)).chain(sequences)
}

/// One test: the host's window and its signals belong to one thread of the process.
#[test]
fn engines_do_what_this_host_does() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    for (engine, _) in ENGINES {
        let mut bench = match Bench::new(engine) {
            Ok(bench) => bench,
            Err(SetUpError::Host(reason)) => return println!("skipped: {reason}"),
            Err(error) => panic!("{error}"),
        };
        let mut vectors = 0;
        for (round, subject) in (0..).zip(subjects()) {
            let done = bench.work(&Job { subject, seed, round, programs: 2, inputs: 8 });
            vectors += done.tally.vectors;
            if let Some(found) = done.disagreement {
                panic!("{}", explain::disagreement(&found, engine));
            }
        }
        println!("{engine}: {vectors} vectors, seed {seed}");
        assert!(vectors > 50_000, "{vectors}");
    }
}
