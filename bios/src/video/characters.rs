//! AH=08h-0Ah: characters at the cursor, read and written.

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, local};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    write(a)?;
    put(a)?;
    address(a)?;
    read(a)?;
    recognise(a)
}

/// AL = character, BH = page, BL = attribute or colour (bit 7: XOR), CX = how many.
fn write(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    write_character:
        mov byte_ptr(bp + local::WITH_ATTRIBUTE), 1;
        jmp -> write_at_cursor;
    write_character_only:
        mov byte_ptr(bp + local::WITH_ATTRIBUTE), 0;
    write_at_cursor:
        call -> cursor_of_page;
        mov dx, word_ptr(si + bda::CURSORS);
        jmp -> put_characters;
    }
    Ok(())
}

/// Puts CX times character AL in colour BL to row DH, column DL of page BH.
fn put(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    put_characters:
        jcxz -> nothing_to_put;
        call -> get_model;
        or si, si;
        jnz -> put_glyph;
        push ax;
        call -> cell_address;
        pop ax;
        cmp byte_ptr(bp + local::WITH_ATTRIBUTE), 0;
        je -> put_character_only;
        mov ah, bl;
        rep stosw;
        ret;
    put_character_only:
        stosb;
        inc di;
        loop_ -> put_character_only;
    nothing_to_put:
        ret;
    put_glyph:
        push ax;
        push bx;
        push cx;
        push dx;
        call -> draw_glyph;
        pop dx;
        pop cx;
        pop bx;
        pop ax;
        inc dl;
        cmp dl, byte_ptr(bda::COLUMNS);
        jb -> put_next_glyph;
        mov dl, 0;
        inc dh;
    put_next_glyph:
        loop_ -> put_glyph;
        ret;
    }
    Ok(())
}

/// ES:DI = the word of row DH, column DL on page BH in text modes. Clobbers AX and SI.
fn address(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    cell_address:
        xor si, si;
        call -> display_segment;
        movzx ax, dh;
        imul_2 ax, word_ptr(bda::COLUMNS);
        movzx di, dl;
        add di, ax;
        add di, di;
        movzx ax, bh;
        imul_2 ax, word_ptr(bda::PAGE_SIZE);
        add di, ax;
        ret;
    }
    Ok(())
}

/// AH=08h: BH = page; AL = character, AH = its attribute in text modes. In graphics modes AL = 0 if nothing fits.
fn read(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    read_character:
        call -> cursor_of_page;
        mov dx, word_ptr(si + bda::CURSORS);
        call -> get_model;
        or si, si;
        jnz -> read_dots;
        call -> cell_address;
        mov ax, word_ptr(di).es();
        mov word_ptr(bp + frame::AX), ax;
        ret;
    read_dots:
        call -> read_glyph;
        call -> recognise;
        mov byte_ptr(bp + frame::AL), al;
        ret;
    }
    Ok(())
}

/// The character that looks like the cell in our variables, in AL; zero if none does.
fn recognise(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    recognise:
        xor ax, ax;
    try_character:
        push ax;
        call -> glyph_pointer;
        pop ax;
        lea di, word_ptr(bp + local::CELL);
        mov cx, word_ptr(bda::CHARACTER_HEIGHT);
    compare_row:
        mov dl, byte_ptr(si).fs();
        cmp dl, byte_ptr(di).ss();
        jne -> another_character;
        inc si;
        inc di;
        loop_ -> compare_row;
        ret;
    another_character:
        inc al;
        jnz -> try_character;
        ret;
    }
    Ok(())
}
