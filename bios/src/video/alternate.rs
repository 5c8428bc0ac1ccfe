//! AH=0Fh, 12h, 1Ah and 1Bh: what there is and how it is set up.

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, port};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    get_mode(a)?;
    dispatch(a)?;
    information(a)?;
    flags(a)?;
    registers(a)?;
    combination(a)?;
    functionality(a)?;
    mode_facts(a)
}

fn get_mode(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    get_mode:
        mov al, byte_ptr(bda::CONTROL);
        and al, 0x80;
        or al, byte_ptr(bda::MODE);
        mov ah, byte_ptr(bda::COLUMNS);
        mov word_ptr(bp + frame::AX), ax;
        mov al, byte_ptr(bda::PAGE);
        mov byte_ptr(bp + frame::BH), al;
        ret;
    }
    Ok(())
}

/// BL = 10h: information; 30h-34h and 36h: choices, answered by AL = 12h.
fn dispatch(a: &mut Assembler) -> Result<(), IcedError> {
    let functions = a.jump_table(&[
        "choose_lines",
        "choose_palette_loading",
        "choose_video",
        "choose_grey",
        "choose_cursor_emulation",
        "nothing",
        "choose_refresh",
    ]);
    code! { a;
    alternate_function:
        cmp bl, 0x10;
        je -> adapter_information;
        sub bl, 0x30;
        cmp bl, 6;
        ja -> nothing;
        cmp bl, 5;
        je -> nothing;
        mov byte_ptr(bp + frame::AL), 0x12;
        movzx si, bl;
        add si, si;
        jmp word_ptr(si + functions).cs();
    }
    Ok(())
}

/// BH = 0 colour, 1 monochrome; BL = 3: 256 KiB; CH, CL = feature bits and switches.
fn information(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    adapter_information:
        mov bx, 0x0003;
        cmp word_ptr(bda::CRTC), 0x3D4;
        je -> colour_known;
        inc bh;
    colour_known:
        mov word_ptr(bp + frame::BX), bx;
        mov cl, byte_ptr(bda::SWITCHES);
        mov ch, cl;
        shr ch, 4;
        and cl, 0x0F;
        mov word_ptr(bp + frame::CX), cx;
        ret;
    }
    Ok(())
}

/// Choices kept in the BIOS data area.
fn flags(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AL = 0, 1, 2: 200, 350, 400 lines in the text modes set from now on.
    choose_lines:
        mov ah, 0x80;
        cmp al, 1;
        jb -> lines_chosen;
        mov ah, 0x00;
        je -> lines_chosen;
        cmp al, 2;
        ja -> refuse_choice;
        mov ah, 0x10;
    lines_chosen:
        and byte_ptr(bda::FLAGS), 0x6F;
        or byte_ptr(bda::FLAGS), ah;
        ret;
    refuse_choice:
        mov byte_ptr(bp + frame::AL), 0;
        ret;
    // AL = 1: mode sets keep the palette.
    choose_palette_loading:
        and al, 1;
        shl al, 3;
        and byte_ptr(bda::FLAGS), 0xF7;
        or byte_ptr(bda::FLAGS), al;
        ret;
    // AL = 0: colours are summed to greys.
    choose_grey:
        not al;
        and al, 1;
        add al, al;
        and byte_ptr(bda::FLAGS), 0xFD;
        or byte_ptr(bda::FLAGS), al;
        ret;
    // AL = 1: cursor lines are taken as they are.
    choose_cursor_emulation:
        and al, 1;
        and byte_ptr(bda::CONTROL), 0xFE;
        or byte_ptr(bda::CONTROL), al;
        ret;
    }
    Ok(())
}

/// Choices kept in registers.
fn registers(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AL = 1: display memory does not answer (miscellaneous output, bit 1).
    choose_video:
        not al;
        and al, 1;
        add al, al;
        mov ah, al;
        mov dx, port::MISCELLANEOUS_READ;
        in_ al, dx;
        and al, 0xFD;
        or al, ah;
        mov dx, port::MISCELLANEOUS;
        out dx, al;
        ret;
    // AL = 1: the screen is dark (clocking mode, bit 5).
    choose_refresh:
        and al, 1;
        shl al, 5;
        mov ah, al;
        mov dx, port::SEQUENCER;
        mov al, 1;
        out dx, al;
        inc dx;
        in_ al, dx;
        and al, 0xDF;
        or al, ah;
        out dx, al;
        ret;
    }
    Ok(())
}

/// AH=1Ah: AL = 0: BL = active, BH = other display; AL = 1: sets them. A VGA with a colour display is 08h.
fn combination(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    display_combination:
        cmp al, 1;
        ja -> nothing;
        je -> set_display_combination;
        mov bl, byte_ptr(bda::DISPLAY_COMBINATION);
        mov bh, 0;
        mov word_ptr(bp + frame::BX), bx;
        jmp -> display_combination_done;
    set_display_combination:
        mov byte_ptr(bda::DISPLAY_COMBINATION), bl;
    display_combination_done:
        mov byte_ptr(bp + frame::AL), 0x1A;
        ret;
    }
    Ok(())
}

/// AH=1Bh, BX = 0: 64 bytes at ES:DI (IBM, "Video Dynamic Functionality Table").
fn functionality(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    functionality:
        or bx, bx;
        jnz -> nothing;
        mov byte_ptr(bp + frame::AL), 0x1B;
        mov di, word_ptr(bp + frame::DI);
        mov ax, t.functionality;
        stosw;
        mov ax, cs;
        stosw;
        mov si, bda::MODE;
        mov cx, 30;
        rep movsb;
        mov al, byte_ptr(bda::LAST_ROW);
        inc al;
        stosb;
        mov ax, word_ptr(bda::CHARACTER_HEIGHT);
        stosw;
        movzx ax, byte_ptr(bda::DISPLAY_COMBINATION);
        stosw;
        call -> mode_facts;
        // Character blocks.
        mov dx, port::SEQUENCER;
        mov al, 3;
        out dx, al;
        inc dx;
        in_ al, dx;
        mov ah, al;
        and ax, 0x2C13;
        shr ah, 2;
        stosw;
        // All modes on all displays; grey summing, palette loading, cursor emulation and blinking as they are.
        mov al, byte_ptr(bda::FLAGS);
        and al, 0x0A;
        or al, 0x21;
        test byte_ptr(bda::CONTROL), 1;
        jnz -> cursor_emulation_told;
        or al, 0x10;
    cursor_emulation_told:
        stosb;
        xor ax, ax;
        stosb;
        stosw;
        // 256 KiB of memory; no save area is in use.
        mov al, 3;
        stosb;
        mov cx, 14;
        mov al, 0;
        rep stosb;
        ret;
    }
    Ok(())
}

/// Colours, pages and lines of the mode, to ES:DI.
fn mode_facts(a: &mut Assembler) -> Result<(), IcedError> {
    let colours_of_model = [16, 4, 2, 16, 256, 256];
    let facts = a.jump_table(&[
        "text_colours",
        "cga_4_colours",
        "cga_2_colours",
        "planar_colours",
        "many_colours",
        "many_colours",
    ]);
    let [text, cga_4, cga_2, planar, many, _] = colours_of_model;
    code! { a;
    mode_facts:
        call -> get_model;
        jmp word_ptr(si + facts).cs();
    text_colours:
        mov ax, text;
        cmp byte_ptr(bda::MODE), 7;
        jne -> colours_known;
        mov ax, 0;
        jmp -> colours_known;
    cga_4_colours:
        mov ax, cga_4;
        jmp -> colours_known;
    cga_2_colours:
        mov ax, cga_2;
        jmp -> colours_known;
    planar_colours:
        mov ax, cga_2;
        cmp byte_ptr(bda::MODE), 0x11;
        je -> colours_known;
        mov ax, planar;
        jmp -> colours_known;
    many_colours:
        mov ax, many;
    colours_known:
        stosw;
        // As many pages as fit in 64 KiB (in text and CGA modes 32 KiB), eight at most.
        mov ax, 1;
        cmp word_ptr(bda::PAGE_SIZE), ax;
        jbe -> pages_known;
        cmp byte_ptr(bda::MODE), 0x13;
        je -> pages_known;
        xor dx, dx;
        mov ax, 0x8000;
        cmp si, 4;
        jbe -> room_known;
        inc dx;
        xor ax, ax;
    room_known:
        div word_ptr(bda::PAGE_SIZE);
        cmp al, 8;
        jbe -> pages_known;
        mov al, 8;
    pages_known:
        stosb;
        // 0, 1, 2, 3: 200, 350, 400, 480 lines.
        mov al, byte_ptr(bda::LAST_ROW);
        inc al;
        mul byte_ptr(bda::CHARACTER_HEIGHT);
        mov cx, ax;
        mov al, 0;
        cmp cx, 200;
        jbe -> lines_told;
        inc al;
        cmp cx, 350;
        jbe -> lines_told;
        inc al;
        cmp cx, 400;
        jbe -> lines_told;
        inc al;
    lines_told:
        stosb;
        ret;
    }
    Ok(())
}
