//! What the window itself says: the status line below the picture; a message and the help over it.

use super::command;
use super::glass::Status;
use super::host_key::HostKey;
use super::layout::Rect;
use super::text::{Canvas, Ink};

/// The height of the status line.
pub const BAR: usize = 20;
/// Space around text.
const MARGIN: usize = 8;

const BAR_INK: Ink = Ink { text: 0x00B0_B0B0, ground: 0x0028_2828 };
const MESSAGE_INK: Ink = Ink { text: 0x00FF_FFFF, ground: 0x0060_3010 };
const HELP_INK: Ink = Ink { text: 0x00F0_F0F0, ground: 0x0020_3058 };

/// The lights of the keyboard, by their bits.
const LIGHTS: [&str; 3] = ["SCROLL", "NUM", "CAPS"];

/// What the status line says.
pub struct Bar<'a> {
    pub status: &'a Status,
    pub grabbed: bool,
    pub host_key: HostKey,
}

impl Bar<'_> {
    /// One line of so many columns: the machine at the left, what to press at the right, as far as both fit.
    pub fn line(&self, columns: usize) -> String {
        let left = self.machine();
        let host = self.host_key.name();
        let right =
            if self.grabbed { format!("{host} takes the mouse back") } else { format!("{host} + F1: help") };
        let space = columns.saturating_sub(left.chars().count() + right.chars().count());
        let line = if space == 0 { left } else { format!("{left}{}{right}", " ".repeat(space)) };
        line.chars().take(columns).collect()
    }

    fn machine(&self) -> String {
        let Status { engine, mips, seconds, leds, paused, disk } = self.status;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let light = if *disk { "DISK" } else { "    " };
        let mut line = format!("{engine}  {mips} MIPS  {hours}:{minutes:02}:{:02}  {light}", seconds % 60);
        for (bit, light) in LIGHTS.iter().enumerate().filter(|(bit, _)| leds & 1 << bit != 0) {
            line += if bit == 0 { "  " } else { " " };
            line += light;
        }
        if *paused { format!("PAUSED  {line}") } else { line }
    }

    pub fn draw(&self, canvas: &mut Canvas<'_>) {
        let (width, cell) = (canvas.width(), canvas.cell());
        let y = canvas.height().saturating_sub(BAR);
        canvas.fill(Rect { x: 0, y, width, height: BAR }, BAR_INK.ground);
        let line = self.line(width.saturating_sub(2 * MARGIN) / cell.0);
        canvas.text(MARGIN, y + (BAR - cell.1) / 2, &line, BAR_INK.text);
    }
}

/// A message, over the lower edge of the picture; long ones are broken into lines.
pub fn message(canvas: &mut Canvas<'_>, bar: usize, text: &str) {
    let columns = (canvas.width().saturating_sub(4 * MARGIN) / canvas.cell().0).max(1);
    let lines = broken(text, columns);
    let (width, height) = box_size(canvas, &lines);
    let x = canvas.width().saturating_sub(width) / 2;
    let y = canvas.height().saturating_sub(bar + height + MARGIN);
    panel(canvas, (x, y), &lines, MESSAGE_INK);
}

/// A line that a person types, over the lower edge of the picture; `line` gives it for so many columns.
pub fn prompt(canvas: &mut Canvas<'_>, bar: usize, line: impl FnOnce(usize) -> String) {
    let columns = canvas.width().saturating_sub(4 * MARGIN) / canvas.cell().0;
    let lines = [line(columns)];
    let y = canvas.height().saturating_sub(bar + box_size(canvas, &lines).1 + MARGIN);
    panel(canvas, (MARGIN, y), &lines, HELP_INK);
}

/// The help, in the middle.
pub fn help(canvas: &mut Canvas<'_>, host_key: HostKey) {
    let lines = command::help(host_key);
    let (width, height) = box_size(canvas, &lines);
    let place = (canvas.width().saturating_sub(width) / 2, canvas.height().saturating_sub(height) / 2);
    panel(canvas, place, &lines, HELP_INK);
}

fn box_size(canvas: &Canvas<'_>, lines: &[String]) -> (usize, usize) {
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (across, down) = pitch(canvas);
    (longest * across + 2 * MARGIN, lines.len() * down + 2 * MARGIN)
}

/// From one character to the next, and from one line to the next.
fn pitch(canvas: &Canvas<'_>) -> (usize, usize) {
    let (across, down) = canvas.cell();
    (across, down + down / 4)
}

fn panel(canvas: &mut Canvas<'_>, (x, y): (usize, usize), lines: &[String], ink: Ink) {
    let (width, height) = box_size(canvas, lines);
    canvas.fill(Rect { x, y, width, height }, ink.ground);
    for (index, line) in lines.iter().enumerate() {
        canvas.text(x + MARGIN, y + MARGIN + index * pitch(canvas).1, line, ink.text);
    }
}

/// The words of a text in lines of at most so many columns.
fn broken(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always one");
        let length = last.chars().count() + 1 + word.chars().count();
        if last.is_empty() {
            last.push_str(word);
        } else if length <= columns {
            *last += " ";
            *last += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(status: &Status) -> Bar<'_> {
        Bar { status, grabbed: false, host_key: HostKey::RightCtrl }
    }

    #[test]
    fn the_status_line_says_how_the_machine_is_doing() {
        let status = Status {
            engine: "auto".into(),
            mips: 123,
            seconds: 3723,
            leds: 0b110,
            paused: false,
            disk: true,
        };
        let line = bar(&status).line(70);
        assert!(line.starts_with("auto  123 MIPS  1:02:03  DISK NUM CAPS  "), "{line}");
        let dark = Status { disk: false, ..status.clone() };
        assert!(bar(&dark).line(70).starts_with("auto  123 MIPS  1:02:03       NUM CAPS  "));
        assert!(line.ends_with("Right Ctrl + F1: help") && line.len() == 70);
        assert_eq!(bar(&status).line(12), "auto  123 MI");
        let paused = Status { paused: true, ..status };
        assert!(bar(&paused).line(70).starts_with("PAUSED  auto"));
        let grabbed = Bar { grabbed: true, ..bar(&paused) };
        assert!(grabbed.line(100).ends_with("Right Ctrl takes the mouse back"));
    }

    #[test]
    fn messages_are_broken_between_words() {
        assert_eq!(broken("one two three", 8), ["one two", "three"]);
        assert_eq!(broken("unbreakable word", 4), ["unbreakable", "word"]);
        assert_eq!(broken("", 4), [""]);
    }

    #[test]
    fn everything_can_be_drawn_on_any_window() {
        let status = Status::default();
        for (width, height) in [(0, 0), (1, 1), (7, 300), (300, 7), (640, 480)] {
            let mut pixels = vec![0; width * height];
            let mut canvas = Canvas::new(&mut pixels, width, height);
            bar(&status).draw(&mut canvas);
            message(&mut canvas, BAR, "a message that is somewhat longer");
            prompt(&mut canvas, BAR, |columns| "x".repeat(columns));
            help(&mut canvas, HostKey::Pause);
        }
    }
}
