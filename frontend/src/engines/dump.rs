//! `--dump-region`: guest code, intermediate code and host code of regions, for people who work on the translator.

use crate::terminal;
use anyhow::{Context, Result};
use jit::observe::{Listing, Observer, Placed};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which regions to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those with an instruction at this linear address.
    At(u64),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        match (text, u64::from_str_radix(digits, 16)) {
            ("all", _) => Ok(Self::All),
            (_, Ok(address)) => Ok(Self::At(address)),
            _ => Err("give a linear address in hexadecimal, or `all`".into()),
        }
    }
}

pub(super) struct RegionDump {
    which: Which,
    folder: Option<PathBuf>,
    /// How often a region began at an address.
    seen: HashMap<u64, u32>,
}

impl RegionDump {
    pub(super) fn open(which: Which, folder: Option<&Path>) -> Result<Self> {
        if let Some(folder) = folder {
            let what = || format!("cannot use {} as the folder of regions", folder.display());
            std::fs::create_dir_all(folder).with_context(what)?;
        }
        Ok(Self { which, folder: folder.map(Path::to_path_buf), seen: HashMap::new() })
    }

    /// A name of its own for each region: code may change, and be compiled again.
    fn name(&mut self, entry: u64) -> String {
        let count = self.seen.entry(entry).or_insert(0);
        *count += 1;
        match *count {
            1 => format!("region-{entry:016x}.txt"),
            count => format!("region-{entry:016x}-{count}.txt"),
        }
    }
}

impl Observer for RegionDump {
    fn wants_notes(&self) -> bool {
        true
    }

    fn placed(&mut self, region: &Placed<'_>) {
        if matches!(self.which, Which::At(address) if !region.source.holds(address)) {
            return;
        }
        let text = Listing(region).to_string();
        match self.folder.clone() {
            None => terminal::write_all(format!("{text}\n").as_bytes()),
            // A full disk is no reason to stop the guest; the file is missing then.
            Some(folder) => drop(std::fs::write(folder.join(self.name(region.source.entry)), text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!("all".parse(), Ok(Which::All));
        assert_eq!("0xffffffff81000000".parse(), Ok(Which::At(0xFFFF_FFFF_8100_0000)));
        assert_eq!("401000".parse(), Ok(Which::At(0x40_1000)));
        assert!("everything".parse::<Which>().is_err());
    }

    #[test]
    fn a_region_that_comes_again_gets_another_file() {
        let mut dump = RegionDump::open(Which::All, None).unwrap();
        assert_eq!(dump.name(0x1000), "region-0000000000001000.txt");
        assert_eq!(dump.name(0x1000), "region-0000000000001000-2.txt");
    }
}
