; Interrupt controllers, timer, DMA, real-time clock, as the PC/AT Technical Reference sets them.

chipset:
    ; 8259A: vectors 8h and 70h, slave on IRQ2; timer, keyboard, cascade, diskette on, and the slave's RTC and disks.
    mov al, 11h
    out 20h, al
    out 0A0h, al
    mov al, 8
    out 21h, al
    mov al, 70h
    out 0A1h, al
    mov al, 4
    out 21h, al
    mov al, 2
    out 0A1h, al
    mov al, 1
    out 21h, al
    out 0A1h, al
    mov al, 0B8h
    out 21h, al
    mov al, 0Eh
    out 0A1h, al
    mov ax, [cs:elcr]
    mov dx, 4D0h
    out dx, al
    inc dx
    mov al, ah
    out dx, al
    ; 8254: counter 0 is the tick, 18.2 Hz; 1 the refresh; 2 the speaker.
    mov al, 36h
    out 43h, al
    xor al, al
    out 40h, al
    out 40h, al
    mov al, 54h
    out 43h, al
    mov al, 12h
    out 41h, al
    in al, 61h
    and al, 0FCh
    out 61h, al
    ; 8237A: clear, cascade, all other channels masked.
    xor al, al
    out 0Dh, al
    out 0DAh, al
    mov al, 0C0h
    out 0D6h, al
    mov al, 41h
    out 0D6h, al
    xor al, al
    out 0D4h, al
    mov al, 0Fh
    out 0Fh, al
    ; MC146818: 32768 Hz, 1024 Hz periodic rate; 24 hours, BCD, no interrupts.
    mov al, 0Ah
    mov bl, 26h
    call cmos_write
    mov al, 0Bh
    mov bl, 02h
    call cmos_write
    mov al, 0Ch
    call cmos_read
    mov al, 0Dh
    call cmos_read
    mov al, 0Dh             ; NMI on
    out 70h, al
    in al, 71h
    ret

; COM and LPT ports that answer go into the BIOS data area.
serial_and_parallel:
    DS_BDA
    mov si, serial_ports
    xor di, di              ; offset in the table
    mov cx, 4
.serial:
    cs lodsw
    mov dx, ax
    add dx, 7               ; the scratch register keeps what is written
    mov al, 5Ah
    out dx, al
    in al, dx
    cmp al, 5Ah
    jne .no_serial
    sub dx, 7
    mov [di], dx
    add di, 2
.no_serial:
    loop .serial
    shl di, 8               ; bits 9-11 of the equipment word
    or [B_EQUIPMENT], di
    xor di, di
    mov cx, 3
.parallel:
    cs lodsw
    mov dx, ax
    mov al, 0AAh            ; the data latch reads back
    out dx, al
    in al, dx
    cmp al, 0AAh
    jne .no_parallel
    mov [di+B_LPT], dx
    add di, 2
.no_parallel:
    loop .parallel
    shl di, 13              ; bits 14 and 15
    or [B_EQUIPMENT], di
    ret

serial_ports:
    dw 3F8h, 2F8h, 3E8h, 2E8h
    dw 3BCh, 378h, 278h

; Waits CX:DX microseconds by the refresh signal, bit 4 of port 61h, which changes every 15.085 us.
delay:
    push eax
    push ecx
    push edx
    shl ecx, 16
    mov cx, dx
    mov eax, ecx
    xor edx, edx
    mov ecx, 15
    div ecx
    mov ecx, eax
    inc ecx
.next:
    call refresh_edge
    dec ecx
    jnz .next
    pop edx
    pop ecx
    pop eax
    ret

refresh_edge:
    push ax
    in al, 61h
    mov ah, al
.same:
    in al, 61h
    xor al, ah
    test al, 10h
    jz .same
    pop ax
    ret
