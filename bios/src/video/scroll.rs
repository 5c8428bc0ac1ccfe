//! AH=06h and 07h: scrolls or blanks a window, in all modes.
//!
//! A window is moved line by line: rows of text, or lines of dots in graphics modes.

use super::assembler::{Assembler, code};
use super::layout::{VBE_PLANAR, bda, local, model, port};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    functions(a)?;
    window(a)?;
    lines(a)?;
    move_lines(a)?;
    blank_lines(a)?;
    line_address(a)?;
    banked_lines(a)?;
    banked_addresses(a)?;
    banked_bytes(a)?;
    planes_larger_than_the_window(a)
}

/// AL = rows (0: all), BH = attribute or colour of blank rows, CX, DX = corners.
fn functions(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    scroll_down:
        mov bl, 1;
        jmp -> scroll_shown_page;
    scroll_up:
        mov bl, 0;
    scroll_shown_page:
        mov si, word_ptr(bda::PAGE_START);
        mov word_ptr(bp + local::PAGE), si;
        jmp -> scroll;
    }
    Ok(())
}

/// The window's size in rows and columns, cut to the screen. BL = 0 up, 1 down.
fn window(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    scroll:
        call -> get_model;
        mov word_ptr(bp + local::MODEL), si;
        mov byte_ptr(bp + local::FILL), bh;
        cmp dh, byte_ptr(bda::LAST_ROW);
        jbe -> bottom_known;
        mov dh, byte_ptr(bda::LAST_ROW);
    bottom_known:
        mov ah, byte_ptr(bda::COLUMNS);
        dec ah;
        cmp dl, ah;
        jbe -> right_known;
        mov dl, ah;
    right_known:
        sub dl, cl;
        jb -> nothing;
        inc dl;
        sub dh, ch;
        jb -> nothing;
        inc dh;
        or al, al;
        jz -> scroll_all;
        cmp al, dh;
        jbe -> rows_known;
    scroll_all:
        mov al, dh;
    rows_known:
    }
    lines_of_window(a)
}

/// From rows and columns to lines and bytes: AL = rows to blank, CH = top, CL = left, DH, DL = size.
fn lines_of_window(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
        // Lines of a row in DI, bytes of a column in SI.
        mov di, 1;
        or si, si;
        jz -> text_lines;
        mov di, word_ptr(bda::CHARACTER_HEIGHT);
    text_lines:
        mov si, word_ptr(si + t.units).cs();
        movzx ax, al;
        imul_2 ax, di;
        mov word_ptr(bp + local::BLANKED), ax;
        mov word_ptr(bp + local::SHIFT), ax;
        push bx;
        movzx bx, dl;
        imul_2 bx, si;
        mov word_ptr(bp + local::COUNT), bx;
        movzx bx, cl;
        imul_2 bx, si;
        mov word_ptr(bp + local::LEFT), bx;
        mov bx, word_ptr(bda::COLUMNS);
        imul_2 bx, si;
        mov word_ptr(bp + local::PITCH), bx;
        movzx bx, ch;
        imul_2 bx, di;
        mov word_ptr(bp + local::LINE), bx;
        movzx cx, dh;
        imul_2 cx, di;
        pop bx;
    }
    Ok(())
}

/// CX = lines of the window, AX = lines to blank.
fn lines(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
        mov word_ptr(bp + local::STEP), 1;
        or bl, bl;
        jz -> direction_known;
        // Downwards: from the last line up, each from a line above it.
        mov word_ptr(bp + local::STEP), -1;
        neg word_ptr(bp + local::SHIFT);
        add word_ptr(bp + local::LINE), cx;
        dec word_ptr(bp + local::LINE);
    direction_known:
        sub cx, ax;
        mov word_ptr(bp + local::MOVED), cx;
        mov si, word_ptr(bp + local::MODEL);
        cmp si, model::BANKED;
        je -> scroll_banked;
        cmp byte_ptr(bda::MODE), VBE_PLANAR;
        je -> scroll_planes;
        call -> display_segment;
        push es;
        pop ds;
        cmp si, model::PLANAR;
        jne -> move_line;
        // Write mode 1: a byte written copies all four planes of the byte last read.
        call -> planar_defaults;
        mov dx, port::GRAPHICS;
        mov ax, 0x0105;
        out dx, ax;
    }
    Ok(())
}

fn move_lines(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    move_line:
        cmp word_ptr(bp + local::MOVED), 0;
        je -> lines_moved;
        dec word_ptr(bp + local::MOVED);
        mov ax, word_ptr(bp + local::LINE);
        add ax, word_ptr(bp + local::SHIFT);
        call -> line_address;
        mov si, di;
        call -> present_line;
        mov cx, word_ptr(bp + local::COUNT);
        // The latches hold one byte of each plane; elsewhere words are faster.
        cmp word_ptr(bp + local::MODEL), model::PLANAR;
        je -> move_line_bytes;
        shr cx, 1;
        rep movsw;
        adc cx, cx;
    move_line_bytes:
        rep movsb;
        call -> next_line;
        jmp -> move_line;
    present_line:
        mov ax, word_ptr(bp + local::LINE);
        jmp -> line_address;
    next_line:
        mov ax, word_ptr(bp + local::STEP);
        add word_ptr(bp + local::LINE), ax;
        ret;
    }
    Ok(())
}

fn blank_lines(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    lines_moved:
        cmp word_ptr(bp + local::MODEL), model::PLANAR;
        jne -> blank_line;
        call -> fill_planes;
    blank_line:
        cmp word_ptr(bp + local::BLANKED), 0;
        je -> lines_blanked;
        dec word_ptr(bp + local::BLANKED);
        call -> present_line;
        mov cx, word_ptr(bp + local::COUNT);
        mov al, byte_ptr(bp + local::FILL);
        cmp word_ptr(bp + local::MODEL), model::TEXT;
        jne -> blank_bytes;
        mov ah, al;
        mov al, 0x20;
        shr cx, 1;
        rep stosw;
    blank_bytes:
        rep stosb;
        call -> next_line;
        jmp -> blank_line;
    lines_blanked:
        push 0;
        pop ds;
        cmp word_ptr(bp + local::MODEL), model::PLANAR;
        je -> planar_defaults;
        ret;
    // Write mode 0; all planes are set from the set/reset register.
    fill_planes:
        mov dx, port::GRAPHICS;
        mov ax, 0x0005;
        out dx, ax;
        mov ah, byte_ptr(bp + local::FILL);
        mov al, 0;
        out dx, ax;
        mov ax, 0x0F01;
        out dx, ax;
        ret;
    // What the functions expect of the graphics controller: plain writes of all dots.
    planar_defaults:
        push dx;
        mov dx, port::GRAPHICS;
        mov ax, 0x0000;
        out dx, ax;
        inc al;
        out dx, ax;
        mov al, 3;
        out dx, ax;
        mov al, 5;
        out dx, ax;
        mov ax, 0xFF08;
        out dx, ax;
        mov dx, port::SEQUENCER;
        mov ax, 0x0F02;
        out dx, ax;
        pop dx;
        ret;
    }
    Ok(())
}

/// The offset in DI of the window's part of line AX. Clobbers AX and DX.
fn line_address(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    line_address:
        mov dx, 0;
        cmp word_ptr(bp + local::MODEL), model::CGA_4;
        je -> interleaved;
        cmp word_ptr(bp + local::MODEL), model::CGA_2;
        jne -> not_interleaved;
    interleaved:
        // Odd lines lie 8 KiB after even ones.
        shr ax, 1;
        jnc -> not_interleaved;
        mov dx, 0x2000;
    not_interleaved:
        imul_2 ax, word_ptr(bp + local::PITCH);
        add ax, dx;
        add ax, word_ptr(bp + local::PAGE);
        add ax, word_ptr(bp + local::LEFT);
        mov di, ax;
        ret;
    }
    Ok(())
}

/// In banked modes lines are moved eight bytes at a time, for so many never cross the end of a bank, and up to 64 wait
/// on the stack, for changing banks is slow.
fn banked_lines(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    scroll_banked:
        push 0xA000;
        pop es;
        sub sp, 64;
        mov word_ptr(bp + local::BUFFER), sp;
        call -> banked_geometry;
        // Bytes, where each dot was taken for one.
        mov cx, word_ptr(bp + local::DOT_BYTES);
        mov ax, word_ptr(bp + local::COUNT);
        imul_2 ax, cx;
        mov word_ptr(bp + local::COUNT), ax;
        imul_2 cx, word_ptr(bp + local::LEFT);
        mov word_ptr(bp + local::LEFT), cx;
    move_banked_line:
        dec word_ptr(bp + local::MOVED);
        js -> blank_banked_lines;
        call -> banked_addresses;
        call -> move_banked_bytes;
        call -> next_line;
        jmp -> move_banked_line;
    blank_banked_lines:
        push es;
        push ss;
        pop es;
        mov di, word_ptr(bp + local::BUFFER);
        mov al, byte_ptr(bp + local::FILL);
        mov cx, 64;
        rep stosb;
        pop es;
    blank_banked_line:
        dec word_ptr(bp + local::BLANKED);
        js -> banked_lines_done;
        call -> banked_addresses;
        call -> blank_banked_bytes;
        call -> next_line;
        jmp -> blank_banked_line;
    banked_lines_done:
        add sp, 64;
        ret;
    }
    Ok(())
}

/// EDI and ESI = addresses of the present line and of the one it comes from; DX = how many times eight bytes.
fn banked_addresses(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    banked_addresses:
        movzx edi, word_ptr(bp + local::LINE);
        movsx esi, word_ptr(bp + local::SHIFT);
        add esi, edi;
        movzx eax, word_ptr(bp + local::LEFT);
        imul_2 esi, dword_ptr(bp + local::LINE_BYTES);
        imul_2 edi, dword_ptr(bp + local::LINE_BYTES);
        add esi, eax;
        add edi, eax;
        mov dx, word_ptr(bp + local::COUNT);
        shr dx, 3;
        ret;
    }
    Ok(())
}

fn banked_bytes(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    move_banked_bytes:
        call -> next_piece;
        xchg esi, edi;
    fetch_banked_bytes:
        call -> select_bank;
        mov eax, dword_ptr(di).es();
        mov dword_ptr(bx).ss(), eax;
        mov eax, dword_ptr(di + 4).es();
        mov dword_ptr(bx + 4).ss(), eax;
        add edi, 8;
        add bx, 8;
        loop_ -> fetch_banked_bytes;
        xchg esi, edi;
        call -> store_piece;
        jnz -> move_banked_bytes;
        ret;
    blank_banked_bytes:
        call -> store_piece;
        jnz -> blank_banked_bytes;
        ret;
    // CX = how many of DX eights are moved now, BX = where they wait.
    next_piece:
        mov cx, dx;
        cmp cx, 8;
        jbe -> piece_known;
        mov cx, 8;
    piece_known:
        mov bx, word_ptr(bp + local::BUFFER);
        ret;
    // Not zero if DX eights are left.
    store_piece:
        call -> next_piece;
        sub dx, cx;
    store_banked_bytes:
        call -> select_bank;
        mov eax, dword_ptr(bx).ss();
        mov dword_ptr(di).es(), eax;
        mov eax, dword_ptr(bx + 4).ss();
        mov dword_ptr(di + 4).es(), eax;
        add edi, 8;
        add bx, 8;
        loop_ -> store_banked_bytes;
        or dx, dx;
        ret;
    }
    Ok(())
}

/// In VBE modes with planes a byte of all four is read in one bank and written in another.
fn planes_larger_than_the_window(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    scroll_planes:
        push 0xA000;
        pop es;
        movzx eax, word_ptr(bp + local::PITCH);
        mov dword_ptr(bp + local::LINE_BYTES), eax;
        call -> planar_defaults;
        mov dx, port::GRAPHICS;
        mov ax, 0x0105;
        out dx, ax;
    move_planes:
        dec word_ptr(bp + local::MOVED);
        js -> planes_moved;
        call -> banked_addresses;
        mov cx, word_ptr(bp + local::COUNT);
    move_planes_byte:
        xchg esi, edi;
        call -> select_bank;
        mov al, byte_ptr(di).es();
        xchg esi, edi;
        call -> select_bank;
        mov byte_ptr(di).es(), al;
        inc esi;
        inc edi;
        loop_ -> move_planes_byte;
        call -> next_line;
        jmp -> move_planes;
    planes_moved:
        call -> fill_planes;
    blank_planes:
        dec word_ptr(bp + local::BLANKED);
        js -> planar_defaults;
        call -> banked_addresses;
        mov cx, word_ptr(bp + local::COUNT);
    blank_planes_byte:
        call -> select_bank;
        mov byte_ptr(di).es(), al;
        inc edi;
        loop_ -> blank_planes_byte;
        call -> next_line;
        jmp -> blank_planes;
    }
    Ok(())
}
