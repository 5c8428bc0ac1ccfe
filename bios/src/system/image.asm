; What the builder fills in (see configuration.rs), the BIOS32 directory, and the places that old programs jump to.

    align 16
    db "_32_"
    dd bios32_entry+0F0000h
    db 0, 1
bios32_sum:
    db 0
    times 5, 0

    align 4
; Rows of source, destination and length.
blobs:
    dw 0
; The text below the logo.
summary:
    dw 0
elcr:
    dw 0
e820:
    dw 0
e820_rows:
    dw 0
memory_below_16m:
    dw 0
memory_above_16m:
    dw 0
memory_88:
    dw 0
; The end of memory below 4 GiB, and MiB above.
memory_end:
    dd 0
memory_high_mib:
    dd 0
boot_order:
    dd 0, 0
boot_menu:
    db 0
has_apic:
    db 0
has_mtrr:
    db 0

; Tables that the builder adds go from here to E05Bh.
    align 16
code_end:

; IBM's entry points (PC/AT Technical Reference, "BIOS listing": the addresses that compatible BIOSes keep).
    at 0E05Bh
    jmp post
    at 0E2C3h
    jmp nmi
    at 0E3FEh
    jmp int13
    at 0E6F2h
    jmp int19
    at 0E739h
    jmp int14
    at 0E82Eh
    jmp int16
    at 0E987h
    jmp int09
    at 0EC59h
    jmp int13_floppy
    at 0EF57h
    jmp int0e
    at 0EFD2h
    jmp int17
    at 0F065h
    iret
    at 0F841h
    jmp int12
    at 0F84Dh
    jmp int11
    at 0F859h
    jmp int15
    at 0FE6Eh
    jmp int1a
    at 0FEA5h
    jmp int08
    at 0FF53h
    iret
    at 0FFF0h
    jmpf 0F000h:post
    at 0FFF5h
    db "11/29/26"
    at 0FFFEh
    db 0FCh, 0
