//! `cargo xtask tour`: Debian in Posada's window as a person uses it, on a screen that nobody sees. Xvfb is the screen,
//! Openbox the window manager, xdotool the person; what the guest says on its serial port tells whether it has arrived.

mod desk;

use crate::cache::Cache;
use crate::command;
use crate::demo;
use crate::guest;
use crate::packages;
use crate::screen;
use anyhow::{Context, Result, bail};
use desk::Desk;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

const TOOLS: [packages::Tool; 1] = [("openbox", "openbox")];

/// An idle guest may keep a core busy for so many percent.
const IDLE: f64 = 3.0;
const IDLE_SPAN: Duration = Duration::from_secs(20);

/// Shown on the picture that the tour leaves in the documentation.
const PICTURE: &str = "docs/pictures/debian-in-the-window.png";
const SIGHTS: &str = "clear; cat /etc/debian_version; uname -a; lscpu | head -20; lsblk";

/// A disc for the drive.
const DISC: &str = "media/isolinux.iso";

pub fn tour() -> Result<()> {
    screen::require("tour")?;
    packages::require("tour", &TOOLS)?;
    guest::guest(&["media"])?;
    let debian = guest::debian("amd64")?;
    let posada = demo::build()?;
    let folder = command::empty_folder("tour")?;
    let mut desk = Desk::open(&posada, &debian, &folder)?;
    log_in(&mut desk)?;
    paste(&mut desk)?;
    size(&desk)?;
    pause(&mut desk)?;
    disc(&mut desk)?;
    picture(&mut desk, &folder)?;
    idle(&desk)?;
    desk.person(&["key", "alt+F4"])?;
    let code = desk.end()?;
    if code != Some(0) {
        bail!("the window was closed and Debian shut down, but the exit code is {code:?}");
    }
    println!("tour: the window was closed, Debian shut down, exit code 0");
    Ok(())
}

fn log_in(desk: &mut Desk) -> Result<()> {
    desk.hear("posada login:")?;
    // That is the serial port's; the one on the screen comes at the same time.
    thread::sleep(Duration::from_secs(5));
    desk.type_line("root")?;
    thread::sleep(Duration::from_secs(3));
    desk.type_line("posada")?;
    thread::sleep(Duration::from_secs(5));
    desk.type_line("echo typed-$((6*7)) > /dev/ttyS0")?;
    desk.hear("typed-42").context("what was typed at the login of the screen has not arrived")?;
    println!("tour: logged in at the screen, and typed");
    Ok(())
}

fn paste(desk: &mut Desk) -> Result<()> {
    desk.copy("echo \"pasted-$((7*6))\" > /dev/ttyS0\n")?;
    desk.command("v")?;
    desk.hear("pasted-42")?;
    println!("tour: pasted a line");
    Ok(())
}

fn size(desk: &Desk) -> Result<()> {
    let before = desk.size()?;
    desk.person(&["windowsize", "--sync", desk.window(), "1100", "900"])?;
    let larger = desk.size()?;
    desk.command("f")?;
    let full = desk.until_size(|size| size == desk::SCREEN).context("full screen")?;
    desk.command("s")?;
    desk.command("f")?;
    desk.until_size(|size| size == larger).context("from full screen back to a window")?;
    desk.command("s")?;
    println!("tour: the window was {before:?}, {larger:?}, and {full:?} as full screen");
    Ok(())
}

/// What is typed while the machine is paused does not reach it.
fn pause(desk: &mut Desk) -> Result<()> {
    desk.command("space")?;
    desk.until_title(|title| title.contains("(paused)"))?;
    let busy = desk.busy(Duration::from_secs(3))?;
    desk.type_line("echo lost > /dev/ttyS0")?;
    desk.command("space")?;
    desk.until_title(|title| !title.contains("(paused)"))?;
    desk.type_line("echo again-$((6*7)) > /dev/ttyS0")?;
    desk.hear("again-42")?;
    println!("tour: paused ({busy:.1} % of a core), and went on");
    Ok(())
}

fn disc(desk: &mut Desk) -> Result<()> {
    let disc = std::path::absolute(Cache::folder().join(DISC))?;
    desk.command("c")?;
    desk.type_line(&disc.to_string_lossy())?;
    thread::sleep(Duration::from_secs(2));
    // ECMA-119, 8.1: the identifier of the first volume descriptor.
    desk.type_line("dd if=/dev/sr0 bs=1 skip=32769 count=5 of=/dev/ttyS0")?;
    desk.hear("CD001")?;
    desk.command("c")?;
    desk.person(&["key", "Return"])?;
    println!("tour: put a CD in, the guest read it, and took it out again");
    Ok(())
}

fn picture(desk: &mut Desk, folder: &Path) -> Result<()> {
    desk.type_line(SIGHTS)?;
    desk.type_line("echo seen-$((6*7)) > /dev/ttyS0; clear")?;
    desk.hear("seen-42")?;
    desk.type_line(SIGHTS)?;
    thread::sleep(Duration::from_secs(4));
    desk.command("p")?;
    let picture = folder.join("posada-1.png");
    desk.until(|| picture.is_file()).context("the screenshot")?;
    thread::sleep(Duration::from_secs(1));
    fs::copy(&picture, command::workspace().join(PICTURE))?;
    println!("tour: a screenshot, now {PICTURE}");
    Ok(())
}

fn idle(desk: &Desk) -> Result<()> {
    let busy = desk.busy(IDLE_SPAN)?;
    if busy > IDLE {
        bail!("an idle Debian keeps a core busy for {busy:.1} %, more than {IDLE} %");
    }
    println!("tour: idle, it takes {busy:.1} % of a core");
    Ok(())
}
