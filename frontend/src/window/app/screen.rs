//! The window itself: what it asks of the window system.

use super::super::mouse::Hold;
use super::super::text::Canvas;
use anyhow::{Error, Result, anyhow};
use softbuffer::{Context, SoftBufferError, Surface};
use std::num::NonZeroU32;
use std::sync::Arc;
use winit::dpi::{PhysicalPosition, PhysicalSize};
use winit::error::ExternalError;
use winit::event_loop::ActiveEventLoop;
use winit::window::{CursorGrabMode, Fullscreen, Window};

/// The size of a new window: a 4:3 picture with the status line below it.
const SIZE: (u32, u32) = (960, 740);
const SMALLEST: (u32, u32) = (320, 220);

pub(super) struct Screen {
    surface: Surface<Arc<Window>, Arc<Window>>,
    window: Arc<Window>,
    /// What it was last asked to be: if it is not, a person has made it so.
    asked: (u32, u32),
}

fn unusable(error: &SoftBufferError) -> Error {
    anyhow!("the window cannot be drawn on: {error}")
}

impl Screen {
    pub(super) fn open(event_loop: &ActiveEventLoop, name: &str) -> Result<Self> {
        let attributes = Window::default_attributes()
            .with_title(format!("{name} - Posada"))
            .with_inner_size(PhysicalSize::new(SIZE.0, SIZE.1))
            .with_min_inner_size(PhysicalSize::new(SMALLEST.0, SMALLEST.1));
        let window = event_loop
            .create_window(attributes)
            .map_err(|error| anyhow!("the window cannot be opened: {error}"))?;
        let window = Arc::new(window);
        let context = Context::new(Arc::clone(&window)).map_err(|error| unusable(&error))?;
        let surface = Surface::new(&context, Arc::clone(&window)).map_err(|error| unusable(&error))?;
        Ok(Self { surface, window, asked: SIZE })
    }

    /// Width and height in pixels of the host.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = self.window.inner_size();
        let count = |n: u32| usize::try_from(n).unwrap_or(0);
        (count(size.width), count(size.height))
    }

    /// Makes the window large enough for so many pixels, so that none need be scaled away: unless the screen is too small
    /// for it, or a person has chosen the size.
    pub(super) fn make_room(&mut self, (width, height): (usize, usize)) {
        let is = self.window.inner_size();
        let whole = |n| u32::try_from(n).unwrap_or(u32::MAX);
        let wanted = (whole(width).max(is.width), whole(height).max(is.height));
        let fits = self.window.current_monitor().is_some_and(|monitor| {
            let size = monitor.size();
            wanted.0 <= size.width && wanted.1 <= size.height
        });
        let is_ours = (is.width, is.height) == self.asked && self.window.fullscreen().is_none();
        if fits && is_ours && wanted != self.asked {
            self.asked = wanted;
            // If it comes at once there is no event for it; the next picture is arranged for the size that is.
            let _may_come_later = self.window.request_inner_size(PhysicalSize::new(wanted.0, wanted.1));
        }
    }

    /// Shows these pixels, with what `overlay` draws on them; `false` if the window has another size by now, for which
    /// another redraw comes.
    pub(super) fn present(&mut self, pixels: &[u32], overlay: impl FnOnce(&mut Canvas<'_>)) -> Result<bool> {
        let (width, height) = self.size();
        let size = self.window.inner_size();
        let (Some(across), Some(down)) = (NonZeroU32::new(size.width), NonZeroU32::new(size.height)) else {
            return Ok(false);
        };
        self.surface.resize(across, down).map_err(|error| unusable(&error))?;
        let mut buffer = self.surface.buffer_mut().map_err(|error| unusable(&error))?;
        if buffer.len() != pixels.len() {
            return Ok(false);
        }
        buffer.copy_from_slice(pixels);
        overlay(&mut Canvas::new(&mut buffer, width, height));
        self.window.pre_present_notify();
        buffer.present().map_err(|error| unusable(&error))?;
        Ok(true)
    }

    pub(super) fn redraw(&self) {
        self.window.request_redraw();
    }

    pub(super) fn title(&self, title: &str) {
        self.window.set_title(title);
    }

    pub(super) fn toggle_full_screen(&self) {
        let full = self.window.fullscreen().is_some();
        self.window.set_fullscreen((!full).then_some(Fullscreen::Borderless(None)));
    }

    /// Hides the pointer and keeps it in the window: Wayland can lock it, X11 confine it.
    pub(super) fn grab(&self) -> Result<Hold, ExternalError> {
        let lock = self.window.set_cursor_grab(CursorGrabMode::Locked).map(|()| Hold::Locked);
        let confine = || self.window.set_cursor_grab(CursorGrabMode::Confined).map(|()| Hold::Confined);
        let hold = lock.or_else(|_| confine())?;
        self.window.set_cursor_visible(false);
        Ok(hold)
    }

    /// Puts the pointer there.
    pub(super) fn put_pointer(&self, (x, y): (f64, f64)) {
        // Where it cannot be put it stops at the edge, and the person can still take it back.
        let _ = self.window.set_cursor_position(PhysicalPosition::new(x, y));
    }

    pub(super) fn release(&self) {
        // Where the pointer was never caught there is nothing to undo.
        let _ = self.window.set_cursor_grab(CursorGrabMode::None);
        self.window.set_cursor_visible(true);
    }
}
