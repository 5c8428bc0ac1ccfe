//! 4F06h: the length of a line in memory.

use super::dispi;
use crate::video::assembler::{Assembler, code};
use crate::video::layout::frame;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// The most dots of a line that are offered.
const LONGEST: i32 = 0x1FF8;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    function(a)?;
    tell(a)?;
    longest(a)
}

/// BL = 0: CX = dots, 1: gets it, 2: CX = bytes, 3: gets the longest. Lines are made of whole eights of dots.
fn function(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_line_length:
        call -> needs_vbe_mode;
        cmp bl, 1;
        je -> tell_line;
        jb -> set_line;
        cmp bl, 3;
        ja -> vbe_failed;
        je -> longest_line;
        // From bytes to dots.
        mov ax, dispi::DEPTH;
        call -> dispi_get;
        cmp ax, 4;
        jne -> bytes_of_dots;
        shl cx, 3;
        jmp -> set_line;
    bytes_of_dots:
        mov ax, cx;
        call -> dispi_dot_bytes;
        xor dx, dx;
        div cx;
        mov cx, ax;
    set_line:
        add cx, 7;
        and cx, -8;
        cmp cx, LONGEST;
        ja -> line_refused;
        mov ax, dispi::WIDTH;
        call -> dispi_get;
        cmp cx, ax;
        jb -> line_refused;
        mov ax, dispi::LINE_WIDTH;
        call -> dispi_set;
        jmp -> tell_line;
    line_refused:
        // Not possible in this mode (VBE 3.0, 4.9).
        mov word_ptr(bp + frame::AX), 0x024F;
        ret;
    }
    Ok(())
}

/// BX = bytes, CX = dots, DX = lines that memory holds.
fn tell(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    tell_line:
        mov ax, dispi::LINE_WIDTH;
        call -> dispi_get;
        mov word_ptr(bp + frame::CX), ax;
        call -> dispi_pitch;
        mov word_ptr(bp + frame::BX), cx;
        call -> dispi_memory;
        push eax;
        mov ax, dispi::DEPTH;
        call -> dispi_get;
        cmp ax, 4;
        pop eax;
        jne -> lines_of_bytes;
        // A line is in four planes.
        shr eax, 2;
    lines_of_bytes:
        xor edx, edx;
        div ecx;
        cmp eax, 0xFFFF;
        jbe -> lines_counted;
        mov eax, 0xFFFF;
    lines_counted:
        mov word_ptr(bp + frame::DX), ax;
        jmp -> vbe_done;
    }
    Ok(())
}

/// BX = bytes, CX = dots of the longest line with which the picture still fits.
fn longest(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    longest_line:
        mov ax, dispi::HEIGHT;
        call -> dispi_get;
        movzx ebx, ax;
        mov ax, dispi::DEPTH;
        call -> dispi_get;
        movzx ecx, ax;
        cmp cl, 15;
        jne -> depth_known;
        inc cx;
    depth_known:
        imul_2 ebx, ecx;
        call -> dispi_memory;
        // Bits of memory, divided by bits of a column of dots.
        xor edx, edx;
        shld edx, eax, 3;
        shl eax, 3;
        div ebx;
        and eax, -8;
        cmp eax, LONGEST;
        jbe -> longest_known;
        mov eax, LONGEST;
    longest_known:
        mov word_ptr(bp + frame::CX), ax;
        imul_2 eax, ecx;
        shr eax, 3;
        cmp cl, 4;
        jne -> longest_told;
        shr eax, 2;
    longest_told:
        mov word_ptr(bp + frame::BX), ax;
        jmp -> vbe_done;
    }
    Ok(())
}
