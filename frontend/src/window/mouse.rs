//! The mouse, while the guest has it: movement is gathered and handed on in whole counts.

use emu_core::HostEvent;
use winit::event::MouseButton;

#[derive(Default)]
pub struct Mouse {
    /// The guest has the mouse.
    pub grabbed: bool,
    across: f64,
    down: f64,
    wheel: f64,
    buttons: u8,
    /// The buttons are not what the guest knows.
    clicked: bool,
}

impl Mouse {
    pub fn moved(&mut self, (across, down): (f64, f64)) {
        if self.grabbed {
            self.across += across;
            self.down += down;
        }
    }

    /// Notches of the wheel, away from the person.
    pub fn turned(&mut self, notches: f64) {
        if self.grabbed {
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
        if self.grabbed && buttons != self.buttons {
            self.buttons = buttons;
            self.clicked = true;
        }
    }

    /// The guest has the mouse no more: what it believes to be pressed is released.
    pub fn let_go(&mut self) {
        self.clicked |= self.buttons != 0;
        (self.grabbed, self.buttons) = (false, 0);
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

#[expect(clippy::cast_possible_truncation, reason = "the caller has clamped it and cut off the fraction")]
fn whole_number(n: f64) -> i16 {
    n as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grabbed() -> Mouse {
        Mouse { grabbed: true, ..Mouse::default() }
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
