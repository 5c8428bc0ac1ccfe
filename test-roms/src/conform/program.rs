//! A program under test: its code and where it lies.

use super::layout::{CODE, WINDOW};
use serde::{Deserialize, Serialize};

/// The size of code segment it runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CodeSize {
    Bits16,
    Bits32,
    #[default]
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

    /// The base of its code segment, and of its data segments.
    pub const fn base(self) -> u64 {
        match self {
            Self::Bits16 => WINDOW,
            _ => 0,
        }
    }
}

/// One instruction, or a sequence of up to eight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub size: CodeSize,
    /// Where its first byte lies: bytes from the start of the code pages.
    pub offset: u16,
    /// The instructions' bytes, one after the other, 120 at most in all.
    pub code: Vec<u8>,
    /// What the data, fixed and stack pages are filled from.
    pub seed: u64,
}

impl Program {
    /// The linear address of its first byte.
    pub fn start(&self) -> u64 {
        CODE + u64::from(self.offset)
    }

    /// The linear address past its last byte.
    pub fn end(&self) -> u64 {
        self.start() + self.code.len() as u64
    }
}
