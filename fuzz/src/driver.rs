//! Runs a target on random inputs, and makes what it finds small.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The longest random input.
const MAX_LEN: u64 = 1500;
/// An input that takes longer than this hangs the target.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often one way of minimising may run the target.
const MINIMISE_RUNS: u32 = 2000;

/// An input that panics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub input: Vec<u8>,
    /// Where, and what it said.
    pub panic: String,
}

/// What a run has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Inputs tried.
    pub inputs: u64,
    pub finding: Option<Finding>,
}

/// SplitMix64 (Steele, Lea and Flood): the same inputs for the same seed on every host.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn input(&mut self) -> Vec<u8> {
        let len = 1 + self.next() % MAX_LEN;
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps panics quiet, and remembers the place and message of the last one.
fn catch_messages() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        std::panic::set_hook(Box::new(|info| {
            *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
        }));
    });
}

/// The panic that an input causes, if any.
pub fn panic_of(target: fn(&[u8]), input: &[u8]) -> Option<String> {
    catch_messages();
    catch_unwind(AssertUnwindSafe(|| target(input)))
        .err()
        .map(|_| LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// The place in the source that a panic message starts with.
fn place(panic: &str) -> &str {
    panic.lines().next().unwrap_or("")
}

/// Ends the program when one input takes too long, after printing it: a hang cannot be caught.
#[derive(Clone)]
struct Watchdog(Arc<Mutex<(Instant, Vec<u8>)>>);

impl Watchdog {
    fn start() -> Self {
        let watched = Arc::new(Mutex::new((Instant::now(), Vec::new())));
        let weak = Arc::downgrade(&watched);
        std::thread::spawn(move || {
            while let Some(watched) = weak.upgrade() {
                let (since, input) = watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if since.elapsed() > PATIENCE {
                    println!("an input takes longer than {} s: {}", PATIENCE.as_secs(), hex(&input));
                    std::process::exit(2);
                }
                drop(watched);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self(watched)
    }

    fn run(&self, target: fn(&[u8]), input: &[u8]) -> Option<String> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), input.to_vec());
        panic_of(target, input)
    }
}

/// Runs `target` on inputs made from `seed` until `enough(inputs so far)`, or one panics. Each input is `note`d before
/// it runs: what does more than panic leaves it as the last one.
pub fn run(
    target: fn(&[u8]),
    seed: u64,
    mut enough: impl FnMut(u64) -> bool,
    mut note: impl FnMut(&[u8]),
) -> Report {
    let watchdog = Watchdog::start();
    let mut random = Random(seed);
    let mut inputs = 0;
    let mut probe = |input: &[u8]| {
        note(input);
        watchdog.run(target, input)
    };
    while !enough(inputs) {
        let input = random.input();
        inputs += 1;
        if let Some(panic) = probe(&input) {
            return Report { inputs, finding: Some(minimise(Finding { input, panic }, probe)) };
        }
    }
    Report { inputs, finding: None }
}

/// [`run`] for some time.
pub fn run_for(target: fn(&[u8]), seed: u64, time: Duration, note: impl FnMut(&[u8])) -> Report {
    let start = Instant::now();
    run(target, seed, |_| start.elapsed() >= time, note)
}

/// Cuts the end off, makes pieces zero, leaves pieces out: as long as the panic that `probe` tells comes from the
/// same place.
pub fn minimise(finding: Finding, probe: impl FnMut(&[u8]) -> Option<String>) -> Finding {
    let mut search = Search { probe, best: finding, runs: 0 };
    search.pieces(|input, at, _| input[..at].to_vec());
    search.pieces(|input, at, end| {
        let mut plainer = input.to_vec();
        plainer[at..end].fill(0);
        plainer
    });
    search.pieces(|input, at, end| [&input[..at], &input[end..]].concat());
    search.best
}

struct Search<P> {
    probe: P,
    best: Finding,
    runs: u32,
}

impl<P: FnMut(&[u8]) -> Option<String>> Search<P> {
    /// Tries `change(input, start, end)` on pieces, large ones first.
    fn pieces(&mut self, change: impl Fn(&[u8], usize, usize) -> Vec<u8>) {
        let end_of_budget = self.runs + MINIMISE_RUNS;
        let mut piece = self.best.input.len().next_power_of_two();
        while piece > 0 {
            let mut at = 0;
            while at < self.best.input.len() && self.runs < end_of_budget {
                let end = (at + piece).min(self.best.input.len());
                let before = self.best.input.len();
                let changed = change(&self.best.input, at, end);
                let found = changed != self.best.input && self.attempt(changed);
                at = if found && self.best.input.len() < before { at } else { at + piece };
            }
            piece /= 2;
        }
    }

    fn attempt(&mut self, input: Vec<u8>) -> bool {
        self.runs += 1;
        let panic = (self.probe)(&input);
        let same = panic.filter(|panic| place(panic) == place(&self.best.panic));
        same.map(|panic| self.best = Finding { input, panic }).is_some()
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a string of hexadecimal digits; `None` if it is not one.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(input: &[u8]) {
        assert!(!(input.len() > 3 && input.contains(&0x42)), "the planted bug");
    }

    #[test]
    fn a_planted_bug_is_found_and_made_small() {
        let report = run(planted, 1, |inputs| inputs == 1000, |_| ());
        let finding = report.finding.expect("the bug is easy to find");
        assert_eq!(finding.input.len(), 4, "{finding:?}");
        assert_eq!(finding.input.iter().filter(|byte| **byte != 0).count(), 1);
        assert!(finding.panic.contains("the planted bug"));
    }

    #[test]
    fn hex_goes_both_ways() {
        assert_eq!(unhex(&hex(&[0, 0x1F, 0xFF])), Some(vec![0, 0x1F, 0xFF]));
        assert_eq!((unhex("0"), unhex("zz")), (None, None));
    }
}
