; Power-on self test: from the reset vector to INT 19h.

post:
    cli
    cld
    xor ax, ax
    mov ss, ax
    mov sp, 7C00h
    in al, 92h
    or al, 2
    and al, 0FEh
    out 92h, al
    ; Shutdown status (PC/AT Technical Reference, "Shutdown"): some programs leave protected mode by a reset.
    mov al, 0Fh
    call cmos_read
    mov ah, al
    mov al, 0Fh
    mov bl, 0
    call cmos_write
    cmp ah, 5
    je resume_with_eoi
    cmp ah, 9
    je resume_block_move
    cmp ah, 0Ah
    je resume
    call shadow
    call chipset
    call set_vectors
    call set_data_areas
    call copy_blobs
    call clear_carried
    call processor_set_up
    call pci_assign
    sti
    call keyboard_set_up
    call clock_set_up
    call serial_and_parallel
    call video_rom
    call banner
    call count_memory
    call floppy_set_up
    call disks_set_up
    call option_roms
    call lock_shadow
    call report_drives
    ; The beep that says all is well would only cost time here.
    int 19h

resume_with_eoi:
    mov al, 20h
    out 0A0h, al
    out 20h, al
resume:
    call shadow_again
    DS_BDA
    jmpf [B_RESUME]

; Shutdown code 9: back from a block move of a 286; the stack is at 40:67.
resume_block_move:
    call shadow_again
    DS_BDA
    lss sp, [B_RESUME]
    pop es
    pop ds
    popa
    mov ah, 0
    iret

; CMOS register AL to AL, NMI off.
cmos_read:
    or al, 80h
    out 70h, al
    in al, 71h
    ret

; CMOS register AL becomes BL.
cmos_write:
    or al, 80h
    out 70h, al
    mov al, bl
    out 71h, al
    ret

; 82441FX, PAM0 to PAM6. AL: 1 reads RAM, 2 writes RAM, 3 both, for C0000h-FFFFFh.
pam:
    mov bl, al
    shl bl, 4
    or bl, al               ; two segments a register
    mov eax, 80000058h
    mov dx, 0CF8h
    out dx, eax
    mov dx, 0CFDh
    mov al, bl
    and al, 0F0h
    out dx, al              ; PAM0: F0000h only, high nibble
    mov al, bl
    inc dx
    out dx, al
    inc dx
    out dx, al
    mov eax, 8000005Ch
    mov dx, 0CF8h
    out dx, eax
    mov al, bl
    mov dx, 0CFCh
    mov cx, 4
.next:
    out dx, al
    inc dx
    loop .next
    ret

; Copies the ROM into the RAM behind it, and reads from there.
shadow:
    mov al, 2
    call pam
    mov ax, 0E000h
    call shadow_segment
    mov ax, 0F000h
    call shadow_segment
    mov al, 3
    jmp pam

shadow_segment:
    mov ds, ax
    mov es, ax
    xor si, si
    xor di, di
    mov cx, 4000h
    rep movsd
    ret

shadow_again:
    mov al, 1
    jmp pam

; What held our parts is empty again.
clear_carried:
    mov ax, 0E000h
    mov es, ax
    xor di, di
    xor eax, eax
    mov cx, 4000h
    rep stosd
    ret

; Nothing of the shadow can be written any more.
lock_shadow:
    mov al, 1
    jmp pam

; Copies parts of the image to their places in memory: rows of source, destination and length, all linear.
copy_blobs:
    call flat
    mov si, [cs:blobs]
.next:
    mov ecx, [cs:si+8]
    jecxz .done
    mov ebx, [cs:si]
    mov edi, [cs:si+4]
    add si, 12
.byte:
    mov eax, [es:ebx]
    mov [es:edi], eax
    add ebx, 4
    add edi, 4
    sub ecx, 4
    ja .byte
    jmp .next
.done:
    jmp unflat

; Gives ES a limit of 4 GiB and base 0 ("unreal mode": Intel SDM Vol. 3A 9.9.2, the limit survives).
flat:
    pushf
    push eax
    push ds
    cli
    lgdt [cs:gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp .in
.in:
    mov ax, 8
    mov es, ax
    mov eax, cr0
    and al, 0FEh
    mov cr0, eax
    jmp .out
.out:
    xor ax, ax
    mov es, ax
    pop ds
    pop eax
    popf
    ret

; ES has its limit of 64 KiB again.
unflat:
    pushf
    push eax
    cli
    lgdt [cs:gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp .in
.in:
    mov ax, 16
    mov es, ax
    mov eax, cr0
    and al, 0FEh
    mov cr0, eax
    jmp .out
.out:
    xor ax, ax
    mov es, ax
    pop eax
    popf
    ret

    align 8
gdt:
    dd 0, 0
    dw 0FFFFh, 0, 9300h, 008Fh  ; data, 4 GiB
    dw 0FFFFh, 0, 9300h, 0      ; data, 64 KiB
gdt_pointer:
    dw 23
    dd gdt+0F0000h

; Interrupt vectors 0-1Fh from the table, 70h-77h, the rest unused.
set_vectors:
    push 0
    pop es
    xor di, di
    mov ax, unused
    mov cx, 78h
.all:
    stosw
    mov word [es:di], 0F000h
    add di, 2
    loop .all
    xor eax, eax
    mov cx, 88h
    rep stosd
    mov si, vectors
.next:
    cs lodsb
    cmp al, 0FFh
    je .done
    movzx di, al
    shl di, 2
    cs lodsw
    mov [es:di], ax
    jmp .next
.done:
    ; 60h-67h are for programs: empty.
    mov di, 180h
    xor eax, eax
    mov cx, 8
    rep stosd
    ; Fixed-disk tables, and the graphics characters that the video BIOS knows better.
    mov word [es:104h], E_DISK_TABLE
    mov word [es:106h], EBDA
    mov word [es:118h], E_DISK_TABLE+16
    mov word [es:11Ah], EBDA
    ret

vectors:
    db 2
    dw nmi
    db 5
    dw return
    db 8
    dw int08
    db 9
    dw int09
    db 0Ah
    dw unused_master
    db 0Bh
    dw unused_master
    db 0Ch
    dw unused_master
    db 0Dh
    dw unused_master
    db 0Eh
    dw int0e
    db 0Fh
    dw int0f
    db 10h
    dw return
    db 11h
    dw int11
    db 12h
    dw int12
    db 13h
    dw int13
    db 14h
    dw int14
    db 15h
    dw int15
    db 16h
    dw int16
    db 17h
    dw int17
    db 18h
    dw int18
    db 19h
    dw int19
    db 1Ah
    dw int1a
    db 1Bh
    dw return
    db 1Ch
    dw return
    db 1Eh
    dw diskette_table
    db 40h
    dw int13_floppy
    db 4Ah
    dw return
    db 70h
    dw int70
    db 71h
    dw int71
    db 72h
    dw unused_slave
    db 73h
    dw unused_slave
    db 74h
    dw int74
    db 75h
    dw int75
    db 76h
    dw int76
    db 77h
    dw unused_slave
    db 0FFh

unused:
return:
    iret

nmi:
    iret

unused_slave:
    push ax
    mov al, 20h
    out 0A0h, al
    out 20h, al
    pop ax
    iret

unused_master:
    push ax
    mov al, 20h
    out 20h, al
    pop ax
    iret

; IRQ 7 also stands for a request that has gone away; only a real one is acknowledged (8259A, "spurious").
int0f:
    push ax
    mov al, 0Bh
    out 20h, al
    in al, 20h
    test al, 80h
    jz .spurious
    mov al, 20h
    out 20h, al
.spurious:
    pop ax
    iret

; IRQ 9 is what was IRQ 2 on the PC.
int71:
    push ax
    mov al, 20h
    out 0A0h, al
    pop ax
    int 0Ah
    iret

; IRQ 13: the coprocessor's error, as NMI on the PC.
int75:
    push ax
    xor al, al
    out 0F0h, al
    mov al, 20h
    out 0A0h, al
    out 20h, al
    pop ax
    int 2
    iret

; A drive has finished.
int76:
    push ax
    push ds
    DS_BDA
    mov byte [B_DISK_DONE], 0FFh
    mov al, 20h
    out 0A0h, al
    out 20h, al
    pop ds
    pop ax
    iret

; BIOS data area and its extension, all zero but what is known already.
set_data_areas:
    push BDA
    pop es
    push word [es:B_WARM]
    xor di, di
    xor eax, eax
    mov cx, 40h
    rep stosd
    pop word [es:B_WARM]
    push EBDA
    pop es
    xor di, di
    mov cx, 100h
    rep stosd
    mov byte [es:E_SIZE], 1
    DS_BDA
    mov word [B_EBDA], EBDA
    mov word [B_MEMORY], EBDA>>6
    mov word [B_HEAD], B_BUFFER
    mov word [B_TAIL], B_BUFFER
    mov word [B_BUFFER_FROM], B_BUFFER
    mov word [B_BUFFER_TO], B_BUFFER_END
    mov byte [B_KEYBOARD_MODE], 10h
    mov dword [B_LPT_TIMEOUT], 14141414h
    mov dword [B_COM_TIMEOUT], 01010101h
    mov al, 14h
    call cmos_read
    mov ah, 0
    and al, 0CFh
    or al, 26h              ; mouse, 80x25 colour, coprocessor
    mov [B_EQUIPMENT], ax
    ret

; The video BIOS: initialised first, so that the rest can speak.
video_rom:
    mov ax, 0C000h
    mov es, ax
    cmp word [es:0], 0AA55h
    jne .none
    DS_EBDA
    mov al, [E_VIDEO]
    mov ah, 0
    push bp
    push cs
    push .back
    push 0C000h
    push 3
    retf
.back:
    pop bp
    mov ax, 3               ; some leave it to us to choose a mode
    int 10h
.none:
    ret

; Option ROMs from C8000h on, each 2 KiB (PC/AT Technical Reference, "ROM scan").
option_roms:
    mov dx, 0C000h
.next:
    cmp dx, 0F000h
    jae .done
    mov es, dx
    cmp word [es:0], 0AA55h
    jne .step
    movzx cx, byte [es:2]
    shl cx, 5               ; paragraphs
    jz .step
    cmp dx, 0C000h          ; the video BIOS has run
    je .skip
    call checksum_rom
    jnz .step
    pusha
    push dx
    push cs
    push .back
    push dx
    push 3
    xor ax, ax
    retf
.back:
    pop dx
    cld
    sti
    popa
.skip:
    add dx, cx
    add dx, 7Fh
    and dx, 0FF80h
    jmp .next
.step:
    add dx, 80h
    jmp .next
.done:
    ret

; Whether the bytes of the ROM at ES:0, CX paragraphs, add up to zero.
checksum_rom:
    push cx
    xor si, si
    shl cx, 4
    mov al, 0
.next:
    add al, [es:si]
    inc si
    loop .next
    pop cx
    test al, al
    ret
