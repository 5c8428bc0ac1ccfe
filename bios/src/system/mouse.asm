; INT 15h AH=C2h and IRQ12: the mouse (PS/2 and PC BIOS Interface Technical Reference, "Pointing Device").

mouse_service:
    cli                     ; a key's interrupt must not come between a command and its parameter
    DS_EBDA
    mov al, [bp+F_AL]
    cmp al, 8
    jae .invalid
    movzx bx, al
    shl bx, 1
    CARRY_CLEAR
    mov byte [bp+F_AH], 0
    jmp word [cs:bx+.table]
.invalid:
    mov byte [bp+F_AH], 1
    CARRY_SET
    ret
.table:
    dw mouse_enable, mouse_reset, mouse_rate, mouse_resolution
    dw mouse_type, mouse_initialise, mouse_extended, mouse_handler

; No answer, or a wrong one.
mouse_failed:
    mov byte [bp+F_AH], 3
    CARRY_SET
    ret

mouse_invalid:
    mov byte [bp+F_AH], 2
    CARRY_SET
    ret

mouse_enable:
    mov bh, [bp+F_BH]
    cmp bh, 1
    ja mouse_invalid
    je .on
    mov al, 0F5h
    call mouse_command
    jc mouse_failed
    mov bl, 20h             ; no interrupt, port disabled
    jmp mouse_port
.on:
    test byte [E_MOUSE_SIZE], 80h
    jnz .has_handler
    mov byte [bp+F_AH], 5
    CARRY_SET
    ret
.has_handler:
    and byte [E_MOUSE_FLAGS], 0F8h
    mov al, 0F4h
    call mouse_command
    jc mouse_failed
    mov bl, 2               ; interrupt on
    jmp mouse_port

; The mouse's bits of the controller's command byte become BL.
mouse_port:
    pushf
    cli
    mov al, 20h
    call controller_command
    call controller_byte
    and al, 0DDh
    or bl, al
    mov al, 60h
    call controller_command
    call controller_ready
    mov al, bl
    out 60h, al
    popf
    ret

; A byte from the controller in AL, whoever sent it. Carry: none came.
controller_byte:
    push cx
    mov cx, 0FFFFh
.wait:
    in al, 64h
    test al, 1
    jnz .here
    call refresh_edge
    loop .wait
    pop cx
    stc
    ret
.here:
    in al, 60h
    pop cx
    clc
    ret

; A byte of the mouse in AL; what the keyboard sends meanwhile is a key. Carry: none came.
mouse_byte:
    push cx
    mov cx, 0FFFFh
.wait:
    in al, 64h
    test al, 1
    jz .later
    test al, 20h
    jnz .here
    in al, 60h
    pushad
    push ds
    DS_BDA
    call key
    pop ds
    popad
.later:
    call refresh_edge
    loop .wait
    pop cx
    stc
    ret
.here:
    in al, 60h
    pop cx
    clc
    ret

; Byte AL to the mouse, whose interrupt is off meanwhile; AL is its answer. Carry: not ACK.
mouse_command:
    call mouse_write
    call mouse_byte
    jc .done
    cmp al, 0FAh
    je .done
    stc
.done:
    ret

mouse_write:
    push bx
    push ax
    mov bl, 0
    call mouse_port
    mov al, 0D4h
    call controller_command
    call controller_ready
    pop ax
    out 60h, al
    pop bx
    ret

; Byte AL, then BL. Carry: one was not acknowledged.
mouse_command_two:
    call mouse_command
    jc .done
    mov al, bl
    call mouse_command
.done:
    ret

; BH: packet size.
mouse_initialise:
    mov al, [bp+F_BH]
    dec al
    cmp al, 7
    ja mouse_invalid
    inc al
    and byte [E_MOUSE_SIZE], 0F8h
    and al, 7
    or [E_MOUSE_SIZE], al
mouse_reset:
    mov al, 0FFh
    call mouse_command
    jc mouse_failed
    call mouse_byte
    jc mouse_failed
    mov [bp+F_BL], al       ; AAh: self test passed
    call mouse_byte
    jc mouse_failed
    mov [bp+F_BH], al
    and byte [E_MOUSE_FLAGS], 0F8h
    ret

mouse_rate:
    movzx si, byte [bp+F_BH]
    cmp si, 6
    ja mouse_invalid
    mov bl, [cs:si+.rates]
    mov al, 0F3h
    cli
    call mouse_command_two
    jc mouse_failed
    jmp mouse_again
.rates:
    db 10, 20, 40, 60, 80, 100, 200

mouse_resolution:
    mov bl, [bp+F_BH]
    cmp bl, 3
    ja mouse_invalid
    mov al, 0E8h
    cli
    call mouse_command_two
    jc mouse_failed
    jmp mouse_again

mouse_type:
    mov al, 0F2h
    call mouse_command
    jc mouse_failed
    call mouse_byte
    jc mouse_failed
    mov [bp+F_BH], al
    jmp mouse_again

; BH: 0 status, 1 scaling 1:1, 2 scaling 2:1.
mouse_extended:
    mov bh, [bp+F_BH]
    cmp bh, 2
    ja mouse_invalid
    mov al, 0E6h
    cmp bh, 1
    je .scaling
    mov al, 0E7h
    ja .scaling
    mov al, 0E9h
    call mouse_command
    jc mouse_failed
    call mouse_byte
    jc mouse_failed
    mov [bp+F_BL], al
    call mouse_byte
    mov [bp+F_CL], al
    call mouse_byte
    mov [bp+F_DL], al
    jmp mouse_again
.scaling:
    call mouse_command
    jc mouse_failed

; A mouse that was reporting does so again: a handler that is set stays called.
mouse_again:
    test byte [E_MOUSE_SIZE], 80h
    jz .done
    mov bl, 2
    call mouse_port
.done:
    ret

mouse_handler:
    mov ax, [bp+F_BX]
    mov dx, [bp+F_ES]
    cli
    mov [E_MOUSE_HANDLER], ax
    mov [E_MOUSE_HANDLER+2], dx
    and byte [E_MOUSE_SIZE], 7Fh
    or ax, dx
    jz .done
    or byte [E_MOUSE_SIZE], 80h
.done:
    ret

; A byte of a packet; a whole one goes to the handler: status, X, Y, Z as words.
int74:
    INTERRUPT
    DS_EBDA
    in al, 64h
    and al, 21h
    cmp al, 21h
    jne .done
    in al, 60h
    test byte [E_MOUSE_SIZE], 80h
    jz .done
    movzx bx, byte [E_MOUSE_FLAGS]
    and bx, 7
    mov [bx+E_MOUSE_PACKET], al
    inc bx
    mov cl, [E_MOUSE_SIZE]
    and cl, 7
    cmp bl, cl
    jb .more
    and byte [E_MOUSE_FLAGS], 0F8h
    movzx ax, byte [E_MOUSE_PACKET]
    push ax
    movzx ax, byte [E_MOUSE_PACKET+1]
    push ax
    movzx ax, byte [E_MOUSE_PACKET+2]
    push ax
    push 0
    mov al, 20h             ; the handler may take long
    out 0A0h, al
    out 20h, al
    sti
    callf [E_MOUSE_HANDLER]
    cli
    add sp, 8
    LEAVE_INTERRUPT
.more:
    and byte [E_MOUSE_FLAGS], 0F8h
    or [E_MOUSE_FLAGS], bl
.done:
    mov al, 20h
    out 0A0h, al
    out 20h, al
    LEAVE_INTERRUPT
