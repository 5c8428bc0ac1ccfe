//! Strokes on their way to the guest's keyboard, at the pace at which the guest takes them: none is lost, however long
//! the text is and however slowly it is read.

use crate::screen::keyboard::KeyboardLayout;
use crate::screen::keys::{self, Stroke};
use emu_core::Tick;
use emu_core::vcpu::{cr0, rflags};
use machine::Machine;
use std::collections::VecDeque;

/// Guest time between two strokes, at least.
const BETWEEN_STROKES: Tick = Tick::MILLISECOND.times(5);

/// So many strokes may wait: more than anybody pastes into a PC.
const MOST: usize = 1 << 20;

/// Strokes that wait.
#[derive(Default)]
pub(super) struct Typing {
    strokes: VecDeque<Stroke>,
    next: Tick,
}

impl Typing {
    pub(super) fn add(&mut self, strokes: impl IntoIterator<Item = Stroke>) {
        let room = MOST.saturating_sub(self.strokes.len());
        self.strokes.extend(strokes.into_iter().take(room));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.strokes.is_empty()
    }

    /// The stroke to press now, if the guest is ready for one.
    pub(super) fn next(&mut self, machine: &mut Machine) -> Option<Stroke> {
        if self.strokes.is_empty() || machine.now() < self.next || !takes_keys(machine) {
            return None;
        }
        self.next = machine.now() + BETWEEN_STROKES;
        self.strokes.pop_front()
    }
}

/// The strokes that type a text, line ends of any kind as Enter, and how many characters have no key.
pub(super) fn strokes(layout: KeyboardLayout, text: &str) -> (Vec<Stroke>, usize) {
    let (mut strokes, mut missing) = (Vec::new(), 0);
    for character in text.replace("\r\n", "\n").chars() {
        let before = strokes.len();
        strokes.extend(keys::of_character(layout, character));
        missing += usize::from(strokes.len() == before);
    }
    (strokes, missing)
}

/// Whether a key pressed now will be read some time.
pub(super) fn takes_keys(machine: &mut Machine) -> bool {
    machine.keyboard_is_idle() && (!is_the_bios_guest(machine) || bios_has_room(machine))
}

/// Programs under DOS read the BIOS's keyboard buffer; systems with paging have their own, except for virtual 8086
/// tasks.
fn is_the_bios_guest(machine: &Machine) -> bool {
    let cpu = machine.cpu();
    cpu.cr0 & cr0::PG == 0 || cpu.rflags & rflags::VM != 0
}

/// Where the BIOS data area is, and how much of it is looked at.
const BIOS_DATA: u64 = 0x400;
type BiosData = [u8; 0x84];

fn bios_has_room(machine: &Machine) -> bool {
    let mut data: BiosData = [0; 0x84];
    machine.peek(BIOS_DATA, &mut data) < data.len() || has_room(&data)
}

/// Whether the keyboard buffer has room for two: the one that the BIOS may be about to store, and ours
/// (IBM PS/2 and PC BIOS Interface Technical Reference, "BIOS Data Area": 1Ah next word to read, 1Ch next to write,
/// 80h start, 82h end). What is no buffer is no obstacle.
fn has_room(data: &BiosData) -> bool {
    let word = |at: usize| u16::from_le_bytes([data[at], data[at + 1]]);
    let (read, written, start, end) = (word(0x1A), word(0x1C), word(0x80), word(0x82));
    let inside = |at: u16| (start..end).contains(&at) && (at - start).is_multiple_of(2);
    if end <= start || !inside(read) || !inside(written) {
        return true;
    }
    let used = if written >= read { written - read } else { end - start - (read - written) } / 2;
    used + 3 <= (end - start) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(read: u16, written: u16, start: u16, end: u16) -> BiosData {
        let mut data = [0; 0x84];
        for (at, value) in [(0x1A, read), (0x1C, written), (0x80, start), (0x82, end)] {
            data[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        data
    }

    #[test]
    fn the_bios_buffer_of_sixteen_holds_fifteen() {
        let has_room = |read, written| has_room(&buffer(read, written, 0x1E, 0x3E));
        assert!(has_room(0x1E, 0x1E));
        assert!(has_room(0x1E, 0x1E + 13 * 2));
        assert!(!has_room(0x1E, 0x1E + 14 * 2));
        assert!(has_room(0x3C, 0x1E + 12 * 2), "13 waiting, around the end");
        assert!(!has_room(0x3C, 0x1E + 13 * 2));
    }

    #[test]
    fn what_is_no_buffer_is_no_obstacle() {
        assert!(has_room(&buffer(0, 0, 0, 0)));
        assert!(has_room(&buffer(0x1F, 0x1E, 0x1E, 0x3E)));
        assert!(has_room(&buffer(0x1E, 0xFFFE, 0x1E, 0x3E)));
        assert!(has_room(&buffer(0x1E, 0x1E, 0xFFFF, 0x0001)));
    }

    #[test]
    fn a_text_becomes_strokes() {
        let (strokes, missing) = strokes(KeyboardLayout::Us, "a\r\nB\n\u{e4}");
        assert_eq!(strokes.iter().map(|stroke| stroke.code).collect::<Vec<_>>(), [0x1E, 0x1C, 0x30, 0x1C]);
        assert_eq!(missing, 1);
    }
}
