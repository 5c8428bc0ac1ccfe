//! The mouse, while the guest has it: movement is gathered and handed on in whole counts.
//!
//! A locked pointer (Wayland) reports movement. A confined one (X11) reports where it is, and is put back into the
//! middle of the window before it gets to an edge. X11's raw movement is no alternative: while the pointer is confined,
//! winit 0.30 gives it twice.

use emu_core::HostEvent;
use winit::event::MouseButton;

/// How the window system holds the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    Locked,
    Confined,
}

type Point = (f64, f64);

#[derive(Default)]
pub struct Mouse {
    /// The guest has the mouse.
    hold: Option<Hold>,
    /// Where the pointer was last.
    pointer: Option<Point>,
    /// Where it was put, until it is there.
    put: Option<Point>,
    across: f64,
    down: f64,
    wheel: f64,
    buttons: u8,
    /// The buttons are not what the guest knows.
    clicked: bool,
}

impl Mouse {
    pub fn is_grabbed(&self) -> bool {
        self.hold.is_some()
    }

    pub fn grab(&mut self, hold: Hold) {
        self.hold = Some(hold);
    }

    /// The device has moved.
    pub fn moved(&mut self, movement: Point) {
        if self.hold == Some(Hold::Locked) {
            self.add(movement);
        }
    }

    /// The pointer is at `now`, in a window of this size; where to put it, if it comes near an edge.
    pub fn pointer(&mut self, now: Point, size: Point) -> Option<Point> {
        let before = self.pointer.replace(now).unwrap_or(now);
        if self.hold != Some(Hold::Confined) {
            return None;
        }
        if self.put.is_some_and(|put| near(now, put, (1.0, 1.0))) {
            self.put = None;
            return None;
        }
        self.add((now.0 - before.0, now.1 - before.1));
        let middle = ((size.0 / 2.0).floor(), (size.1 / 2.0).floor());
        let out = self.put.is_none() && !near(now, middle, (size.0 / 4.0, size.1 / 4.0));
        self.put = self.put.or(out.then_some(middle));
        out.then_some(middle)
    }

    fn add(&mut self, (across, down): Point) {
        self.across += across;
        self.down += down;
    }

    /// Notches of the wheel, away from the person.
    pub fn turned(&mut self, notches: f64) {
        if self.is_grabbed() {
            self.wheel += notches;
        }
    }

    pub fn button(&mut self, button: MouseButton, pressed: bool) {
        let bit = match button {
            MouseButton::Left => 0,
            MouseButton::Right => 1,
            MouseButton::Middle => 2,
            MouseButton::Back => 3,
            MouseButton::Forward => 4,
            MouseButton::Other(_) => return,
        };
        let buttons = self.buttons & !(1 << bit) | u8::from(pressed) << bit;
        if self.is_grabbed() && buttons != self.buttons {
            self.buttons = buttons;
            self.clicked = true;
        }
    }

    /// The guest has the mouse no more: what it believes to be pressed is released.
    pub fn let_go(&mut self) {
        self.clicked |= self.buttons != 0;
        (self.hold, self.put, self.buttons) = (None, None, 0);
    }

    /// What the guest has not been told yet.
    pub fn take(&mut self) -> Option<HostEvent> {
        let whole = |sum: &mut f64, most: i16| {
            let part = sum.clamp(-f64::from(most), f64::from(most)).trunc();
            *sum -= part;
            whole_number(part)
        };
        let (dx, dy) = (whole(&mut self.across, i16::MAX), whole(&mut self.down, i16::MAX));
        let wheel = i8::try_from(whole(&mut self.wheel, 127)).unwrap_or(0);
        let clicked = std::mem::take(&mut self.clicked);
        let news = clicked || (dx, dy, wheel) != (0, 0, 0);
        news.then_some(HostEvent::Mouse { dx, dy, wheel, buttons: self.buttons })
    }
}

fn near(a: Point, b: Point, within: Point) -> bool {
    (a.0 - b.0).abs() <= within.0 && (a.1 - b.1).abs() <= within.1
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has clamped it and cut off the fraction")]
fn whole_number(n: f64) -> i16 {
    n as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grabbed() -> Mouse {
        let mut mouse = Mouse::default();
        mouse.grab(Hold::Locked);
        mouse
    }

    fn event(dx: i16, dy: i16, wheel: i8, buttons: u8) -> Option<HostEvent> {
        Some(HostEvent::Mouse { dx, dy, wheel, buttons })
    }

    #[test]
    fn fractions_add_up() {
        let mut mouse = grabbed();
        mouse.moved((0.6, -0.6));
        assert_eq!(mouse.take(), None);
        mouse.moved((0.6, -0.6));
        assert_eq!(mouse.take(), event(1, -1, 0, 0));
        mouse.turned(-2.0);
        assert_eq!(mouse.take(), event(0, 0, -2, 0));
        mouse.moved((1e9, 0.0));
        assert_eq!(mouse.take(), event(i16::MAX, 0, 0, 0));
    }

    #[test]
    fn a_confined_pointer_moves_on_and_on() {
        let (mut mouse, size) = (Mouse::default(), (400.0, 200.0));
        assert_eq!(mouse.pointer((250.0, 100.0), size), None);
        mouse.grab(Hold::Confined);
        mouse.moved((9.0, 9.0)); // is not for a confined pointer
        assert_eq!(mouse.pointer((290.0, 105.0), size), None);
        assert_eq!(mouse.take(), event(40, 5, 0, 0));
        assert_eq!(mouse.pointer((310.0, 105.0), size), Some((200.0, 100.0)));
        assert_eq!(mouse.pointer((315.0, 105.0), size), None, "it has not got there yet");
        assert_eq!(mouse.take(), event(25, 0, 0, 0));
        assert_eq!(mouse.pointer((200.0, 100.0), size), None);
        assert_eq!(mouse.take(), None, "that was not the person");
        mouse.pointer((203.0, 98.0), size);
        assert_eq!(mouse.take(), event(3, -2, 0, 0));
    }

    #[test]
    fn only_a_grabbed_mouse_is_the_guests() {
        let mut mouse = Mouse::default();
        mouse.moved((5.0, 5.0));
        mouse.button(MouseButton::Left, true);
        assert_eq!(mouse.take(), None);
        let mut mouse = grabbed();
        mouse.button(MouseButton::Right, true);
        assert_eq!(mouse.take(), event(0, 0, 0, 2));
        mouse.let_go();
        assert_eq!(mouse.take(), event(0, 0, 0, 0));
        assert_eq!(mouse.take(), None);
    }
}
