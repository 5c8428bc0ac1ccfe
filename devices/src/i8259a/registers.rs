//! Command words, 8259A data sheet, "Programming the 8259A".

use bitfield_struct::bitfield;

/// Initialization Command Word 1.
#[bitfield(u8)]
pub(super) struct Icw1 {
    /// ICW4 follows.
    pub ic4: bool,
    /// Single: no ICW3.
    pub sngl: bool,
    adi: bool,
    ltim: bool,
    /// One in every ICW1; tells it from OCW2 and OCW3.
    pub is_icw1: bool,
    #[bits(3)]
    __: u8,
}

/// Initialization Command Word 4.
#[bitfield(u8)]
pub(super) struct Icw4 {
    upm: bool,
    /// Automatic end of interrupt.
    pub aeoi: bool,
    ms: bool,
    buf: bool,
    /// Special fully nested mode.
    pub sfnm: bool,
    #[bits(3)]
    __: u8,
}

/// Operation Command Word 2.
#[bitfield(u8)]
pub(super) struct Ocw2 {
    /// The level that a specific command acts on.
    #[bits(3)]
    pub l: u8,
    #[bits(2)]
    __: u8,
    /// R, SL, EOI as one number.
    #[bits(3)]
    pub command: u8,
}

/// Operation Command Word 3.
#[bitfield(u8)]
pub(super) struct Ocw3 {
    /// Which register to read: ISR if set.
    pub ris: bool,
    pub rr: bool,
    /// Poll.
    pub p: bool,
    /// One in every OCW3; tells it from OCW2.
    pub is_ocw3: bool,
    __: bool,
    pub smm: bool,
    pub esmm: bool,
    __: bool,
}
