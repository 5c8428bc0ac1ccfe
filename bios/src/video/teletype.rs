//! AH=0Eh and 13h: text that moves the cursor and scrolls.

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, local};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    put(a)?;
    line_feed(a)?;
    bell(a)?;
    string(a)
}

/// AH=0Eh: AL = character, BL = colour in graphics modes; on the page that is shown. Then the common part: to page BH,
/// in text modes with attribute BL if our variable says so.
fn put(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    teletype:
        mov bh, byte_ptr(bda::PAGE);
        mov byte_ptr(bp + local::WITH_ATTRIBUTE), 0;
    put_and_advance:
        call -> cursor_of_page;
        mov dx, word_ptr(si + bda::CURSORS);
        cmp al, 0x07;
        je -> bell;
        cmp al, 0x08;
        je -> back_space;
        cmp al, 0x0A;
        je -> line_feed;
        cmp al, 0x0D;
        je -> carriage_return;
        push bx;
        push dx;
        mov cx, 1;
        call -> put_characters;
        pop dx;
        pop bx;
        inc dl;
        cmp dl, byte_ptr(bda::COLUMNS);
        jb -> set_cursor;
        mov dl, 0;
        jmp -> line_feed;
    back_space:
        or dl, dl;
        jz -> set_cursor;
        dec dl;
        jmp -> set_cursor;
    carriage_return:
        mov dl, 0;
        jmp -> set_cursor;
    }
    Ok(())
}

/// From row DH to the next, or scrolls: blank rows have the attribute at the cursor, or colour 0 in graphics modes.
fn line_feed(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    line_feed:
        inc dh;
        cmp dh, byte_ptr(bda::LAST_ROW);
        jbe -> set_cursor;
        mov dh, byte_ptr(bda::LAST_ROW);
        push bx;
        push dx;
        movzx ax, bh;
        imul_2 ax, word_ptr(bda::PAGE_SIZE);
        mov word_ptr(bp + local::PAGE), ax;
        call -> get_model;
        mov al, 0;
        or si, si;
        jnz -> blank_attribute_known;
        call -> cell_address;
        mov al, byte_ptr(di + 1).es();
    blank_attribute_known:
        mov bh, al;
        mov bl, 0;
        mov al, 1;
        xor cx, cx;
        mov dl, byte_ptr(bda::COLUMNS);
        dec dl;
        call -> scroll;
        pop dx;
        pop bx;
        jmp -> set_cursor;
    }
    Ok(())
}

/// About 900 Hz for a tenth of a second. The time comes from port 61h, bit 4, which changes every 15 microseconds; where
/// it does not change, the count ends the wait.
fn bell(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    bell:
        mov al, 0xB6;
        out 0x43, al;
        mov al, 0x2E;
        out 0x42, al;
        mov al, 0x05;
        out 0x42, al;
        in_ al, 0x61;
        mov bl, al;
        or al, 3;
        out 0x61, al;
        mov cx, 6600;
    half_refresh:
        mov dx, 100;
        in_ al, 0x61;
        and al, 0x10;
        mov ah, al;
    wait_for_change:
        in_ al, 0x61;
        and al, 0x10;
        dec dx;
        jz -> refresh_changed;
        cmp al, ah;
        je -> wait_for_change;
    refresh_changed:
        loop_ -> half_refresh;
        mov al, bl;
        out 0x61, al;
        ret;
    }
    Ok(())
}

/// AH=13h: AL bit 0 = the cursor moves, bit 1 = attributes are in the string; BH = page, BL = attribute, CX = length,
/// DX = position, ES:BP = string.
fn string(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    write_string:
        jcxz -> string_done;
        mov byte_ptr(bp + local::WITH_ATTRIBUTE), 1;
        call -> cursor_of_page;
        push word_ptr(si + bda::CURSORS);
        push bx;
        push cx;
        call -> set_cursor;
        pop cx;
        pop bx;
        mov si, word_ptr(bp + frame::BP);
    write_string_character:
        mov es, word_ptr(bp + frame::ES);
        mov al, byte_ptr(si).es();
        inc si;
        test byte_ptr(bp + frame::AL), 2;
        jz -> attribute_known;
        mov bl, byte_ptr(si).es();
        inc si;
    attribute_known:
        push bx;
        push cx;
        push si;
        call -> put_and_advance;
        pop si;
        pop cx;
        pop bx;
        loop_ -> write_string_character;
        pop dx;
        test byte_ptr(bp + frame::AL), 1;
        jz -> set_cursor;
    string_done:
        ret;
    }
    Ok(())
}
