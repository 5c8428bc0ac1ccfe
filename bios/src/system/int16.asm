; INT 16h: what the keyboard's interrupt has put into the buffer (PS/2 and PC BIOS Interface Technical Reference).

int16:
    SERVICE
    DS_BDA
    call leds_follow
    mov bx, .table
    call dispatch
    LEAVE_SERVICE
.table:
    db 0
    dw key_read
    db 1
    dw key_peek
    db 2
    dw key_shifts
    db 3
    dw key_rate
    db 5
    dw key_put
    db 9
    dw key_abilities
    db 0Ah
    dw key_identity
    db 10h
    dw key_read_enhanced
    db 11h
    dw key_peek_enhanced
    db 12h
    dw key_shifts_enhanced
    db 92h
    dw key_enhanced
    db 0
    dw 0, no_function

no_function:
    ret

; The key at the head in AX; ZF: there is none. Interrupts are off after it.
key_head:
    cli
    mov si, [B_HEAD]
    cmp si, [B_TAIL]
    je .none
    mov ax, [si]
    call key_advance
    or si, si               ; not zero: ZF clear
.none:
    ret

key_read_enhanced:
    call key_head
    jnz .got
    sti
    hlt
    call leds_follow
    jmp key_read_enhanced
.got:
    mov [B_HEAD], si
    mov [bp+F_AX], ax
    ret

key_read:
    call key_head
    jnz .got
    sti
    hlt
    call leds_follow
    jmp key_read
.got:
    mov [B_HEAD], si
    call key_older
    jc key_read
    mov [bp+F_AX], ax
    ret

; The code that the 83 keys of old had for AX. Carry: none.
key_older:
    test ax, ax
    jz .as_is
    cmp ah, 0E0h
    je .pad
    cmp ah, 84h
    ja .none
    cmp al, 0E0h
    jne .as_is
    mov al, 0
.as_is:
    clc
    ret
.pad:
    mov ah, 1Ch
    cmp al, '/'
    jne .as_is
    mov ah, 35h
    clc
    ret
.none:
    stc
    ret

key_peek:
    call key_head
    jz key_none
    call key_older
    jnc key_there
    mov [B_HEAD], si        ; not to be seen here
    jmp key_peek

key_peek_enhanced:
    call key_head
    jz key_none
key_there:
    mov [bp+F_AX], ax
    and byte [bp+F_FLAGS], 0BFh
    ret
key_none:
    or byte [bp+F_FLAGS], 40h
    ret

key_shifts:
    mov al, [B_SHIFT]
    mov [bp+F_AL], al
    ret

; AH: left Ctrl and Alt, right Ctrl and Alt, held Scroll, Num, Caps, SysReq.
key_shifts_enhanced:
    mov al, [B_SHIFT]
    mov [bp+F_AL], al
    mov al, [B_SHIFT+1]
    mov ah, al
    and al, 73h
    and ah, 4
    shl ah, 5
    or al, ah
    mov ah, [B_KEYBOARD_MODE]
    and ah, 0Ch
    or al, ah
    mov [bp+F_AH], al
    ret

; AL=5: delay BH, rate BL.
key_rate:
    cmp byte [bp+F_AL], 5
    jne .done
    mov bh, [bp+F_BH]
    and bh, 3
    shl bh, 5
    mov bl, [bp+F_BL]
    and bl, 1Fh
    or bl, bh
    mov al, 0F3h
    jmp keyboard_send_two
.done:
    ret

key_put:
    mov ax, [bp+F_CX]
    cli
    call key_store
    mov byte [bp+F_AL], 0
    jnc .done
    mov byte [bp+F_AL], 1
.done:
    ret

; AL: 0Ah, functions 10h-12h, and the rate can be set.
key_abilities:
    mov byte [bp+F_AL], 34h
    ret

; What keyboard drivers of DOS ask to see whether there are functions 10h-12h: AH is at most 80h then.
key_enhanced:
    mov byte [bp+F_AH], 80h
    ret

key_identity:
    mov word [bp+F_BX], 41ABh
    ret

; The lights show the states when those have changed.
leds_follow:
    mov al, [B_SHIFT]
    shr al, 4
    and al, 7
    mov bl, [B_LEDS]
    and bl, 7
    cmp al, bl
    je .done
    and byte [B_LEDS], 0F8h
    or [B_LEDS], al
    mov bl, al
    mov al, 0EDh
    jmp keyboard_send_two
.done:
    ret

; Command AL with the parameter BL to the keyboard. Its interrupt is masked meanwhile, so that the answers are ours.
keyboard_send_two:
    pushf
    cli
    push cx
    mov ah, al
    in al, 21h
    push ax
    or al, 2
    out 21h, al
    mov al, ah
    call keyboard_send
    mov al, bl
    call keyboard_send
    pop ax
    out 21h, al
    pop cx
    popf
    ret

; Byte AL to the keyboard, and its ACK back. What else arrives is a key.
keyboard_send:
    call controller_ready
    out 60h, al
    mov cx, 2000            ; 30 ms
.wait:
    in al, 64h
    test al, 1
    jnz .byte
.later:
    call refresh_edge
    loop .wait
    ret
.byte:
    test al, 20h
    jnz .later              ; the mouse's: left to its interrupt
    in al, 60h
    cmp al, 0FAh
    je .done
    pushad
    call key
    popad
    loop .wait
.done:
    ret

; Waits until the controller takes a byte. Keeps AL.
controller_ready:
    push ax
    push cx
    mov cx, 0FFFFh
.wait:
    in al, 64h
    test al, 2
    loopne .wait
    pop cx
    pop ax
    ret

; Command AL to the controller.
controller_command:
    call controller_ready
    out 64h, al
    ret

; The keyboard translates to set 1 and interrupts; the mouse is off until somebody wants it.
keyboard_set_up:
    mov al, 60h
    call controller_command
    call controller_ready
    mov al, 65h
    out 60h, al
    ret
