//! The arrows between our crates: those that `cargo metadata` finds must be those that ARCHITECTURE.md draws.

use crate::command::{self, cargo, output};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// A crate of ours and those of ours it uses.
type Arrows = BTreeMap<String, Vec<String>>;

pub fn check() -> Result<()> {
    let page = fs::read_to_string(command::workspace().join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let drawn = parse_table(&page);
    let metadata = output(&mut cargo(["metadata", "--format-version", "1", "--no-deps", "--offline"]))?;
    let found = parse_metadata(&serde_json::from_str(&metadata)?)?;
    match wrong(&drawn, &found).as_slice() {
        [] => Ok(()),
        wrong => bail!("ARCHITECTURE.md, \"Arrows\": {}", wrong.join("; ")),
    }
}

/// Rows of the form "| `from` | `to`, `to` |".
fn parse_table(page: &str) -> Arrows {
    let named =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let section = page.split("\n## ").find(|section| section.starts_with("Arrows")).unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix('|')?.split_once('|'));
    rows.filter_map(|(from, to)| Some((named(from).pop()?, named(to)))).collect()
}

fn parse_metadata(metadata: &Value) -> Result<Arrows> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let ours: Vec<String> = packages.iter().map(name).collect();
    let uses = |package: &Value| -> Vec<String> {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let with_path = dependencies.filter(|dependency| dependency["path"].is_string());
        let mut names: Vec<String> = with_path.map(name).filter(|name| ours.contains(name)).collect();
        names.sort();
        names.dedup();
        names
    };
    Ok(packages.iter().map(|package| (name(package), uses(package))).collect())
}

fn wrong(drawn: &Arrows, found: &Arrows) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, tos) in found {
        match drawn.get(from) {
            None => wrong.push(format!("{from} is not in the table")),
            Some(allowed) => {
                let undrawn = tos.iter().filter(|to| !allowed.contains(to));
                wrong.extend(undrawn.map(|to| format!("{from} uses {to}, which is not drawn")));
            }
        }
    }
    wrong.extend(
        drawn.keys().filter(|from| !found.contains_key(*from)).map(|from| format!("there is no {from}")),
    );
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\n## Arrows\n| crate | may use |\n|---|---|\n| `a` | `b`, `c` |\n| `b` | |\n\n## More\n| `x` | `y` |\n";

    #[test]
    fn the_table_is_read() {
        let arrows = parse_table(PAGE);
        assert_eq!(arrows["a"], ["b", "c"]);
        assert!(arrows["b"].is_empty() && !arrows.contains_key("x") && arrows.len() == 2);
    }

    #[test]
    fn an_undrawn_arrow_is_found() {
        let drawn = parse_table(PAGE);
        let mut found = drawn.clone();
        assert!(wrong(&drawn, &found).is_empty());
        found.insert("b".into(), vec!["a".into()]);
        found.insert("d".into(), vec![]);
        assert_eq!(wrong(&drawn, &found), ["b uses a, which is not drawn", "d is not in the table"]);
    }
}
