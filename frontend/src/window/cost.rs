//! What the picture costs: CPU time of the session's thread, which converts it, and of the window's, which shows it.

use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Both threads write, each to its own fields.
#[derive(Default)]
pub struct Meter {
    drawn: AtomicU64,
    shown: AtomicU64,
    /// Nanoseconds.
    conversion: AtomicU64,
    /// Nanoseconds, of all that the window's thread has done.
    presentation: AtomicU64,
}

/// CPU time of this thread, in nanoseconds; clock_gettime(2), `CLOCK_THREAD_CPUTIME_ID`.
fn of_this_thread() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let whole = |part: i64| u64::try_from(part).unwrap_or(0);
    whole(time.tv_sec) * 1_000_000_000 + whole(time.tv_nsec)
}

impl Meter {
    /// The session's thread looks at the machine's screen; `look` says whether the picture has changed, and so does
    /// this.
    pub fn conversion(&self, look: impl FnOnce() -> bool) -> bool {
        let start = of_this_thread();
        let changed = look();
        self.drawn.fetch_add(changed.into(), Relaxed);
        self.conversion.fetch_add(of_this_thread().saturating_sub(start), Relaxed);
        changed
    }

    /// The window's thread has shown a picture.
    pub fn presented(&self) {
        self.shown.fetch_add(1, Relaxed);
        self.presentation.store(of_this_thread(), Relaxed);
    }

    /// What it came to in so much of the host's time.
    pub fn cost(&self, span: Duration) -> Cost<'_> {
        Cost { meter: self, span }
    }
}

pub struct Cost<'a> {
    meter: &'a Meter,
    span: Duration,
}

impl fmt::Display for Cost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.span.as_secs_f64();
        let work = [
            ("pictures converted", &self.meter.drawn, &self.meter.conversion),
            ("pictures presented", &self.meter.shown, &self.meter.presentation),
        ];
        for (name, count, nanoseconds) in work {
            let (count, seconds) = (count.load(Relaxed), nanoseconds.load(Relaxed) as f64 / 1e9);
            writeln!(f, "{name} {count:>15}   in {seconds:.3} s, {:.1} % of a core", 100.0 * seconds / span)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, of_this_thread};
    use std::time::Duration;

    /// 60 ms of CPU time, however long that takes.
    fn work() {
        let end = of_this_thread() + 60_000_000;
        while of_this_thread() < end {}
    }

    #[test]
    fn each_thread_pays_for_its_own_work() {
        let meter = Meter::default();
        meter.conversion(|| {
            work();
            true
        });
        meter.conversion(|| false);
        work();
        std::thread::scope(|scope| {
            scope.spawn(|| meter.presented());
        });
        let text = meter.cost(Duration::from_millis(100)).to_string();
        let share = |line: usize| -> f64 {
            let line = text.lines().nth(line).unwrap();
            line.split(", ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
        };
        assert!(share(0) >= 60.0 && share(0) < 70.0 && share(1) < 10.0, "{text}");
        assert!(text.lines().all(|line| line.contains("  1   in ")), "{text}");
    }
}
