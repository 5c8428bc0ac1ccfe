//! AH=01h-05h: the cursor, and the page that is shown.

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, model};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    shape(a)?;
    scale_shape(a)?;
    position(a)?;
    page(a)
}

/// AH=01h: CH, CL = first and last line. Lines are those of a cell of 8 unless emulation is off.
fn shape(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    set_cursor_shape:
        mov word_ptr(bda::CURSOR_SHAPE), cx;
    program_cursor_shape:
        call -> get_model;
        or si, si;
        jnz -> shape_is_set;
        test byte_ptr(bda::CONTROL), 1;
        jnz -> shape_scaled;
        call -> scale_shape;
    shape_scaled:
        mov dx, word_ptr(bda::CRTC);
        mov al, 0x0A;
        mov ah, ch;
        out dx, ax;
        inc al;
        mov ah, cl;
        out dx, ax;
    shape_is_set:
        ret;
    }
    Ok(())
}

/// From lines of an 8-line cell in CX to those of the present one: thin cursors keep their thickness and stay one line
/// above the bottom, others keep their part of the cell.
fn scale_shape(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    scale_shape:
        mov bl, byte_ptr(bda::CHARACTER_HEIGHT);
        cmp bl, 8;
        jbe -> scaled;
        // Hidden, or meant for a higher cell, or upside down.
        cmp ch, 7;
        ja -> scaled;
        cmp cl, 7;
        ja -> scaled;
        cmp ch, cl;
        ja -> scaled;
        cmp ch, 5;
        jb -> scale_both;
        sub cl, ch;
        mov ch, bl;
        sub ch, 2;
        mov al, cl;
        mov cl, ch;
        sub ch, al;
        ret;
    scale_both:
        mov al, ch;
        mul bl;
        shr ax, 3;
        mov ch, al;
        mov al, cl;
        inc al;
        mul bl;
        shr ax, 3;
        dec al;
        mov cl, al;
    scaled:
        ret;
    }
    Ok(())
}

fn position(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AH=02h: BH = page, DH, DL = row and column. Keeps BX.
    set_cursor:
        call -> cursor_of_page;
        mov word_ptr(si + bda::CURSORS), dx;
        cmp bh, byte_ptr(bda::PAGE);
        jne -> cursor_is_set;
    show_cursor:
        movzx ax, dh;
        mul byte_ptr(bda::COLUMNS);
        movzx cx, dl;
        add cx, ax;
        mov ax, word_ptr(bda::PAGE_START);
        shr ax, 1;
        add cx, ax;
        mov dx, word_ptr(bda::CRTC);
        mov al, 0x0E;
        mov ah, ch;
        out dx, ax;
        inc al;
        mov ah, cl;
        out dx, ax;
    cursor_is_set:
        ret;
    // AH=03h: BH = page; CX = shape, DX = position.
    get_cursor:
        call -> cursor_of_page;
        mov dx, word_ptr(si + bda::CURSORS);
        mov word_ptr(bp + frame::DX), dx;
        mov cx, word_ptr(bda::CURSOR_SHAPE);
        mov word_ptr(bp + frame::CX), cx;
        ret;
    // AH=04h: the pen is not there.
    light_pen:
        mov byte_ptr(bp + frame::AH), 0;
        ret;
    // BH = page, from here on a valid one; SI = its offset in the list of cursors.
    cursor_of_page:
        and bh, 7;
        movzx si, bh;
        add si, si;
        ret;
    }
    Ok(())
}

/// AH=05h: AL = page.
fn page(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    set_page:
        cmp al, 7;
        ja -> page_is_set;
        mov byte_ptr(bda::PAGE), al;
        movzx cx, al;
        imul_2 cx, word_ptr(bda::PAGE_SIZE);
        mov word_ptr(bda::PAGE_START), cx;
        // The CRT controller counts words in text and CGA modes, bytes in planar ones.
        call -> get_model;
        cmp si, model::PLANAR;
        jae -> page_offset_known;
        shr cx, 1;
    page_offset_known:
        mov dx, word_ptr(bda::CRTC);
        mov al, 0x0C;
        mov ah, ch;
        out dx, ax;
        inc al;
        mov ah, cl;
        out dx, ax;
        mov bh, byte_ptr(bda::PAGE);
        call -> cursor_of_page;
        mov dx, word_ptr(si + bda::CURSORS);
        jmp -> show_cursor;
    page_is_set:
        ret;
    }
    Ok(())
}
