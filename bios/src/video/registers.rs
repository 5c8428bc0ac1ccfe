//! Reads and writes the VGA's registers as the parameter table lists them.

use super::assembler::{Assembler, code};
use super::layout::{bda, port};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// Registers of each file in the list; the attribute controller's 21st (colour select) comes last.
const SEQUENCER: i32 = 4;
const CRTC: i32 = 25;
const ATTRIBUTE: i32 = 20;
const GRAPHICS: i32 = 9;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    program(a)?;
    program_attribute(a)?;
    store(a)?;
    attribute(a)
}

/// Programs all registers from the list at FS:BX; leaves BX after it, at the colour select register's place.
fn program(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    program_registers:
        // Sequencer, between its two resets; then the clocks.
        mov dx, port::SEQUENCER;
        mov ax, 0x0100;
        out dx, ax;
        mov al, 1;
        mov cx, SEQUENCER;
        call -> program_file;
        mov dx, port::MISCELLANEOUS;
        mov al, byte_ptr(bx).fs();
        out dx, al;
        inc bx;
        mov dx, port::SEQUENCER;
        mov ax, 0x0300;
        out dx, ax;
        // Vertical retrace end protects registers 0-7 by its bit 7.
        mov dx, word_ptr(bda::CRTC);
        mov ax, 0x0011;
        out dx, ax;
        mov al, 0;
        mov cx, CRTC;
        call -> program_file;
        call -> program_attributes;
        mov dx, port::GRAPHICS;
        mov al, 0;
        mov cx, GRAPHICS;
    program_file:
        mov ah, byte_ptr(bx).fs();
        out dx, ax;
        inc al;
        inc bx;
        loop_ -> program_file;
        ret;
    }
    Ok(())
}

fn program_attribute(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    program_attributes:
        mov cx, ATTRIBUTE;
        mov al, 0;
    program_attribute:
        mov ah, byte_ptr(bx).fs();
        inc bx;
        call -> write_attribute;
        inc al;
        loop_ -> program_attribute;
        mov ah, 0;
        jmp -> write_attribute;
    }
    Ok(())
}

/// Lists all registers at ES:DI, as [`program`] takes them, and the colour select register after them.
fn store(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    store_registers:
        mov dx, port::SEQUENCER;
        mov ah, 1;
        mov cx, SEQUENCER;
        call -> store_file;
        mov dx, port::MISCELLANEOUS_READ;
        in_ al, dx;
        stosb;
        mov dx, word_ptr(bda::CRTC);
        mov ah, 0;
        mov cx, CRTC;
        call -> store_file;
        mov cx, ATTRIBUTE;
        mov bl, 0;
    store_attribute:
        mov al, bl;
        call -> read_attribute;
        mov al, ah;
        stosb;
        inc bl;
        loop_ -> store_attribute;
        mov dx, port::GRAPHICS;
        mov ah, 0;
        mov cx, GRAPHICS;
        call -> store_file;
        mov al, 0x14;
        call -> read_attribute;
        mov al, ah;
        stosb;
        ret;
    store_file:
        mov al, ah;
        out dx, al;
        inc dx;
        in_ al, dx;
        dec dx;
        stosb;
        inc ah;
        loop_ -> store_file;
        ret;
    }
    Ok(())
}

/// The attribute controller's register AL from or into AH; index and data share a port, and index bit 5 shows the
/// picture (FreeVGA, "Attribute Controller Registers"). All other registers are kept.
fn attribute(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    write_attribute:
        push dx;
        push ax;
        call -> first_is_index;
        mov dx, port::ATTRIBUTE;
        out dx, al;
        mov al, ah;
        out dx, al;
        mov al, 0x20;
        out dx, al;
        pop ax;
        pop dx;
        ret;
    read_attribute:
        push dx;
        call -> first_is_index;
        push ax;
        mov dx, port::ATTRIBUTE;
        out dx, al;
        mov dx, port::ATTRIBUTE_READ;
        in_ al, dx;
        mov ah, al;
        call -> first_is_index;
        mov dx, port::ATTRIBUTE;
        mov al, 0x20;
        out dx, al;
        pop dx;
        mov al, dl;
        pop dx;
        ret;
    first_is_index:
        push ax;
        mov dx, word_ptr(bda::CRTC);
        add dx, port::STATUS_1;
        in_ al, dx;
        pop ax;
        ret;
    }
    Ok(())
}
