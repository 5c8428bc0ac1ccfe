//! Where things are: the BIOS data area, vectors, ports, and the stack frame of a call.

/// The BIOS data area, as offsets from address 0 (IBM PS/2 and PC BIOS Interface Technical Reference, "Data Areas").
pub(super) mod bda {
    pub(in crate::video) const EQUIPMENT: i32 = 0x410;
    pub(in crate::video) const MODE: i32 = 0x449;
    pub(in crate::video) const COLUMNS: i32 = 0x44A;
    /// Bytes of a page.
    pub(in crate::video) const PAGE_SIZE: i32 = 0x44C;
    /// Where the shown page starts.
    pub(in crate::video) const PAGE_START: i32 = 0x44E;
    /// Eight words: the row in the high byte, the column in the low.
    pub(in crate::video) const CURSORS: i32 = 0x450;
    pub(in crate::video) const CURSOR_SHAPE: i32 = 0x460;
    pub(in crate::video) const PAGE: i32 = 0x462;
    pub(in crate::video) const CRTC: i32 = 0x463;
    /// What would be in the CGA's mode select and colour select registers.
    pub(in crate::video) const MODE_SELECT: i32 = 0x465;
    pub(in crate::video) const COLOUR_SELECT: i32 = 0x466;
    /// The last row, from 0.
    pub(in crate::video) const LAST_ROW: i32 = 0x484;
    pub(in crate::video) const CHARACTER_HEIGHT: i32 = 0x485;
    /// Bit 7: memory was not cleared; bits 6-5: 256 KiB; bit 0: no cursor emulation.
    pub(in crate::video) const CONTROL: i32 = 0x487;
    pub(in crate::video) const SWITCHES: i32 = 0x488;
    /// Bits 7 and 4: scan lines of text modes; bit 3: palette is kept; bit 1: grey summing; bit 0: VGA is active.
    pub(in crate::video) const FLAGS: i32 = 0x489;
    pub(in crate::video) const DISPLAY_COMBINATION: i32 = 0x48A;
    /// Far pointer to the save pointer table.
    pub(in crate::video) const SAVE_POINTERS: i32 = 0x4A8;
}

/// Interrupt vectors, as offsets from address 0.
pub(super) mod vector {
    pub(in crate::video) const VIDEO: i32 = 0x10 * 4;
    /// Points to the characters 80h-FFh of graphics modes 4-6.
    pub(in crate::video) const UPPER_FONT: i32 = 0x1F * 4;
    /// What INT 10h was before.
    pub(in crate::video) const OLD_VIDEO: i32 = 0x42 * 4;
    /// Points to the characters of graphics modes.
    pub(in crate::video) const FONT: i32 = 0x43 * 4;
}

/// VGA ports (FreeVGA, "VGA/SVGA Video Programming Information").
pub(super) mod port {
    pub(in crate::video) const ATTRIBUTE: i32 = 0x3C0;
    pub(in crate::video) const ATTRIBUTE_READ: i32 = 0x3C1;
    pub(in crate::video) const MISCELLANEOUS: i32 = 0x3C2;
    pub(in crate::video) const SEQUENCER: i32 = 0x3C4;
    pub(in crate::video) const DAC_MASK: i32 = 0x3C6;
    pub(in crate::video) const DAC_READ_INDEX: i32 = 0x3C7;
    pub(in crate::video) const DAC_WRITE_INDEX: i32 = 0x3C8;
    pub(in crate::video) const DAC_DATA: i32 = 0x3C9;
    pub(in crate::video) const MISCELLANEOUS_READ: i32 = 0x3CC;
    pub(in crate::video) const GRAPHICS: i32 = 0x3CE;
    /// From the CRT controller's index port to input status 1.
    pub(in crate::video) const STATUS_1: i32 = 6;
}

/// The caller's registers, relative to BP in every function.
pub(super) mod frame {
    pub(in crate::video) const DI: i32 = 0;
    pub(in crate::video) const BP: i32 = 8;
    pub(in crate::video) const BX: i32 = 16;
    pub(in crate::video) const BL: i32 = BX;
    pub(in crate::video) const BH: i32 = BX + 1;
    pub(in crate::video) const DX: i32 = 20;
    pub(in crate::video) const DL: i32 = DX;
    pub(in crate::video) const CX: i32 = 24;
    pub(in crate::video) const AX: i32 = 28;
    pub(in crate::video) const AL: i32 = AX;
    pub(in crate::video) const AH: i32 = AX + 1;
    pub(in crate::video) const ES: i32 = 34;
}

/// A function's own variables, below the caller's registers.
pub(super) mod local {
    /// Byte: characters are written with their attribute in text modes too.
    pub(in crate::video) const WITH_ATTRIBUTE: i32 = -2;
    /// Offset of the page that is written.
    pub(in crate::video) const PAGE: i32 = -4;
    /// Scrolling: +1 or -1, the way from line to line.
    pub(in crate::video) const STEP: i32 = -6;
    /// From the line that is written to the one it comes from.
    pub(in crate::video) const SHIFT: i32 = -8;
    /// Bytes of a line in the window, and bytes to the left of the window.
    pub(in crate::video) const COUNT: i32 = -10;
    pub(in crate::video) const LEFT: i32 = -12;
    /// Bytes from line to line.
    pub(in crate::video) const PITCH: i32 = -14;
    pub(in crate::video) const FILL: i32 = -16;
    /// The present line, and how many are still to be moved and to be blanked.
    pub(in crate::video) const LINE: i32 = -18;
    pub(in crate::video) const MOVED: i32 = -20;
    pub(in crate::video) const BLANKED: i32 = -22;
    /// Twice the memory model.
    pub(in crate::video) const MODEL: i32 = -24;
    /// Save and restore: where the state lies, and which parts.
    pub(in crate::video) const PARTS: i32 = -26;
    /// In banked modes: the bank in the window, or -1; bytes of a dot and of a line; where bytes wait to be moved.
    pub(in crate::video) const BANK: i32 = -28;
    pub(in crate::video) const DOT_BYTES: i32 = -30;
    pub(in crate::video) const LINE_BYTES: i32 = -52;
    pub(in crate::video) const BUFFER: i32 = -54;
    /// Sixteen bytes: the rows of a character on the screen.
    pub(in crate::video) const CELL: i32 = -48;
    pub(in crate::video) const SIZE: i32 = 64;
}

/// How display memory holds characters and dots, times two: an index into tables of words.
pub(super) mod model {
    pub(in crate::video) const TEXT: i32 = 0;
    /// Modes 4 and 5: two bits per dot, even and odd lines apart.
    pub(in crate::video) const CGA_4: i32 = 2;
    /// Mode 6: one bit per dot.
    pub(in crate::video) const CGA_2: i32 = 4;
    /// Planes at A0000h.
    pub(in crate::video) const PLANAR: i32 = 6;
    /// Mode 13h: a byte per dot at A0000h.
    pub(in crate::video) const LINEAR: i32 = 8;
    /// VBE modes with whole bytes per dot, seen through a 64 KiB window.
    pub(in crate::video) const BANKED: i32 = 10;
}

/// What the BIOS data area holds as the mode in VBE modes: planar and banked ones.
pub(super) const VBE_PLANAR: i32 = 0x7E;
pub(super) const VBE_BANKED: i32 = 0x7F;
