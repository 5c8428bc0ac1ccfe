//! How the ROM starts, and how INT 10h finds its functions.

use super::assembler::{Assembler, code};
use super::layout::{bda, local, vector};
use super::tables::EDID;
use super::{CHECKSUM, SIZE};
use iced_x86::IcedError;
use iced_x86::code_asm::*;

const CHECKSUM_AT: i32 = CHECKSUM as i32;
const SIZE_IN_BYTES: i32 = SIZE as i32;

pub(super) fn emit(a: &mut Assembler) -> Result<(), IcedError> {
    start(a)?;
    set_up_data(a)?;
    read_edid(a)?;
    flat_fs(a)?;
    find_adapter(a)?;
    dispatch(a)
}

/// The far entry: takes INT 10h, shows mode 3, and keeps the ROM's sum zero.
fn start(a: &mut Assembler) -> Result<(), IcedError> {
    let handler = a.jump_table(&["int_10h"]);
    code! { a;
    start:
        pushad;
        push ds;
        push es;
        push fs;
        cld;
        push 0;
        pop ds;
        mov eax, dword_ptr(vector::VIDEO);
        mov dword_ptr(vector::OLD_VIDEO), eax;
        mov ax, word_ptr(handler).cs();
        mov word_ptr(vector::VIDEO), ax;
        mov word_ptr(vector::VIDEO + 2), cs;
        call -> set_up_data;
        call -> read_edid;
        mov ax, 3;
        int 0x10;
        push cs;
        pop ds;
        xor si, si;
        xor ah, ah;
        mov cx, SIZE_IN_BYTES;
    sum_byte:
        lodsb;
        add ah, al;
        loop_ -> sum_byte;
        sub byte_ptr(CHECKSUM_AT), ah;
        pop fs;
        pop es;
        pop ds;
        popad;
        retf;
    }
    Ok(())
}

fn set_up_data(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    let upper = t.font_8 + 0x80 * 8;
    code! { a;
    set_up_data:
        mov word_ptr(vector::UPPER_FONT), upper;
        mov word_ptr(vector::UPPER_FONT + 2), cs;
        mov word_ptr(vector::FONT), t.font_16;
        mov word_ptr(vector::FONT + 2), cs;
        mov word_ptr(bda::SAVE_POINTERS), t.save_pointers;
        mov word_ptr(bda::SAVE_POINTERS + 2), cs;
        // 256 KiB; an EGA's switches for a colour display; 400 lines, VGA active; VGA with a colour display.
        mov byte_ptr(bda::CONTROL), 0x60;
        mov byte_ptr(bda::SWITCHES), 0xF9;
        mov byte_ptr(bda::FLAGS), 0x11;
        mov byte_ptr(bda::DISPLAY_COMBINATION), 0x08;
        // 80 columns of a colour display.
        and byte_ptr(bda::EQUIPMENT), 0xCF;
        or byte_ptr(bda::EQUIPMENT), 0x20;
        ret;
    }
    Ok(())
}

/// Copies the display's EDID from the adapter's registers, which real mode cannot reach later, into the ROM.
fn read_edid(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    read_edid:
        call -> find_adapter;
        jc -> edid_done;
        mov al, 0x18;
        call -> pci_read;
        and eax, 0xFFFF_FFF0_u32;
        jz -> edid_done;
        mov esi, eax;
        call -> flat_fs;
        jc -> edid_done;
        // An EDID starts 00 FF FF FF (VESA E-EDID, 3.3, "Header").
        mov eax, dword_ptr(esi).fs();
        cmp eax, 0xFFFF_FF00_u32;
        jne -> edid_done;
        push cs;
        pop es;
        mov di, t.edid;
        mov cx, EDID / 4;
    edid_dword:
        mov eax, dword_ptr(esi).fs();
        add esi, 4;
        stosd;
        loop_ -> edid_dword;
        mov byte_ptr(t.edid_is_there).es(), 1;
    edid_done:
        ret;
    }
    Ok(())
}

/// Makes FS reach 4 GiB from address 0; carry in virtual-8086 mode, where it cannot. Clobbers EAX and BX.
fn flat_fs(a: &mut Assembler) -> Result<(), IcedError> {
    let t = a.tables;
    code! { a;
    flat_fs:
        smsw ax;
        test al, 1;
        stc;
        jnz -> flat_done;
        pushf;
        cli;
        sub sp, 12;
        mov bx, sp;
        sgdt(word_ptr(bx).ss());
        // GDTR of our two descriptors.
        mov word_ptr(bx + 6).ss(), 15;
        xor eax, eax;
        mov ax, cs;
        shl eax, 4;
        add eax, t.flat_segment;
        mov dword_ptr(bx + 8).ss(), eax;
        lgdt(word_ptr(bx + 6).ss());
        mov eax, cr0;
        or al, 1;
        mov cr0, eax;
        push 8;
        pop fs;
        and al, 0xFE;
        mov cr0, eax;
        lgdt(word_ptr(bx).ss());
        add sp, 12;
        popf;
        clc;
    flat_done:
        ret;
    }
    Ok(())
}

/// Finds the adapter on PCI bus 0: its configuration address in EBX, or carry (PCI 2.1, 3.2.2.3.2). Clobbers EAX, DX.
fn find_adapter(a: &mut Assembler) -> Result<(), IcedError> {
    code! { a;
    find_adapter:
        mov ebx, 0x8000_0000_u32;
    try_device:
        mov al, 0;
        call -> pci_read;
        cmp eax, 0x1111_1234_u32;
        je -> adapter_found;
        add ebx, 0x800;
        cmp ebx, 0x8001_0000_u32;
        jb -> try_device;
        stc;
        ret;
    adapter_found:
        clc;
        ret;
    // Configuration register AL of the device at EBX, into EAX.
    pci_read:
        push ebx;
        mov bl, al;
        mov dx, 0xCF8;
        in_ eax, dx;
        xchg eax, ebx;
        out dx, eax;
        mov dx, 0xCFC;
        in_ eax, dx;
        xchg eax, ebx;
        mov dx, 0xCF8;
        out dx, eax;
        mov eax, ebx;
        pop ebx;
        ret;
    }
    Ok(())
}

/// INT 10h. A function gets the caller's general registers and ES, DS = 0, BP = the frame, and may clobber them all.
fn dispatch(a: &mut Assembler) -> Result<(), IcedError> {
    let functions = a.jump_table(&[
        "set_mode_function",
        "set_cursor_shape",
        "set_cursor",
        "get_cursor",
        "light_pen",
        "set_page",
        "scroll_up",
        "scroll_down",
        "read_character",
        "write_character",
        "write_character_only",
        "cga_palette",
        "write_dot",
        "read_dot",
        "teletype",
        "get_mode",
        "palette_function",
        "font_function",
        "alternate_function",
        "write_string",
        "nothing",
        "nothing",
        "nothing",
        "nothing",
        "nothing",
        "nothing",
        "display_combination",
        "functionality",
        "state_function",
    ]);
    code! { a;
    int_10h:
        cld;
        push ds;
        push es;
        push fs;
        pushad;
        mov bp, sp;
        sub sp, local::SIZE;
        mov word_ptr(bp + local::BANK), -1;
        push 0;
        pop ds;
        cmp ah, 0x4F;
        je -> to_vbe;
        cmp ah, 0x1C;
        ja -> leave_int_10h;
        movzx si, ah;
        add si, si;
        call word_ptr(si + functions).cs();
    leave_int_10h:
        mov sp, bp;
        popad;
        pop fs;
        pop es;
        pop ds;
        iret;
    to_vbe:
        call -> vbe;
        jmp -> leave_int_10h;
    nothing:
        ret;
    }
    Ok(())
}
