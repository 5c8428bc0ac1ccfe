; INT 13h for diskettes: the 82077AA and DMA channel 2 (82077AA data sheet; PC/AT Technical Reference, "Diskette").
; Diskettes of 40 tracks in drives of 80 (double stepping) are left out.

DOR = 3F2h
MSR = 3F4h
FIFO = 3F5h
DIR = 3F7h

int0e:
    push ax
    push ds
    DS_BDA
    or byte [B_FLOPPY_CALIBRATED], 80h
    mov al, 20h
    out 20h, al
    pop ds
    pop ax
    iret

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
    mov dl, [bp+F_DL]
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

; Puts a byte AL into the controller. Carry: it does not want it.
fdc_put:
    push cx
    mov ah, al
    mov dx, MSR
    mov cx, 0FFFFh
.wait:
    in al, dx
    and al, 0C0h
    cmp al, 80h
    je .ready
    call refresh_edge
    loop .wait
    pop cx
    stc
    ret
.ready:
    inc dx
    mov al, ah
    out dx, al
    pop cx
    clc
    ret

; Result bytes to 40:42h; as many as come. Carry: none.
fdc_results:
    push es
    push BDA
    pop es
    mov di, B_FLOPPY_RESULT
    mov cx, 7
.next:
    mov dx, MSR
    push cx
    mov cx, 0FFFFh
.wait:
    in al, dx
    test al, 80h
    jnz .ready
    call refresh_edge
    loop .wait
.ready:
    pop cx
    and al, 0D0h
    cmp al, 0D0h
    jne .done
    inc dx
    in al, dx
    stosb
    loop .next
.done:
    pop es
    cmp di, B_FLOPPY_RESULT+1
    ret

; Waits for IRQ6, two seconds. Carry: it did not come.
fdc_interrupt:
    push ds
    push ecx
    DS_BDA
    mov ecx, 133000
.wait:
    sti
    test byte [B_FLOPPY_CALIBRATED], 80h
    jnz .came
    call refresh_edge
    dec ecx
    jnz .wait
    stc
    jmp .out
.came:
    and byte [B_FLOPPY_CALIBRATED], 7Fh
    clc
.out:
    pop ecx
    pop ds
    ret

floppy_reset:
    call fdc_reset
    jc .failed
    xor ah, ah
    ret
.failed:
    mov ah, 20h
    stc
    ret

; Resets the controller; all drives have to be calibrated anew.
fdc_reset:
    push ds
    DS_BDA
    mov byte [B_FLOPPY_CALIBRATED], 0
    mov al, [B_MOTOR]
    shl al, 4
    mov dx, DOR
    or al, 8
    out dx, al
    call refresh_edge
    call refresh_edge
    or al, 4
    out dx, al
    pop ds
    call fdc_interrupt
    jc .done
    mov cx, 4
.sense:
    push cx
    mov al, 8
    call fdc_put
    call fdc_results
    pop cx
    loop .sense
    mov al, 3               ; SPECIFY as the table of INT 1Eh says
    call fdc_put
    call table_pointer
    mov al, [es:bx]
    call fdc_put
    mov al, [es:bx+1]
    call fdc_put
.done:
    ret

; ES:BX: the diskette parameter table.
table_pointer:
    push 0
    pop es
    les bx, [es:78h]
    ret

; SENSE INTERRUPT STATUS after a seek. Carry: it did not end well.
fdc_sense:
    call fdc_interrupt
    jc .done
    mov al, 8
    call fdc_put
    call fdc_results
    jc .done
    push ds
    DS_BDA
    mov al, [B_FLOPPY_RESULT]
    pop ds
    and al, 0E0h
    cmp al, 20h             ; seek end, normal
    je .done
    stc
.done:
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

; The end of a command with data. Carry and AH: what went wrong (82077AA, "Status Register 1").
floppy_result:
    call fdc_interrupt
    jc .late
    call fdc_results
    push ds
    DS_BDA
    mov al, [B_FLOPPY_RESULT]
    mov cl, [B_FLOPPY_RESULT+1]
    pop ds
    test al, 0C0h
    jz .good
    mov bx, .errors
.next:
    mov ax, [cs:bx]
    add bx, 2
    test cl, al
    jz .next
    stc
    ret
.good:
    xor ah, ah
    ret
.late:
    call fdc_reset
    mov ah, 80h
    stc
    ret
; Bit of ST1, status of INT 13h.
.errors:
    db 2, 3
    db 20h, 10h
    db 10h, 8
    db 4, 4
    db 1, 2
    db 80h, 4
    db 7Fh, 20h
    db 0FFh, 20h

; DMA channel 2 for CX bytes at E_BUFFER.
floppy_dma:
    movzx eax, word [E_BUFFER+2]
    shl eax, 4
    movzx edx, word [E_BUFFER]
    add eax, edx
    mov edx, eax
    cli
    mov al, 6
    out 0Ah, al
    movzx bx, byte [E_OPERATION]
    mov al, [cs:bx+.modes]
    out 0Ch, al
    out 0Bh, al
    mov al, dl
    out 4, al
    mov al, dh
    out 4, al
    shr edx, 16
    mov al, dl
    out 81h, al
    dec cx
    mov al, cl
    out 5, al
    mov al, ch
    out 5, al
    mov al, 2
    out 0Ah, al
    sti
    ret
; Single mode, channel 2: to memory, from memory, verify.
.modes:
    db 46h, 4Ah, 42h

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
