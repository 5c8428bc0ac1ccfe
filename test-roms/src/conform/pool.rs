//! Child processes that work side by side; one that dies or hangs is a finding, and is replaced.

use super::job::{Done, Job};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long a job may take before its worker counts as hung; a job takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One child process.
struct Worker {
    child: Child,
    jobs: ChildStdin,
    results: Receiver<io::Result<String>>,
}

impl Worker {
    fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let gone = || io::Error::other("the worker has no standard streams");
        let jobs = child.stdin.take().ok_or_else(gone)?;
        let lines = BufReader::new(child.stdout.take().ok_or_else(gone)?).lines();
        let (send, results) = channel();
        thread::spawn(move || lines.into_iter().try_for_each(|line| send.send(line)));
        Ok(Self { child, jobs, results })
    }

    fn work(&mut self, job: &Job) -> Result<Done, Lost> {
        let line = serde_json::to_string(job).expect("plain data");
        writeln!(self.jobs, "{line}").map_err(|_| Lost::Died)?;
        match self.results.recv_timeout(PATIENCE) {
            Ok(Ok(line)) => serde_json::from_str(&line).map_err(|_| Lost::Died),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(Lost::Died),
            Err(RecvTimeoutError::Timeout) => Err(Lost::Hung),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// How a worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Died,
    Hung,
}

/// What the pool tells of: a job done, or a job that its worker did not survive.
pub type Told = (Job, Result<Done, Lost>);

/// Works on `jobs` with `count` processes started by `command`, and hands every result to `tell` in the order in
/// which they come. Ends when there are no more jobs, or when `tell` says false.
///
/// # Errors
/// A process cannot be started, or its first job ends it (so that it is not the job's fault).
pub fn run(
    count: usize,
    command: impl Fn() -> Command + Sync,
    jobs: impl Iterator<Item = Job> + Send,
    mut tell: impl FnMut(Told) -> bool,
) -> io::Result<()> {
    let jobs = std::sync::Mutex::new(jobs);
    let (send, results) = channel::<io::Result<Told>>();
    thread::scope(|scope| {
        for _ in 0..count {
            let (jobs, command, send) = (&jobs, &command, send.clone());
            scope.spawn(move || {
                if let Err(error) = attend(jobs, command, &send) {
                    let _nobody_listens = send.send(Err(error));
                }
            });
        }
        drop(send);
        for told in &results {
            if !tell(told?) {
                break;
            }
        }
        drop(results);
        Ok(())
    })
}

/// Keeps one worker busy.
fn attend(
    jobs: &std::sync::Mutex<impl Iterator<Item = Job>>,
    command: &impl Fn() -> Command,
    send: &std::sync::mpsc::Sender<io::Result<Told>>,
) -> io::Result<()> {
    let mut worker = Worker::start(&mut command())?;
    let mut proven = false;
    loop {
        let Some(job) = jobs.lock().ok().and_then(|mut jobs| jobs.next()) else { return Ok(()) };
        let result = worker.work(&job);
        if result.is_err() {
            if !proven {
                return Err(io::Error::other("a worker process ended before its first result"));
            }
            worker = Worker::start(&mut command())?;
        }
        proven |= result.is_ok();
        if send.send(Ok((job, result))).is_err() {
            return Ok(());
        }
    }
}
