//! AH=0Bh and 10h: palette registers and the DAC.

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, port};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    cga(a)?;
    dispatch(a)?;
    set_attributes(a)?;
    get_attributes(a)?;
    paging(a)?;
    dac(a)?;
    dac_block(a)?;
    grey(a)
}

/// AH=0Bh: BH = 0: BL = border, and background in modes 4 and 5; BH = 1: BL = one of their two palettes.
fn cga(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    cga_palette:
        mov al, byte_ptr(bda::COLOUR_SELECT);
        or bh, bh;
        jnz -> choose_cga_palette;
        and bl, 0x1F;
        and al, 0xE0;
        or al, bl;
        mov byte_ptr(bda::COLOUR_SELECT), al;
        // Bit 3 is intensity, which is bit 4 of the palette registers.
        mov ah, bl;
        and bl, 8;
        and ah, 7;
        add bl, bl;
        or ah, bl;
        mov al, 0x11;
        call -> write_attribute;
        cmp byte_ptr(bda::MODE), 3;
        jbe -> cga_done;
        mov al, 0;
        call -> write_attribute;
        jmp -> cga_colours;
    choose_cga_palette:
        and al, 0xDF;
        and bl, 1;
        shl bl, 5;
        or al, bl;
        mov byte_ptr(bda::COLOUR_SELECT), al;
        cmp byte_ptr(bda::MODE), 3;
        jbe -> cga_done;
    cga_colours:
        // Green, red and brown, or cyan, magenta and white.
        mov bl, byte_ptr(bda::COLOUR_SELECT);
        mov ah, bl;
        and ah, 0x10;
        or ah, 2;
        test bl, 0x20;
        jz -> cga_first_colour;
        inc ah;
    cga_first_colour:
        mov al, 1;
    cga_colour:
        call -> write_attribute;
        inc al;
        add ah, 2;
        cmp al, 4;
        jb -> cga_colour;
    cga_done:
        ret;
    }
    Ok(())
}

fn dispatch(a: &mut Assembler) -> Result<(), IcedError> {
    let functions = a.jump_table(&[
        "set_attribute",
        "set_overscan",
        "set_all_attributes",
        "set_blinking",
        "nothing",
        "nothing",
        "nothing",
        "get_attribute",
        "get_overscan",
        "get_all_attributes",
        "nothing",
        "nothing",
        "nothing",
        "nothing",
        "nothing",
        "nothing",
        "set_dac",
        "nothing",
        "set_dac_block",
        "set_dac_paging",
        "nothing",
        "get_dac",
        "nothing",
        "get_dac_block",
        "set_dac_mask",
        "get_dac_mask",
        "get_dac_paging",
        "sum_to_grey",
    ]);
    code! { a;
    palette_function:
        cmp al, 0x1B;
        ja -> nothing;
        movzx si, al;
        add si, si;
        jmp word_ptr(si + functions).cs();
    }
    Ok(())
}

fn set_attributes(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AL=00h: BL = register, BH = value.
    set_attribute:
        mov al, bl;
        and al, 0x1F;
        mov ah, bh;
        jmp -> write_attribute;
    set_overscan:
        mov al, 0x11;
        mov ah, bh;
        jmp -> write_attribute;
    // AL=02h: ES:DX = sixteen palette registers and overscan.
    set_all_attributes:
        mov si, dx;
        mov al, 0;
    set_next_attribute:
        mov ah, byte_ptr(si).es();
        inc si;
        call -> write_attribute;
        inc al;
        cmp al, 0x10;
        jb -> set_next_attribute;
        inc al;
        mov ah, byte_ptr(si).es();
        jmp -> write_attribute;
    // AL=03h: BL = 0: bright backgrounds, 1: blinking characters.
    set_blinking:
        mov al, 0x10;
        call -> read_attribute;
        and ah, 0xF7;
        and byte_ptr(bda::MODE_SELECT), 0xDF;
        test bl, 1;
        jz -> write_attribute;
        or ah, 8;
        or byte_ptr(bda::MODE_SELECT), 0x20;
        jmp -> write_attribute;
    }
    Ok(())
}

fn get_attributes(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AL=07h: BL = register; BH = value.
    get_attribute:
        mov al, bl;
        and al, 0x1F;
        jmp -> return_attribute;
    get_overscan:
        mov al, 0x11;
    return_attribute:
        call -> read_attribute;
        mov byte_ptr(bp + frame::BH), ah;
        ret;
    get_all_attributes:
        mov di, dx;
        mov al, 0;
    get_next_attribute:
        call -> read_attribute;
        mov byte_ptr(di).es(), ah;
        inc di;
        inc al;
        cmp al, 0x10;
        jb -> get_next_attribute;
        inc al;
        call -> read_attribute;
        mov byte_ptr(di).es(), ah;
        ret;
    }
    Ok(())
}

/// Color paging: four pages of 64 colours or sixteen of 16 (FreeVGA, "Color Select Register").
fn paging(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AL=13h: BL = 0: BH = mode; BL = 1: BH = page.
    set_dac_paging:
        mov al, 0x10;
        call -> read_attribute;
        test bl, 1;
        jnz -> set_dac_page;
        and ah, 0x7F;
        shl bh, 7;
        or ah, bh;
        jmp -> write_attribute;
    set_dac_page:
        test ah, 0x80;
        jnz -> small_pages;
        shl bh, 2;
    small_pages:
        mov al, 0x14;
        mov ah, bh;
        and ah, 0x0F;
        jmp -> write_attribute;
    // AL=1Ah: BL = mode, BH = page.
    get_dac_paging:
        mov al, 0x10;
        call -> read_attribute;
        mov bl, ah;
        shr bl, 7;
        mov al, 0x14;
        call -> read_attribute;
        and ah, 0x0F;
        or bl, bl;
        jnz -> dac_page_known;
        shr ah, 2;
    dac_page_known:
        mov bh, ah;
        mov word_ptr(bp + frame::BX), bx;
        ret;
    }
    Ok(())
}

fn dac(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AL=10h: BX = register; DH, CH, CL = red, green, blue.
    set_dac:
        mov ah, dh;
        mov al, bl;
        mov dx, port::DAC_WRITE_INDEX;
        out dx, al;
        inc dx;
        mov al, ah;
        out dx, al;
        mov al, ch;
        out dx, al;
        mov al, cl;
        out dx, al;
        ret;
    get_dac:
        mov al, bl;
        call -> read_dac;
        mov byte_ptr(bp + frame::DX + 1), bl;
        mov word_ptr(bp + frame::CX), cx;
        ret;
    // Register AL: BL, CH, CL = red, green, blue.
    read_dac:
        mov dx, port::DAC_READ_INDEX;
        out dx, al;
        mov dx, port::DAC_DATA;
        in_ al, dx;
        mov bl, al;
        in_ al, dx;
        mov ch, al;
        in_ al, dx;
        mov cl, al;
        ret;
    set_dac_mask:
        mov dx, port::DAC_MASK;
        mov al, bl;
        out dx, al;
        ret;
    get_dac_mask:
        mov dx, port::DAC_MASK;
        in_ al, dx;
        mov byte_ptr(bp + frame::BL), al;
        ret;
    }
    Ok(())
}

/// AL=12h and 17h: BX = first register, CX = how many, ES:DX = three bytes for each.
fn dac_block(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    set_dac_block:
        mov si, dx;
        mov al, bl;
        mov dx, port::DAC_WRITE_INDEX;
        call -> start_dac_block;
        jcxz -> dac_block_done;
    set_dac_component:
        mov al, byte_ptr(si).es();
        out dx, al;
        inc si;
        loop_ -> set_dac_component;
    dac_block_done:
        ret;
    get_dac_block:
        mov di, dx;
        mov al, bl;
        mov dx, port::DAC_READ_INDEX;
        call -> start_dac_block;
        jcxz -> dac_block_done;
    get_dac_component:
        in_ al, dx;
        stosb;
        loop_ -> get_dac_component;
        ret;
    // CX = components of as many registers, 256 at most.
    start_dac_block:
        out dx, al;
        cmp cx, 256;
        jbe -> dac_count_known;
        mov cx, 256;
    dac_count_known:
        imul_3 cx, cx, 3;
        mov dx, port::DAC_DATA;
        ret;
    }
    Ok(())
}

/// AL=1Bh: BX = first register, CX = how many: 30 % of red, 59 % of green and 11 % of blue.
fn grey(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    sum_to_grey:
        jcxz -> grey_done;
    sum_next:
        push cx;
        mov al, bl;
        push bx;
        call -> read_dac;
        movzx ax, bl;
        imul_3 si, ax, 77;
        movzx ax, ch;
        imul_3 ax, ax, 151;
        add si, ax;
        movzx ax, cl;
        imul_3 ax, ax, 28;
        add ax, si;
        add ax, 0x80;
        pop bx;
        mov dh, ah;
        mov ch, ah;
        mov cl, ah;
        call -> set_dac;
        pop cx;
        inc bx;
        loop_ -> sum_next;
    grey_done:
        ret;
    }
    Ok(())
}
