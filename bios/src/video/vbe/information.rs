//! 4F00h and 4F01h: the controller and its modes.

use super::modes::{format, row};
use crate::video::assembler::{Assembler, code};
use crate::video::layout::frame;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// The list of modes goes to the reserved bytes of the block.
const LIST: i32 = 0x22;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    controller(a)?;
    list(a)?;
    find(a)?;
    mode(a)?;
    mode_size(a)?;
    mode_colours(a)
}

/// ES:DI = block of 256 bytes, or of 512 if the caller signed it "VBE2".
fn controller(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    vbe_information:
        mov di, word_ptr(bp + frame::DI);
        mov ebx, dword_ptr(di).es();
        mov eax, u32::from_le_bytes(*b"VESA");
        stosd;
        mov ax, 0x0300;
        stosw;
        mov ax, t.maker;
        call -> store_pointer;
        // The DAC can be switched to eight bits.
        mov eax, 1;
        stosd;
        mov ax, word_ptr(bp + frame::DI);
        add ax, LIST;
        stosw;
        mov ax, es;
        stosw;
        call -> dispi_memory;
        shr eax, 16;
        stosw;
        cmp ebx, u32::from_le_bytes(*b"VBE2");
        jne -> vbe_mode_list;
        mov ax, 0x0001;
        stosw;
        mov ax, t.maker;
        call -> store_pointer;
        mov ax, t.product;
        call -> store_pointer;
        mov ax, t.revision;
        call -> store_pointer;
        jmp -> vbe_mode_list;
    store_pointer:
        stosw;
        mov ax, cs;
        stosw;
        ret;
    }
    Ok(())
}

/// The modes that memory is enough for.
fn list(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    vbe_mode_list:
        mov di, word_ptr(bp + frame::DI);
        add di, LIST;
        mov si, t.vbe_modes;
        call -> dispi_memory;
        shr eax, 16;
        mov bx, ax;
    list_mode:
        mov ax, word_ptr(si).cs();
        cmp ax, -1;
        je -> list_ends;
        cmp word_ptr(si + row::PIECES).cs(), bx;
        ja -> skip_mode;
        stosw;
    skip_mode:
        add si, row::SIZE;
        jmp -> list_mode;
    list_ends:
        stosw;
        jmp -> vbe_done;
    }
    Ok(())
}

/// CX = number; CS:SI = the mode's row, or carry if it is not there or memory is not enough. Clobbers EAX, BX.
fn find(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    find_mode:
        call -> dispi_memory;
        shr eax, 16;
        mov bx, ax;
        mov si, t.vbe_modes;
        sub si, row::SIZE;
    look_at_mode:
        add si, row::SIZE;
        mov ax, word_ptr(si).cs();
        cmp ax, -1;
        je -> mode_not_found;
        cmp ax, cx;
        jne -> look_at_mode;
        cmp bx, word_ptr(si + row::PIECES).cs();
        jb -> mode_not_found;
        clc;
        ret;
    mode_not_found:
        stc;
        ret;
    }
    Ok(())
}

/// CX = mode, ES:DI = block of 256 bytes.
fn mode(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    let window = a.jump_table(&["vbe_window_call"]);
    code! { a;
    vbe_mode_information:
        and cx, 0x3FFF;
        call -> find_mode;
        jc -> vbe_failed;
        mov di, word_ptr(bp + frame::DI);
        mov cx, 128;
        xor ax, ax;
        rep stosw;
        mov di, word_ptr(bp + frame::DI);
        movzx bx, byte_ptr(si + row::FORMAT).cs();
        imul_3 bx, bx, format::SIZE;
        add bx, t.vbe_formats;
        mov ax, word_ptr(bx).cs();
        stosw;
        // Window A can be moved, read and written, in steps of 64 KiB; there is no window B.
        mov ax, 0x0007;
        stosw;
        mov ax, 64;
        stosw;
        stosw;
        mov ax, 0xA000;
        stosw;
        xor ax, ax;
        stosw;
        mov ax, word_ptr(window).cs();
        call -> store_pointer;
    }
    Ok(())
}

/// From bytes per line to the reserved byte after the pages.
fn mode_size(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
        mov ax, word_ptr(si + row::PITCH).cs();
        stosw;
        mov ax, word_ptr(si + row::WIDTH).cs();
        stosw;
        mov ax, word_ptr(si + row::HEIGHT).cs();
        stosw;
        // Characters of 8x16.
        mov ax, 0x1008;
        stosw;
        mov al, byte_ptr(bx + format::PLANES).cs();
        mov ah, byte_ptr(si + row::DEPTH).cs();
        stosw;
        mov al, 1;
        mov ah, byte_ptr(bx + format::MEMORY_MODEL).cs();
        stosw;
        call -> dispi_memory;
        shr eax, 16;
        xor dx, dx;
        div word_ptr(si + row::PIECES).cs();
        dec ax;
        cmp ax, 0xFF;
        jbe -> page_count_known;
        mov ax, 0xFF;
    page_count_known:
        mov ah, al;
        mov al, 0;
        // Bank size, and one page less than there are.
        push ax;
        stosw;
        mov al, 1;
        stosb;
    }
    Ok(())
}

/// Masks, the frame buffer, and the same again for linear modes.
fn mode_colours(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
        call -> store_masks;
        mov al, 0;
        stosb;
        xor eax, eax;
        test byte_ptr(bx).cs(), 0x80;
        jz -> frame_buffer_known;
        push bx;
        push si;
        call -> find_adapter;
        mov eax, 0;
        jc -> no_frame_buffer;
        mov al, 0x10;
        call -> pci_read;
        and al, 0xF0;
    no_frame_buffer:
        pop si;
        pop bx;
    frame_buffer_known:
        stosd;
        xor eax, eax;
        stosd;
        stosw;
        mov ax, word_ptr(si + row::PITCH).cs();
        stosw;
        pop ax;
        mov al, ah;
        stosw;
        call -> store_masks;
        // The fastest dot clock: whatever a program asks for.
        mov eax, 400_000_000;
        stosd;
        jmp -> vbe_done;
    store_masks:
        push si;
        lea si, word_ptr(bx + format::MASKS);
        mov cx, 8;
    store_mask:
        mov al, byte_ptr(si).cs();
        inc si;
        stosb;
        loop_ -> store_mask;
        pop si;
        ret;
    }
    Ok(())
}
