//! The table of what was tried and what came of it, as text, Markdown, JSON or HTML.

mod html;
mod markdown;
mod text;

use super::family::Family;
use super::form::{Exclusion, Form, forms};
use super::job::{Subject, Tally};
use super::program::CodeSize;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Markdown,
    Json,
    Html,
}

/// One row: the forms of a family in code of one size, or the sequences of that size.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub family: &'static str,
    pub bits: u32,
    pub engine: String,
    /// Forms that iced-x86 knows.
    pub known: usize,
    /// Of them, those that the suite can try on this host with this engine.
    pub testable: usize,
    /// Of these, those that were tried.
    pub tested: usize,
    #[serde(flatten)]
    pub tally: Tally,
}

/// Forms that are not tried, by reason.
#[derive(Clone, Debug, Serialize)]
pub struct Omission {
    pub reason: String,
    pub forms: usize,
}

/// Everything that a report says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The oracle's name for itself.
    pub host: String,
    pub engine: String,
    /// Year, month, day.
    pub date: String,
    pub seed: u64,
    pub seconds: f64,
    /// Processes that worked side by side.
    pub workers: usize,
    pub total: Tally,
    pub rows: Vec<Row>,
    pub omissions: Vec<Omission>,
    /// The system-mode suite: cases run, cases passed.
    pub system: Option<(usize, usize)>,
}

/// What the name of a row of sequences is.
pub const SEQUENCES: &str = "sequences of 2 to 8";

/// Tallies by subject.
#[derive(Clone, Debug, Default)]
pub struct Results(BTreeMap<Subject, Tally>);

impl Results {
    pub fn add(&mut self, subject: Subject, tally: Tally) {
        *self.0.entry(subject).or_default() += tally;
    }

    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.0.values().for_each(|tally| total += *tally);
        total
    }

    /// How many forms have been tried.
    pub fn forms(&self) -> usize {
        self.0.keys().filter(|subject| matches!(subject, Subject::Form(_))).count()
    }

    /// The rows of a report; `testable` are the forms that could be tried.
    pub fn rows(&self, engine: &str, testable: &BTreeSet<usize>) -> Vec<Row> {
        let mut rows: BTreeMap<(Option<Family>, CodeSize), Row> = BTreeMap::new();
        for (index, form) in forms().iter().enumerate() {
            let row = rows.entry((Some(form.family), form.size)).or_insert_with(|| row(form, engine));
            row.known += 1;
            row.testable += usize::from(testable.contains(&index));
            if let Some(tally) = self.0.get(&Subject::Form(index)) {
                row.tested += 1;
                row.tally += *tally;
            }
        }
        let mut rows: Vec<Row> = rows.into_values().filter(|row| row.testable > 0).collect();
        for size in CodeSize::ALL {
            if let Some(tally) = self.0.get(&Subject::Sequence(size)) {
                let (family, bits, engine) = (SEQUENCES, size.bits(), engine.to_owned());
                rows.push(Row { family, bits, engine, known: 0, testable: 0, tested: 0, tally: *tally });
            }
        }
        rows
    }
}

fn row(form: &Form, engine: &str) -> Row {
    Row {
        family: form.family.name(),
        bits: form.size.bits(),
        engine: engine.to_owned(),
        known: 0,
        testable: 0,
        tested: 0,
        tally: Tally::default(),
    }
}

/// Why forms are left out, most first. Features that no model offers count together.
pub fn omissions(testable: &BTreeSet<usize>) -> Vec<Omission> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for (index, form) in forms().iter().enumerate().filter(|(index, _)| !testable.contains(index)) {
        let reason = match form.exclusion {
            Some(Exclusion::Lacking(_)) => "a feature that no CPU model of Posada's offers".to_owned(),
            Some(exclusion) => exclusion.to_string(),
            None if !forms()[index].host_offers() => "this host lacks it".to_owned(),
            None => "the engine's CPU model lacks it".to_owned(),
        };
        *reasons.entry(reason).or_default() += 1;
    }
    let mut omissions: Vec<Omission> =
        reasons.into_iter().map(|(reason, forms)| Omission { reason, forms }).collect();
    omissions.sort_by_key(|omission| std::cmp::Reverse(omission.forms));
    omissions
}

impl Report {
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => text::render(self),
            Format::Markdown => markdown::render(self),
            Format::Json => serde_json::to_string_pretty(self).expect("plain data") + "\n",
            Format::Html => html::render(self),
        }
    }

    /// A few sentences, one per line.
    pub fn summary(&self) -> String {
        summary(self).into_iter().map(|sentence| sentence + "\n").collect()
    }

    /// Vectors per second and process.
    pub fn speed(&self) -> f64 {
        self.total.vectors as f64 / self.seconds.max(1e-9) / self.workers.max(1) as f64
    }

    fn cells(&self) -> Vec<[String; 9]> {
        self.rows.iter().map(cells).collect()
    }
}

/// The columns, in the words of all formats.
const COLUMNS: [&str; 9] = [
    "instructions",
    "code",
    "forms",
    "testable",
    "tested",
    "vectors",
    "disagreements",
    "undefined results",
    "of them as on silicon",
];

fn cells(row: &Row) -> [String; 9] {
    let forms = |n: usize| if row.known == 0 { "-".to_owned() } else { n.to_string() };
    let alike = match row.tally.undefined {
        0 => "-".to_owned(),
        n => format!("{:.2} %", 100.0 * row.tally.undefined_agreed as f64 / n as f64),
    };
    [
        row.family.to_owned(),
        row.bits.to_string(),
        forms(row.known),
        forms(row.testable),
        forms(row.tested),
        grouped(row.tally.vectors),
        grouped(row.tally.disagreed()),
        grouped(row.tally.undefined),
        alike,
    ]
}

/// 12345678 as 12 345 678.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The sentences above and below the table, the same in all formats.
fn summary(report: &Report) -> Vec<String> {
    let total = &report.total;
    let mut lines = vec![
        format!("Engine `{}` against {}, {}, seed {}.", report.engine, report.host, report.date, report.seed),
        format!(
            "{} vectors in {:.0} s with {} processes ({} per second and process), {} of them ending in an exception; {} disagreements.",
            grouped(total.vectors),
            report.seconds,
            report.workers,
            grouped(report.speed() as u64),
            grouped(total.exceptions),
            grouped(total.disagreed()),
        ),
    ];
    if let Some((run, passed)) = report.system {
        lines.push(format!("System-mode suite: {passed} of {run} cases as the manual says."));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let tally =
            Tally { vectors: 1_234_567, agreed: 1_234_566, exceptions: 3, undefined: 4, undefined_agreed: 3 };
        let mut results = Results::default();
        results.add(Subject::Form(5), tally);
        results.add(Subject::Sequence(CodeSize::Bits32), tally);
        let testable = BTreeSet::from([5]);
        Report {
            host: "a <host>".to_owned(),
            engine: "interpreter".to_owned(),
            date: "2026-11-24".to_owned(),
            seed: 7,
            seconds: 2.0,
            workers: 2,
            total: results.total(),
            rows: results.rows("interpreter", &testable),
            omissions: omissions(&testable),
            system: Some((3, 3)),
        }
    }

    #[test]
    fn every_format_has_every_number() {
        for format in [Format::Text, Format::Markdown, Format::Html] {
            let text = report().render(format);
            for part in ["1 234 567", "75.00 %", "2 469 134", SEQUENCES, "3 of 3 cases"] {
                assert!(text.contains(part), "{format:?} lacks {part}:\n{text}");
            }
        }
        let json: serde_json::Value = serde_json::from_str(&report().render(Format::Json)).expect("JSON");
        assert_eq!(json["rows"][0]["vectors"], 1_234_567);
    }

    #[test]
    fn html_escapes() {
        assert!(report().render(Format::Html).contains("a &lt;host&gt;"));
    }

    #[test]
    fn digits_in_groups() {
        assert_eq!([0, 999, 1000, 1_000_000].map(grouped), ["0", "999", "1 000", "1 000 000"]);
    }
}
