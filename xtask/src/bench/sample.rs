//! Running a program and taking its CPU time and the wall clock at certain lines of its output.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Sub;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

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

/// A running program whose output is read line by line. It ends with this value.
pub struct Run {
    child: Child,
    lines: Receiver<String>,
    start: Instant,
}

/// A program that prints nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(600);

impl Run {
    pub fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let start = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let lines = lines(child.stdout.take().context("a child without output")?);
        Ok(Self { child, lines, start })
    }

    /// The next line, or `None` at the end of the output.
    fn line(&self) -> Result<Option<String>> {
        match self.lines.recv_timeout(SILENCE) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("no output for {} s: it hangs", SILENCE.as_secs()),
        }
    }

    /// Lines as they come, for who cannot wait for them.
    pub fn lines(&self) -> &Receiver<String> {
        &self.lines
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads up to a line with `marker`.
    pub fn wait_for(&self, marker: &str) -> Result<()> {
        while let Some(line) = self.line()? {
            if line.contains(marker) {
                return Ok(());
            }
        }
        bail!("the output ended before {marker}")
    }

    /// What the program has cost so far. The CPU time of a thread that runs is as old as the last timer tick, some
    /// milliseconds: what is measured has to be long beside that.
    pub fn cost(&self) -> Result<Cost> {
        let wall = self.start.elapsed().as_secs_f64() * 1e9;
        let mut cpu = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // proc(5): time on the CPU in nanoseconds comes first.
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            cpu += stat.split_whitespace().next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(Cost { cpu, wall })
    }

    /// Reads until a line with `end` (or, if that is empty, to the end of the output).
    pub fn samples(&self, end: &str) -> Result<Vec<Sample>> {
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
                ["guest-bench:", ..] => bail!("in the guest: {line}"),
                _ if !end.is_empty() && line.contains(end) => return Ok(samples),
                _ => {}
            }
        }
        if end.is_empty() { Ok(samples) } else { bail!("the guest ended after {} results", samples.len()) }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        // A guest's console is not always UTF-8, so `lines` will not do.
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).trim().to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::Run;
    use std::process::Command;

    fn run(script: &str) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Run::start(command).unwrap()
    }

    #[test]
    fn the_protocol_is_understood() {
        let program = run(
            "echo boot; echo bench a begin; echo bench a done; echo bench a end 1 25 ff; echo DONE; exec sleep 9",
        );
        let samples = program.samples("DONE").unwrap();
        assert_eq!((samples.len(), samples[0].name.as_str(), samples[0].checksum.as_str()), (1, "a", "ff"));
        assert!((samples[0].own - 25.0).abs() < f64::EPSILON && samples[0].cost.wall >= 0.0);
    }

    #[test]
    fn a_failure_inside_is_told() {
        assert!(run("echo guest-bench: gzip failed").samples("").is_err());
        assert!(run("true").samples("DONE").is_err());
        assert!(run("echo READY").wait_for("READY").is_ok() && run("true").wait_for("READY").is_err());
    }
}
