//! Exceptions as values: vector, error code, and what a handler returns after raising one.

use super::{Cpu, Faulted};

/// Vectors (Intel SDM Vol. 3A table 6-1).
pub mod vector {
    pub const DE: u8 = 0;
    pub const DB: u8 = 1;
    pub const NMI: u8 = 2;
    pub const BP: u8 = 3;
    pub const OF: u8 = 4;
    pub const BR: u8 = 5;
    pub const UD: u8 = 6;
    pub const NM: u8 = 7;
    pub const DF: u8 = 8;
    pub const TS: u8 = 10;
    pub const NP: u8 = 11;
    pub const SS: u8 = 12;
    pub const GP: u8 = 13;
    pub const PF: u8 = 14;
    pub const MF: u8 = 16;
    pub const AC: u8 = 17;
    pub const XM: u8 = 19;
}

/// An exception that an instruction has raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    pub vector: u8,
    /// Pushed after the return address, except in real mode.
    pub error: Option<u32>,
}

/// Why control came back to the run loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing special: look up `rip` and go on.
    Lookup,
    Exception(Exception),
    /// The instruction touches a device or compiled code: run it again by itself, with that allowed.
    OneShot,
}

impl Cpu {
    /// Raises an exception: `return Err(cpu.raise(..))`.
    #[cold]
    pub fn raise(&mut self, vector: u8, error: Option<u32>) -> Faulted {
        self.why = Why::Exception(Exception { vector, error });
        Faulted
    }

    #[cold]
    pub fn de(&mut self) -> Faulted {
        self.raise(vector::DE, None)
    }

    #[cold]
    pub fn ud(&mut self) -> Faulted {
        self.raise(vector::UD, None)
    }

    #[cold]
    pub fn nm(&mut self) -> Faulted {
        self.raise(vector::NM, None)
    }

    #[cold]
    pub fn gp(&mut self, code: u32) -> Faulted {
        self.raise(vector::GP, Some(code))
    }

    #[cold]
    pub fn ss(&mut self, code: u32) -> Faulted {
        self.raise(vector::SS, Some(code))
    }

    #[cold]
    pub fn np(&mut self, code: u32) -> Faulted {
        self.raise(vector::NP, Some(code))
    }

    #[cold]
    pub fn ts(&mut self, code: u32) -> Faulted {
        self.raise(vector::TS, Some(code))
    }

    #[cold]
    pub fn ac(&mut self) -> Faulted {
        self.raise(vector::AC, Some(0))
    }

    #[cold]
    pub fn mf(&mut self) -> Faulted {
        self.raise(vector::MF, None)
    }

    #[cold]
    pub fn xm(&mut self) -> Faulted {
        self.raise(vector::XM, None)
    }

    /// #PF at `linear`. CR2 is loaded here: nothing can come between raising and delivering the fault.
    #[cold]
    pub fn pf(&mut self, linear: u64, code: u32) -> Faulted {
        self.s.cr2 = linear;
        self.raise(vector::PF, Some(code))
    }

    /// #SS(0) for a stack-segment access, #GP(0) for any other.
    #[cold]
    pub fn segment_fault(&mut self, seg: u8) -> Faulted {
        if seg == 2 { self.ss(0) } else { self.gp(0) }
    }
}
