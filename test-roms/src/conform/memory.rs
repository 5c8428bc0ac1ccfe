//! The window's memory, and what it is filled with.

use super::layout::*;
use super::program::Program;
use super::state::Patch;

/// The pages of the window, on the host or in a guest.
pub trait Memory {
    fn set_code(&mut self, bytes: &[u8; CODE_BYTES]);
    fn set_fixed(&mut self, bytes: &[u8; FIXED_BYTES]);
    /// Before a run.
    fn set(&mut self, data: &[u8; DATA_BYTES], stack: &[u8; STACK_BYTES]);
    /// After it.
    fn get(&self, data: &mut [u8; DATA_BYTES], stack: &mut [u8; STACK_BYTES]);
}

/// What the pages hold before a run.
#[derive(Clone)]
pub struct Content {
    pub code: Box<[u8; CODE_BYTES]>,
    pub fixed: Box<[u8; FIXED_BYTES]>,
    pub data: Box<[u8; DATA_BYTES]>,
    pub stack: Box<[u8; STACK_BYTES]>,
}

/// INT3.
const FILLING: u8 = 0xCC;

impl Content {
    pub fn of(program: &Program) -> Self {
        let mut seed = program.seed;
        let mut content = Self {
            code: Box::new([FILLING; CODE_BYTES]),
            fixed: Box::new([0; FIXED_BYTES]),
            data: Box::new([0; DATA_BYTES]),
            stack: Box::new([0; STACK_BYTES]),
        };
        let start = usize::from(program.offset);
        content.code[start..start + program.code.len()].copy_from_slice(&program.code);
        scatter(&mut *content.fixed, &mut seed);
        scatter(&mut *content.data, &mut seed);
        scatter(&mut *content.stack, &mut seed);
        content
    }

    /// Puts patches in place. Bytes outside of the data and stack pages are left out.
    pub fn patch(&mut self, patches: &[Patch]) {
        for patch in patches {
            if let Some(place) = self.place(patch) {
                place.copy_from_slice(&patch.bytes);
            }
        }
    }

    fn place(&mut self, patch: &Patch) -> Option<&mut [u8]> {
        let within = |base: u64| usize::try_from(patch.at.checked_sub(base)?).ok();
        let (data, stack) = (within(DATA), within(STACK));
        let size = patch.bytes.len();
        data.and_then(|at| self.data.get_mut(at..at.checked_add(size)?))
            .or_else(|| stack.and_then(|at| self.stack.get_mut(at..at.checked_add(size)?)))
    }
}

/// Fills `bytes` by SplitMix64.
fn scatter(bytes: &mut [u8], seed: &mut u64) {
    for word in bytes.chunks_exact_mut(8) {
        *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *seed;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word.copy_from_slice(&(z ^ z >> 31).to_le_bytes());
    }
}
