//! 4F15h: what the display says about itself, as read when the ROM started.

use crate::video::assembler::{Assembler, code};
use crate::video::layout::frame;
use crate::video::tables::EDID;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// Bytes of an EDID block.
const BLOCK: i32 = 128;

/// BL = 0: BH = seconds that a block takes, BL = 2: DDC2; BL = 1: DX = block, to ES:DI.
pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    vbe_ddc:
        cmp byte_ptr(t.edid_is_there).cs(), 0;
        je -> vbe_failed;
        cmp bl, 1;
        ja -> vbe_failed;
        je -> read_edid_block;
        mov word_ptr(bp + frame::BX), 0x0102;
        jmp -> vbe_done;
    read_edid_block:
        cmp dx, EDID / BLOCK;
        jae -> vbe_failed;
        mov si, dx;
        shl si, 7;
        add si, t.edid;
        mov di, word_ptr(bp + frame::DI);
        mov cx, BLOCK;
    copy_edid:
        mov al, byte_ptr(si).cs();
        inc si;
        stosb;
        loop_ -> copy_edid;
        jmp -> vbe_done;
    }
    Ok(())
}
