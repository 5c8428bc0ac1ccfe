//! A window on a console that scrolls without a pause: how much of a core goes into its pictures. Debian is brought
//! there once, without a window, and saved; what is measured begins with the restored machine.

use crate::command::{self, output};
use crate::screen::{self, Screen};
use crate::{demo, guest};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// How the measurement is called on the command line.
pub const NAME: &str = "scroll";

/// Width and height of Xvfb's screen: the whole window fits.
const SCREEN: (u32, u32) = (1280, 1024);

/// Debian's console in the frame buffer, 1024 x 768 in 32 bits, gets the kernel's messages again and again.
const TO_THE_CONSOLE: &str = "within 30min
screen Debian GNU/Linux
key enter
expect posada login:
send root
expect Password:
send posada
expect root@posada
send while :; do dmesg; done > /dev/tty1 &
wait 3s
save state
";
const WATCH: &str = "wait 30s\n";

/// Percent of a core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    pub conversion: f64,
    pub presentation: f64,
}

/// If it is among `names`.
pub fn measure(engine: &str, names: &[String]) -> Result<Option<Share>> {
    if names.is_empty() {
        return Ok(None);
    }
    screen::require("bench")?;
    let (debian, posada) = (guest::debian("amd64")?, std::path::absolute(demo::build()?)?);
    let folder = command::empty_folder("bench-screen")?;
    let share = watch(&debian, &posada, engine, &folder)?;
    fs::remove_dir_all(&folder)?;
    Ok(Some(share))
}

fn watch(debian: &Path, posada: &Path, engine: &str, folder: &Path) -> Result<Share> {
    let debian = std::path::absolute(debian)?;
    let mut create = Command::new(posada);
    create.args(["image", "create", "--backing"]).arg(&debian).arg("disk.qcow2").current_dir(folder);
    output(&mut create)?;
    fs::write(folder.join("to-the-console"), TO_THE_CONSOLE)?;
    fs::write(folder.join("watch"), WATCH)?;
    let images = debian.parent().context("an image without a folder")?;
    let disk = format!("disk.qcow2,backing={}", images.display());
    let arguments = ["run", "--quiet", "--engine", engine, "--disk", &disk];

    eprintln!("bench: Debian to a console that scrolls");
    let mut prepare = Command::new(posada);
    prepare.args(arguments).args(["--memory", "512M", "--script", "to-the-console"]).current_dir(folder);
    output(&mut prepare)?;

    eprintln!("bench: a window on it");
    let screen = Screen::open(SCREEN)?;
    let mut watch = screen.at(posada);
    watch.args(arguments).args(["--snapshot", "--restore", "state", "--script", "watch"]);
    let done = watch.args(["--display", "window", "--stats"]).current_dir(folder).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    share(&said).with_context(|| format!("Posada did not say what its pictures cost, but: {said}"))
}

/// From what `--stats` says.
fn share(stats: &str) -> Option<Share> {
    let of = |name: &str| {
        let line = stats.lines().find(|line| line.starts_with(name))?;
        line.rsplit_once(", ")?.1.strip_suffix(" % of a core")?.parse().ok()
    };
    Some(Share { conversion: of("pictures converted")?, presentation: of("pictures presented")? })
}

#[cfg(test)]
mod tests {
    use super::{Share, share};

    #[test]
    fn stats_are_read() {
        let text = "TLB misses 3\n\
            pictures converted            1780   in 2.650 s, 8.8 % of a core\n\
            pictures presented            1779   in 2.430 s, 8.1 % of a core\n";
        assert_eq!(share(text), Some(Share { conversion: 8.8, presentation: 8.1 }));
        assert_eq!(share("TLB misses 3\n"), None);
    }
}
