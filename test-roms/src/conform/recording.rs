//! Vectors recorded from silicon, for hosts that are none and for tests that should take seconds.
//!
//! Inputs are made again from their seed; what is kept is what silicon made of them: the words of the outcome and of
//! memory that a run changed. A recording holds for the generator that made it, and says so when that has changed.

use super::job::{Job, Subject};
use super::layout::{DATA_BYTES, STACK_BYTES};
use super::program::CodeSize;
use super::state::{Inputs, Outcome};
use super::words;
use serde::{Deserialize, Serialize};
use std::io::Read;

/// The recording that comes with the program.
pub const BUILT_IN: &[u8] = include_bytes!("../../vectors/silicon.bin");

/// A set of recorded vectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The silicon's name for itself.
    pub host: String,
    /// Year, month, day.
    pub date: String,
    pub jobs: Vec<Recorded>,
}

/// A job with its vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// iced-x86's number of the opcode, which is not the index of the form; none for sequences.
    pub code: Option<u16>,
    pub size: CodeSize,
    pub seed: u64,
    pub round: u64,
    pub programs: u32,
    pub inputs: u32,
    /// Program by program.
    pub vectors: Vec<Vector>,
}

/// What one run changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vector {
    /// Of the program and its inputs.
    check: u32,
    /// Place and new content of each changed word: first the outcome's, then those of the data and stack pages.
    changes: Vec<(u16, u64)>,
}

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("this is not a recording of conformance vectors: {0}")]
    Shape(String),
    #[error(
        "the recording was made by another version of the generator; make a new one on silicon with --record"
    )]
    Generator,
    #[error("the recording tries form {0}, which this version does not know")]
    Form(u16),
}

/// Recordings are a few MiB; a file that claims to unpack to more than this is none.
const LARGEST: u64 = 1 << 30;
const LEVEL: i32 = 19;

impl Recording {
    /// # Errors
    /// The bytes are not a recording.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordingError> {
        let shape = |error: &dyn std::fmt::Display| RecordingError::Shape(error.to_string());
        let unpacked = zstd::stream::read::Decoder::new(bytes).map_err(|error| shape(&error))?;
        // To the end, where the check sum is.
        let mut plain = Vec::new();
        unpacked.take(LARGEST).read_to_end(&mut plain).map_err(|error| shape(&error))?;
        ciborium::from_reader(plain.as_slice()).map_err(|error| shape(&error))
    }

    /// The file's bytes.
    pub fn write(&self) -> Vec<u8> {
        let packed = || {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
            encoder.include_checksum(true)?;
            ciborium::into_writer(self, &mut encoder).map_err(std::io::Error::other)?;
            encoder.finish()
        };
        packed().expect("packing plain data into memory")
    }
}

impl Recorded {
    /// # Errors
    /// The form is not known.
    pub fn job(&self) -> Result<Job, RecordingError> {
        let subject = match self.code {
            None => Subject::Sequence(self.size),
            Some(number) => Subject::Form(form_index(number, self.size).ok_or(RecordingError::Form(number))?),
        };
        let Self { seed, round, programs, inputs, .. } = *self;
        Ok(Job { subject, seed, round, programs, inputs })
    }
}

fn form_index(number: u16, size: CodeSize) -> Option<usize> {
    let code = iced_x86::Code::try_from(usize::from(number)).ok()?;
    super::form::index(code, size)
}

/// The pages' words.
fn page_words<'a>(pages: [&'a [u8]; 2]) -> impl Iterator<Item = u64> + 'a {
    let words = pages.into_iter().flat_map(|page| page.as_chunks::<8>().0);
    words.map(|word| u64::from_le_bytes(*word))
}

/// A check sum that notices when a generator makes something else from the same seed.
fn check(code: &[u8], inputs: &Inputs) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(code);
    let r = &inputs.registers;
    let nowhere = Outcome { end: super::state::End::Through, registers: r.clone(), selectors: [0; 6] };
    words::of(&nowhere).iter().for_each(|word| sum.update(&word.to_le_bytes()));
    for patch in &inputs.patches {
        sum.update(&patch.at.to_le_bytes());
        sum.update(&patch.bytes);
    }
    sum.finalize()
}

/// The outcome that a run would have that does nothing.
fn nothing_done(inputs: &Inputs) -> Outcome {
    Outcome { end: super::state::End::Through, registers: inputs.registers.clone(), selectors: [0; 6] }
}

impl Vector {
    /// `before` and `after` are the data and stack pages.
    pub fn record(
        code: &[u8],
        inputs: &Inputs,
        outcome: &Outcome,
        before: [&[u8]; 2],
        after: [&[u8]; 2],
    ) -> Self {
        let old = words::of(&nothing_done(inputs)).into_iter().chain(page_words(before));
        let new = words::of(outcome).into_iter().chain(page_words(after));
        let changed = (0u16..).zip(old.zip(new)).filter(|(_, (old, new))| old != new);
        Self { check: check(code, inputs), changes: changed.map(|(place, (_, new))| (place, new)).collect() }
    }

    /// What silicon made of these inputs; `pages` hold what they held before, and then after.
    ///
    /// # Errors
    /// These are not the inputs that were recorded.
    pub fn replay(
        &self,
        code: &[u8],
        inputs: &Inputs,
        data: &mut [u8; DATA_BYTES],
        stack: &mut [u8; STACK_BYTES],
    ) -> Result<Outcome, RecordingError> {
        if check(code, inputs) != self.check {
            return Err(RecordingError::Generator);
        }
        let mut row = words::of(&nothing_done(inputs));
        for (place, word) in &self.changes {
            let place = usize::from(*place);
            let bytes = word.to_le_bytes();
            if let Some(slot) = row.get_mut(place) {
                *slot = *word;
            } else if let Some(slot) = chunk(data, place - words::COUNT) {
                slot.copy_from_slice(&bytes);
            } else if let Some(slot) = chunk(stack, place - words::COUNT - DATA_BYTES / 8) {
                slot.copy_from_slice(&bytes);
            }
        }
        Ok(words::outcome(&row))
    }
}

fn chunk(page: &mut [u8], word: usize) -> Option<&mut [u8]> {
    page.get_mut(8 * word..8 * word + 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::state::End;

    #[test]
    fn what_was_recorded_comes_back() {
        let inputs = Inputs::default();
        let mut outcome = nothing_done(&inputs);
        outcome.end = End::Exception { vector: 6, error: 0, rip: 7, cr2: None };
        outcome.registers.gpr[3] = 9;
        let (mut data, mut stack) = ([1; DATA_BYTES], [2; STACK_BYTES]);
        let before = (data, stack);
        data[8000] = 77;
        stack[STACK_BYTES - 1] = 78;
        let vector =
            Vector::record(b"code", &inputs, &outcome, [&before.0, &before.1], [&data[..], &stack[..]]);
        let (mut d, mut s) = before;
        assert_eq!(vector.replay(b"code", &inputs, &mut d, &mut s).expect("the same inputs"), outcome);
        assert!(d == data && s == stack);
        assert!(vector.replay(b"cod", &inputs, &mut d, &mut s).is_err());
    }

    #[test]
    fn files_are_recordings_or_refused() {
        let recording = Recording { host: "x".to_owned(), date: "y".to_owned(), jobs: Vec::new() };
        let mut bytes = recording.write();
        assert_eq!(Recording::read(&bytes).expect("just written"), recording);
        bytes.truncate(bytes.len() / 2);
        assert!(Recording::read(&bytes).is_err());
        assert!(Recording::read(b"no recording").is_err());
    }
}
