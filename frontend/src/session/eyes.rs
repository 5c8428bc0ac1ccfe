//! What a script sees of the machine.

use crate::golden::{Golden, png};
use crate::script::Sight;
use machine::{Machine, Picture, TextScreen};

pub(super) struct Eyes<'a> {
    pub(super) machine: &'a mut Machine,
    pub(super) picture: &'a mut Picture,
}

impl Sight for Eyes<'_> {
    fn text(&mut self) -> Option<TextScreen> {
        self.machine.text_screen()
    }

    fn compare(&mut self, golden: &Golden) -> Result<(), String> {
        self.machine.draw(self.picture);
        golden.compare(self.picture)
    }

    fn keep(&mut self, golden: &Golden) -> String {
        let path = golden.beside();
        match png::write(&path, self.picture) {
            Ok(()) => format!("the screen is in {}", path.display()),
            Err(error) => format!("{error:#}"),
        }
    }
}
