//! Where the packages of a guest come from: what apt is configured with on this machine, as lines of a
//! `sources.list`.

use crate::apt::Apt;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use std::path::Path;

pub const RELEASE: &str = "bookworm";
const SUITES: [&str; 3] = ["bookworm", "bookworm-updates", "bookworm-security"];

/// apt-get(8), `indextargets`: what the configured sources consist of, however they are written down.
const FORMAT: &str = "$(CODENAME) $(RELEASE) $(REPO_URI) $(COMPONENT) $(FILENAME)";

/// The sources of Debian 12 whose index can be read now. A mirror in the middle of a push serves a broken index of one
/// suite for hours: mmdebstrap would give up, and the guest can do without the updates of a day.
pub fn list(apt: &Apt) -> Result<String> {
    let targets = apt.index_targets(FORMAT)?;
    let (list, unread) = sort(&targets, Path::exists);
    for source in unread {
        eprintln!("guest: leaving out a source whose index cannot be read: {source}");
    }
    ensure!(
        !list.is_empty(),
        "apt has no source of Debian 12 here: the guests come from there (see /etc/apt)"
    );
    Ok(list.into_iter().map(|line| line + "\n").collect())
}

/// Lines of sources of Debian 12: those with an index, and those without. A machine with several architectures names
/// each once for each.
fn sort(targets: &str, has_index: impl Fn(&Path) -> bool) -> (BTreeSet<String>, BTreeSet<String>) {
    let source = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [codename, release, uri, component, index]
            if SUITES.contains(codename) || SUITES.contains(release) =>
        {
            Some((format!("deb {uri} {release} {component}"), has_index(Path::new(index))))
        }
        _ => None,
    };
    let (read, unread): (Vec<_>, Vec<_>) =
        targets.lines().filter_map(source).partition(|&(_, has_index)| has_index);
    let lines = |sources: Vec<(String, bool)>| sources.into_iter().map(|(line, _)| line).collect();
    (lines(read), lines(unread))
}

#[cfg(test)]
mod tests {
    use super::sort;

    #[test]
    fn debian_12_is_taken_once() {
        let targets = "bookworm stable http://mirror.example/debian/ main /lists/a\n\
                       bookworm stable http://mirror.example/debian/ main /lists/a\n\
                       $(CODENAME) bookworm-security http://mirror.example/security/ main /lists/b\n\
                       tools-bookworm tools-bookworm http://tools.example/ main /lists/c\n";
        let (read, unread) = sort(targets, |path| path.ends_with("a"));
        assert_eq!(Vec::from_iter(read), ["deb http://mirror.example/debian/ stable main"]);
        assert_eq!(Vec::from_iter(unread), ["deb http://mirror.example/security/ bookworm-security main"]);
    }
}
