//! Running an emulator and taking its CPU time at certain lines of the guest's console.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One measured kernel of the guest program.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub name: String,
    /// CPU time in nanoseconds.
    pub cpu: f64,
    /// What the guest's own clock says.
    pub guest_nanoseconds: f64,
    pub checksum: String,
}

const SETTLING: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(10);

/// An emulator.
pub struct Peer {
    pub name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    /// What makes guest time follow the instruction count, where that exists.
    counting: &'static [&'static str],
}

impl Peer {
    pub fn posada(program: &Path) -> Self {
        let arguments = &["run", "--quiet", "--no-reboot", "--memory", super::MEMORY];
        Self { name: "Posada", program: program.into(), arguments, counting: &["--deterministic"] }
    }

    /// The CPU model is QEMU's own default, with which it boots fastest.
    pub fn qemu() -> Self {
        let arguments = &[
            "-accel",
            "tcg",
            "-cpu",
            "qemu64",
            "-smp",
            "1",
            "-m",
            super::MEMORY,
            "-display",
            "none",
            "-serial",
            "stdio",
            "-monitor",
            "none",
            "-no-reboot",
        ];
        Self { name: "QEMU TCG", program: "qemu-system-x86_64".into(), arguments, counting: &[] }
    }

    /// CPU seconds from the start to the marker of `/init`.
    pub fn boot(&self, kernel: &Path, initrd: &Path) -> Result<f64> {
        Ok(self.ready(kernel, initrd)?.cpu()? / 1e9)
    }

    /// The part of a host core that an idle shell takes.
    pub fn idle(&self, kernel: &Path, initrd: &Path) -> Result<f64> {
        let run = self.ready(kernel, initrd)?;
        // The shell starts, and the kernel finishes what it does in the background.
        sleep(SETTLING);
        let (cpu, start) = (run.cpu()?, Instant::now());
        sleep(IDLE);
        Ok((run.cpu()? - cpu) / 1e9 / start.elapsed().as_secs_f64())
    }

    /// A run that has just printed the marker.
    fn ready(&self, kernel: &Path, initrd: &Path) -> Result<Run> {
        let mut run = self.start(kernel, initrd, "", false)?;
        loop {
            let line = run.line()?;
            let line = line.with_context(|| format!("{} ended before the guest was ready", self.name))?;
            if line.contains("POSADA-READY") {
                return Ok(run);
            }
        }
    }

    /// Every kernel of the guest program. With `counting`, guest time is instructions.
    pub fn kernels(&self, kernel: &Path, initrd: &Path, counting: bool) -> Result<Vec<Kernel>> {
        self.start(kernel, initrd, "posada.run=guest-bench", counting)?.kernels("POSADA-DONE")
    }

    fn start(&self, kernel: &Path, initrd: &Path, append: &str, counting: bool) -> Result<Run> {
        // `-kernel` and `--kernel` are the same option to both programs.
        let dashes = if self.arguments.contains(&"run") { "--" } else { "-" };
        let mut command = Command::new(&self.program);
        command.args(self.arguments);
        if counting {
            command.args(self.counting);
        }
        command.arg(format!("{dashes}kernel")).arg(kernel).arg(format!("{dashes}initrd")).arg(initrd);
        command.arg(format!("{dashes}append")).arg(format!("console=ttyS0 quiet {append}"));
        Run::start(command)
    }
}

/// The guest program on the host itself. Its own clock is what counts there: the kernels with children would hide
/// most of their time from a look at one process.
pub fn native(program: &Path) -> Result<Vec<Kernel>> {
    let mut kernels = Run::start(Command::new(program))?.kernels("")?;
    for kernel in &mut kernels {
        kernel.cpu = kernel.guest_nanoseconds;
    }
    Ok(kernels)
}

/// A running program whose output is read line by line. It ends with this value.
struct Run {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Run {
    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let output = BufReader::new(child.stdout.take().context("a child without output")?);
        Ok(Self { child, output })
    }

    fn line(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        let count = self.output.read_until(b'\n', &mut bytes)?;
        Ok((count > 0).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// CPU nanoseconds of the program so far, in all its threads.
    fn cpu(&self) -> Result<f64> {
        let mut sum = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // proc(5): time on the CPU in nanoseconds comes first.
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            sum += stat.split_whitespace().next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(sum)
    }

    /// Reads until a line with `end` (or, if that is empty, to the end of the output).
    fn kernels(&mut self, end: &str) -> Result<Vec<Kernel>> {
        let mut kernels = Vec::new();
        let mut before = 0.0;
        while let Some(line) = self.line()? {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["bench", _, "begin"] => before = self.cpu().unwrap_or(0.0),
                ["bench", name, "end", _, nanoseconds, checksum] => kernels.push(Kernel {
                    name: (*name).to_owned(),
                    cpu: self.cpu().unwrap_or(0.0) - before,
                    guest_nanoseconds: nanoseconds
                        .parse()
                        .with_context(|| format!("garbled line `{line}`"))?,
                    checksum: (*checksum).to_owned(),
                }),
                _ if !end.is_empty() && line.contains(end) => return Ok(kernels),
                _ => {}
            }
        }
        if end.is_empty() { Ok(kernels) } else { bail!("the guest ended after {} kernels", kernels.len()) }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
