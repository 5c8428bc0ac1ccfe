//! The PC in a window of its own (`--display window`).
//!
//! The window is on the main thread, where window systems want it; the session with its machine is on another. The
//! machine's side holds a [`Glass`] and draws on it, the window's side posts keys and wishes into the session's inbox;
//! neither ever waits for the other. Keys are told apart by their place on the keyboard, not by what is printed on
//! them, so the guest's own keyboard layout applies. Left out: input methods, and touch.

mod app;
mod clipboard;
mod command;
mod cost;
mod font;
mod frame;
mod glass;
mod host_key;
mod keys;
mod layout;
mod mouse;
mod overlay;
mod prompt;
mod scale;
mod screenshot;
mod text;
mod view;

pub use glass::{Glass, Now};
pub use host_key::HostKey;

use anyhow::{Result, anyhow};
use app::App;
use glass::Signal;
use std::panic::resume_unwind;
use std::thread::{self, Builder};
use winit::event_loop::{EventLoop, EventLoopProxy};

/// The session's thread gets as much stack as a main thread has: compilers run on it.
const STACK: usize = 8 << 20;

/// What the person chose for the window.
pub struct Looks {
    /// The name of the PC, for the title.
    pub name: String,
    pub host_key: HostKey,
}

/// Closes the window when the session is over, however that comes about.
struct Closes(EventLoopProxy<Signal>);

impl Drop for Closes {
    fn drop(&mut self) {
        let _ = self.0.send_event(Signal::Over);
    }
}

/// Runs a session behind a window; returns what the session returns.
///
/// # Errors
/// There is no screen to open a window on, or the session's own.
pub fn around<R: Send>(looks: Looks, session: impl FnOnce(Glass) -> Result<R> + Send) -> Result<R> {
    // What winit says besides names a line of its sources.
    let event_loop = EventLoop::<Signal>::with_user_event().build().map_err(|_| {
        anyhow!(
            "there is no screen to open a window on (neither WAYLAND_DISPLAY nor DISPLAY leads to one); use --display text or none"
        )
    })?;
    let (glass, pane) = glass::pair(event_loop.create_proxy());
    let closes = Closes(event_loop.create_proxy());
    thread::scope(|scope| {
        let behind =
            Builder::new().name("session".into()).stack_size(STACK).spawn_scoped(scope, move || {
                let _closes = closes;
                session(glass)
            })?;
        let mut app = App::new(pane, looks);
        let shown = event_loop.run_app(&mut app);
        app.end();
        let failed = app.failure().or(shown.err().map(|error| anyhow!(error)));
        let ended = behind.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        failed.map_or(Ok(ended), Err)
    })
}
