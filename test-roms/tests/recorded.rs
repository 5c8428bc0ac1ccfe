//! Every engine against the vectors that were recorded from silicon.

use test_roms::conform::engines::ENGINES;
use test_roms::conform::explain;
use test_roms::conform::recording::{BUILT_IN, Recording};
use test_roms::conform::replay::Replay;

#[test]
fn engines_do_what_silicon_did() {
    let recording = Recording::read(BUILT_IN).expect("the recording that comes with the program");
    for (engine, _) in ENGINES {
        let mut replay = Replay::new(engine).expect("an engine and memory");
        let mut vectors = 0;
        for recorded in &recording.jobs {
            let done = replay.work(recorded).expect("a recording of this generator");
            vectors += done.tally.vectors;
            if let Some(found) = done.disagreement {
                panic!("{}", explain::disagreement(&found, engine));
            }
        }
        println!("{engine}: {vectors} vectors recorded from {}", recording.host);
        assert!(vectors > 50_000, "{vectors}");
    }
}

#[test]
fn a_changed_vector_is_a_disagreement_or_refused() {
    let mut recording = Recording::read(BUILT_IN).expect("the recording that comes with the program");
    let mut replay = Replay::new("interpreter").expect("an engine and memory");
    // Each job gets the outcomes of the one before it.
    let mut vectors = recording.jobs.iter().map(|job| job.vectors.clone()).collect::<Vec<_>>();
    vectors.rotate_right(1);
    for (job, other) in recording.jobs.iter_mut().zip(vectors) {
        job.vectors = other;
    }
    let noticed = recording.jobs[..100].iter().all(|job| replay.work(job).is_err());
    assert!(noticed);
}
