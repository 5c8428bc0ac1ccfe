//! What of the comparison is to be measured.

use anyhow::{Result, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Boots,
    Kernels,
    Programs,
    Disk,
    Screen,
}

/// The words after `cargo xtask bench`.
#[derive(Debug, PartialEq, Eq)]
pub struct Selection {
    /// None means all.
    parts: Vec<Part>,
    /// None means all.
    only: Vec<String>,
    pub engine: String,
}

impl Selection {
    pub fn parse(words: &[&str]) -> Result<Self> {
        let mut selection = Self { parts: Vec::new(), only: Vec::new(), engine: "auto".into() };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || match words.next() {
                Some(value) => Ok((*value).to_owned()),
                None => bail!("`{word}` wants a name after it"),
            };
            match word {
                "boots" => selection.parts.push(Part::Boots),
                "kernels" => selection.parts.push(Part::Kernels),
                "programs" => selection.parts.push(Part::Programs),
                "disk" => selection.parts.push(Part::Disk),
                "screen" => selection.parts.push(Part::Screen),
                "--only" => selection.only.push(value()?),
                "--engine" => selection.engine = value()?,
                _ => bail!(
                    "bench does not know `{word}`: say boots, kernels, programs, disk or screen, --only NAME or --engine NAME"
                ),
            }
        }
        Ok(selection)
    }

    /// Whether everything is to be measured as the README shows it.
    pub fn is_all(&self) -> bool {
        self.parts.is_empty() && self.only.is_empty() && self.engine == "auto"
    }

    /// Those of the names of a part that are to be measured.
    pub fn of(&self, part: Part, names: &[String]) -> Vec<String> {
        if !self.parts.is_empty() && !self.parts.contains(&part) {
            return Vec::new();
        }
        let wanted = |name: &&String| self.only.is_empty() || self.only.contains(name);
        names.iter().filter(wanted).cloned().collect()
    }

    /// Fails if a name was asked for that is not among those known.
    pub fn check(&self, known: &[String]) -> Result<()> {
        match self.only.iter().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => bail!("there is nothing to measure called {name}; there is {}", known.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Selection};

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn nothing_selected_is_all() {
        let all = Selection::parse(&[]).unwrap();
        assert!(all.is_all());
        assert_eq!(all.of(Part::Kernels, &names(&["alu", "crc"])), names(&["alu", "crc"]));
    }

    #[test]
    fn one_row() {
        let one = Selection::parse(&["--only", "gzip", "--engine", "interpreter"]).unwrap();
        assert!(!one.is_all() && one.engine == "interpreter");
        assert!(one.of(Part::Kernels, &names(&["alu"])).is_empty());
        assert_eq!(one.of(Part::Programs, &names(&["gzip", "xz"])), names(&["gzip"]));
        assert!(one.check(&names(&["alu", "gzip"])).is_ok());
        assert!(one.check(&names(&["alu"])).is_err());
    }

    #[test]
    fn one_part() {
        let boots = Selection::parse(&["boots"]).unwrap();
        assert_eq!(boots.of(Part::Boots, &names(&["i386"])), names(&["i386"]));
        assert!(boots.of(Part::Programs, &names(&["gzip"])).is_empty());
    }

    #[test]
    fn unknown_words_are_refused() {
        assert!(Selection::parse(&["boot"]).is_err() && Selection::parse(&["--only"]).is_err());
    }
}
