; The time of day: INT 8, INT 1Ah, and the real-time clock's interrupt (PC/AT Technical Reference, "BIOS").

; Jumps to the handler of the caller's AH. At BX: rows of a function and its handler; a handler of 0 ends them, and
; the handler of all other functions follows.
dispatch:
    mov dx, [cs:bx+1]
    test dx, dx
    jz .other
    mov al, [bp+F_AH]
    cmp [cs:bx], al
    je .found
    add bx, 3
    jmp dispatch
.other:
    mov dx, [cs:bx+3]
.found:
    jmp dx

TICKS_A_DAY = 1800B0h

int08:
    INTERRUPT
    inc dword [B_TICKS]
    cmp dword [B_TICKS], TICKS_A_DAY
    jb .same_day
    mov dword [B_TICKS], 0
    mov byte [B_MIDNIGHT], 1
.same_day:
    dec byte [B_MOTOR_TICKS]
    jnz .motors
    and byte [B_MOTOR], 0F0h
    mov dx, 3F2h
    mov al, 0Ch
    out dx, al
.motors:
    int 1Ch
    cli
    mov al, 20h
    out 20h, al
    LEAVE_INTERRUPT

int1a:
    cmp ah, 0B1h
    je int1a_pci
    SERVICE
    DS_BDA
    CARRY_CLEAR
    mov bx, .table
    call dispatch
    LEAVE_SERVICE
.table:
    db 0
    dw get_ticks
    db 1
    dw set_ticks
    db 2
    dw get_time
    db 3
    dw set_time
    db 4
    dw get_date
    db 5
    dw set_date
    db 6
    dw set_alarm
    db 7
    dw cancel_alarm
    db 0
    dw 0, no_such_function

no_such_function:
    CARRY_SET
    ret

get_ticks:
    cli
    mov ax, [B_TICKS]
    mov [bp+F_DX], ax
    mov ax, [B_TICKS+2]
    mov [bp+F_CX], ax
    mov al, 0
    xchg [B_MIDNIGHT], al
    mov [bp+F_AL], al
    ret

set_ticks:
    mov dx, [bp+F_DX]
    mov cx, [bp+F_CX]
    cli
    mov [B_TICKS], dx
    mov [B_TICKS+2], cx
    mov byte [B_MIDNIGHT], 0
    mov byte [bp+F_AH], 0
    ret

; Waits until the clock is not about to change.
clock_steady:
    mov al, 0Ah
    call cmos_read
    test al, 80h
    jnz clock_steady
    ret

; Which register of the clock is which field of the frame; 0FFh ends a list.
time_registers:
    db 0, F_DH, 2, F_CL, 4, F_CH, 0FFh
date_registers:
    db 7, F_DL, 8, F_DH, 9, F_CL, 32h, F_CH, 0FFh
alarm_registers:
    db 1, F_DH, 3, F_CL, 5, F_CH, 0FFh

; The registers of list SI to the frame.
clock_get:
    cs lodsb
    cmp al, 0FFh
    je .done
    call cmos_read
    mov ah, al
    cs lodsb
    movzx di, al
    mov [bp+di], ah
    jmp clock_get
.done:
    ret

; The registers of list SI from the frame.
clock_set:
    cs lodsw
    cmp al, 0FFh
    je .done
    movzx di, ah
    mov bl, [bp+di]
    call cmos_write
    jmp clock_set
.done:
    ret

get_time:
    cli
    call clock_steady
    mov si, time_registers
    call clock_get
    mov al, 0Bh
    call cmos_read
    and al, 1
    mov [bp+F_DL], al
    mov al, [bp+F_CH]
    mov [bp+F_AL], al
    mov byte [bp+F_AH], 0
    jmp nmi_on

; Register 0Dh is read last, so that NMI is not left masked.
nmi_on:
    mov al, 0Dh
    out 70h, al
    in al, 71h
    ret

; SET stops the clock while its registers are written. BL keeps the other bits of register B.
clock_stop:
    mov al, 0Bh
    call cmos_read
    mov bl, al
    or bl, 80h
    mov al, 0Bh
    jmp cmos_write

clock_go:
    mov al, 0Bh
    call cmos_read
    mov bl, al
    and bl, 7Fh
    mov al, 0Bh
    call cmos_write
    mov byte [bp+F_AH], 0
    jmp nmi_on

set_time:
    cli
    call clock_stop
    and bl, 0FEh
    mov al, [bp+F_DL]
    and al, 1
    or bl, al
    mov al, 0Bh
    call cmos_write
    mov si, time_registers
    call clock_set
    jmp clock_go

get_date:
    cli
    call clock_steady
    mov si, date_registers
    call clock_get
    mov byte [bp+F_AH], 0
    jmp nmi_on

set_date:
    cli
    call clock_stop
    mov si, date_registers
    call clock_set
    jmp clock_go

set_alarm:
    cli
    mov al, 0Bh
    call cmos_read
    test al, 20h
    jnz no_such_function    ; one is set already
    mov si, alarm_registers
    call clock_set
    mov al, 0Bh
    call cmos_read
    mov bl, al
    and bl, 7Fh
    or bl, 20h
    mov al, 0Bh
    call cmos_write
    mov byte [bp+F_AH], 0
    jmp nmi_on

cancel_alarm:
    cli
    mov al, 0Bh
    call cmos_read
    mov bl, al
    and bl, 5Fh
    mov al, 0Bh
    call cmos_write
    mov byte [bp+F_AH], 0
    jmp nmi_on

; The clock's interrupt: 1024 times a second while somebody waits, and at the alarm.
int70:
    INTERRUPT
    mov al, 0Ch
    call cmos_read
    mov ah, al
    push ax
    call nmi_on
    pop ax
    test ah, 40h
    jz .no_period
    test byte [B_WAITING], 1
    jz .no_period
    sub dword [B_WAIT], 976
    jnc .no_period
    call wait_end
    les bx, [B_WAIT_FLAG]
    or byte [es:bx], 80h
.no_period:
    test ah, 20h
    jz .no_alarm
    int 4Ah
.no_alarm:
    cli
    mov al, 20h
    out 0A0h, al
    out 20h, al
    LEAVE_INTERRUPT

; Nobody waits any more. Keeps AH.
wait_end:
    push ax
    mov byte [B_WAITING], 0
    mov al, 0Bh
    call cmos_read
    mov bl, al
    and bl, 0BFh
    mov al, 0Bh
    call cmos_write
    call nmi_on
    pop ax
    ret

; A BCD register AL of the clock as a binary number in EAX.
clock_number:
    call cmos_read
    mov ah, al
    shr ah, 4
    and al, 0Fh
    aad 10
    movzx eax, al
    ret

; The ticks since midnight: seconds times 1193182 / 65536.
clock_set_up:
    DS_BDA
    call clock_steady
    mov al, 4
    call clock_number
    imul ecx, eax, 3600
    mov al, 2
    call clock_number
    imul eax, eax, 60
    add ecx, eax
    mov al, 0
    call clock_number
    add eax, ecx
    mov edx, 1193182
    mul edx
    shrd eax, edx, 16
    mov [B_TICKS], eax
    jmp nmi_on
