; Interrupt vectors, and the handlers that only acknowledge.

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
