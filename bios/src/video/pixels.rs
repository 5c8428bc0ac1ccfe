//! AH=0Ch and 0Dh: single dots.

use super::assembler::{Assembler, code};
use super::layout::{VBE_PLANAR, bda, frame, local, model, port};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    functions(a)?;
    addresses(a)?;
    planar(a)?;
    cga(a)?;
    linear(a)?;
    banked(a)
}

/// CX, DX = column and row, BH = page, AL = colour (bit 7: XOR, but not where a dot has a whole byte).
fn functions(a: &mut Assembler) -> Result<(), IcedError> {
    let write_by_model = a.jump_table(&[
        "nothing",
        "write_cga_dot",
        "write_cga_dot",
        "write_planar_dot",
        "write_linear_dot",
        "write_banked_dot",
    ]);
    let read_by_model = a.jump_table(&[
        "nothing",
        "read_cga_dot",
        "read_cga_dot",
        "read_planar_dot",
        "read_linear_dot",
        "read_banked_dot",
    ]);
    code! { a;
    write_dot:
        call -> get_model;
        call -> display_segment;
        jmp word_ptr(si + write_by_model).cs();
    read_dot:
        call -> get_model;
        call -> display_segment;
        call word_ptr(si + read_by_model).cs();
        mov byte_ptr(bp + frame::AL), al;
        ret;
    }
    Ok(())
}

fn addresses(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // ES:DI and the bit in CH of the planar dot at CX, DX on page BH. Clobbers CL and EDI.
    planar_dot:
        push edx;
        push ecx;
        movzx edi, dx;
        movzx edx, word_ptr(bda::COLUMNS);
        imul_2 edi, edx;
        movzx ecx, cx;
        shr ecx, 3;
        add edi, ecx;
        movzx ecx, bh;
        movzx edx, word_ptr(bda::PAGE_SIZE);
        imul_2 ecx, edx;
        add edi, ecx;
        pop ecx;
        pop edx;
        and cl, 7;
        mov ch, 0x80;
        shr ch, cl;
    // Shows byte EDI of the planes, where DI is its offset then. Only VBE modes have planes larger than the window.
    planar_window:
        cmp byte_ptr(bda::MODE), VBE_PLANAR;
        je -> select_bank;
        ret;
    // ES:DI, mask in CH and shift in CL of the CGA dot at CX, DX for model SI. Clobbers DX.
    cga_dot:
        mov di, 0;
        shr dx, 1;
        jnc -> even_line;
        mov di, 0x2000;
    even_line:
        imul_3 dx, dx, 80;
        add di, dx;
        mov dx, cx;
        cmp si, model::CGA_2;
        je -> one_bit_dot;
        shr dx, 2;
        add di, dx;
        not cl;
        and cl, 3;
        add cl, cl;
        mov ch, 3;
        shl ch, cl;
        ret;
    one_bit_dot:
        shr dx, 3;
        add di, dx;
        not cl;
        and cl, 7;
        mov ch, 1;
        shl ch, cl;
        ret;
    }
    Ok(())
}

fn planar(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    write_planar_dot:
        call -> planar_dot;
        mov bl, al;
        call -> planar_defaults;
        mov dx, port::GRAPHICS;
        mov ah, bl;
        mov al, 0;
        out dx, ax;
        mov ax, 0x0F01;
        out dx, ax;
        mov al, 8;
        mov ah, ch;
        out dx, ax;
        test bl, 0x80;
        jz -> write_planar_bit;
        mov ax, 0x1803;
        out dx, ax;
    write_planar_bit:
        // The other dots of the byte come from the latches.
        xchg byte_ptr(di).es(), al;
        jmp -> planar_defaults;
    read_planar_dot:
        call -> planar_dot;
        mov dx, port::GRAPHICS;
        mov ax, 0x0005;
        out dx, ax;
        mov ax, 0x0304;
        mov bl, 0;
    read_plane:
        out dx, ax;
        mov cl, byte_ptr(di).es();
        and cl, ch;
        neg cl;
        rcl bl, 1;
        dec ah;
        jns -> read_plane;
        mov ax, 0x0004;
        out dx, ax;
        mov al, bl;
        ret;
    }
    Ok(())
}

fn cga(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    write_cga_dot:
        call -> cga_dot;
        mov bl, al;
        shl al, cl;
        and al, ch;
        test bl, 0x80;
        jnz -> xor_cga_dot;
        not ch;
        and byte_ptr(di).es(), ch;
    xor_cga_dot:
        xor byte_ptr(di).es(), al;
        ret;
    read_cga_dot:
        call -> cga_dot;
        mov al, byte_ptr(di).es();
        and al, ch;
        shr al, cl;
        ret;
    }
    Ok(())
}

fn linear(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    write_linear_dot:
        call -> linear_dot;
        mov byte_ptr(di).es(), al;
        ret;
    read_linear_dot:
        call -> linear_dot;
        mov al, byte_ptr(di).es();
        ret;
    linear_dot:
        imul_3 di, dx, 320;
        add di, cx;
        ret;
    }
    Ok(())
}

/// In banked modes. With more bytes to a dot than one, all of them are zero or all bits are set.
fn banked(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    write_banked_dot:
        call -> banked_geometry;
        call -> banked_dot;
    // AL = colour, EDI = address; leaves EDI after the dot. Clobbers CX.
    put_banked_dot:
        mov cx, word_ptr(bp + local::DOT_BYTES);
        cmp cx, 1;
        je -> put_banked_byte;
        cmp al, 1;
        cmc;
        sbb al, al;
    put_banked_byte:
        call -> select_bank;
        mov byte_ptr(di).es(), al;
        inc edi;
        loop_ -> put_banked_byte;
        ret;
    read_banked_dot:
        call -> banked_geometry;
        call -> banked_dot;
        call -> select_bank;
        mov al, byte_ptr(di).es();
        ret;
    // EDI = address of the dot at CX, DX. Clobbers ECX and EDX.
    banked_dot:
        movzx edi, cx;
        movzx ecx, word_ptr(bp + local::DOT_BYTES);
        imul_2 edi, ecx;
        movzx edx, dx;
        imul_2 edx, dword_ptr(bp + local::LINE_BYTES);
        add edi, edx;
        ret;
    }
    bank(a)
}

fn bank(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // Asks the adapter for the sizes of dots and lines.
    banked_geometry:
        push ecx;
        call -> dispi_pitch;
        mov dword_ptr(bp + local::LINE_BYTES), ecx;
        call -> dispi_dot_bytes;
        mov word_ptr(bp + local::DOT_BYTES), cx;
        pop ecx;
        ret;
    // Shows the bank of address EDI in the window, where DI is its offset then.
    select_bank:
        push ecx;
        mov ecx, edi;
        shr ecx, 16;
        cmp cx, word_ptr(bp + local::BANK);
        je -> bank_selected;
        mov word_ptr(bp + local::BANK), cx;
        push ax;
        mov ax, 5;
        call -> dispi_set;
        pop ax;
    bank_selected:
        pop ecx;
        ret;
    }
    Ok(())
}
