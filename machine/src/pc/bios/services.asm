; A boot disk that asks the BIOS for its services. What is wrong is named on the debug port; the exit value is 31h if
; nothing is.

macro CHECK name, condition
    %2 %%good
    mov si, %%name
    jmp failed
%%name:
    db "%1", 0
%%good:
endmacro

start:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 7C00h
    sti
    cld
    mov [drive+7C00h], dl
    ; The rest of the program, by an EDD packet.
    mov si, packet+7C00h
    mov ah, 42h
    int 13h
    jc start
    jmpf 7C0h:more
packet:
    db 10h, 0
    dw 15, 7E00h, 0
    dd 1, 0
drive:
    db 0
    at 510
    dw 0AA55h

; Here DS is the program's segment.
more:
    push cs
    pop ds
    push cs
    pop es
    call disk
    call memory
    call clock
    call pci
    call keyboard
    call mouse
    mov al, 31h
leave:
    mov dx, 501h
    out dx, al
.stop:
    hlt
    jmp .stop

; The name at SI is wrong.
failed:
    mov dx, 402h
.next:
    lodsb
    test al, al
    jz .done
    out dx, al
    jmp .next
.done:
    mov al, 32h
    jmp leave

BUFFER = 3000h

disk:
    mov dl, [drive]
    mov ah, 8
    int 13h
    CHECK geometry, jnc
    cmp dl, 1
    CHECK one disk, je
    and cx, 3Fh
    cmp cx, 63
    CHECK sectors a track, je
    ; A track of CHS is the same as its LBA: sector 64 is cylinder 0, head 1, sector 2.
    push cs
    pop es
    mov ax, 301h
    mov bx, pattern
    mov cx, 2
    mov dh, 1
    mov dl, [drive]
    int 13h
    CHECK write by CHS, jnc
    cmp al, 1
    CHECK count of a write, je
    mov si, .packet
    mov ah, 42h
    mov dl, [drive]
    int 13h
    CHECK read by LBA, jnc
    mov si, pattern
    mov di, BUFFER
    mov cx, 256
    repe cmpsw
    CHECK what was written, je
    mov ah, 41h
    mov bx, 55AAh
    mov dl, [drive]
    int 13h
    CHECK extensions, jnc
    cmp bx, 0AA55h
    CHECK extensions magic, je
    mov word [BUFFER], 1Eh
    mov si, BUFFER
    mov ah, 48h
    mov dl, [drive]
    int 13h
    CHECK parameters, jnc
    cmp dword [BUFFER+16], 4096
    CHECK size, je
    mov dword [.packet+8], 4096
    mov si, .packet
    mov ah, 42h
    mov dl, [drive]
    int 13h
    CHECK read beyond the end, jc
    cmp ah, 4
    CHECK error beyond the end, je
    mov ah, 1
    mov dl, [drive]
    int 13h
    cmp ah, 4
    CHECK last status, je
    mov ah, 2
    mov dl, 0F0h
    int 13h
    CHECK no such drive, jc
    ret
.packet:
    db 10h, 0
    dw 1, BUFFER, 7C0h
    dd 64, 0

pattern:
    times 256, 5Ah
    times 256, 0A5h

memory:
    int 12h
    cmp ax, 639
    CHECK conventional memory, je
    xor ebx, ebx
    mov dword [.sum], 0
.row:
    push cs
    pop es
    mov di, BUFFER
    mov eax, 0E820h
    mov ecx, 20
    mov edx, 534D4150h
    int 15h
    CHECK E820, jnc
    cmp eax, 534D4150h
    CHECK E820 signature, je
    cmp dword [BUFFER+16], 1
    jne .reserved
    mov eax, [BUFFER+8]
    add [.sum], eax
.reserved:
    test ebx, ebx
    jnz .row
    ; All of 16 MiB but the tables' 64 KiB, and the space from 9FC00h to 1 MiB.
    cmp dword [.sum], 1000000h-10000h-60400h
    CHECK sum of E820, je
    mov ax, 0E801h
    int 15h
    CHECK E801, jnc
    cmp ax, 15*1024-64
    CHECK E801 below 16 MiB, je
    ; A block move up and back.
    mov word [.gdt+12h], pattern+7C00h
    mov byte [.gdt+14h], 0
    mov dword [.gdt+1Ah], 93200000h
    push cs
    pop es
    mov si, .gdt
    mov cx, 256
    mov ah, 87h
    int 15h
    CHECK block move up, jnc
    mov dword [.gdt+12h], 93200000h
    mov dword [.gdt+1Ah], 93000000h+BUFFER+400h+7C00h
    mov si, .gdt
    mov cx, 256
    mov ah, 87h
    int 15h
    CHECK block move down, jnc
    mov si, pattern
    mov di, BUFFER+400h
    mov cx, 256
    repe cmpsw
    CHECK what was moved, je
    mov ax, 2402h
    int 15h
    CHECK A20 state, jnc
    mov ah, 0C0h
    int 15h
    CHECK system table, jnc
    cmp byte [es:bx+2], 0FCh
    CHECK model, je
    push cs
    pop es
    ret
.sum:
    dd 0
.gdt:
    dd 0, 0, 0, 0
    dw 0FFFFh, 0, 9300h, 0
    dw 0FFFFh, 0, 9300h, 0
    dd 0, 0, 0, 0

clock:
    mov ah, 4
    int 1Ah
    CHECK date, jnc
    cmp cx, 2026h
    CHECK year, je
    mov ah, 0
    int 1Ah
    mov bx, dx
.wait:
    hlt
    mov ah, 0
    int 1Ah
    cmp dx, bx
    je .wait
    ; 120 ms are more than two ticks.
    mov ah, 0
    int 1Ah
    mov bx, dx
    mov ah, 86h
    mov cx, 1
    mov dx, 0D4C0h
    int 15h
    CHECK wait, jnc
    mov ah, 0
    int 1Ah
    sub dx, bx
    cmp dx, 2
    CHECK ticks while waiting, jae
    cmp dx, 3
    CHECK ticks are too many, jbe
    mov byte [.flag], 0
    mov ax, 8300h
    mov bx, .flag
    mov cx, 0
    mov dx, 10000
    int 15h
    CHECK event wait, jnc
.event:
    hlt
    test byte [.flag], 80h
    jz .event
    ret
.flag:
    db 0

pci:
    mov ax, 0B101h
    int 1Ah
    CHECK PCI BIOS, jnc
    cmp edx, 20494350h
    CHECK PCI signature, je
    mov ax, 0B102h
    mov cx, 7010h
    mov dx, 8086h
    xor si, si
    int 1Ah
    CHECK find the IDE function, jnc
    cmp bx, 9
    CHECK where the IDE function is, je
    mov ax, 0B10Ah
    mov di, 20h
    int 1Ah
    CHECK read a dword, jnc
    test ecx, 0FFF0h
    CHECK its bus master has ports, jnz
    test cl, 1
    CHECK a port address, jnz
    mov ax, 0B103h
    mov ecx, 60100h
    xor si, si
    int 1Ah
    CHECK find by class, jnc
    mov ax, 0B102h
    mov cx, 1234h
    mov dx, 4321h
    xor si, si
    int 1Ah
    CHECK no such function, jc
    cmp ah, 86h
    CHECK error of no such function, je
    mov ax, 0B109h
    mov bx, 9
    mov di, 3
    int 1Ah
    cmp ah, 87h
    CHECK error of a misplaced word, je
    ret

; The host types: a, Shift-A, F1, cursor up, Alt-x.
keyboard:
    mov al, 'K'
    mov dx, 402h
    out dx, al
    mov si, .keys
.next:
    mov ah, 10h
    int 16h
    mov bx, ax
    lodsw
    cmp ax, bx
    CHECK key, je
    cmp si, .end
    jb .next
    mov ah, 1
    int 16h
    CHECK empty buffer, jz
    mov ax, 500h
    mov cx, 1234h
    int 16h
    mov ah, 11h
    int 16h
    CHECK key put by INT 16h, jnz
    cmp ax, 1234h
    CHECK which key, je
    mov ah, 0
    int 16h
    ret
.keys:
    dw 1E61h, 1E41h, 3B00h, 48E0h, 2D00h
.end:

mouse:
    mov ax, 0C205h
    mov bh, 3
    int 15h
    CHECK mouse set-up, jnc
    mov ax, 0C207h
    mov bx, .handler
    int 15h
    CHECK mouse handler, jnc
    mov ax, 0C200h
    mov bh, 1
    int 15h
    CHECK mouse on, jnc
    mov al, 'M'
    mov dx, 402h
    out dx, al
.wait:
    hlt
    cmp byte [.moved], 0
    je .wait
    cmp byte [.moved], 5
    CHECK movement, je
    ret
.handler:
    push bp
    mov bp, sp
    push ax
    mov al, [bp+10]
    mov [cs:.moved], al
    pop ax
    pop bp
    retf
.moved:
    db 0
