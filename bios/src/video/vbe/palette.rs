//! 4F08h and 4F09h: the DAC's width and its registers.

use super::dispi;
use crate::video::assembler::{Assembler, code};
use crate::video::layout::{frame, port};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    width(a)?;
    palette(a)?;
    get(a)
}

/// BL = 0: BH = bits of a component that are wanted, 1: gets them; BH = bits.
fn width(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_dac_width:
        call -> needs_vbe_mode;
        cmp bl, 1;
        ja -> vbe_failed;
        mov ax, dispi::ENABLE;
        call -> dispi_get;
        je -> tell_dac_width;
        mov cx, ax;
        and cl, !dispi::EIGHT_BIT_DAC & 0xFF;
        // Written again, enable must not clear memory.
        or cl, dispi::KEEP_MEMORY;
        cmp bh, 8;
        jb -> dac_width_chosen;
        or cl, dispi::EIGHT_BIT_DAC;
    dac_width_chosen:
        mov ax, dispi::ENABLE;
        call -> dispi_set;
        call -> dispi_get;
    tell_dac_width:
        mov bh, 6;
        test al, dispi::EIGHT_BIT_DAC;
        jz -> dac_width_known;
        mov bh, 8;
    dac_width_known:
        mov byte_ptr(bp + frame::BH), bh;
        jmp -> vbe_done;
    }
    Ok(())
}

/// BL = 0 or 80h: sets, 1: gets; CX = how many from register DX on; ES:DI = blue, green, red and a free byte for each.
fn palette(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    vbe_palette:
        cmp cx, 256;
        ja -> vbe_failed;
        mov di, word_ptr(bp + frame::DI);
        mov al, dl;
        cmp bl, 1;
        je -> get_vbe_palette;
        test bl, 0x7F;
        jnz -> vbe_failed;
        mov dx, port::DAC_WRITE_INDEX;
        out dx, al;
        inc dx;
        jcxz -> vbe_palette_done;
    set_vbe_colour:
        mov al, byte_ptr(di + 2).es();
        out dx, al;
        mov al, byte_ptr(di + 1).es();
        out dx, al;
        mov al, byte_ptr(di).es();
        out dx, al;
        add di, 4;
        loop_ -> set_vbe_colour;
    vbe_palette_done:
        jmp -> vbe_done;
    }
    Ok(())
}

fn get(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    get_vbe_palette:
        mov dx, port::DAC_READ_INDEX;
        out dx, al;
        mov dx, port::DAC_DATA;
        jcxz -> vbe_palette_done;
    get_vbe_colour:
        in_ al, dx;
        mov byte_ptr(di + 2).es(), al;
        in_ al, dx;
        mov byte_ptr(di + 1).es(), al;
        in_ al, dx;
        mov byte_ptr(di).es(), al;
        mov byte_ptr(di + 3).es(), 0;
        add di, 4;
        loop_ -> get_vbe_colour;
        jmp -> vbe_done;
    }
    Ok(())
}
