//! What there is to check, as tables, and the part of it that a person wants.

use anyhow::{Result, bail};
use std::fmt;

/// A session, or two, with a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub guest: &'static str,
    pub kind: Kind,
    /// `none` for a kernel that is booted directly.
    pub firmware: &'static str,
    /// The drive that the guest is in.
    pub bus: &'static str,
    pub engine: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A disk of this architecture: two sessions, and a look at the file system that they leave.
    Debian(&'static str),
    /// A file in the folder of media.
    Medium(&'static str),
    /// Architecture and initrd.
    Installer(&'static str, &'static str),
}

const ENGINES: [&str; 2] = ["auto", "interpreter"];
const FIRMWARE: [&str; 2] = ["posada", "seabios"];

const DEBIAN: [(&str, &str); 2] = [("debian-amd64", "amd64"), ("debian-i386", "i386")];

/// Firmware, and the disks that it boots.
const DISKS: [(&str, &str); 4] =
    [("posada", "ide"), ("posada", "virtio"), ("seabios", "ide"), ("seabios", "virtio")];

/// Script, file and drive. The CDs have boot records for disks too.
#[rustfmt::skip]
const MEDIA: [(&str, &str, &str); 9] = [
    ("grub-rescue", "grub-rescue-floppy.img", "diskette"),
    ("grub-rescue", "grub-rescue-cdrom.iso",  "cd"),
    ("grub-rescue", "grub-rescue-cdrom.iso",  "ide"),
    ("memtest",     "memtest86+x64.iso",      "cd"),
    ("memtest",     "memtest86+x64.iso",      "ide"),
    ("ipxe",        "ipxe.iso",               "cd"),
    ("ipxe",        "ipxe.iso",               "ide"),
    ("isolinux",    "isolinux.iso",           "cd"),
    ("isolinux",    "isolinux.iso",           "ide"),
];

const INSTALLERS: [(&str, &str, &str); 4] = [
    ("installer-text", "amd64", "text.gz"),
    ("installer-text", "i386", "text.gz"),
    ("installer-gtk", "amd64", "gtk.gz"),
    ("installer-gtk", "i386", "gtk.gz"),
];

/// All checks.
fn all() -> Vec<Check> {
    let mut checks = Vec::new();
    for engine in ENGINES {
        for (guest, architecture) in DEBIAN {
            let kind = Kind::Debian(architecture);
            checks.extend(DISKS.map(|(firmware, bus)| Check { guest, kind, firmware, bus, engine }));
        }
        for (guest, file, bus) in MEDIA {
            let kind = Kind::Medium(file);
            checks.extend(FIRMWARE.map(|firmware| Check { guest, kind, firmware, bus, engine }));
        }
        checks.extend(INSTALLERS.map(|(guest, architecture, initrd)| {
            let kind = Kind::Installer(architecture, initrd);
            Check { guest, kind, firmware: "none", bus: "none", engine }
        }));
    }
    checks
}

impl Check {
    /// A name for its files.
    pub fn name(&self) -> String {
        let of = match self.kind {
            Kind::Installer(architecture, _) => architecture,
            Kind::Debian(_) | Kind::Medium(_) => self.bus,
        };
        format!("{}-{of}-{}-{}", self.guest, self.firmware, self.engine)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Installer(architecture, _) => write!(f, "{} {architecture}", self.guest)?,
            Kind::Debian(_) | Kind::Medium(_) => {
                write!(f, "{}, {} on {}", self.guest, self.firmware, self.bus)?;
            }
        }
        write!(f, ", engine {}", self.engine)
    }
}

/// Which checks; what is not named may be anything.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    guest: Option<String>,
    firmware: Option<String>,
    bus: Option<String>,
    engine: Option<String>,
}

impl Selection {
    /// From the words after `cargo xtask guest check`.
    pub fn parse(words: &[&str]) -> Result<Self> {
        let mut selection = Self::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let (place, value) = match word {
                "--firmware" => (&mut selection.firmware, words.next()),
                "--bus" => (&mut selection.bus, words.next()),
                "--engine" => (&mut selection.engine, words.next()),
                _ => (&mut selection.guest, Some(&word)),
            };
            let Some(value) = value else { bail!("`{word}` needs a name") };
            if place.replace((*value).to_owned()).is_some() {
                bail!("`{word}` is one too many");
            }
        }
        Ok(selection)
    }

    pub fn checks(&self) -> Vec<Check> {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let is_guest = |check: &Check| match &self.guest {
            None => true,
            Some(guest) if guest == "media" => matches!(check.kind, Kind::Medium(_)),
            Some(guest) if guest == "installers" => matches!(check.kind, Kind::Installer(..)),
            Some(guest) => guest == check.guest,
        };
        let mut checks = all();
        checks.retain(|check| {
            is_guest(check)
                && fits(&self.firmware, check.firmware)
                && fits(&self.bus, check.bus)
                && fits(&self.engine, check.engine)
        });
        checks
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Selection, all};
    use std::collections::BTreeSet;

    fn count(words: &str) -> usize {
        Selection::parse(&words.split_whitespace().collect::<Vec<_>>()).unwrap().checks().len()
    }

    #[test]
    fn a_part_can_be_chosen() {
        assert_eq!(count(""), all().len());
        assert_eq!(count("debian-amd64 --firmware seabios --bus virtio --engine auto"), 1);
        assert_eq!(count("media --engine auto"), 18);
        assert_eq!(count("installers --engine interpreter"), 4);
        assert_eq!((count("media --bus diskette"), count("windows"), count("--bus scsi")), (4, 0, 0));
        for wrong in [&["--bus"][..], &["media", "ipxe"], &["--engine", "auto", "--engine", "jit"]] {
            assert!(Selection::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn logs_do_not_share_names() {
        let checks = all();
        let names: BTreeSet<String> = checks.iter().map(super::Check::name).collect();
        assert_eq!(names.len(), checks.len());
        assert!(checks.iter().any(|check| matches!(check.kind, Kind::Debian("i386"))));
    }
}
