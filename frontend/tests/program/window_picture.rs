//! What the window shows, dot by dot, and what the host key changes about it.

use crate::posada::{finish, run};
use crate::window::{Desk, picture, wait};

/// Dots of a picture, line by line.
struct Picture {
    width: usize,
    height: usize,
    dots: Vec<[u8; 3]>,
}

impl Picture {
    fn of_window(desk: &Desk) -> Self {
        let (width, height, dots) = desk.shown();
        Self { width, height, dots }
    }

    /// The guest's screen, by the window's own screenshot.
    fn of_guest(desk: &Desk) -> Self {
        desk.command("p");
        let (width, height, bytes) = wait("screenshot", || picture(&desk.file("posada-1.png")));
        let dots = bytes.chunks_exact(bytes.len() / (width * height) as usize);
        let dots = dots.map(|dot| dot.try_into().expect("red, green and blue")).collect();
        Self { width: width as usize, height: height as usize, dots }
    }

    fn line(&self, x: usize, y: usize, width: usize) -> &[[u8; 3]] {
        &self.dots[y * self.width + x..][..width]
    }

    /// Where the other picture is to be found in this one, dot for dot.
    fn find(&self, other: &Self) -> Option<(usize, usize)> {
        let last = (self.width.checked_sub(other.width)?, self.height.checked_sub(other.height)?);
        let places = (0..=last.1).flat_map(|y| (0..=last.0).map(move |x| (x, y)));
        places.into_iter().find(|(x, y)| {
            (0..other.height).all(|n| self.line(*x, y + n, other.width) == other.line(0, n, other.width))
        })
    }

    /// Dots of the last `lines` lines that are not black.
    fn lit_below(&self, lines: usize) -> usize {
        let dots = &self.dots[(self.height - lines) * self.width..];
        dots.iter().filter(|dot| dot.iter().any(|colour| *colour > 0x40)).count()
    }

    fn lit(&self) -> usize {
        self.lit_below(self.height)
    }
}

#[test]
fn window_scales_smoothly_or_by_whole_numbers() {
    let desk = Desk::open();
    let guest = Picture::of_guest(&desk);
    assert!(guest.lit() > 500, "the guest shows something");
    desk.resize(1100, 800);
    wait("smooth picture of the window's size", || {
        let window = Picture::of_window(&desk);
        (window.width == 1100 && window.find(&guest).is_none() && window.lit() > guest.lit()).then_some(())
    });
    desk.command("s");
    let (x, y) = wait("picture dot for dot", || Picture::of_window(&desk).find(&guest));
    let window = Picture::of_window(&desk);
    let right = window.width - guest.width - x;
    assert!(x.abs_diff(right) <= 1 && y > 0, "in the middle: {x} to the left, {right} to the right");
    desk.command("s");
    wait("smooth picture again", || Picture::of_window(&desk).find(&guest).is_none().then_some(()));
}

#[test]
fn window_shows_help_and_its_status_line_when_asked() {
    const STATUS: usize = 16;
    let desk = Desk::open();
    let lit = || Picture::of_window(&desk).lit();
    wait("status line", || (Picture::of_window(&desk).lit_below(STATUS) > 100).then_some(()));
    desk.command("l");
    wait("end of the status line", || (Picture::of_window(&desk).lit_below(STATUS) == 0).then_some(()));
    let before = lit();
    desk.command("F1");
    wait("help", || (lit() > before + 2000).then_some(()));
    desk.command("F1");
    wait("end of the help", || (lit() == before).then_some(()));
    desk.command("l");
    wait("status line again", || (Picture::of_window(&desk).lit_below(STATUS) > 100).then_some(()));
}

#[test]
fn window_saves_the_state_and_changes_the_engine() {
    let mut desk = Desk::open();
    desk.command("e");
    desk.person(&["key", "a"]);
    desk.heard("K1E\nK9E\n");
    desk.command("w");
    let state = desk.file("guest.state");
    wait("saved state", || state.is_file().then_some(()));
    desk.command("q");
    desk.ended();
    let mut restored = run();
    restored.arg("--restore").arg(&state).arg("--floppy").arg(desk.file("Echo.img"));
    let script = desk.file("script");
    std::fs::write(&script, "key b\nexpect K30\nexpect KB0\n").expect("the script is written");
    restored.arg("--script").arg(script);
    finish(restored).code(0);
}
