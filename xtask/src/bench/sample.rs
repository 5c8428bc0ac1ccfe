//! Running a program and taking its CPU time and the wall clock at certain lines of its output.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Sub;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

/// Nanoseconds of a process.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// On a CPU, in all threads.
    pub cpu: f64,
    /// Since its start.
    pub wall: f64,
}

impl Cost {
    pub const WORST: Self = Self { cpu: f64::INFINITY, wall: f64::INFINITY };

    /// The least of both, each for itself.
    pub fn least(self, other: Self) -> Self {
        Self { cpu: self.cpu.min(other.cpu), wall: self.wall.min(other.wall) }
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { cpu: self.cpu - earlier.cpu, wall: self.wall - earlier.wall }
    }
}

/// One measured kernel or program.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    /// Of the process that printed the lines: an emulator, or the guest program on the host.
    pub cost: Cost,
    /// What the guest program says: nanoseconds.
    pub own: f64,
    pub checksum: String,
}

/// A process that ends with this value.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running program whose output is read line by line.
pub struct Run {
    process: Process,
    output: BufReader<ChildStdout>,
    start: Instant,
}

impl Run {
    pub fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let start = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let output = BufReader::new(child.stdout.take().context("a child without output")?);
        Ok(Self { process: Process(child), output, start })
    }

    /// For who has to do more than wait for lines.
    pub fn split(self) -> (Process, BufReader<ChildStdout>) {
        (self.process, self.output)
    }

    pub fn line(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let count = self.output.read_until(b'\n', &mut bytes)?;
        Ok((count > 0).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Reads up to a line with `marker`.
    pub fn wait_for(&mut self, marker: &str) -> Result<()> {
        while let Some(line) = self.line()? {
            if line.contains(marker) {
                return Ok(());
            }
        }
        bail!("the output ended before {marker}")
    }

    /// What the program has cost so far.
    pub fn cost(&self) -> Result<Cost> {
        let wall = self.start.elapsed().as_secs_f64() * 1e9;
        let mut cpu = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            // proc(5): time on the CPU in nanoseconds comes first.
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            cpu += stat.split_whitespace().next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(Cost { cpu, wall })
    }

    /// Reads until a line with `end` (or, if that is empty, to the end of the output).
    pub fn samples(&mut self, end: &str) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        let (mut before, mut after) = (Cost::WORST, None);
        while let Some(line) = self.line()? {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["bench", _, "begin"] => before = self.cost().unwrap_or(Cost::WORST),
                ["bench", _, "done"] => after = self.cost().ok(),
                ["bench", name, "end", _, nanoseconds, checksum] => samples.push(Sample {
                    name: (*name).to_owned(),
                    cost: after.take().or_else(|| self.cost().ok()).unwrap_or(Cost::WORST) - before,
                    own: nanoseconds.parse().with_context(|| format!("garbled line `{line}`"))?,
                    checksum: (*checksum).to_owned(),
                }),
                ["guest-bench:", ..] => bail!("in the guest: {}", line.trim()),
                _ if !end.is_empty() && line.contains(end) => return Ok(samples),
                _ => {}
            }
        }
        if end.is_empty() { Ok(samples) } else { bail!("the guest ended after {} results", samples.len()) }
    }
}
