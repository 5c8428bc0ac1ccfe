; The 82077AA's commands and results, its interrupt, and DMA channel 2 (82077AA and 8237A data sheets).

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
