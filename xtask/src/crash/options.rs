//! The command line of `cargo xtask crash`.

use anyhow::{Context, Result, bail};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    Ide,
    Virtio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Raw,
    Qcow2,
}

impl Bus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ide => "ide",
            Self::Virtio => "virtio",
        }
    }
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub count: u64,
    pub bus: Bus,
    pub format: Format,
    pub seed: u64,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Self> {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let mut options = Self { count: 50, bus: Bus::Ide, format: Format::Qcow2, seed: clock() };
        for pair in words.chunks(2) {
            let &[name, value] = pair else { bail!("`{}` needs a value", pair.join(" ")) };
            let number = || value.parse().with_context(|| format!("`{value}` is not a number"));
            match (name, value) {
                ("--count", _) => options.count = number()?,
                ("--seed", _) => options.seed = number()?,
                ("--disk", "ide") => options.bus = Bus::Ide,
                ("--disk", "virtio") => options.bus = Bus::Virtio,
                ("--format", "raw") => options.format = Format::Raw,
                ("--format", "qcow2") => options.format = Format::Qcow2,
                _ => bail!(
                    "cannot do `{name} {value}`: there are --count N, --seed N, --disk ide|virtio, --format raw|qcow2"
                ),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_pairs() {
        let options = Options::parse(&["--disk", "virtio", "--seed", "7", "--format", "raw"]).unwrap();
        assert_eq!(options, Options { count: 50, bus: Bus::Virtio, format: Format::Raw, seed: 7 });
        for wrong in [&["--count"][..], &["--count", "many"], &["--disk", "scsi"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
