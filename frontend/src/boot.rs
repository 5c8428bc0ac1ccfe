//! Which firmware, and what it boots, as the command line names them.

use machine::{BootDevice, BootPlan};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The firmware of a PC that is not started in its kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Firmware {
    Posada,
    SeaBios,
    File(PathBuf),
}

impl FromStr for Firmware {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("choose posada, seabios or a file".into()),
            "posada" => Ok(Self::Posada),
            "seabios" => Ok(Self::SeaBios),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Posada => f.write_str("Posada BIOS"),
            Self::SeaBios => f.write_str("SeaBIOS"),
            Self::File(path) => write!(f, "firmware {}", path.display()),
        }
    }
}

/// The value of `--boot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot(pub BootPlan);

impl FromStr for Boot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut plan = BootPlan::default();
        for part in text.split(',') {
            match part.split_once('=') {
                None if part == "menu" => plan.menu = true,
                Some(("order", letters)) => plan.order = order(letters)?,
                _ => return Err(format!("`{part}` is neither `menu` nor `order=` and letters")),
            }
        }
        Ok(Self(plan))
    }
}

/// Letters as MS-DOS and QEMU use them.
fn order(letters: &str) -> Result<Vec<BootDevice>, String> {
    let mut order = Vec::new();
    for letter in letters.chars() {
        let device = match letter {
            'a' => BootDevice::Diskette,
            'c' => BootDevice::Disk,
            'd' => BootDevice::Cd,
            _ => return Err(format!("`{letter}` is no kind of drive: a is a diskette, c a disk, d a CD")),
        };
        if order.contains(&device) {
            return Err(format!("`{letter}` is there twice"));
        }
        order.push(device);
    }
    if order.is_empty() { Err("the order names no drive".into()) } else { Ok(order) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_the_menu() {
        use BootDevice::{Cd, Disk};
        let plan = |order: Vec<BootDevice>, menu| Ok(Boot(BootPlan { order, menu }));
        assert_eq!("order=dc".parse(), plan(vec![Cd, Disk], false));
        assert_eq!("menu,order=c".parse(), plan(vec![Disk], true));
        assert_eq!("menu".parse(), plan(BootPlan::default().order, true));
        for wrong in ["", "order=", "order=x", "order=cc", "order", "first=c"] {
            assert!(wrong.parse::<Boot>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn firmware_by_name_or_file() {
        assert_eq!("seabios".parse(), Ok(Firmware::SeaBios));
        assert_eq!("a.bin".parse(), Ok(Firmware::File("a.bin".into())));
        assert!("".parse::<Firmware>().is_err());
    }
}
