//! A script's eyes and fingers.

use super::typing;
use crate::script::Desk;
use machine::{Machine, Picture, TextScreen};

pub(super) struct AtTheDesk<'a> {
    pub(super) machine: &'a mut Machine,
    pub(super) picture: &'a mut Picture,
}

impl Desk for AtTheDesk<'_> {
    fn screen(&mut self) -> Option<TextScreen> {
        self.machine.text_screen()
    }

    fn picture(&mut self) -> (&Picture, bool) {
        let drawn = self.machine.draw(self.picture);
        (self.picture, !drawn.is_empty())
    }

    fn takes_keys(&mut self) -> bool {
        typing::takes_keys(self.machine)
    }
}
