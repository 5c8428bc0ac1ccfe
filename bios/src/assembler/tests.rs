//! Bytes of instructions as the Intel SDM encodes them, and what must be refused.

use super::{Source, assemble};

fn bytes(text: &'static str) -> Vec<u8> {
    let assembled = assemble(&[Source { name: "test", text }], &[("FIVE", 5)], 4096).expect("it assembles");
    assembled.bytes[..assembled.used].to_vec()
}

fn refused(text: &'static str) -> String {
    assemble(&[Source { name: "test", text }], &[], 64).expect_err("it must not assemble").to_string()
}

#[test]
fn instructions_of_each_shape() {
    let table: &[(&str, &[u8])] = &[
        ("mov ax, 1234h", &[0xB8, 0x34, 0x12]),
        ("mov al, [bx+si+FIVE]", &[0x8A, 0x40, 0x05]),
        ("mov [es:di-1], cx", &[0x26, 0x89, 0x4D, 0xFF]),
        ("mov word [1234h], 5", &[0xC7, 0x06, 0x34, 0x12, 0x05, 0x00]),
        ("add bx, FIVE*2", &[0x83, 0xC3, 0x0A]),
        ("add dword [bp], 1", &[0x66, 0x83, 0x46, 0x00, 0x01]),
        ("mov eax, [eax+ecx*4]", &[0x66, 0x67, 0x8B, 0x04, 0x88]),
        ("movzx eax, byte [bx]", &[0x66, 0x0F, 0xB6, 0x07]),
        ("push ds", &[0x1E]),
        ("mov ds, ax", &[0x8E, 0xD8]),
        ("mov cr0, eax", &[0x0F, 0x22, 0xC0]),
        ("out 20h, al", &[0xE6, 0x20]),
        ("in eax, dx", &[0x66, 0xED]),
        ("shl ax, 1", &[0xD1, 0xE0]),
        ("shr dx, cl", &[0xD3, 0xEA]),
        ("rep cs movsw", &[0xF3, 0x2E, 0xA5]),
        ("rep insd", &[0xF3, 0x66, 0x6D]),
        ("jmpf 0F000h:0E05Bh", &[0xEA, 0x5B, 0xE0, 0x00, 0xF0]),
        ("callf [bx]", &[0xFF, 0x1F]),
        ("call word [bx]", &[0xFF, 0x17]),
        ("retf 2", &[0xCA, 0x02, 0x00]),
        ("iret", &[0xCF]),
        ("pushad", &[0x66, 0x60]),
        ("loop $", &[0xE2, 0xFE]),
        ("jcxz $", &[0xE3, 0xFE]),
        ("bits 32\n push eax\n mov ax, [esi+8]", &[0x50, 0x66, 0x8B, 0x46, 0x08]),
        ("bits 32\n retf", &[0xCB]),
        ("db 1, \"AB\", 'C', -1\n dw 1234h", &[1, b'A', b'B', b'C', 0xFF, 0x34, 0x12]),
    ];
    for (text, expected) in table {
        assert_eq!(bytes(text), *expected, "{text}");
    }
}

#[test]
fn labels_may_come_later_and_far_branches_are_long() {
    assert_eq!(bytes("jmp over\nover: nop"), [0xEB, 0x00, 0x90]);
    let long = bytes("je over\n times 200, 90h\nover: nop");
    assert_eq!(long[..4], [0x0F, 0x84, 200, 0]);
    assert_eq!(bytes("mov si, text\ntext: db 0"), [0xBE, 0x03, 0x00, 0x00]);
}

#[test]
fn dotted_labels_are_local_and_macros_have_their_own() {
    let text = "macro twice\n%%a: inc %1\n jnz %%a\nendmacro\none: jmp .x\n.x:\n twice ax\ntwo:\n.x:\n twice bx\n jmp .x";
    assert_eq!(bytes(text), [0xEB, 0, 0x40, 0x75, 0xFD, 0x43, 0x75, 0xFD, 0xEB, 0xFB]);
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(refused("nop\nmov ax, there"), "test, line 2: `there` is not defined");
    assert!(refused("inc [bx]").contains("needs byte, word or dword"));
    assert!(refused("mov al, 256").contains("does not take"));
    assert!(refused("a: nop\na: nop").contains("defined twice"));
    assert!(refused("times 60, 0\nat 10").contains("beyond"));
    assert!(refused("times 65, 0").contains("does not fit"));
    assert!(refused("loop far\ntimes 40, 90h\nfar = 4000").contains("far"));
}
