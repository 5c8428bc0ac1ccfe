//! Characters in graphics modes: drawn dot by dot out of the fonts, and read back.

use super::assembler::{Assembler, code};
use super::layout::{bda, local, model, port, vector};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    draw(a)?;
    pointer(a)?;
    origin(a)?;
    draw_planar(a)?;
    draw_linear(a)?;
    draw_cga(a)?;
    draw_banked(a)?;
    read(a)?;
    read_planar(a)?;
    read_linear(a)?;
    read_cga(a)
}

/// Draws character AL in colour BL (bit 7: XOR, but not where a dot has a whole byte) at DH, DL of page BH.
fn draw(a: &mut Assembler) -> Result<(), IcedError> {
    let by_model =
        a.jump_table(&["nothing", "draw_cga", "draw_cga", "draw_planar", "draw_linear", "draw_banked"]);
    code! { a;
    draw_glyph:
        call -> glyph_pointer;
        push si;
        call -> get_model;
        mov word_ptr(bp + local::MODEL), si;
        call -> display_segment;
        call -> glyph_origin;
        mov ax, word_ptr(si + by_model).cs();
        pop si;
        mov cx, word_ptr(bda::CHARACTER_HEIGHT);
        jmp ax;
    }
    Ok(())
}

/// FS:SI = the rows of character AL. Clobbers AX.
fn pointer(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    glyph_pointer:
        push di;
        movzx si, al;
        test al, 0x80;
        jz -> in_main_font;
        cmp byte_ptr(bda::MODE), 4;
        jb -> in_main_font;
        cmp byte_ptr(bda::MODE), 6;
        ja -> in_main_font;
        lfs di, word_ptr(vector::UPPER_FONT);
        and si, 0x7F;
        shl si, 3;
        jmp -> glyph_found;
    in_main_font:
        imul_2 si, word_ptr(bda::CHARACTER_HEIGHT);
        lfs di, word_ptr(vector::FONT);
    glyph_found:
        add si, di;
        pop di;
        ret;
    }
    Ok(())
}

/// EDI = offset of the first dot at DH, DL on page BH for model SI, and PITCH from line to line. Clobbers EAX. In CGA
/// modes, of the even lines.
fn origin(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    glyph_origin:
        push ecx;
        movzx edi, word_ptr(si + t.units).cs();
        movzx ecx, dl;
        imul_2 ecx, edi;
        movzx eax, word_ptr(bda::COLUMNS);
        imul_2 edi, eax;
        mov word_ptr(bp + local::PITCH), di;
        movzx eax, word_ptr(bda::CHARACTER_HEIGHT);
        imul_2 edi, eax;
        movzx eax, dh;
        imul_2 edi, eax;
        cmp si, model::CGA_2;
        ja -> origin_in_page;
        shr edi, 1;
    origin_in_page:
        add edi, ecx;
        movzx ecx, bh;
        movzx eax, word_ptr(bda::PAGE_SIZE);
        imul_2 eax, ecx;
        add edi, eax;
        pop ecx;
        ret;
    }
    Ok(())
}

/// The colour's planes take the rows as they are, the others zeros. With XOR the colour's planes are inverted.
fn draw_planar(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    draw_planar:
        call -> planar_defaults;
        mov dx, port::SEQUENCER;
        mov al, 2;
        mov ah, bl;
        and ah, 0x0F;
        out dx, ax;
        test bl, 0x80;
        jz -> draw_foreground;
        mov dx, port::GRAPHICS;
        mov ax, 0x1803;
        out dx, ax;
    draw_foreground:
        push cx;
        push edi;
    draw_planar_row:
        call -> planar_window;
        // Reading fills the latches that XOR takes.
        mov al, byte_ptr(di).es();
        mov al, byte_ptr(si).fs();
        mov byte_ptr(di).es(), al;
        inc si;
        movzx eax, word_ptr(bp + local::PITCH);
        add edi, eax;
        loop_ -> draw_planar_row;
        pop edi;
        pop cx;
        test bl, 0x80;
        jnz -> planar_defaults;
        mov dx, port::SEQUENCER;
        mov al, 2;
        mov ah, bl;
        not ah;
        and ah, 0x0F;
        out dx, ax;
    draw_background:
        call -> planar_window;
        mov byte_ptr(di).es(), 0;
        movzx eax, word_ptr(bp + local::PITCH);
        add edi, eax;
        loop_ -> draw_background;
        jmp -> planar_defaults;
    }
    Ok(())
}

fn draw_linear(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    draw_linear:
        push cx;
        mov ah, byte_ptr(si).fs();
        inc si;
        mov cx, 8;
    draw_linear_dot:
        mov al, 0;
        shl ah, 1;
        jnc -> draw_linear_byte;
        mov al, bl;
    draw_linear_byte:
        stosb;
        loop_ -> draw_linear_dot;
        add di, word_ptr(bp + local::PITCH);
        sub di, 8;
        pop cx;
        loop_ -> draw_linear;
        ret;
    }
    Ok(())
}

fn draw_cga(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    draw_cga:
        mov al, byte_ptr(si).fs();
        inc si;
        cmp word_ptr(bp + local::MODEL), model::CGA_2;
        je -> draw_cga_byte;
        // Two bits for each dot, the leftmost in the first byte's highest.
        push cx;
        mov cx, 8;
        xor dx, dx;
    widen_dot:
        shl dx, 2;
        shl al, 1;
        jnc -> dot_widened;
        mov ah, bl;
        and ah, 3;
        or dl, ah;
    dot_widened:
        loop_ -> widen_dot;
        pop cx;
        xchg dl, dh;
        test bl, 0x80;
        jz -> draw_cga_word;
        xor dx, word_ptr(di).es();
    draw_cga_word:
        mov word_ptr(di).es(), dx;
        jmp -> draw_cga_next;
    draw_cga_byte:
        test bl, 0x80;
        jz -> draw_cga_plain;
        xor al, byte_ptr(di).es();
    draw_cga_plain:
        mov byte_ptr(di).es(), al;
    draw_cga_next:
        call -> next_cga_line;
        loop_ -> draw_cga;
        ret;
    // Odd lines lie 8 KiB after even ones.
    next_cga_line:
        xor di, 0x2000;
        test di, 0x2000;
        jnz -> same_cga_pair;
        add di, word_ptr(bp + local::PITCH);
    same_cga_pair:
        ret;
    }
    Ok(())
}

/// Dot by dot, as [`super::pixels`] puts them.
fn draw_banked(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    draw_banked:
        call -> banked_geometry;
        push cx;
        movzx ax, dh;
        imul_2 ax, cx;
        movzx cx, dl;
        shl cx, 3;
        mov dx, ax;
        call -> banked_dot;
        pop cx;
    draw_banked_row:
        push cx;
        push edi;
        mov ah, byte_ptr(si).fs();
        inc si;
        mov dx, 8;
    draw_banked_dot:
        mov al, 0;
        shl ah, 1;
        jnc -> draw_banked_colour;
        mov al, bl;
    draw_banked_colour:
        call -> put_banked_dot;
        dec dx;
        jnz -> draw_banked_dot;
        pop edi;
        add edi, dword_ptr(bp + local::LINE_BYTES);
        pop cx;
        loop_ -> draw_banked_row;
        ret;
    }
    Ok(())
}

/// Reads the cell at DH, DL of page BH into our variables: one bit for each dot that is not background.
fn read(a: &mut Assembler) -> Result<(), IcedError> {
    let by_model =
        a.jump_table(&["nothing", "read_cga", "read_cga", "read_planar", "read_linear", "read_banked"]);
    code! { a;
    read_glyph:
        mov word_ptr(bp + local::MODEL), si;
        call -> display_segment;
        call -> glyph_origin;
        mov ax, word_ptr(si + by_model).cs();
        lea si, word_ptr(bp + local::CELL);
        mov cx, word_ptr(bda::CHARACTER_HEIGHT);
        cmp cx, 16;
        jbe -> read_rows;
        mov cx, 16;
    read_rows:
        jmp ax;
    }
    Ok(())
}

/// Read mode 1 tells which dots have colour 0 (FreeVGA, "Graphics Registers", "Read Mode").
fn read_planar(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    read_planar:
        call -> planar_defaults;
        mov dx, port::GRAPHICS;
        mov ax, 0x0002;
        out dx, ax;
        mov ax, 0x0F07;
        out dx, ax;
        mov ax, 0x0805;
        out dx, ax;
    read_planar_row:
        call -> planar_window;
        mov al, byte_ptr(di).es();
        not al;
        mov byte_ptr(si).ss(), al;
        inc si;
        movzx eax, word_ptr(bp + local::PITCH);
        add edi, eax;
        loop_ -> read_planar_row;
        jmp -> planar_defaults;
    }
    Ok(())
}

fn read_linear(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    read_linear:
        push cx;
        mov cx, 8;
        mov ah, 0;
    read_linear_byte:
        // Carry unless the byte is zero.
        cmp byte_ptr(di).es(), 1;
        cmc;
        rcl ah, 1;
        inc di;
        loop_ -> read_linear_byte;
        mov byte_ptr(si).ss(), ah;
        inc si;
        add di, word_ptr(bp + local::PITCH);
        sub di, 8;
        pop cx;
        loop_ -> read_linear;
        ret;
    // Banked modes have no characters to read back: a cell that no character looks like.
    read_banked:
        mov byte_ptr(si).ss(), 0x5A;
        inc si;
        loop_ -> read_banked;
        ret;
    }
    Ok(())
}

fn read_cga(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    read_cga:
        mov al, byte_ptr(di).es();
        cmp word_ptr(bp + local::MODEL), model::CGA_2;
        je -> read_cga_row;
        mov dx, word_ptr(di).es();
        xchg dl, dh;
        push cx;
        mov cx, 8;
    narrow_dot:
        mov ah, dh;
        and ah, 0xC0;
        cmp ah, 1;
        cmc;
        rcl al, 1;
        shl dx, 2;
        loop_ -> narrow_dot;
        pop cx;
    read_cga_row:
        mov byte_ptr(si).ss(), al;
        inc si;
        call -> next_cga_line;
        loop_ -> read_cga;
        ret;
    }
    Ok(())
}
