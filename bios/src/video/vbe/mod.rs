//! AH=4Fh: VESA BIOS extensions over the Bochs DISPI ports.
//!
//! VESA, "VBE Core Functions Standard, Version 3.0"; "VBE/DDC Standard, Version 1.1"; QEMU, docs/specs/standard-vga.
//! Left out: the protected-mode interface (4F0Ah is refused), refresh rates by CRTC values, stereo, triple buffering.

mod ddc;
mod dispi;
mod information;
mod line;
pub(super) mod modes;
mod palette;
mod set_mode;
mod window;

use super::assembler::{Assembler, code};
use super::layout::frame;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    dispatch(a)?;
    for part in
        [dispi::emit, information::emit, set_mode::emit, window::emit, line::emit, palette::emit, ddc::emit]
    {
        part(a)?;
    }
    Ok(())
}

/// AL = function. A function ends in `vbe_done` or `vbe_failed`; where AL comes back unchanged, there is none.
fn dispatch(a: &mut Assembler) -> Result<(), IcedError> {
    let functions = a.jump_table(&[
        "vbe_information",
        "vbe_mode_information",
        "vbe_set_mode",
        "vbe_get_mode",
        "vbe_state",
        "vbe_window",
        "vbe_line_length",
        "vbe_display_start",
        "vbe_dac_width",
        "vbe_palette",
        "vbe_failed",
    ]);
    code! { a;
    vbe:
        // Each part of the adapter's identifier B0C0h-B0CFh.
        xor ax, ax;
        call -> dispi_get;
        and al, 0xF0;
        cmp ax, 0xB0C0;
        mov ax, word_ptr(bp + frame::AX);
        jne -> nothing;
        cmp al, 0x15;
        je -> vbe_ddc;
        cmp al, 0x0A;
        ja -> nothing;
        movzx si, al;
        add si, si;
        jmp word_ptr(si + functions).cs();
    vbe_done:
        mov word_ptr(bp + frame::AX), 0x004F;
        ret;
    vbe_failed:
        mov word_ptr(bp + frame::AX), 0x014F;
        ret;
    }
    Ok(())
}
