//! The system-mode suite from the command line.

use super::DISAGREES;
use super::options::Conform;
use anyhow::Result;
use std::collections::BTreeMap;
use std::process::ExitCode;
use test_roms::conform::engines;
use test_roms::system::{self, Disagreement};

/// Cases, and cases passed, of each family.
type Families = BTreeMap<&'static str, [usize; 2]>;

/// Runs the suite: how many cases, how many as the manual says, and what the others did.
fn judge(engine: &str) -> Result<(Families, Vec<Disagreement>)> {
    let mut engine = engines::by_name(engine)?;
    let mut families = Families::new();
    let mut found = Vec::new();
    for case in system::cases() {
        let [cases, passed] = families.entry(case.family).or_default();
        *cases += 1;
        match system::run(&case, &mut *engine) {
            Ok(()) => *passed += 1,
            Err(disagreement) => found.push(disagreement),
        }
    }
    Ok((families, found))
}

fn total(families: &Families) -> (usize, usize) {
    families.values().fold((0, 0), |(cases, passed), row| (cases + row[0], passed + row[1]))
}

/// Cases, and cases passed; tells of the others.
///
/// # Errors
/// There is no such engine.
pub fn count(engine: &str) -> Result<(usize, usize)> {
    let (families, found) = judge(engine)?;
    found.iter().for_each(|disagreement| println!("{disagreement}"));
    Ok(total(&families))
}

/// Prints a row for each family.
///
/// # Errors
/// There is no such engine.
pub fn run(options: &Conform) -> Result<ExitCode> {
    let (families, found) = judge(&options.engine)?;
    for (family, [cases, passed]) in &families {
        println!("{family:28} {passed:5} of {cases:5} cases as the manual says");
    }
    found.iter().for_each(|disagreement| println!("{disagreement}"));
    let (cases, passed) = total(&families);
    println!("{passed} of {cases} cases as the manual says, engine `{}`", options.engine);
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { DISAGREES.into() })
}
