//! A timer that interrupts one thread's system calls, so that a guest that never halts does not keep it.
#![allow(unsafe_code)] // POSIX timers and their signal

use std::io::{Error, Result};
use std::ptr::{from_ref, null_mut};
use std::time::Duration;

/// Interrupts the thread that made it.
pub struct Alarm(libc::timer_t);

/// The signal may come between two calls into the kernel; the next one is not long after.
const AGAIN: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 100_000_000 };

extern "C" fn nothing(_: i32) {}

fn check(result: i32) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

impl Alarm {
    /// Goes off after `time` and again and again, until it is dropped.
    pub fn after(time: Duration) -> Result<Self> {
        let signal = libc::SIGRTMIN();
        let value =
            libc::timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        let when = libc::itimerspec { it_interval: AGAIN, it_value: value };
        // SAFETY: all structures are fully initialised and outlive the calls; the handler touches nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as *const () as usize;
            check(libc::sigaction(signal, &raw const action, null_mut()))?;
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = libc::gettid();
            let mut timer = null_mut();
            check(libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer))?;
            let alarm = Self(timer);
            check(libc::timer_settime(timer, 0, from_ref(&when), null_mut()))?;
            Ok(alarm)
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: the timer was created by `after` and is deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}
