//! AH=1Ch: saves and restores the state of registers, data area and DAC; VBE 4F04h adds the DISPI registers.

use super::assembler::{Assembler, code};
use super::layout::{bda, frame, local, port, vector};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

/// Blocks of 64 bytes: registers, data area, DAC, DISPI registers; each part starts with a block.
const BLOCK: i32 = 64;
const DAC_BLOCKS: i32 = 13;

/// The two pieces of the data area that belong to us: first byte and length.
const DATA: [(i32, i32); 3] = [(bda::MODE, 30), (bda::LAST_ROW, 7), (vector::FONT, 4)];

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    function(a)?;
    size(a)?;
    walk(a)?;
    registers(a)?;
    data(a)?;
    save_dac(a)?;
    restore_dac(a)?;
    dispi(a)
}

/// AL = 0: BX = blocks that the parts CX need; 1: saves them to ES:BX; 2: restores them.
fn function(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    state_function:
        cmp al, 2;
        ja -> nothing;
        and cx, 7;
        mov byte_ptr(bp + frame::AL), 0x1C;
    // CX = parts, AL = what to do.
    state_of_parts:
        mov word_ptr(bp + local::PARTS), cx;
        cmp al, 1;
        jb -> state_size;
        mov di, bx;
        je -> save_state;
        jmp -> restore_state;
    }
    Ok(())
}

fn size(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    state_size:
        mov ax, cx;
        and ax, 1;
        test cl, 2;
        jz -> no_data_size;
        inc ax;
    no_data_size:
        test cl, 4;
        jz -> no_dac_size;
        add ax, DAC_BLOCKS;
    no_dac_size:
        test cl, 8;
        jz -> no_dispi_size;
        inc ax;
    no_dispi_size:
        mov word_ptr(bp + frame::BX), ax;
        ret;
    }
    Ok(())
}

/// Parts follow one another at ES:DI. DISPI registers are restored last, for they overrule the others.
fn walk(a: &mut Assembler) -> Result<(), IcedError> {
    let parts = [
        (1, "save_registers", "restore_registers", BLOCK),
        (2, "save_data", "restore_data", BLOCK),
        (4, "save_dac", "restore_dac", DAC_BLOCKS * BLOCK),
        (8, "save_dispi", "restore_dispi", BLOCK),
    ];
    for is_save in [true, false] {
        a.label(if is_save { "save_state" } else { "restore_state" })?;
        for (bit, save, restore, size) in parts {
            let part = a.target(if is_save { save } else { restore });
            let mut skipped = a.create_label();
            a.test(byte_ptr(bp + local::PARTS), bit)?;
            a.jz(skipped)?;
            a.push(di)?;
            a.call(part)?;
            a.pop(di)?;
            a.add(di, size)?;
            a.set_label(&mut skipped)?;
        }
        // The last label must stand before an instruction.
        a.ret()?;
    }
    Ok(())
}

fn registers(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    save_registers:
        jmp -> store_registers;
    restore_registers:
        push es;
        pop fs;
        mov bx, di;
        // The colour adapter's ports or the monochrome ones, as the miscellaneous output register says.
        mov ax, 0x3D4;
        test byte_ptr(di + 4).es(), 1;
        jnz -> restored_crtc_known;
        mov ax, 0x3B4;
    restored_crtc_known:
        mov word_ptr(bda::CRTC), ax;
        call -> dispi_off;
        call -> program_registers;
        mov al, 0x14;
        mov ah, byte_ptr(bx).fs();
        jmp -> write_attribute;
    }
    Ok(())
}

fn data(a: &mut Assembler) -> Result<(), IcedError> {
    a.label("save_data")?;
    for (first, length) in DATA {
        code! { a;
            mov si, first;
            mov cx, length;
            rep movsb;
        }
    }
    code! { a;
        ret;
    restore_data:
        mov si, di;
    }
    for (first, length) in DATA {
        code! { a;
            mov di, first;
            mov cx, length;
            call -> restore_bytes;
        }
    }
    code! { a;
        ret;
    restore_bytes:
        mov al, byte_ptr(si).es();
        mov byte_ptr(di), al;
        inc si;
        inc di;
        loop_ -> restore_bytes;
        ret;
    }
    Ok(())
}

/// Pixel mask, then the 256 registers.
fn save_dac(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    save_dac:
        mov dx, port::DAC_MASK;
        in_ al, dx;
        stosb;
        mov dx, port::DAC_READ_INDEX;
        mov al, 0;
        out dx, al;
        mov dx, port::DAC_DATA;
        mov cx, 256 * 3;
    save_dac_component:
        in_ al, dx;
        stosb;
        loop_ -> save_dac_component;
        ret;
    }
    Ok(())
}

fn restore_dac(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    restore_dac:
        mov si, di;
        mov dx, port::DAC_MASK;
        mov al, byte_ptr(si).es();
        out dx, al;
        inc si;
        mov dx, port::DAC_WRITE_INDEX;
        mov al, 0;
        out dx, al;
        inc dx;
        mov cx, 256 * 3;
    restore_dac_component:
        mov al, byte_ptr(si).es();
        out dx, al;
        inc si;
        loop_ -> restore_dac_component;
        ret;
    }
    Ok(())
}

/// Registers 1-9. Enable (4) is restored after size and depth, without clearing memory, and before the rest.
fn dispi(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    save_dispi:
        mov cx, 1;
    save_dispi_register:
        mov ax, cx;
        call -> dispi_get;
        stosw;
        inc cx;
        cmp cx, 9;
        jbe -> save_dispi_register;
        ret;
    restore_dispi:
        call -> dispi_off;
        mov si, di;
        mov bx, 1;
    restore_dispi_register:
        mov cx, word_ptr(si).es();
        add si, 2;
        mov ax, bx;
        cmp ax, 4;
        jne -> restore_dispi_value;
        or cl, 0x80;
    restore_dispi_value:
        call -> dispi_set;
        inc bx;
        cmp bx, 9;
        jbe -> restore_dispi_register;
        ret;
    }
    Ok(())
}
