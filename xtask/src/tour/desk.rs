//! The desk at which the tour sits: a screen, a window manager, Posada's window, and hands.

use crate::command::output;
use crate::screen::{Running, Screen};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

pub const SCREEN: (u32, u32) = (1280, 1024);

/// As long as anything may take, the boot on a busy host too.
const PATIENCE: Duration = Duration::from_secs(300);

/// The right Ctrl key by its X keycode: called by its name, xdotool would press the left one before it.
const HOST_KEY: &str = "105";

/// Ticks of a second in /proc/PID/stat, `USER_HZ`; proc(5).
const TICKS: f64 = 100.0;

pub struct Desk {
    posada: Running,
    window: String,
    folder: PathBuf,
    serial: PathBuf,
    /// So much of what the guest has said was looked at.
    heard: usize,
    _manager: Running,
    screen: Screen,
}

impl Desk {
    /// Starts `disk` in a window; nothing that the guest writes stays.
    pub fn open(posada: &Path, disk: &Path, folder: &Path) -> Result<Self> {
        let screen = Screen::open(SCREEN)?;
        let manager = Running(screen.at("openbox").stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        // It says how many desktops there are when it is ready for windows.
        until(|| xdotool(&screen, &["get_num_desktops"]).is_ok()).context("the window manager")?;
        let serial = folder.join("serial");
        let mut run = screen.at(posada);
        run.arg(std::path::absolute(disk)?).arg("--snapshot").arg("--serial");
        run.arg(format!("file:{}", std::path::absolute(&serial)?.display())).current_dir(folder);
        let posada = Running(run.stdin(Stdio::null()).stderr(File::create(folder.join("errors"))?).spawn()?);
        let mut window = String::new();
        until(|| {
            let found = xdotool(&screen, &["search", "--onlyvisible", "--name", " - Posada"]);
            window = found.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
            !window.is_empty()
        })
        .context("Posada's window")?;
        let folder = folder.to_owned();
        let desk = Self { posada, window, folder, serial, heard: 0, _manager: manager, screen };
        desk.person(&["windowactivate", "--sync", &desk.window])?;
        Ok(desk)
    }

    pub fn window(&self) -> &str {
        &self.window
    }

    /// The person does something.
    pub fn person(&self, what: &[&str]) -> Result<()> {
        xdotool(&self.screen, what).map(drop)
    }

    /// Presses a key while the host key is held.
    pub fn command(&self, key: &str) -> Result<()> {
        self.person(&["keydown", HOST_KEY, "key", key, "keyup", HOST_KEY])
    }

    pub fn type_line(&self, text: &str) -> Result<()> {
        self.person(&["type", "--delay", "30", text])?;
        self.person(&["key", "Return"])
    }

    /// Puts a text into the clipboard.
    pub fn copy(&self, text: &str) -> Result<()> {
        let file = self.folder.join("clipboard");
        fs::write(&file, text)?;
        let mut xclip = self.screen.at("xclip");
        // It stays behind, as the owner of the text.
        xclip.args(["-selection", "clipboard"]).arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let status = xclip.status().context("xclip")?;
        if !status.success() {
            bail!("xclip failed ({status})");
        }
        Ok(())
    }

    /// Waits until the guest has said a text on its serial port, after what was heard last.
    pub fn hear(&mut self, text: &str) -> Result<()> {
        let (serial, from) = (&self.serial, self.heard);
        let mut found = None;
        until(|| {
            let said = fs::read(serial).unwrap_or_default();
            let unheard = said.get(from..).unwrap_or_default();
            found = unheard.windows(text.len()).position(|part| part == text.as_bytes());
            found.is_some()
        })
        .with_context(|| format!("the guest did not say `{text}`: see {}", serial.display()))?;
        self.heard = from + found.unwrap_or(0) + text.len();
        Ok(())
    }

    pub fn until(&self, look: impl FnMut() -> bool) -> Result<()> {
        until(look)
    }

    pub fn until_title(&self, fits: impl Fn(&str) -> bool) -> Result<()> {
        until(|| xdotool(&self.screen, &["getwindowname", &self.window]).is_ok_and(|title| fits(&title)))
            .context("another title of the window")
    }

    pub fn size(&self) -> Result<(u32, u32)> {
        let said = xdotool(&self.screen, &["getwindowgeometry", "--shell", &self.window])?;
        let number = |name: &str| {
            let value = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok()).with_context(|| format!("no {name} in `{said}`"))
        };
        Ok((number("WIDTH")?, number("HEIGHT")?))
    }

    pub fn until_size(&self, fits: impl Fn((u32, u32)) -> bool) -> Result<(u32, u32)> {
        until(|| self.size().is_ok_and(&fits)).context("another size of the window")?;
        self.size()
    }

    /// How much of a core Posada keeps busy, in percent.
    pub fn busy(&self, span: Duration) -> Result<f64> {
        let before = self.ticks()?;
        thread::sleep(span);
        Ok((self.ticks()? - before) / TICKS / span.as_secs_f64() * 100.0)
    }

    /// CPU time so far, of all threads; proc_pid_stat(5), utime and stime.
    fn ticks(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.posada.0.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let times = fields.split_whitespace().skip(11).take(2).filter_map(|time| time.parse::<f64>().ok());
        Ok(times.sum())
    }

    /// Waits for the end of the program; its exit code.
    pub fn end(&mut self) -> Result<Option<i32>> {
        let mut status = None;
        until(|| {
            status = self.posada.0.try_wait().ok().flatten();
            status.is_some()
        })
        .context("Posada does not end")?;
        Ok(status.and_then(|status| status.code()))
    }
}

fn xdotool(screen: &Screen, what: &[&str]) -> Result<String> {
    output(screen.at("xdotool").args(what))
}

fn until(mut look: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !look() {
        if start.elapsed() > PATIENCE {
            bail!("nothing came within {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
