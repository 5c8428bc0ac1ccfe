; INT 13h for diskettes: the 82077AA and DMA channel 2 (82077AA data sheet; PC/AT Technical Reference, "Diskette").
; Diskettes of 40 tracks in drives of 80 (double stepping) are left out.

; What INT 1Eh points to: step rate and head times, motor ticks, 512 bytes, 18 sectors, gaps, fill, head and motor start.
diskette_table:
    db 0DFh, 2, 25h, 2, 18, 1Bh, 0FFh, 6Ch, 0F6h, 0Fh, 8

; By CMOS type 1-5: last cylinder, and up to three pairs of data rate (as in CCR) and sectors a track; FFh ends.
DRIVE_ROW = 8
drive_types:
    db 39, 2, 9, 0FFh, 0, 0, 0, 9
    db 79, 0, 15, 1, 9, 0FFh, 0, 15
    db 79, 2, 9, 0FFh, 0, 0, 0, 9
    db 79, 0, 18, 2, 9, 0FFh, 0, 18
    db 79, 3, 36, 0, 18, 2, 9, 36

floppy_service:
    DS_EBDA
    sti
    mov [E_FLOPPY_DRIVE], dl
    mov bx, .table
    jmp dispatch
.table:
    db 0
    dw floppy_reset
    db 1
    dw floppy_status
    db 2
    dw floppy_transfer
    db 3
    dw floppy_transfer
    db 4
    dw floppy_transfer
    db 5
    dw floppy_format
    db 8
    dw floppy_parameters
    db 15h
    dw floppy_kind
    db 16h
    dw floppy_changed
    db 17h
    dw floppy_set_kind
    db 18h
    dw floppy_set_media
    db 0
    dw 0, bad_command

; CMOS type of the drive in AL, its row in BX (of the code segment). ZF: there is none.
floppy_type:
    mov al, 10h
    call cmos_read
    push ax
    call nmi_on
    pop ax
    cmp byte [E_FLOPPY_DRIVE], 1
    je .second
    ja .none
    shr al, 4
.second:
    and al, 0Fh
    cmp al, 5
    ja .none
    movzx bx, al
    shl bx, 3
    add bx, drive_types-DRIVE_ROW
    test al, al
    ret
.none:
    xor al, al
    ret

floppy_status:
    push ds
    DS_BDA
    mov ah, [B_FLOPPY_STATUS]
    pop ds
    cmp ah, 1
    cmc
    ret

floppy_none:
    mov ah, 80h
    stc
    ret

; Motor on, and two seconds from now off again. Keeps all but AX and DX.
floppy_motor:
    push cx
    push ds
    mov cl, [E_FLOPPY_DRIVE]
    DS_BDA
    mov al, 1
    shl al, cl
    or [B_MOTOR], al
    mov byte [B_MOTOR_TICKS], 37
    mov al, [B_MOTOR]
    shl al, 4
    or al, cl
    or al, 0Ch
    mov dx, DOR
    out dx, al
    pop ds
    pop cx
    ret

floppy_recalibrate:
    mov al, 7
    call fdc_put
    mov al, [E_FLOPPY_DRIVE]
    call fdc_put
    call fdc_sense
    jc .done
    mov byte [E_FLOPPY_TRACK], 0
    push ds
    mov cl, [E_FLOPPY_DRIVE]
    mov al, 1
    shl al, cl
    DS_BDA
    or [B_FLOPPY_CALIBRATED], al
    pop ds
    clc
.done:
    ret

; To cylinder AL.
floppy_seek:
    push ax
    mov al, 0Fh
    call fdc_put
    mov al, [E_FLOPPY_HEAD]
    shl al, 2
    or al, [E_FLOPPY_DRIVE]
    call fdc_put
    pop ax
    call fdc_put
    jmp fdc_sense

; Whether the diskette has been changed; seeks clear the drive's latch. Carry: AH says 6 changed, or 80h none there.
floppy_check_change:
    call floppy_motor
    mov dx, DIR
    in al, dx
    test al, 80h
    jz .same
    movzx bx, byte [E_FLOPPY_DRIVE]
    push ds
    DS_BDA
    mov byte [bx+B_MEDIA], 0
    pop ds
    call floppy_recalibrate
    mov byte [E_FLOPPY_HEAD], 0
    mov al, 1
    call floppy_seek
    call floppy_recalibrate
    mov ah, 6
    mov dx, DIR
    in al, dx
    test al, 80h
    jz .changed
    mov ah, 80h
.changed:
    stc
    ret
.same:
    clc
    ret

; Motor on, heads calibrated, data rate found. Carry and AH: why not.
floppy_ready:
    call floppy_type
    jz floppy_none
    call floppy_check_change
    jc .done
    push ds
    mov cl, [E_FLOPPY_DRIVE]
    movzx bx, cl
    DS_BDA
    mov al, [B_FLOPPY_CALIBRATED]
    mov ch, [bx+B_MEDIA]
    pop ds
    shr al, cl
    test al, 1
    jnz .calibrated
    push cx
    call floppy_recalibrate
    pop cx
    jc .seek_failed
.calibrated:
    test ch, 10h
    jz floppy_find_rate
    shr ch, 6
    mov al, ch
    mov dx, DIR
    out dx, al              ; CCR
    call floppy_type
    ; The sectors a track of this rate.
.pair:
    inc bx
    cmp [cs:bx], ch
    je .found
    inc bx
    jmp .pair
.found:
    mov al, [cs:bx+1]
    mov [E_FLOPPY_RATE], al
    clc
.done:
    ret
.seek_failed:
    mov ah, 40h
    stc
    ret

; READ ID at each rate that the drive can have, until one is right.
floppy_find_rate:
    call floppy_type
    inc bx
.next:
    mov al, [cs:bx]
    cmp al, 0FFh
    je .none
    cmp al, 3
    ja .none
    mov dx, DIR
    out dx, al
    push bx
    mov al, 4Ah
    call fdc_put
    mov al, [E_FLOPPY_DRIVE]
    call fdc_put
    call fdc_interrupt
    jc .late
    call fdc_results
    push ds
    DS_BDA
    mov al, [B_FLOPPY_RESULT]
    pop ds
    pop bx
    test al, 0C0h
    jz .right
    add bx, 2
    jmp .next
.right:
    mov al, [cs:bx+1]
    mov [E_FLOPPY_RATE], al
    mov al, [cs:bx]
    shl al, 6
    or al, 17h              ; established
    movzx bx, byte [E_FLOPPY_DRIVE]
    push ds
    DS_BDA
    mov [bx+B_MEDIA], al
    pop ds
    clc
    ret
.late:
    pop bx
    call fdc_reset
.none:
    mov ah, 80h
    stc
    ret

; Read, write or verify AL sectors at cylinder CH, head DH, sector CL, ES:BX.
floppy_transfer:
    mov byte [E_DONE], 0
    mov byte [E_FLOPPY_RATE+1], 0
    call floppy_ready
    jc .failed
    mov al, [bp+F_AH]
    sub al, 2
    mov [E_OPERATION], al
    call disk_buffer
    mov al, [bp+F_CL]
    mov [E_FLOPPY_SECTOR], al
    mov al, [bp+F_DH]
    and al, 1
    mov [E_FLOPPY_HEAD], al
.next:
    cmp byte [E_COUNT], 0
    je .all
    call floppy_run
    jc .failed
    jmp .next
.all:
    xor ah, ah
.failed:
    mov al, [E_DONE]
    mov [bp+F_AL], al
    ret

; One command: up to the end of the track, or of the 64 KiB that DMA reaches.
floppy_run:
    mov al, [E_FLOPPY_RATE] ; sectors a track
    mov cl, [E_FLOPPY_SECTOR]
    sub al, cl
    jnc .on_track
    cmp byte [E_FLOPPY_HEAD], 0
    mov ah, 4
    jne .error
    cmp byte [E_DONE], 0
    je .error
    mov byte [E_FLOPPY_HEAD], 1
    mov byte [E_FLOPPY_SECTOR], 1
    jmp floppy_run
.error:
    stc
    ret
.on_track:
    inc al
    cmp al, [E_COUNT]
    jbe .some
    mov al, [E_COUNT]
.some:
    mov [E_FLOPPY_RUN], al
    cmp byte [E_OPERATION], 2
    je .reach
    movzx eax, word [E_BUFFER+2]
    shl eax, 4
    movzx edx, word [E_BUFFER]
    add eax, edx
    not ax                  ; bytes to the boundary, less one
    movzx edx, ax
    inc edx
    shr edx, 9
    mov ah, 9
    jz .error
    cmp dl, [E_FLOPPY_RUN]
    jae .reach
    cmp edx, 80h
    jae .reach
    mov [E_FLOPPY_RUN], dl
.reach:
    mov al, [bp+F_CH]
    call floppy_seek
    mov ah, 40h
    jc .error
    movzx cx, byte [E_FLOPPY_RUN]
    shl cx, 9
    call floppy_dma
    movzx bx, byte [E_OPERATION]
    mov al, [cs:bx+.commands]
    call fdc_put
    mov al, [E_FLOPPY_HEAD]
    shl al, 2
    or al, [E_FLOPPY_DRIVE]
    call fdc_put
    mov al, [bp+F_CH]
    call fdc_put
    mov al, [E_FLOPPY_HEAD]
    call fdc_put
    mov al, [E_FLOPPY_SECTOR]
    call fdc_put
    mov al, 2
    call fdc_put
    mov al, [E_FLOPPY_SECTOR]
    add al, [E_FLOPPY_RUN]
    dec al
    call fdc_put
    mov al, 1Bh
    call fdc_put
    mov al, 0FFh
    call fdc_put
    call floppy_result
    jc .ended
    mov al, [E_FLOPPY_RUN]
    add [E_DONE], al
    sub [E_COUNT], al
    add [E_FLOPPY_SECTOR], al
    movzx ax, al
    shl ax, 5
    add [E_BUFFER+2], ax
    clc
.ended:
    ret
; READ DATA, WRITE DATA, and READ DATA to nowhere.
.commands:
    db 46h, 45h, 46h

; Formats a track of AL sectors by the four bytes for each at ES:BX.
floppy_format:
    call floppy_ready
    jc .done
    mov byte [E_OPERATION], 1
    call disk_buffer
    mov al, [bp+F_DH]
    and al, 1
    mov [E_FLOPPY_HEAD], al
    mov al, [bp+F_CH]
    call floppy_seek
    mov ah, 40h
    jc .done
    mov cx, [E_COUNT]
    shl cx, 2
    call floppy_dma
    mov al, 4Dh
    call fdc_put
    mov al, [E_FLOPPY_HEAD]
    shl al, 2
    or al, [E_FLOPPY_DRIVE]
    call fdc_put
    call table_pointer
    mov al, [es:bx+3]
    call fdc_put
    mov al, [E_COUNT]
    call fdc_put
    mov al, [es:bx+7]
    call fdc_put
    mov al, [es:bx+8]
    call fdc_put
    jmp floppy_result
.done:
    ret
