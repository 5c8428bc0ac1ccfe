//! Debian under Posada, at its serial port.

use super::disk::Disk;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// As long as any step of a guest may take, on a busy host.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many numbers there are: the number of the first line that is not its own number, less one.
const COUNT: &str = r#"touch numbers; awk '$0 != NR { exit } { n = NR } END { print "there" " are", n + 0, "numbers" }' numbers"#;

/// Writes numbers from $i on; beside it, files come and go.
const WRITE: &str = r#"(while :; do n=$((RANDOM % 16)); head -c $((RANDOM * 100)) /dev/urandom > junk.$n; rm -f junk.$((RANDOM % 16)); test $n = 0 && fstrim /; done) 2> /dev/null & while :; do i=$((i + 1)); echo $i >> numbers; sync numbers && echo "syn""ced $i."; done"#;

pub struct Guest {
    child: Child,
    to: ChildStdin,
    from: Receiver<Vec<u8>>,
    /// What nobody has looked at yet.
    unread: String,
    log: PathBuf,
}

/// It must not outlive us, however we end.
impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Guest {
    pub fn start(posada: &Path, disk: &Disk, log: &Path) -> Result<Self> {
        let mut run = Command::new(posada);
        run.args(["run", "--quiet", "--memory", "512M"]);
        disk.attach(&mut run);
        let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = child.stdin.take().context("a child without input")?;
        let output = child.stdout.take().context("a child without output")?;
        let from = listen(output, File::create(log)?);
        Ok(Self { child, to, from, unread: String::new(), log: log.to_owned() })
    }

    /// Takes in what comes until `end`. False when there is nothing more to come.
    fn hear(&mut self, end: Instant) -> bool {
        match self.from.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(bytes) => self.unread += &String::from_utf8_lossy(&bytes),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        true
    }

    /// Waits until the guest has said a text; returns what came before it.
    fn expect(&mut self, text: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.unread.find(text) {
                let before = self.unread[..at].to_owned();
                self.unread.drain(..at + text.len());
                return Ok(before);
            }
            if Instant::now() >= end || !self.hear(end) {
                bail!("the guest did not say `{text}`; what it said is in {}", self.log.display());
            }
        }
    }

    fn send(&mut self, line: &str) -> Result<()> {
        writeln!(self.to, "{line}\r").context("the guest has gone")
    }

    pub fn log_in(&mut self) -> Result<()> {
        for (text, answer) in
            [("posada login:", "root"), ("Password:", "posada"), ("root@posada", "dmesg --console-off")]
        {
            self.expect(text)?;
            self.send(answer)?;
        }
        self.expect("root@posada").map(drop)
    }

    /// How many numbers are in the file, one after the other from 1 on.
    pub fn numbers(&mut self) -> Result<u64> {
        self.send(COUNT)?;
        self.expect("there are ")?;
        let count = self.expect(" numbers")?;
        count.trim().parse().with_context(|| format!("`{count}` is no number"))
    }

    /// Has numbers after this one written; returns when the first is.
    pub fn write_from(&mut self, last: u64) -> Result<()> {
        self.send(&format!("i={last}"))?;
        self.send(WRITE)?;
        self.expect("synced ").map(drop)
    }

    /// Kills it after a while; the last number that it said.
    pub fn die_after(mut self, span: Duration) -> Result<Option<u64>> {
        let end = Instant::now() + span;
        while Instant::now() < end && self.hear(end) {}
        if let Some(status) = self.child.try_wait()? {
            bail!("Posada has ended by itself ({status}); what the guest said is in {}", self.log.display());
        }
        self.child.kill()?;
        self.child.wait()?;
        // What it said before that is in the pipe.
        while self.hear(Instant::now() + PATIENCE) {}
        Ok(last_number(&format!("synced {}", self.unread)))
    }

    pub fn power_off(mut self) -> Result<()> {
        self.send("systemctl poweroff")?;
        let end = Instant::now() + PATIENCE;
        while self.hear(end) {
            if Instant::now() >= end {
                bail!("the guest does not power off; what it said is in {}", self.log.display());
            }
        }
        // Its output has ended, so it is about to.
        let status = self.child.wait()?;
        if !status.success() {
            bail!("Posada has ended ({status}) when the guest was to power off");
        }
        Ok(())
    }
}

fn listen(mut output: ChildStdout, mut log: File) -> Receiver<Vec<u8>> {
    let (to, from) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            let logged = log.write_all(&buffer[..count]);
            if logged.is_err() || to.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    from
}

/// The last number that was said to its end.
fn last_number(said: &str) -> Option<u64> {
    let whole = said.split("synced ").filter_map(|rest| rest.split_once('.'));
    whole.filter_map(|(number, _)| number.parse().ok()).last()
}

#[cfg(test)]
mod tests {
    use super::last_number;

    #[test]
    fn a_number_that_is_cut_does_not_count() {
        assert_eq!(last_number("synced 8.\r\nsynced 9.\r\nsynced 1"), Some(9));
        assert_eq!(last_number("synced "), None);
    }
}
