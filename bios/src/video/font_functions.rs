//! AH=11h: fonts of text modes (in plane 2) and of graphics modes (behind vectors 1Fh and 43h).

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, port, vector};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    dispatch(a)?;
    text(a)?;
    load(a)?;
    open_plane_2(a)?;
    set_height(a)?;
    set_rows(a)?;
    graphics(a)?;
    information(a)
}

fn dispatch(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    font_function:
        cmp al, 0x30;
        je -> font_information;
        cmp al, 0x20;
        jae -> graphics_font;
        test al, 0x08;
        jnz -> nothing;
        mov ah, al;
        and ah, 0x07;
        cmp ah, 3;
        je -> set_character_block;
        cmp ah, 4;
        ja -> nothing;
        jmp -> text_font;
    // The ROM's font of DX rows, as offset in AX.
    rom_font:
        mov ax, t.font_8;
        cmp dx, 14;
        jb -> rom_font_found;
        mov ax, t.font_14;
        je -> rom_font_found;
        mov ax, t.font_16;
    rom_font_found:
        ret;
    }
    Ok(())
}

/// AL = 00h-04h, 10h-14h: BL = block; 00h and 10h: BH = rows of a character, CX, DX = how many from where, ES:BP = font.
/// From 10h on, the number of rows on the screen follows.
fn text(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    text_font:
        push ax;
        mov si, word_ptr(bp + frame::BP);
        push es;
        pop fs;
        or ah, ah;
        jz -> text_font_known;
        mov dx, 14;
        cmp ah, 2;
        jb -> text_rom_font;
        mov dx, 8;
        je -> text_rom_font;
        mov dx, 16;
    text_rom_font:
        call -> rom_font;
        mov si, ax;
        push cs;
        pop fs;
        mov bh, dl;
        xor dx, dx;
        mov cx, 256;
    text_font_known:
        push bx;
        call -> load_characters;
        pop bx;
        pop ax;
        test al, 0x10;
        jnz -> set_text_height;
        ret;
    // AL=03h: BL = block specifier.
    set_character_block:
        mov dx, port::SEQUENCER;
        mov al, 3;
        mov ah, bl;
        out dx, ax;
        ret;
    }
    Ok(())
}

/// Loads CX characters of BH rows from FS:SI as characters DX on of block BL.
fn load(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    load_characters:
        push dx;
        push cx;
        call -> open_plane_2;
        // Blocks 0-3 start every 16 KiB, blocks 4-7 8 KiB after them (FreeVGA, "Character Map Select Register").
        movzx di, bl;
        mov ax, di;
        and di, 3;
        shl di, 14;
        and ax, 4;
        shl ax, 11;
        add di, ax;
        pop cx;
        pop dx;
        shl dx, 5;
        add di, dx;
        push 0xA000;
        pop es;
        jcxz -> characters_loaded;
    load_character:
        push cx;
        push di;
        movzx cx, bh;
        jcxz -> character_loaded;
    load_row:
        mov al, byte_ptr(si).fs();
        inc si;
        stosb;
        loop_ -> load_row;
    character_loaded:
        pop di;
        pop cx;
        add di, 32;
        loop_ -> load_character;
    characters_loaded:
        jmp -> close_plane_2;
    }
    Ok(())
}

/// Makes plane 2 the only one at A0000h; its font is read by the CRT controller again after `close_plane_2`.
fn open_plane_2(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    open_plane_2:
        mov dx, port::SEQUENCER;
        mov ax, 0x0402;
        out dx, ax;
        mov ax, 0x0704;
        out dx, ax;
        mov dx, port::GRAPHICS;
        mov ax, 0x0204;
        out dx, ax;
        mov ax, 0x0005;
        out dx, ax;
        mov ax, 0x0406;
        out dx, ax;
        ret;
    // As text modes have it: characters and attributes side by side at B8000h or B0000h.
    close_plane_2:
        mov dx, port::SEQUENCER;
        mov ax, 0x0302;
        out dx, ax;
        mov ax, 0x0204;
        out dx, ax;
        mov dx, port::GRAPHICS;
        mov ax, 0x0004;
        out dx, ax;
        mov ax, 0x1005;
        out dx, ax;
        mov ax, 0x0E06;
        cmp word_ptr(bda::CRTC), 0x3D4;
        je -> memory_map_known;
        mov ah, 0x0A;
    memory_map_known:
        out dx, ax;
        ret;
    }
    Ok(())
}

/// Characters of BH rows: sets the cell, the cursor, and as many rows as the display has room for.
fn set_height(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    set_text_height:
        movzx bx, bh;
        or bx, bx;
        jz -> nothing;
        mov word_ptr(bda::CHARACTER_HEIGHT), bx;
        mov dx, word_ptr(bda::CRTC);
        // Maximum scan line; its bit 7 doubles the lines.
        mov al, 9;
        out dx, al;
        inc dx;
        in_ al, dx;
        mov ch, al;
        and al, 0xE0;
        dec bl;
        or al, bl;
        inc bl;
        out dx, al;
        // Lines on the display are told by the polarities of its signals.
        mov dx, port::MISCELLANEOUS_READ;
        in_ al, dx;
        mov si, 400;
        and al, 0xC0;
        cmp al, 0x40;
        je -> lines_known;
        mov si, 350;
        cmp al, 0x80;
        je -> lines_known;
        mov si, 480;
        cmp al, 0xC0;
        je -> lines_known;
        mov si, 400;
    lines_known:
        mov cl, ch;
        shr cl, 7;
        mov ax, si;
        shr ax, cl;
        xor dx, dx;
        div bx;
        push cx;
        mov cx, word_ptr(bda::CURSOR_SHAPE);
        push ax;
        push bx;
        call -> program_cursor_shape;
        pop bx;
        pop ax;
        pop cx;
    }
    Ok(())
}

/// AX = rows, BX = lines of each, CL = 1 if lines are doubled.
fn set_rows(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
        mov si, ax;
        dec al;
        mov byte_ptr(bda::LAST_ROW), al;
        imul_2 bx, si;
        shl bx, cl;
        dec bx;
        // Vertical display end: bits 8 and 9 are overflow register bits 1 and 6, which are protected.
        mov dx, word_ptr(bda::CRTC);
        mov al, 0x12;
        mov ah, bl;
        out dx, ax;
        mov al, 0x11;
        out dx, al;
        inc dx;
        in_ al, dx;
        and al, 0x7F;
        out dx, al;
        dec dx;
        mov al, 7;
        out dx, al;
        inc dx;
        in_ al, dx;
        and al, 0xBD;
        mov ah, bh;
        and ah, 1;
        add ah, ah;
        or al, ah;
        and bh, 2;
        shl bh, 5;
        or al, bh;
        out dx, al;
        dec dx;
        mov al, 0x11;
        out dx, al;
        inc dx;
        in_ al, dx;
        or al, 0x80;
        out dx, al;
        // Pages of whole 256 bytes.
        imul_2 si, word_ptr(bda::COLUMNS);
        add si, si;
        add si, 0xFF;
        and si, -0x100;
        mov word_ptr(bda::PAGE_SIZE), si;
        mov al, byte_ptr(bda::PAGE);
        jmp -> set_page;
    }
    Ok(())
}

/// AL = 20h-24h: fonts of graphics modes; ES:BP = font, CX = rows of a character, BL = rows on the screen: 0: DL,
/// 1: 14, 2: 25, 3: 43.
fn graphics(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    graphics_font:
        cmp al, 0x24;
        ja -> nothing;
        mov si, word_ptr(bp + frame::BP);
        cmp al, 0x21;
        jae -> main_font;
        mov word_ptr(vector::UPPER_FONT), si;
        mov word_ptr(vector::UPPER_FONT + 2), es;
        ret;
    main_font:
        je -> main_font_known;
        push dx;
        mov dx, 14;
        cmp al, 0x23;
        jb -> graphics_rom_font;
        mov dx, 8;
        je -> graphics_rom_font;
        mov dx, 16;
    graphics_rom_font:
        call -> rom_font;
        mov si, ax;
        mov cx, dx;
        pop dx;
        push cs;
        pop es;
    main_font_known:
        mov word_ptr(vector::FONT), si;
        mov word_ptr(vector::FONT + 2), es;
        mov word_ptr(bda::CHARACTER_HEIGHT), cx;
        cmp bl, 1;
        jb -> graphics_rows_known;
        mov dl, 14;
        je -> graphics_rows_known;
        mov dl, 25;
        cmp bl, 3;
        jb -> graphics_rows_known;
        mov dl, 43;
    graphics_rows_known:
        dec dl;
        mov byte_ptr(bda::LAST_ROW), dl;
        ret;
    }
    Ok(())
}

/// AL=30h: BH = which font; ES:BP = the font, CX = rows of the present characters, DL = last row.
fn information(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    let upper = t.font_8 + 0x80 * 8;
    let fonts: [i32; 6] = [t.font_14, t.font_8, upper, t.no_characters, t.font_16, t.no_characters];
    code! { a;
    font_information:
        mov cx, word_ptr(bda::CHARACTER_HEIGHT);
        mov word_ptr(bp + frame::CX), cx;
        mov dl, byte_ptr(bda::LAST_ROW);
        mov byte_ptr(bp + frame::DL), dl;
        les si, word_ptr(vector::UPPER_FONT);
        cmp bh, 1;
        jb -> font_told;
        les si, word_ptr(vector::FONT);
        je -> font_told;
        push cs;
        pop es;
    }
    for (number, font) in (2..).zip(fonts) {
        code! { a;
            mov si, font;
            cmp bh, number;
            je -> font_told;
        }
    }
    code! { a;
        ret;
    font_told:
        mov word_ptr(bp + frame::BP), si;
        mov word_ptr(bp + frame::ES), es;
        ret;
    }
    Ok(())
}
