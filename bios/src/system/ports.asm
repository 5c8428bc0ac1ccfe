; INT 11h, 12h, 14h and 17h: what there is, how much memory, serial ports and printers.

int11:
    push ds
    DS_BDA
    mov ax, [B_EQUIPMENT]
    pop ds
    iret

int12:
    push ds
    DS_BDA
    mov ax, [B_MEMORY]
    pop ds
    iret

int14:
    SERVICE
    DS_BDA
    mov si, [bp+F_DX]
    cmp si, 4
    jae .leave
    mov cl, [si+B_COM_TIMEOUT]
    shl si, 1
    mov dx, [si]
    test dx, dx
    jz .leave
    mov bx, .table
    mov si, dx
    call dispatch
.leave:
    LEAVE_SERVICE
.table:
    db 0
    dw serial_set_up
    db 1
    dw serial_send
    db 2
    dw serial_receive
    db 3
    dw serial_status
    db 0
    dw 0, no_function

; SI is the port. AL: bits 7-5 rate, 4-0 the line control register's.
serial_set_up:
    lea dx, [si+3]
    mov al, 80h
    out dx, al
    movzx bx, byte [bp+F_AL]
    shr bx, 5
    shl bx, 1
    mov ax, [cs:bx+.divisors]
    mov dx, si
    out dx, al
    mov al, ah
    inc dx
    out dx, al
    lea dx, [si+3]
    mov al, [bp+F_AL]
    and al, 1Fh
    out dx, al
    lea dx, [si+1]
    mov al, 0
    out dx, al
    jmp serial_status
; 115200 / rate, for 110 to 9600 baud.
.divisors:
    dw 1047, 768, 384, 192, 96, 48, 24, 12

serial_status:
    lea dx, [si+5]
    in al, dx
    mov [bp+F_AH], al
    lea dx, [si+6]
    in al, dx
    mov [bp+F_AL], al
    ret

; Waits until the bits AH of register DX are set, for CL seconds or so. AL is the register; carry: in vain.
serial_wait:
    push ecx
    movzx ecx, cl
    inc ecx
    shl ecx, 16
.next:
    in al, dx
    push ax
    and al, ah
    cmp al, ah
    pop ax
    je .ready
    call refresh_edge
    dec ecx
    jnz .next
    pop ecx
    stc
    ret
.ready:
    pop ecx
    clc
    ret

serial_send:
    lea dx, [si+4]
    mov al, 3               ; DTR and RTS
    out dx, al
    lea dx, [si+5]
    mov ah, 20h             ; LSR.THRE
    call serial_wait
    jc serial_late
    mov dx, si
    push ax
    mov al, [bp+F_AL]
    out dx, al
    pop ax
    mov [bp+F_AH], al
    ret

serial_receive:
    lea dx, [si+4]
    mov al, 1
    out dx, al
    lea dx, [si+5]
    mov ah, 1               ; LSR.DR
    call serial_wait
    jc serial_late
    and al, 1Eh
    mov [bp+F_AH], al
    mov dx, si
    in al, dx
    mov [bp+F_AL], al
    ret

serial_late:
    or al, 80h
    mov [bp+F_AH], al
    ret

int17:
    SERVICE
    DS_BDA
    mov si, [bp+F_DX]
    cmp si, 3
    jae .leave
    shl si, 1
    mov si, [si+B_LPT]
    test si, si
    jz .leave
    mov bx, .table
    call dispatch
.leave:
    LEAVE_SERVICE
.table:
    db 0
    dw printer_send
    db 1
    dw printer_set_up
    db 2
    dw printer_status
    db 0
    dw 0, no_function

printer_send:
    mov dx, si
    mov al, [bp+F_AL]
    out dx, al
    lea dx, [si+1]
    mov cx, 0FFFFh
.busy:
    in al, dx
    test al, 80h            ; not busy
    jnz .strobe
    call refresh_edge
    loop .busy
    and al, 0F8h
    xor al, 48h
    or al, 1                ; time-out
    mov [bp+F_AH], al
    ret
.strobe:
    lea dx, [si+2]
    mov al, 0Dh
    out dx, al
    call refresh_edge
    mov al, 0Ch
    out dx, al
    jmp printer_status

printer_set_up:
    lea dx, [si+2]
    mov al, 8
    out dx, al
    call refresh_edge
    mov al, 0Ch
    out dx, al

printer_status:
    lea dx, [si+1]
    in al, dx
    and al, 0F8h
    xor al, 48h             ; acknowledge and error are low active
    mov [bp+F_AH], al
    ret
