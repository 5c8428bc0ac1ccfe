//! The DISPI registers: an index and a data port (QEMU, docs/specs/standard-vga, "Bochs dispi interface").

use crate::video::assembler::{Assembler, code};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

const INDEX: i32 = 0x1CE;
const DATA: i32 = 0x1CF;

/// Registers.
pub(super) const WIDTH: i32 = 1;
pub(super) const HEIGHT: i32 = 2;
pub(super) const DEPTH: i32 = 3;
pub(super) const ENABLE: i32 = 4;
pub(super) const BANK: i32 = 5;
pub(super) const LINE_WIDTH: i32 = 6;
pub(super) const X_OFFSET: i32 = 8;
pub(super) const Y_OFFSET: i32 = 9;
pub(super) const MEMORY_64K: i32 = 10;

/// Bits of the enable register.
pub(super) const ENABLED: i32 = 0x01;
pub(super) const EIGHT_BIT_DAC: i32 = 0x20;
pub(super) const LINEAR: i32 = 0x40;
pub(super) const KEEP_MEMORY: i32 = 0x80;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    registers(a)?;
    geometry(a)
}

fn registers(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // AX = index, then its value. Flags stay.
    dispi_get:
        push dx;
        mov dx, INDEX;
        out dx, ax;
        mov dx, DATA;
        in_ ax, dx;
        pop dx;
        ret;
    // AX = index, CX = value.
    dispi_set:
        push dx;
        push ax;
        mov dx, INDEX;
        out dx, ax;
        mov dx, DATA;
        mov ax, cx;
        out dx, ax;
        pop ax;
        pop dx;
        ret;
    // Back to what the VGA's own registers say. Keeps AX.
    dispi_off:
        push ax;
        push cx;
        mov ax, ENABLE;
        xor cx, cx;
        call -> dispi_set;
        pop cx;
        pop ax;
        ret;
    }
    Ok(())
}

fn geometry(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    // CX = bytes of a dot, rounded up.
    dispi_dot_bytes:
        push ax;
        mov ax, DEPTH;
        call -> dispi_get;
        add ax, 7;
        shr ax, 3;
        mov cx, ax;
        pop ax;
        ret;
    // ECX = bytes of a line.
    dispi_pitch:
        push eax;
        mov ax, DEPTH;
        call -> dispi_get;
        cmp ax, 4;
        mov ax, LINE_WIDTH;
        call -> dispi_get;
        movzx eax, ax;
        jne -> whole_bytes;
        // Eight dots in a byte of each plane.
        shr eax, 3;
        mov ecx, eax;
        pop eax;
        ret;
    whole_bytes:
        call -> dispi_dot_bytes;
        movzx ecx, cx;
        imul_2 ecx, eax;
        pop eax;
        ret;
    // EAX = bytes of memory.
    dispi_memory:
        mov ax, MEMORY_64K;
        call -> dispi_get;
        shl eax, 16;
        ret;
    }
    Ok(())
}
