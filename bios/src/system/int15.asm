; INT 15h: the system's services (PS/2 and PC BIOS Interface Technical Reference; ACPI 6.5, chapter 15, for E820h).
; APM and the BIOS's own video switching (5Fh) are not there: they answer as no functions.

int15:
    SERVICE
    CARRY_CLEAR
    mov bx, .table
    call dispatch
    LEAVE_SERVICE
.table:
    db 24h
    dw a20_gate
    db 4Fh
    dw keyboard_intercept
    db 80h
    dw accepted
    db 81h
    dw accepted
    db 82h
    dw accepted
    db 83h
    dw event_wait
    db 85h
    dw accepted
    db 86h
    dw wait_here
    db 87h
    dw block_move
    db 88h
    dw extended_memory
    db 90h
    dw accepted
    db 91h
    dw accepted
    db 0C0h
    dw environment
    db 0C1h
    dw ebda_segment
    db 0C2h
    dw mouse_service
    db 0E8h
    dw memory_sizes
    db 0
    dw 0, not_supported

not_supported:
    mov byte [bp+F_AH], 86h
    CARRY_SET
    ret

accepted:
    mov byte [bp+F_AH], 0
    ret

; Nobody wants the scan code: it stays as it is.
keyboard_intercept:
    CARRY_SET
    ret

a20_gate:
    mov byte [bp+F_AH], 0
    mov al, [bp+F_AL]
    cmp al, 1
    jbe .set
    cmp al, 2
    je .ask
    cmp al, 3
    jne not_supported
    mov word [bp+F_BX], 3   ; by the keyboard controller and by port 92h
    ret
.set:
    mov ah, al
    shl ah, 1
    in al, 92h
    and al, 0FCh
    or al, ah
    out 92h, al
    ; Either gate opens the line, so both must be told.
    mov ah, [bp+F_AL]
    cli
    mov al, 0D1h
    call controller_command
    call controller_ready
    mov al, 0DDh
    test ah, ah
    jz .out
    or al, 2
.out:
    out 60h, al
    ret
.ask:
    in al, 92h
    shr al, 1
    and al, 1
    mov [bp+F_AL], al
    ret

; CX:DX microseconds, to set bit 7 at ES:BX then. AL=1 cancels.
event_wait:
    DS_BDA
    cli
    cmp byte [bp+F_AL], 1
    je .cancel
    test byte [B_WAITING], 1
    jnz .busy
    mov byte [B_WAITING], 1
    mov ax, [bp+F_BX]
    mov [B_WAIT_FLAG], ax
    mov ax, [bp+F_ES]
    mov [B_WAIT_FLAG+2], ax
    mov ax, [bp+F_DX]
    mov [B_WAIT], ax
    mov ax, [bp+F_CX]
    mov [B_WAIT+2], ax
    mov byte [bp+F_AH], 0
    mov al, 0Bh
    call cmos_read
    mov bl, al
    or bl, 40h
    mov al, 0Bh
    call cmos_write
    jmp nmi_on
.cancel:
    call wait_end
    mov byte [bp+F_AH], 0
    ret
.busy:
    CARRY_SET               ; AH stays 83h: somebody waits already
    ret

wait_here:
    mov cx, [bp+F_CX]
    mov dx, [bp+F_DX]
    mov byte [bp+F_AH], 0
    jmp delay

; CX words by the descriptors at ES:SI: 10h source, 18h destination.
block_move:
    smsw ax
    test al, 1              ; not from V86 mode: its monitor does that
    jnz .failed
    mov es, [bp+F_ES]
    mov si, [bp+F_SI]
    mov eax, [es:si+12h]
    and eax, 0FFFFFFh
    mov bl, [es:si+17h]
    shl ebx, 24
    or eax, ebx
    mov edi, [es:si+1Ah]
    and edi, 0FFFFFFh
    mov bl, [es:si+1Fh]
    shl ebx, 24
    or edi, ebx
    mov esi, eax
    movzx ecx, word [bp+F_CX]
    cli
    in al, 92h
    push ax
    or al, 2
    and al, 0FEh
    out 92h, al
    call flat
    shr ecx, 1
    a32 rep es movsd
    jnc .even
    a32 es movsw
.even:
    call unflat
    pop ax
    and al, 0FEh
    out 92h, al
    mov byte [bp+F_AH], 0
    ret
.failed:
    mov byte [bp+F_AH], 3
    CARRY_SET
    ret

extended_memory:
    mov ax, [cs:memory_88]
    mov [bp+F_AX], ax
    ret

environment:
    mov word [bp+F_BX], system_table
    mov word [bp+F_ES], 0F000h
    mov byte [bp+F_AH], 0
    ret

ebda_segment:
    mov word [bp+F_ES], EBDA
    ret

memory_sizes:
    cmp byte [bp+F_AL], 1
    je .e801
    cmp byte [bp+F_AL], 20h
    jne not_supported
    cmp dword [bp+F_DX], 534D4150h
    jne not_supported
    cmp dword [bp+F_CX], 20
    jb not_supported
    mov ebx, [bp+F_BX]
    movzx eax, word [cs:e820_rows]
    cmp ebx, eax
    jae not_supported
    imul si, bx, 20
    add si, [cs:e820]
    mov es, [bp+F_ES]
    mov di, [bp+F_DI]
    mov cx, 10
    rep cs movsw
    inc ebx
    cmp ebx, eax
    jb .more
    xor ebx, ebx
.more:
    mov [bp+F_BX], ebx
    mov dword [bp+F_AX], 534D4150h
    mov dword [bp+F_CX], 20
    ret
.e801:
    mov ax, [cs:memory_below_16m]
    mov [bp+F_AX], ax
    mov [bp+F_CX], ax
    mov ax, [cs:memory_above_16m]
    mov [bp+F_BX], ax
    mov [bp+F_DX], ax
    ret

; Model FCh, submodel 1. Two 8259As, a real-time clock, INT 15h AH=4Fh, an EBDA; INT 16h AH=09h.
system_table:
    dw 8
    db 0FCh, 1, 0, 74h, 40h, 0, 0, 0
