//! The video BIOS: an option ROM at C0000h.
