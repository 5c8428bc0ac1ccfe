//! `cargo xtask soak`: a guest that writes and runs new code without end, while Posada's memory is watched. The code
//! cache must keep to its bound, and nothing else may grow.

use crate::bench::guests;
use crate::bench::peer::Peer;
use crate::bench::sample::Run;
use crate::{demo, setup};
use anyhow::{Context, Result, bail};
use std::fmt;
use std::fs;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at the process.
const EVERY: Duration = Duration::from_secs(10);
/// A guest that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(120);
/// The part of the run after which memory has to stay as it is.
const WARM_UP: f64 = 0.2;

const MIB: u64 = 1 << 20;
/// The code cache's own bound (jit, `Options`).
const MOST_CODE: u64 = 256 * MIB;
/// What the rest may grow by after the warm-up, beside what the code grows by: each region has its records there.
const MOST_GROWTH: u64 = 64 * MIB;

pub fn soak(minutes: &str) -> Result<()> {
    let Some(minutes) = minutes.parse::<f64>().ok().filter(|minutes| *minutes > 0.0) else {
        bail!("`{minutes}` is not a number of minutes")
    };
    setup::setup(false)?;
    let posada = demo::build()?;
    let guest = guests::kernels(&guests::build_program()?)?;
    let run = Peer::posada(&posada, "jit").start(&guest, &format!("posada.run={}", guests::SOAK))?;
    watch(run, Duration::from_secs_f64(minutes * 60.0))
}

fn watch(run: Run, duration: Duration) -> Result<()> {
    let (start, mut warm) = (Instant::now(), None);
    let mut guest = Guest { run, last: String::new(), heard: start };
    while start.elapsed() < duration {
        thread::sleep(EVERY.min(duration.saturating_sub(start.elapsed())));
        guest.listen()?;
        let now = Resident::of(guest.run.id())?;
        println!("soak: {:4.0} s, {now}; {}", start.elapsed().as_secs_f64(), guest.last);
        if start.elapsed() >= duration.mul_f64(WARM_UP) {
            now.check(*warm.get_or_insert(now))?;
        }
    }
    if guest.last.is_empty() {
        bail!("the guest did not come as far as to generate code: give it more minutes");
    }
    println!("soak: memory kept within its bounds");
    Ok(())
}

/// The guest and what was heard of it.
struct Guest {
    run: Run,
    last: String,
    heard: Instant,
}

impl Guest {
    /// Takes in all that the guest has said; a guest that has failed, ended or fallen silent is an error.
    fn listen(&mut self) -> Result<()> {
        loop {
            match self.run.lines().try_recv() {
                Ok(line) if line.starts_with("guest-bench:") => bail!("in the guest: {line}"),
                Ok(line) if line.starts_with("soak ") => (self.last, self.heard) = (line, Instant::now()),
                Ok(_) => {}
                Err(TryRecvError::Disconnected) => {
                    bail!("the guest has ended; its last line was `{}`", self.last)
                }
                Err(TryRecvError::Empty) if self.heard.elapsed() > SILENCE => {
                    bail!(
                        "the guest is silent for {} s; its last line was `{}`",
                        SILENCE.as_secs(),
                        self.last
                    )
                }
                Err(TryRecvError::Empty) => return Ok(()),
            }
        }
    }
}

/// Bytes of a process that are in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Resident {
    code: u64,
    /// Guest memory: as much as the guest has touched.
    guest: u64,
    rest: u64,
}

impl Resident {
    fn of(process: u32) -> Result<Self> {
        let maps = fs::read_to_string(format!("/proc/{process}/smaps")).context("Posada has ended")?;
        Ok(Self::parse(&maps))
    }

    /// Sums the proportional sizes (a page that is mapped twice counts once) of proc_pid_smaps(5). Code and guest
    /// memory are known by the names of their memfds.
    fn parse(maps: &str) -> Self {
        let (mut resident, mut name) = (Self::default(), "");
        for line in maps.lines() {
            let Some(size) = line.strip_prefix("Pss:") else {
                if let Some((range, _)) = line.split_once(' ')
                    && range.contains('-')
                {
                    name = line.split_once("/memfd:").map_or("", |(_, name)| name);
                }
                continue;
            };
            let kib = size.split_whitespace().next().and_then(|size| size.parse::<u64>().ok()).unwrap_or(0);
            let part = match name {
                "" => &mut resident.rest,
                name if name.starts_with("posada-code") => &mut resident.code,
                _ => &mut resident.guest,
            };
            *part += kib << 10;
        }
        resident
    }

    /// Fails if there is too much now, seen from what there was after the warm-up.
    fn check(self, warm: Self) -> Result<()> {
        if self.code > MOST_CODE {
            bail!("the code cache holds {} MiB, more than {} MiB", self.code / MIB, MOST_CODE / MIB);
        }
        let growth = self.rest.saturating_sub(warm.rest);
        let allowed = MOST_GROWTH + self.code.saturating_sub(warm.code);
        if growth > allowed {
            bail!(
                "Posada's own memory grew by {} MiB since the warm-up, more than {} MiB",
                growth / MIB,
                allowed / MIB
            );
        }
        Ok(())
    }
}

impl fmt::Display for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, guest, rest } = self;
        write!(f, "code {} MiB, guest memory {} MiB, rest {} MiB", code / MIB, guest / MIB, rest / MIB)
    }
}

#[cfg(test)]
mod tests {
    use super::{MIB, Resident};

    #[test]
    fn mappings_are_told_apart_by_name() {
        let maps = "\
5600-5700 r-xp 00000000 fe:00 123 /usr/bin/posada
Size:                 99 kB
Pss:                  10 kB
Pss_Dirty:             3 kB
7f00-7f10 rw-s 00000000 00:01 5 /memfd:posada-code (deleted)
Pss:                   4 kB
7f20-7f30 r-xs 00000000 00:01 5 /memfd:posada-code (deleted)
Pss:                   4 kB
7f40-7f50 rw-s 00000000 00:01 6 /memfd:ram (deleted)
Pss:                 100 kB
7f60-7f70 rw-p 00000000 00:00 0 [heap]
Pss:                   1 kB
";
        let expected = Resident { code: 8 << 10, guest: 100 << 10, rest: 11 << 10 };
        assert_eq!(Resident::parse(maps), expected);
    }

    #[test]
    fn a_leak_and_a_full_cache_are_found() {
        let warm = Resident { code: 10 * MIB, guest: 0, rest: 100 * MIB };
        assert!(Resident { rest: 160 * MIB, ..warm }.check(warm).is_ok());
        assert!(Resident { rest: 170 * MIB, ..warm }.check(warm).is_err());
        assert!(Resident { rest: 170 * MIB, code: 20 * MIB, ..warm }.check(warm).is_ok());
        assert!(Resident { code: 257 * MIB, ..warm }.check(warm).is_err());
    }
}
