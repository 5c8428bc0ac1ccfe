//! `cargo xtask crash`: Posada is killed (SIGKILL) again and again while Debian writes to its disk. What the guest was
//! told to be on the disk must be there afterwards, the image sound, and the file system too.
//!
//! The guest appends numbers to a file, has each written out with fsync(2), and says it on the serial port; beside
//! that it makes and removes files of random length, so that the image grows and gives back. The boot of each round
//! is also the recovery from the round before.

mod disk;
mod guest;
mod options;
mod random;

use crate::command;
use crate::demo;
use anyhow::{Context, Result, bail};
use disk::{Disk, Health};
use guest::Guest;
use options::Options;
use random::Random;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One in so many rounds is killed on its way to the login already.
const IN_THE_BOOT: u64 = 8;
/// The longest time after which it is killed, from the start and from the first number.
const BOOT: Duration = Duration::from_secs(25);
const WRITING: Duration = Duration::from_secs(10);

/// What the rounds have come to.
#[derive(Default)]
struct Tally {
    rounds: u64,
    in_the_boot: u64,
    /// The last number that a guest said to be on the disk.
    said: u64,
    health: Health,
}

pub fn crash(words: &[&str]) -> Result<()> {
    let options = Options::parse(words)?;
    // Kinds of disks can be tried at the same time.
    let kind = format!("{}-{}", options.format.name(), options.bus.name());
    let folder = command::target().join("crash").join(kind);
    fs::create_dir_all(&folder)?;
    // A copy, so that all rounds run the same program whatever is built meanwhile.
    let posada = folder.join("posada");
    fs::copy(demo::build()?, &posada)?;
    let disk = Disk::copy(&folder, options.format, options.bus)?;
    println!("crash: {} rounds, {disk}, seed {}", options.count, options.seed);
    let mut rounds = Rounds { posada, folder, disk, random: Random(options.seed), tally: Tally::default() };
    let start = Instant::now();
    for round in 1..=options.count {
        rounds.play(round).with_context(|| {
            format!("round {round} of seed {}; the disk is {}", options.seed, rounds.disk.path().display())
        })?;
    }
    rounds.last_look()?;
    let Tally { rounds: count, in_the_boot, said, health } = &rounds.tally;
    println!(
        "crash: {count} times killed ({in_the_boot} while booting) in {} s: all {said} numbers are there; {health}",
        start.elapsed().as_secs()
    );
    rounds.disk.remove()
}

struct Rounds {
    posada: PathBuf,
    folder: PathBuf,
    disk: Disk,
    random: Random,
    tally: Tally,
}

impl Rounds {
    fn start(&self, name: &str) -> Result<Guest> {
        Guest::start(&self.posada, &self.disk, &self.folder.join(format!("{name}.log")))
    }

    fn play(&mut self, round: u64) -> Result<()> {
        let guest = self.start("round")?;
        let in_the_boot = round > 1 && self.random.below(IN_THE_BOOT) == 0;
        let moment = self.random.span(if in_the_boot { BOOT } else { WRITING });
        let before = if in_the_boot {
            self.tally.in_the_boot += 1;
            guest.die_after(moment)?;
            self.tally.said
        } else {
            self.write(guest, moment)?
        };
        self.tally.rounds += 1;
        let health = self.disk.look(&self.folder)?;
        let when = if in_the_boot { "in the boot" } else { "writing" };
        println!(
            "crash: round {round}: killed {when} after {:.1} s, {} numbers more; {health}",
            moment.as_secs_f64(),
            self.tally.said - before
        );
        self.tally.health.worst(health);
        Ok(())
    }

    /// Checks what the round before has left, writes on, and is killed. Returns the last number from before.
    fn write(&mut self, mut guest: Guest, moment: Duration) -> Result<u64> {
        let before = self.numbers(&mut guest)?;
        guest.write_from(before)?;
        self.tally.said = guest.die_after(moment)?.unwrap_or(before);
        Ok(before)
    }

    /// How many numbers there are; fewer than was said is what must not happen.
    fn numbers(&self, guest: &mut Guest) -> Result<u64> {
        guest.log_in()?;
        let there = guest.numbers()?;
        if there < self.tally.said {
            bail!("the guest said that {} numbers are on the disk, but there are {there}", self.tally.said);
        }
        Ok(there)
    }

    /// The boot after the last kill.
    fn last_look(&mut self) -> Result<()> {
        let mut guest = self.start("last")?;
        self.numbers(&mut guest).context("the boot after the last round")?;
        guest.power_off()
    }
}
