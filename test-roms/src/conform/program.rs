//! A program under test: its code and where it lies.

use serde::{Deserialize, Serialize};

/// The size of code segment it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CodeSize {
    Bits16,
    Bits32,
    Bits64,
}

impl CodeSize {
    pub const ALL: [Self; 3] = [Self::Bits64, Self::Bits32, Self::Bits16];

    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits16 => 16,
            Self::Bits32 => 32,
            Self::Bits64 => 64,
        }
    }
}

/// One instruction, or a sequence of up to eight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub size: CodeSize,
    /// Where its first byte lies: bytes from the start of the code pages.
    pub offset: u16,
    /// The instructions' bytes, one after the other, 120 at most in all.
    pub code: Vec<u8>,
    /// What the data, fixed and stack pages are filled from.
    pub seed: u64,
}
