; INT 13h for diskettes: what drives and media there are.

; BL type, CH and CL last cylinder and sector, DH last head, DL drives, ES:DI the table.
floppy_parameters:
    call floppy_type
    jz .none
    mov [bp+F_BL], al
    mov byte [bp+F_BH], 0
    mov al, [cs:bx]
    mov [bp+F_CH], al
    mov al, [cs:bx+7]
    mov [bp+F_CL], al
    mov byte [bp+F_DH], 1
    call table_pointer
    mov [bp+F_DI], bx
    mov [bp+F_ES], es
    jmp .count
.none:
    mov word [bp+F_BX], 0
    mov word [bp+F_CX], 0
    mov byte [bp+F_DH], 0
.count:
    mov byte [bp+F_AL], 0
    call floppy_count
    mov [bp+F_DL], al
    xor ah, ah
    ret

; How many diskette drives there are, in AL.
floppy_count:
    push ds
    DS_BDA
    mov ax, [B_EQUIPMENT]
    pop ds
    test al, 1
    jz .none
    shr al, 6
    inc al
    ret
.none:
    mov al, 0
    ret

; AH: 0 no drive, 1 one that does not tell of a change, 2 one that does.
floppy_kind:
    call floppy_type
    mov ah, 0
    jz .done
    mov ah, 1
    cmp al, 1
    je .done
    mov ah, 2
.done:
    clc
    ret

floppy_changed:
    call floppy_type
    jz floppy_none
    call floppy_check_change
    jc .done
    xor ah, ah
.done:
    ret

; The rate is found by looking, not by being told.
floppy_set_kind:
    call floppy_type
    jz floppy_none
    call floppy_check_change
    xor ah, ah
    ret

; Whether the drive can have CH+1 cylinders of CL sectors; ES:DI the table.
floppy_set_media:
    call floppy_type
    jz floppy_none
    mov al, [bp+F_CH]
    cmp al, [cs:bx]
    ja .unknown
    mov cx, 3
    mov al, [bp+F_CL]
    and al, 3Fh
.next:
    cmp byte [cs:bx+1], 0FFh
    je .unknown
    cmp al, [cs:bx+2]
    je .known
    add bx, 2
    loop .next
.unknown:
    mov ah, 0Ch
    stc
    ret
.known:
    call table_pointer
    mov [bp+F_DI], bx
    mov [bp+F_ES], es
    xor ah, ah
    ret

; The controller is reset once; a drive is only turned when it is asked for.
floppy_set_up:
    DS_EBDA
    call floppy_count
    test al, al
    jz .done
    call fdc_reset
.done:
    ret
