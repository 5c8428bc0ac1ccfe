//! 4F05h and 4F07h: which part of memory is in the window, and which is shown.

use super::dispi;
use crate::video::assembler::{Assembler, code};
use crate::video::layout::frame;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    window(a)?;
    direct(a)?;
    start(a)?;
    needs_mode(a)
}

/// BH = 0: sets, 1: gets; BL = window (0); DX = its place in steps of 64 KiB.
fn window(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_window:
        call -> needs_vbe_mode;
        call -> window_of_caller;
        jc -> vbe_failed;
        mov word_ptr(bp + frame::DX), dx;
        jmp -> vbe_done;
    // BX, DX as above. Carry if the window is not there. Clobbers AX.
    window_of_caller:
        or bl, bl;
        jnz -> no_such_window;
        cmp bh, 1;
        ja -> no_such_window;
        mov ax, dispi::BANK;
        je -> get_window;
        push cx;
        mov cx, dx;
        call -> dispi_set;
        pop cx;
        clc;
        ret;
    get_window:
        call -> dispi_get;
        mov dx, ax;
        clc;
        ret;
    no_such_window:
        stc;
        ret;
    }
    Ok(())
}

/// The far call that a mode's information points to: BX, DX as for 4F05h, AX and DX are lost.
fn direct(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_window_call:
        call -> window_of_caller;
        retf;
    }
    Ok(())
}

/// BL = 0 or 80h: CX, DX = first dot shown; BL = 1: gets it.
fn start(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_display_start:
        call -> needs_vbe_mode;
        cmp bl, 1;
        je -> get_display_start;
        test bl, 0x7F;
        jnz -> vbe_failed;
        mov ax, dispi::X_OFFSET;
        call -> dispi_set;
        mov cx, dx;
        inc ax;
        call -> dispi_set;
        jmp -> vbe_done;
    get_display_start:
        mov ax, dispi::X_OFFSET;
        call -> dispi_get;
        mov word_ptr(bp + frame::CX), ax;
        mov ax, dispi::Y_OFFSET;
        call -> dispi_get;
        mov word_ptr(bp + frame::DX), ax;
        mov byte_ptr(bp + frame::BH), 0;
        jmp -> vbe_done;
    }
    Ok(())
}

/// Outside of VBE modes the calling function fails. Clobbers AX.
fn needs_mode(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    needs_vbe_mode:
        mov ax, dispi::ENABLE;
        call -> dispi_get;
        test al, dispi::ENABLED;
        jnz -> nothing;
        pop ax;
        jmp -> vbe_failed;
    }
    Ok(())
}
