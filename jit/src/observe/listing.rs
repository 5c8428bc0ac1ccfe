//! A region for a reader: each guest instruction with the intermediate code and the host code made for it.

use super::{Mark, Placed};
use cranelift_codegen::ir::SourceLoc;
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, NasmFormatter};
use std::fmt::{self, Write};

/// Shows a region.
pub struct Listing<'a>(pub &'a Placed<'a>);

/// Columns that guest code takes, so that what belongs to it stands beside it.
const GUEST: usize = 64;

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Placed { source, notes, code, address } = self.0;
        let (guest, host) = (source.instructions.len(), code.len());
        writeln!(
            f,
            "region {:x}h, {}-bit code: {guest} instructions, {host} bytes at {address:x}h",
            source.entry, source.bits
        )?;
        let lines = IrLines::of(notes.ir.as_deref().unwrap_or_default());
        self.around(f, &lines, "before the first instruction")?;
        for (off, bytes) in &source.instructions {
            let left = guest_line(source.linear(*off), source.bits, bytes);
            self.beside(f, &left, lines.of_guest(*off), self.marks_of(*off))?;
        }
        Ok(())
    }
}

impl Listing<'_> {
    /// Code that belongs to no guest instruction: entry and exits.
    fn around(&self, f: &mut fmt::Formatter<'_>, lines: &IrLines<'_>, title: &str) -> fmt::Result {
        let known = self.0.source.instructions.iter().map(|(off, _)| *off);
        let known: Vec<i64> = known.collect();
        let others = self
            .gaps()
            .into_iter()
            .chain(self.0.notes.marks.iter().copied().filter(|mark| !known.contains(&mark.guest)));
        let title = if self.0.notes.marks.is_empty() { "all of it" } else { title };
        self.beside(f, &format!("({title}, and exits)"), lines.of_nobody(), others)
    }

    fn marks_of(&self, off: i64) -> impl Iterator<Item = Mark> + '_ {
        self.0.notes.marks.iter().copied().filter(move |mark| mark.guest == off)
    }

    /// Host code that nothing is noted of.
    fn gaps(&self) -> Vec<Mark> {
        let mut gaps = Vec::new();
        let mut at = 0;
        let end = Mark { start: u32::try_from(self.0.code.len()).unwrap_or(u32::MAX), end: 0, guest: 0 };
        for mark in self.0.notes.marks.iter().copied().chain([end]) {
            if mark.start > at {
                gaps.push(Mark { start: at, end: mark.start, guest: i64::MIN });
            }
            at = at.max(mark.end);
        }
        gaps
    }

    /// Guest code on the left, the rest below each other on the right: intermediate code, then host code.
    fn beside<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        left: &str,
        ir: impl Iterator<Item = &'b str>,
        marks: impl Iterator<Item = Mark>,
    ) -> fmt::Result {
        let host = marks.flat_map(|mark| self.host_lines(mark));
        let mut right = ir.map(|line| format!("  ; {line}")).chain(host);
        let first = right.next().unwrap_or_default();
        writeln!(f, "{left:GUEST$} {first}")?;
        right.try_for_each(|line| writeln!(f, "{:GUEST$} {line}", ""))
    }

    fn host_lines(&self, mark: Mark) -> Vec<String> {
        let range = mark.start as usize..(mark.end as usize).min(self.0.code.len());
        let Some(bytes) = self.0.code.get(range) else { return Vec::new() };
        let at = self.0.address.wrapping_add(u64::from(mark.start));
        let decoder = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE);
        decoder
            .into_iter()
            .map(|instruction| format!("{:x}  {}", instruction.ip(), text(&instruction)))
            .collect()
    }
}

fn guest_line(linear: u64, bits: u32, bytes: &[u8]) -> String {
    let instruction = Decoder::with_ip(bits, bytes, linear, DecoderOptions::NONE).decode();
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{linear:x}  {hex:22} {}", text(&instruction))
}

fn text(instruction: &Instruction) -> String {
    let mut text = String::new();
    NasmFormatter::new().format(instruction, &mut text);
    text
}

/// Lines of Cranelift's text with the guest instruction they were made for: it prints a source location in front of
/// an instruction if there is one (`@1234  v5 = iadd v3, v4`). The head of a block goes with what follows it; other
/// names of a value (`v7 -> v3`) are left out.
struct IrLines<'a>(Vec<(Option<i64>, &'a str)>);

impl<'a> IrLines<'a> {
    fn of(text: &'a str) -> Self {
        let (mut lines, mut heads) = (Vec::new(), Vec::new());
        for line in text.lines().map(str::trim) {
            let (at, line) = located(line);
            match () {
                () if line.is_empty() || line.contains(" -> v") => {}
                () if line.starts_with("block") => heads.push(line),
                () => {
                    lines.extend(heads.drain(..).map(|head| (at, head)));
                    lines.push((at, line));
                }
            }
        }
        Self(lines)
    }

    fn of_guest(&self, off: i64) -> impl Iterator<Item = &'a str> + '_ {
        self.0.iter().filter(move |(at, _)| *at == Some(off)).map(|(_, line)| *line)
    }

    fn of_nobody(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.0.iter().filter(|(at, _)| at.is_none()).map(|(_, line)| *line)
    }
}

/// A line without its source location, and that.
fn located(line: &str) -> (Option<i64>, &str) {
    let split = line.strip_prefix('@').and_then(|rest| rest.split_once(' '));
    let bits = split.and_then(|(location, _)| u32::from_str_radix(location, 16).ok());
    match (bits, split) {
        (Some(bits), Some((_, rest))) => (Some(offset_of(SourceLoc::new(bits))), rest.trim_start()),
        _ => (None, line),
    }
}

/// The source location of a guest offset, and back: offsets may be negative.
pub(crate) fn location_of(off: i64) -> SourceLoc {
    SourceLoc::new(off as u32)
}

pub(crate) fn offset_of(location: SourceLoc) -> i64 {
    i64::from(location.bits() as i32)
}

#[cfg(test)]
mod tests {
    use super::super::{Notes, Source};
    use super::*;

    #[test]
    fn each_instruction_stands_beside_what_was_made_for_it() {
        let source = Source {
            page: 0xFFFF_FFFF_8101_2000,
            entry: 0xFFFF_FFFF_8101_2345,
            bits: 64,
            instructions: vec![(0x345, vec![0x48, 0x01, 0xD8]), (0x348, vec![0xC3])],
        };
        let notes = Notes {
            ir: Some(
                "function u0:0() {\nblock0:\n    v9 -> v1\n@0345  v1 = iadd v2, v3\n@0348  return\n}\n"
                    .to_owned(),
            ),
            marks: vec![Mark { start: 1, end: 4, guest: 0x345 }, Mark { start: 4, end: 5, guest: 0x348 }],
        };
        let code = [0x55, 0x48, 0x01, 0xF7, 0xC3];
        let placed = Placed { source: &source, notes: &notes, code: &code, address: 0x7000 };
        let text = Listing(&placed).to_string();
        for part in [
            "region ffffffff81012345h, 64-bit code: 2 instructions, 5 bytes",
            "ffffffff81012345  4801d8                 add rax,rbx",
            " ; block0:\n",
            " ; v1 = iadd v2, v3\n",
            "7001  add rdi,rsi",
            "7000  push rbp",
        ] {
            assert!(text.contains(part), "`{part}` in\n{text}");
        }
        assert!(!text.contains("v9"), "{text}");
    }

    #[test]
    fn without_notes_all_host_code_is_shown() {
        let source = Source { page: 0, entry: 0, bits: 16, instructions: vec![(0, vec![0x40])] };
        let placed = Placed { source: &source, notes: &Notes::default(), code: &[0xC3], address: 0x10 };
        let text = Listing(&placed).to_string();
        assert!(text.contains("inc ax") && text.contains("10  ret"), "{text}");
    }

    #[test]
    fn offsets_before_the_page_come_back() {
        for off in [-4096, -1, 0, 8191] {
            assert_eq!(offset_of(location_of(off)), off);
        }
    }
}
