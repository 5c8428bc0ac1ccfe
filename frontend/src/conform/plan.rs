//! Which forms are tried, and in what order: all of them soon, each of them again and again.

use super::options::Conform;
use anyhow::{Result, bail};
use emu_core::isa::cpuid;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use test_roms::conform::explain::SEQUENCE;
use test_roms::conform::family::Family;
use test_roms::conform::form::{Form, forms};
use test_roms::conform::job::{Job, Subject};
use test_roms::conform::program::CodeSize;

/// Vectors of one job of a form: programs, inputs of each.
const FORM_JOB: (u32, u32) = (4, 16);
const SEQUENCE_JOB: (u32, u32) = (16, 16);
/// A job of sequences after so many jobs of forms.
const SEQUENCE_EVERY: usize = 12;

/// What is to be tried.
pub struct Plan {
    pub forms: BTreeSet<usize>,
    /// Nothing was chosen on the command line.
    pub everything: bool,
    subjects: Vec<Subject>,
    /// Of sequences.
    sizes: Vec<CodeSize>,
    seed: u64,
    round: Option<u64>,
}

impl Plan {
    /// # Errors
    /// A family or form that does not exist, or none that can be tried here.
    pub fn new(options: &Conform, seed: u64) -> Result<Self> {
        let sizes: Vec<CodeSize> = match options.size.as_slice() {
            [] => CodeSize::ALL.to_vec(),
            sizes => sizes.iter().map(|size| (*size).into()).collect(),
        };
        let chosen = Chosen::new(options)?;
        let forms: BTreeSet<usize> =
            testable().filter(|n| sizes.contains(&forms()[*n].size) && chosen.has(&forms()[*n])).collect();
        let sizes = if chosen.sequences { sizes } else { Vec::new() };
        let subjects = subjects(&forms, &sizes);
        if subjects.is_empty() {
            bail!("nothing of that can be tried here: {}", chosen.why_not());
        }
        let everything = chosen.everything() && options.size.is_empty() && options.round.is_none();
        Ok(Self { forms, everything, subjects, sizes, seed, round: options.round })
    }

    /// One job of each form, and `sequences` of each code size.
    pub fn sample(&self, form: (u32, u32), sequences: u64, sequence: (u32, u32)) -> Vec<Job> {
        let job =
            |subject, round, (programs, inputs)| Job { subject, seed: self.seed, round, programs, inputs };
        let forms = self.forms.iter().map(|n| job(Subject::Form(*n), 0, form));
        let rounds = self.sizes.iter().flat_map(|size| (0..sequences).map(|round| (*size, round)));
        forms.chain(rounds.map(|(size, round)| job(Subject::Sequence(size), round, sequence))).collect()
    }

    /// The jobs, until the time or the number of vectors is used up.
    pub fn jobs(&self, limit: Limit) -> impl Iterator<Item = Job> + '_ {
        let rounds = self.round.map_or(0..u64::MAX, |round| round..round.saturating_add(1));
        let all = rounds.flat_map(|round| self.subjects.iter().enumerate().map(move |at| (round, at)));
        let asked = self.round;
        let jobs = all.map(move |(round, (place, subject))| {
            let (programs, inputs) = match subject {
                Subject::Form(_) => FORM_JOB,
                Subject::Sequence(_) => SEQUENCE_JOB,
            };
            // A sequence's place is part of its round, so that no two of its jobs are the same.
            let round = match subject {
                Subject::Sequence(_) if asked.is_none() => round << 16 | place as u64,
                _ => round,
            };
            Job { subject: *subject, seed: self.seed, round, programs, inputs }
        });
        jobs.take_while(move |job| limit.allows(u64::from(job.programs) * u64::from(job.inputs)))
    }
}

/// When to stop.
pub struct Limit {
    until: Instant,
    vectors: Option<u64>,
    handed_out: AtomicU64,
}

impl Limit {
    pub fn new(seconds: u64, vectors: Option<u64>) -> Self {
        Self { until: Instant::now() + Duration::from_secs(seconds), vectors, handed_out: AtomicU64::new(0) }
    }

    fn allows(&self, vectors: u64) -> bool {
        let before = self.handed_out.fetch_add(vectors, Relaxed);
        Instant::now() < self.until && self.vectors.is_none_or(|most| before < most)
    }
}

/// Forms that this host and the model `max` both have.
pub fn testable() -> impl Iterator<Item = usize> {
    let model = cpuid::by_name("max").map(|index| &cpuid::MODELS[usize::from(index)]);
    forms().iter().enumerate().filter_map(move |(n, form)| {
        let offered = model.is_some_and(|model| form.engine_offers(&model.features)) && form.host_offers();
        (form.testable() && offered).then_some(n)
    })
}

/// What the command line names.
struct Chosen {
    families: Vec<Family>,
    forms: Vec<String>,
    /// Sequences are to be tried,
    sequences: bool,
    /// because the command line says so.
    named_sequences: bool,
}

impl Chosen {
    fn new(options: &Conform) -> Result<Self> {
        let named =
            |names: &[String]| names.iter().filter(|name| *name != SEQUENCE).cloned().collect::<Vec<_>>();
        let sequence = options.form.iter().chain(&options.family).any(|name| name == SEQUENCE);
        let nothing = options.form.is_empty() && options.family.is_empty();
        let forms = named(&options.form);
        for name in &forms {
            if !self::forms().iter().any(|form| form_name(form) == *name) {
                bail!("there is no form `{name}`; forms have iced-x86's names, for example Add_rm32_r32");
            }
        }
        let families = named(&options.family).iter().map(|name| family(name)).collect::<Result<_>>()?;
        Ok(Self { families, forms, sequences: sequence || nothing, named_sequences: sequence })
    }

    fn everything(&self) -> bool {
        self.families.is_empty() && self.forms.is_empty() && !self.named_sequences
    }

    fn has(&self, form: &Form) -> bool {
        let by_family = self.families.contains(&form.family);
        by_family || self.forms.contains(&form_name(form)) || self.everything()
    }

    fn why_not(&self) -> String {
        let named = |form: &&Form| self.forms.contains(&form_name(form));
        let reason = self::forms().iter().find(named).and_then(|form| form.exclusion);
        reason.map_or_else(|| "this host or the CPU model lacks it".to_owned(), |reason| reason.to_string())
    }
}

fn form_name(form: &Form) -> String {
    format!("{:?}", form.code)
}

fn family(name: &str) -> Result<Family> {
    match Family::by_name(name) {
        Some(family) => Ok(family),
        None => bail!("there is no family `{name}`; `posada conform --list` names them"),
    }
}

/// Forms in their order, sequences between them.
fn subjects(forms: &BTreeSet<usize>, sizes: &[CodeSize]) -> Vec<Subject> {
    let mut subjects = Vec::new();
    let mut sequences = sizes.iter().cycle().map(|size| Subject::Sequence(*size));
    for (n, form) in forms.iter().enumerate() {
        subjects.push(Subject::Form(*form));
        if n % SEQUENCE_EVERY == 0 {
            subjects.extend(sequences.next());
        }
    }
    if forms.is_empty() {
        subjects.extend(sizes.iter().map(|size| Subject::Sequence(*size)));
    }
    subjects
}
