//! 4F02h-4F04h: modes and the adapter's state.

use super::dispi;
use super::modes::row;
use crate::video::assembler::{Assembler, code};
use crate::video::layout::{VBE_BANKED, VBE_PLANAR, bda, frame, vector};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    set(a)?;
    set_data(a)?;
    get(a)?;
    state(a)
}

/// BX = mode; bit 14: linear frame buffer, bit 15: memory is kept. CRTC values of bit 11 are not needed: the adapter
/// has no refresh rate.
fn set(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_set_mode:
        mov cx, bx;
        and cx, 0x01FF;
        cmp cx, 0x100;
        jae -> set_vbe_mode;
        mov al, bh;
        and al, 0x80;
        or al, bl;
        call -> set_mode_function;
        jc -> vbe_failed;
        jmp -> vbe_done;
    set_vbe_mode:
        call -> find_mode;
        jc -> vbe_failed;
        mov bh, byte_ptr(bp + frame::BH);
        and bh, 0x80;
        and byte_ptr(bda::CONTROL), 0x7F;
        or byte_ptr(bda::CONTROL), bh;
        push si;
        // Registers and palette of a mode that holds dots the same way.
        mov al, 0x12;
        cmp byte_ptr(si + row::DEPTH).cs(), 4;
        je -> set_base_mode;
        inc al;
    set_base_mode:
        call -> set_mode;
        pop si;
        movzx cx, byte_ptr(si + row::DEPTH).cs();
        mov ax, dispi::DEPTH;
        call -> dispi_set;
        mov cx, word_ptr(si + row::WIDTH).cs();
        mov ax, dispi::WIDTH;
        call -> dispi_set;
        mov cx, word_ptr(si + row::HEIGHT).cs();
        mov ax, dispi::HEIGHT;
        call -> dispi_set;
        mov cl, byte_ptr(bp + frame::BH);
        and cl, dispi::KEEP_MEMORY | dispi::LINEAR;
        // The caller's flags have the same places in the register.
        mov ch, 0;
        or cl, dispi::ENABLED;
        mov ax, dispi::ENABLE;
        call -> dispi_set;
        call -> set_vbe_data;
        jmp -> vbe_done;
    }
    Ok(())
}

/// What the BIOS data area says about the mode at SI: characters of 8x16.
fn set_data(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    set_vbe_data:
        mov al, VBE_PLANAR;
        cmp byte_ptr(si + row::DEPTH).cs(), 4;
        je -> vbe_mode_known;
        mov al, VBE_BANKED;
    vbe_mode_known:
        mov byte_ptr(bda::MODE), al;
        // A column must fit in a byte.
        mov ax, word_ptr(si + row::WIDTH).cs();
        shr ax, 3;
        cmp ax, 0xFF;
        jbe -> columns_known;
        mov ax, 0xFF;
    columns_known:
        mov word_ptr(bda::COLUMNS), ax;
        mov ax, word_ptr(si + row::HEIGHT).cs();
        shr ax, 4;
        dec ax;
        mov byte_ptr(bda::LAST_ROW), al;
        mov word_ptr(bda::CHARACTER_HEIGHT), 16;
        mov word_ptr(bda::PAGE_SIZE), 0;
        mov word_ptr(vector::FONT), t.font_16;
        mov word_ptr(vector::FONT + 2), cs;
        ret;
    }
    Ok(())
}

/// BX = mode with the flags that it was set with.
fn get(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    vbe_get_mode:
        mov ax, dispi::ENABLE;
        call -> dispi_get;
        test al, dispi::ENABLED;
        jnz -> find_present_mode;
        movzx bx, byte_ptr(bda::MODE);
        mov al, byte_ptr(bda::CONTROL);
        and al, 0x80;
        or bh, al;
        jmp -> tell_mode;
    find_present_mode:
        mov bh, al;
        and bh, 0xC0;
        mov ax, dispi::WIDTH;
        call -> dispi_get;
        mov cx, ax;
        mov ax, dispi::HEIGHT;
        call -> dispi_get;
        mov dx, ax;
        mov ax, dispi::DEPTH;
        call -> dispi_get;
        mov si, t.vbe_modes;
    compare_mode:
        cmp word_ptr(si).cs(), -1;
        je -> vbe_failed;
        cmp word_ptr(si + row::WIDTH).cs(), cx;
        jne -> compare_next_mode;
        cmp word_ptr(si + row::HEIGHT).cs(), dx;
        jne -> compare_next_mode;
        cmp byte_ptr(si + row::DEPTH).cs(), al;
        je -> present_mode_found;
    compare_next_mode:
        add si, row::SIZE;
        jmp -> compare_mode;
    present_mode_found:
        mov bl, 0;
        or bx, word_ptr(si).cs();
    tell_mode:
        mov word_ptr(bp + frame::BX), bx;
        jmp -> vbe_done;
    }
    Ok(())
}

/// DL = 0: size, 1: save, 2: restore; parts in CX as in AH=1Ch, and DISPI registers.
fn state(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_state:
        cmp dl, 2;
        ja -> vbe_failed;
        and cx, 0x0F;
        mov al, dl;
        call -> state_of_parts;
        jmp -> vbe_done;
    }
    Ok(())
}
