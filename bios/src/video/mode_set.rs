//! AH=00h: sets a video mode.

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, model, port, vector};
use super::modes::PARAMETERS;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    function(a)?;
    set_mode(a)?;
    choose_parameters(a)?;
    set_data(a)?;
    load_palette(a)?;
    clear_memory(a)?;
    get_model(a)
}

/// AL = mode, bit 7: leave memory alone. Returns in AL what kind of mode it is.
fn function(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    set_mode_function:
        mov bl, al;
        and al, 0x7F;
        cmp al, 0x13;
        ja -> no_such_mode;
        movzx si, al;
        cmp byte_ptr(si + t.rows_200).cs(), 0xFF;
        je -> no_such_mode;
        mov ah, 0x20;
        cmp al, 7;
        ja -> kind_known;
        mov ah, 0x30;
        cmp al, 6;
        jne -> kind_known;
        mov ah, 0x3F;
    kind_known:
        mov byte_ptr(bp + frame::AL), ah;
        and bl, 0x80;
        and byte_ptr(bda::CONTROL), 0x7F;
        or byte_ptr(bda::CONTROL), bl;
        call -> set_mode;
        clc;
        ret;
    no_such_mode:
        stc;
        ret;
    }
    Ok(())
}

/// AL = a mode that there is; bit 7 of the control byte says whether memory is cleared.
fn set_mode(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    set_mode:
        mov byte_ptr(bda::MODE), al;
        call -> dispi_off;
        call -> choose_parameters;
        call -> set_mode_data;
        push cs;
        pop fs;
        lea bx, word_ptr(si + 5);
        call -> program_registers;
        call -> load_palette;
        call -> clear_memory;
        call -> get_model;
        mov dx, word_ptr(bda::CHARACTER_HEIGHT);
        call -> rom_font;
        mov word_ptr(vector::FONT), ax;
        mov word_ptr(vector::FONT + 2), cs;
        or si, si;
        jnz -> mode_is_set;
        // Text: the characters, and a cursor of two lines at the bottom of the cell.
        mov si, ax;
        mov bh, dl;
        mov bl, 0;
        mov cx, 256;
        xor dx, dx;
        call -> load_characters;
        mov cx, 0x0607;
        call -> set_cursor_shape;
    mode_is_set:
        mov al, byte_ptr(bda::PAGE);
        jmp -> set_page;
    }
    Ok(())
}

/// The row of the parameter table for mode AL and the chosen number of lines, in SI.
fn choose_parameters(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    choose_parameters:
        movzx si, al;
        mov bl, byte_ptr(si + t.rows_200).cs();
        cmp al, 7;
        ja -> row_chosen;
        test byte_ptr(bda::FLAGS), 0x80;
        jnz -> row_chosen;
        mov bl, byte_ptr(si + t.rows_350).cs();
        test byte_ptr(bda::FLAGS), 0x10;
        jz -> row_chosen;
        mov bl, byte_ptr(si + t.rows_400).cs();
    row_chosen:
        movzx si, bl;
        imul_3 si, si, PARAMETERS;
        add si, t.parameters;
        ret;
    }
    Ok(())
}

/// The BIOS data area, from the row at SI. Keeps SI.
fn set_data(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    set_mode_data:
        movzx ax, byte_ptr(si).cs();
        mov word_ptr(bda::COLUMNS), ax;
        mov al, byte_ptr(si + 1).cs();
        mov byte_ptr(bda::LAST_ROW), al;
        movzx ax, byte_ptr(si + 2).cs();
        mov word_ptr(bda::CHARACTER_HEIGHT), ax;
        mov ax, word_ptr(si + 3).cs();
        mov word_ptr(bda::PAGE_SIZE), ax;
        push ds;
        pop es;
        xor ax, ax;
        mov word_ptr(bda::PAGE_START), ax;
        mov byte_ptr(bda::PAGE), al;
        mov di, bda::CURSORS;
        mov cx, 8;
        rep stosw;
        mov word_ptr(bda::CURSOR_SHAPE), ax;
        // Miscellaneous output, bit 0: the CRT controller is at 3D4h.
        mov dx, 0x3D4;
        test byte_ptr(si + 9).cs(), 1;
        jnz -> crtc_known;
        mov dx, 0x3B4;
    crtc_known:
        mov word_ptr(bda::CRTC), dx;
        movzx bx, byte_ptr(bda::MODE);
        cmp bl, 7;
        ja -> data_set;
        mov al, byte_ptr(bx + t.mode_selects).cs();
        mov byte_ptr(bda::MODE_SELECT), al;
        mov al, 0x30;
        cmp bl, 6;
        jne -> colour_select_known;
        mov al, 0x3F;
    colour_select_known:
        mov byte_ptr(bda::COLOUR_SELECT), al;
    data_set:
        ret;
    }
    Ok(())
}

/// The mode's default palette, unless the caller wants to keep the present one. Keeps SI.
fn load_palette(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    load_palette:
        mov dx, port::DAC_MASK;
        mov al, 0xFF;
        out dx, al;
        test byte_ptr(bda::FLAGS), 8;
        jnz -> palette_kept;
        movzx bx, byte_ptr(bda::MODE);
        cmp bl, 3;
        mov bl, byte_ptr(bx + t.mode_palettes).cs();
        ja -> palette_known;
        // Text of 200 lines has a CGA's colours.
        cmp byte_ptr(bda::CHARACTER_HEIGHT), 8;
        jne -> palette_known;
        mov bl, 0;
    palette_known:
        mov cx, 64 * 3;
        cmp bl, super::palette::VGA as i32;
        jne -> palette_size_known;
        mov cx, 256 * 3;
    palette_size_known:
        add bx, bx;
        mov bx, word_ptr(bx + t.palettes).cs();
        mov dx, port::DAC_WRITE_INDEX;
        mov al, 0;
        out dx, al;
        inc dx;
    load_component:
        mov al, byte_ptr(bx).cs();
        out dx, al;
        inc bx;
        loop_ -> load_component;
        test byte_ptr(bda::FLAGS), 2;
        jz -> palette_kept;
        push si;
        xor bx, bx;
        mov cx, 256;
        call -> sum_to_grey;
        pop si;
    palette_kept:
        ret;
    }
    Ok(())
}

fn clear_memory(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    clear_memory:
        test byte_ptr(bda::CONTROL), 0x80;
        jnz -> memory_kept;
        call -> get_model;
        call -> display_segment;
        xor di, di;
        xor ax, ax;
        mov cx, 0x8000;
        cmp si, model::PLANAR;
        jae -> clear_words;
        mov cx, 0x4000;
        or si, si;
        jnz -> clear_words;
        mov ax, 0x0720;
    clear_words:
        rep stosw;
    memory_kept:
        ret;
    }
    Ok(())
}

/// Twice the memory model in SI, and the segment of display memory for model SI in ES.
fn get_model(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    get_model:
        movzx si, byte_ptr(bda::MODE);
        cmp si, 0x13;
        ja -> vbe_model;
        movzx si, byte_ptr(si + t.models).cs();
        ret;
    vbe_model:
        cmp si, super::layout::VBE_BANKED;
        mov si, model::PLANAR;
        jne -> model_known;
        mov si, model::BANKED;
    model_known:
        ret;
    display_segment:
        mov es, word_ptr(si + t.segments).cs();
        cmp byte_ptr(bda::MODE), 7;
        jne -> segment_known;
        push 0xB000;
        pop es;
    segment_known:
        ret;
    }
    Ok(())
}
