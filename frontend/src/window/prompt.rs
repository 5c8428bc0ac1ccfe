//! The line in which a person types the name of a file: a disc or diskette to put into a drive.

use crate::media::{Bay, Change};
use winit::keyboard::KeyCode;

/// No path is longer.
const LONGEST: usize = 4096;

pub struct Prompt {
    bay: Bay,
    text: String,
}

/// What a key made of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The line goes on.
    Typing,
    Cancelled,
    Change(Change),
}

impl Prompt {
    pub fn new(bay: Bay) -> Self {
        Self { bay, text: String::new() }
    }

    /// As it is shown; `columns` is the room for it, and what is typed last is always seen.
    pub fn line(&self, columns: usize) -> String {
        let drive = match self.bay {
            Bay::CdRom => "CD or DVD image",
            Bay::Floppy => "Diskette image for drive A",
        };
        let line = format!("{drive} (Enter alone ejects, Esc cancels): {}_", self.text);
        let excess = line.chars().count().saturating_sub(columns);
        line.chars().skip(excess).collect()
    }

    /// A key went down; `text` is what it types on the host.
    pub fn key(&mut self, key: KeyCode, text: Option<&str>) -> Answer {
        match key {
            KeyCode::Escape => return Answer::Cancelled,
            KeyCode::Enter | KeyCode::NumpadEnter => return Answer::Change(self.change()),
            KeyCode::Backspace => drop(self.text.pop()),
            _ => self.add(text.unwrap_or_default()),
        }
        Answer::Typing
    }

    /// Adds what can be in a path.
    fn add(&mut self, text: &str) {
        let plain = text.chars().filter(|character| !character.is_control());
        self.text.extend(plain.take(LONGEST.saturating_sub(self.text.len())));
    }

    /// A file manager puts paths in quotes; neither they nor blanks around them belong to the name.
    fn change(&self) -> Change {
        let path = self.text.trim();
        let unquoted = path.strip_prefix('\'').and_then(|path| path.strip_suffix('\''));
        match unquoted.unwrap_or(path) {
            "" => Change::Eject(self.bay),
            path => Change::Insert(self.bay, path.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(prompt: &mut Prompt, text: &str) {
        for character in text.chars() {
            assert_eq!(prompt.key(KeyCode::KeyA, Some(&character.to_string())), Answer::Typing);
        }
    }

    #[test]
    fn a_path_is_typed() {
        let mut prompt = Prompt::new(Bay::CdRom);
        typed(&mut prompt, " 'a b.isoo");
        prompt.key(KeyCode::Backspace, Some("\u{8}"));
        typed(&mut prompt, "' \u{7}");
        prompt.key(KeyCode::ShiftLeft, None);
        let change = Change::Insert(Bay::CdRom, "a b.iso".into());
        assert_eq!(prompt.key(KeyCode::Enter, Some("\r")), Answer::Change(change));
    }

    #[test]
    fn nothing_ejects_and_escape_cancels() {
        let mut prompt = Prompt::new(Bay::Floppy);
        assert_eq!(prompt.key(KeyCode::Enter, None), Answer::Change(Change::Eject(Bay::Floppy)));
        assert_eq!(prompt.key(KeyCode::Escape, None), Answer::Cancelled);
    }

    #[test]
    fn the_end_of_a_long_line_is_seen() {
        let mut prompt = Prompt::new(Bay::Floppy);
        typed(&mut prompt, &"x".repeat(5000));
        typed(&mut prompt, "y");
        assert!(prompt.line(20).ends_with("xxx_"), "no longer than any path");
        assert_eq!(prompt.line(20).len(), 20);
        assert!(Prompt::new(Bay::CdRom).line(100).starts_with("CD or DVD image"));
    }
}
