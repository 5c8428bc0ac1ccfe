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
    and al, 0C3h            ; bits 2 and 3 say other things in CMOS
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
