; INT 13h: who is asked, and for what (PS/2 and PC BIOS Interface Technical Reference; Phoenix "Enhanced Disk Drive
; Specification" 3.0; Phoenix and IBM "El Torito" 1.0).
;
; A handler returns with AH, which is given to the caller, and carry for an error.

int13:
    SERVICE
    DS_EBDA
    mov dl, [bp+F_DL]
    call cd_emulates
    jc .emulated
    cmp dl, 80h
    jb .floppy
    cmp dl, CD_FIRST
    jae .cd
    call disk_service
.disk_done:
    DS_BDA
    mov bx, B_DISK_STATUS
    jmp int13_leave
.emulated:
    call emulated_service
    jmp .disk_done
.cd:
    call cd_service
    jmp .disk_done
.floppy:
    jmp floppy_call

; The vector at 40h is the diskettes' alone.
int13_floppy:
    SERVICE
    mov dl, [bp+F_DL]
floppy_call:
    call floppy_service
    DS_BDA
    mov bx, B_FLOPPY_STATUS

; AH and carry go to the caller; the status at BX of the BIOS data area is 0 or the error.
int13_leave:
    mov [bp+F_AH], ah
    jc .error
    mov byte [bx], 0
    CARRY_CLEAR
    LEAVE_SERVICE
.error:
    mov [bx], ah
    CARRY_SET
    LEAVE_SERVICE

good:
    xor ah, ah
    ret

bad_command:
    mov ah, 1
    stc
    ret

; Hard disk DL: SI becomes its descriptor, or it is an error.
disk_service:
    push ds
    DS_BDA
    mov al, [B_DISKS]
    pop ds
    sub dl, 80h
    cmp dl, al
    jae bad_command
    movzx si, dl
    shl si, 5
    add si, E_DISKS
    mov bx, .table
    jmp dispatch
.table:
    db 2
    dw disk_chs
    db 3
    dw disk_chs
    db 4
    dw disk_chs
    db 8
    dw disk_geometry
    db 15h
    dw disk_type
    db 41h
    dw edd_present
    db 42h
    dw edd_transfer
    db 43h
    dw edd_transfer
    db 44h
    dw edd_transfer
    db 47h
    dw edd_transfer
    db 48h
    dw edd_parameters
    db 4Eh
    dw edd_hardware
    db 0
    dw 0, drive_service

; What is the same for disks, CD drives and emulated drives: status, and functions with nothing to do (reset, initialise,
; seek, alternate reset, ready, recalibrate, diagnose).
drive_service:
    mov bx, .table
    jmp dispatch
.table:
    db 0
    dw good
    db 1
    dw disk_status
    db 9
    dw good
    db 0Ch
    dw good
    db 0Dh
    dw good
    db 10h
    dw good
    db 11h
    dw good
    db 14h
    dw good
    db 0
    dw 0, bad_command

disk_status:
    push ds
    DS_BDA
    mov ah, [B_DISK_STATUS]
    pop ds
    cmp ah, 1
    cmc                     ; carry if AH is not 0
    ret

; Read, write or verify AL sectors at cylinder CH and CL bits 7-6, head DH, sector CL bits 5-0, at ES:BX.
disk_chs:
    mov al, [bp+F_AH]
    sub al, 2
    mov [E_OPERATION], al
    call chs_to_lba
    jc bad_command
    call disk_buffer
    jz bad_command
    call disk_transfer
    mov al, [E_DONE]
    mov [bp+F_AL], al
    ret

; The caller's buffer and count. ZF: no sectors.
disk_buffer:
    mov ax, [bp+F_BX]
    mov [E_BUFFER], ax
    mov ax, [bp+F_ES]
    mov [E_BUFFER+2], ax
    movzx ax, byte [bp+F_AL]
    mov [E_COUNT], ax
    test ax, ax
    ret

; The caller's cylinder, head and sector by the geometry of descriptor SI. Carry: there is no such sector.
chs_to_lba:
    movzx ecx, byte [bp+F_CL]
    movzx eax, cl
    shl eax, 2
    and ax, 300h
    mov al, [bp+F_CH]
    cmp ax, [si+D_CYLINDERS]
    jae .none
    movzx ebx, word [si+D_HEADS]
    mul ebx
    movzx edx, byte [bp+F_DH]
    cmp dx, bx
    jae .none
    add eax, edx
    movzx ebx, word [si+D_SPT]
    mul ebx
    and cx, 3Fh
    jz .none
    cmp cx, bx
    ja .none
    dec ecx
    add eax, ecx
    mov [E_LBA], eax
    mov dword [E_LBA+4], 0
    clc
    ret
.none:
    stc
    ret

; CH, CL and DH are the last cylinder, sector and head; DL the number of disks.
disk_geometry:
    call last_chs
    push ds
    DS_BDA
    mov al, [B_DISKS]
    pop ds
    mov [bp+F_DL], al
    mov byte [bp+F_AL], 0
    xor ah, ah
    ret

last_chs:
    mov ax, [si+D_CYLINDERS]
    dec ax
    mov [bp+F_CH], al
    shl ah, 6
    mov al, [si+D_SPT]
    or al, ah
    mov [bp+F_CL], al
    mov al, [si+D_HEADS]
    dec al
    mov [bp+F_DH], al
    ret

; AH=3: a fixed disk of CX:DX sectors, as far as cylinders reach.
disk_type:
    movzx eax, word [si+D_CYLINDERS]
    movzx ebx, word [si+D_HEADS]
    mul ebx
    movzx ebx, word [si+D_SPT]
    mul ebx
    mov [bp+F_DX], ax
    shr eax, 16
    mov [bp+F_CX], ax
    mov ah, 3
    clc
    ret

; Whether the transfer lies on disk SI.
disk_inside:
    movzx eax, word [E_COUNT]
    xor edx, edx
    add eax, [E_LBA]
    adc edx, [E_LBA+4]
    jc .outside
    cmp edx, [si+D_SECTORS+4]
    jb .inside
    ja .outside
    cmp eax, [si+D_SECTORS]
    ja .outside
.inside:
    xor ah, ah
    ret
.outside:
    mov ah, 4
    stc
    ret

; Moves E_COUNT sectors from E_LBA on, E_OPERATION, at E_BUFFER, of disk SI. E_DONE is how many it were.
disk_transfer:
    mov word [E_DONE], 0
    call disk_inside
    jc .done
    ; Offsets stay below 16, so that 64 KiB less a paragraph never wrap.
    call buffer_normal
    cmp byte [si+D_KIND], VIRTIO
    je virtio_transfer
    jmp ata_transfer
.done:
    ret
