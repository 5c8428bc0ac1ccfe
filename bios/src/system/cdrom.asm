; CD-ROM: ATAPI drives by PIO, and INT 13h for them (ATA/ATAPI-6, PACKET; MMC-2, READ (10); "El Torito" 1.0).

; The CD drive DL in no-emulation mode: SI becomes its descriptor.
cd_service:
    sub dl, CD_FIRST
    cmp dl, [E_CD_COUNT]
    jae bad_command
    movzx si, dl
    shl si, 5
    add si, E_CDS
    mov bx, .table
    jmp dispatch
.table:
    db 10h
    dw cd_is_ready
    db 15h
    dw cd_type
    db 41h
    dw cd_edd_present
    db 42h
    dw cd_transfer
    db 44h
    dw cd_transfer
    db 45h
    dw cd_lock
    db 46h
    dw cd_eject
    db 47h
    dw good
    db 48h
    dw cd_parameters
    db 49h
    dw cd_changed
    db 4Ah
    dw emulation_start
    db 4Bh
    dw emulation_end
    db 4Ch
    dw emulation_start
    db 4Dh
    dw emulation_catalog
    db 3
    dw cd_protected
    db 43h
    dw cd_protected
    db 0
    dw 0, drive_service

cd_protected:
    mov ah, 3
    stc
    ret

; A removable disk with a change line.
cd_type:
    mov ah, 2
    clc
    ret

cd_edd_present:
    cmp word [bp+F_BX], 55AAh
    jne bad_command
    mov word [bp+F_BX], 0AA55h
    mov word [bp+F_CX], 7   ; access, lock and eject, parameters
    mov ah, 30h
    clc
    ret

cd_changed:
    xor ah, ah
    ret

cd_is_ready:
    call packet_clear       ; TEST UNIT READY
    mov cx, 0
    jmp cd_packet

; AL: 0 lock, 1 unlock, 2 ask; AL becomes the state, 1 for locked.
cd_lock:
    cmp byte [bp+F_AL], 2
    ja bad_command
    je .ask
    call packet_clear
    mov byte [E_PACKET], 1Eh
    mov al, [bp+F_AL]
    xor al, 1
    mov [E_PACKET+4], al
    mov [E_KEEP], al
    mov cx, 0
    call cd_packet
    jc .done
.ask:
    mov al, [E_KEEP]
    mov [bp+F_AL], al
    xor ah, ah
.done:
    ret

cd_eject:
    cmp byte [E_KEEP], 0
    mov ah, 0B1h            ; locked
    jne .locked
    call packet_clear
    mov byte [E_PACKET], 1Bh
    mov byte [E_PACKET+4], 2
    mov cx, 0
    jmp cd_packet
.locked:
    stc
    ret

cd_parameters:
    mov es, [bp+F_DS]
    mov di, [bp+F_SI]
    mov cx, [es:di]
    cmp cx, 1Ah
    jb bad_command
    mov word [es:di], 1Ah
    add di, 2
    mov ax, 74h             ; removable, change line, lockable; no media: no geometry
    stosw
    mov eax, 0FFFFFFFFh
    mov cx, 5
    rep stosd
    mov ax, 2048
    stosw
    xor ah, ah
    ret

; Function 42h or 44h: sectors of 2048 bytes by the packet at DS:SI.
cd_transfer:
    mov es, [bp+F_DS]
    mov di, [bp+F_SI]
    mov byte [E_OPERATION], 0
    mov ax, [es:di+2]
    mov [E_COUNT], ax
    mov eax, [es:di+4]
    mov [E_BUFFER], eax
    mov eax, [es:di+8]
    mov [E_LBA], eax
    cmp dword [es:di+12], 0
    mov ah, 4
    jne .refused
    cmp byte [bp+F_AH], 44h
    je .verified
    push es
    push di
    call cd_read
    pop di
    pop es
    jmp packet_done
.verified:
    xor ah, ah
    ret
.refused:
    stc
    ret

; E_COUNT sectors of 2048 bytes from E_LBA on to E_BUFFER; E_DONE is how many it were. Many by one command, and one by
; one from the first that fails: a drive that refuses a command does not say how far it came.
cd_read:
    mov word [E_DONE], 0
    call buffer_normal
    mov cx, CD_AT_ONCE
.next:
    cmp word [E_COUNT], 0
    je .all
    cmp cx, [E_COUNT]
    jbe .some
    mov cx, [E_COUNT]
.some:
    mov [E_BLOCKS], cx
    mov word [E_SKIP], 0
    mov ax, cx
    shl ax, 11
    mov [E_BYTES], ax
    push cx
    call cd_sectors
    pop cx
    jc .failed
    movzx eax, cx
    add [E_LBA], eax
    add [E_DONE], ax
    sub [E_COUNT], ax
    shl ax, 7
    add [E_BUFFER+2], ax
    jmp .next
.failed:
    dec cx
    stc
    jz .done
    mov cx, 1
    jmp .next
.all:
    xor ah, ah
.done:
    ret

; The buffer's offset becomes less than 16.
buffer_normal:
    mov ax, [E_BUFFER]
    mov dx, ax
    shr ax, 4
    add [E_BUFFER+2], ax
    and dx, 0Fh
    mov [E_BUFFER], dx
    ret

; Of the CD's E_BLOCKS sectors from E_LBA on: E_BYTES bytes behind the first E_SKIP. A drive that has just got its disc
; says so first.
cd_sectors:
    mov cx, 5
.try:
    push cx
    push dword [E_SKIP]     ; and E_BYTES
    call packet_clear
    mov byte [E_PACKET], 28h
    mov eax, [E_LBA]
    call big_endian
    mov [E_PACKET+2], eax
    mov ax, [E_BLOCKS]
    mov [E_PACKET+8], al
    shl ax, 11
    mov cx, ax
    call cd_packet
    jnc .done
    push ax
    call cd_sense
    pop ax
    pop dword [E_SKIP]
    pop cx
    loop .try
    stc
    ret
.done:
    add sp, 6
    xor ah, ah
    ret

; REQUEST SENSE clears what the drive has to say; its answer is thrown away.
cd_sense:
    call packet_clear
    mov byte [E_PACKET], 3
    mov byte [E_PACKET+4], 18
    mov dword [E_SKIP], 18  ; and no E_BYTES
    mov cx, 18
    jmp cd_packet

big_endian:
    xchg al, ah
    ror eax, 16
    xchg al, ah
    ret

packet_clear:
    mov di, E_PACKET
    push ds
    pop es
    xor eax, eax
    mov cx, 3
    rep stosd
    ret

; Sends E_PACKET to drive SI; CX is the most bytes at once. Data goes to E_BUFFER, as E_SKIP and E_BYTES say.
cd_packet:
    mov word [E_GOT], 0
    mov dx, [si+D_CONTROL]
    mov al, 0Ah
    out dx, al
    mov dx, [si+D_IO]
    add dx, 6
    mov al, [si+D_SELECT]
    out dx, al
    inc dx
    call ata_idle
    jc ata_timeout
    sub dx, 6
    mov al, 0               ; PIO
    out dx, al
    add dx, 3
    mov al, cl
    out dx, al              ; byte count limit
    inc dx
    mov al, ch
    out dx, al
    add dx, 2
    mov al, 0A0h
    out dx, al
    call ata_idle
    jc ata_timeout
    test al, ERR
    jnz cd_error
    test al, DRQ
    jz cd_error
    sub dx, 7
    push si
    mov si, E_PACKET
    mov cx, 6
    rep outsw
    pop si
    add dx, 7
.phase:
    call ata_idle
    jc ata_timeout
    test al, ERR|DF
    jnz cd_error
    test al, DRQ
    jz .done
    ; How much there is now.
    sub dx, 3
    in al, dx
    mov cl, al
    inc dx
    in al, dx
    mov ch, al
    sub dx, 5
    shr cx, 1
    call cd_words
    add dx, 7
    jmp .phase
.done:
    call ata_quiet
    xor ah, ah
    ret

cd_error:
    call ata_quiet
    mov ah, 20h
    stc
    ret

; CX words from port DX: what is left of E_SKIP bytes is thrown away, E_BYTES are kept, the rest is thrown away.
cd_words:
    mov bx, [E_SKIP]
    shr bx, 1
    cmp bx, cx
    jbe .skip
    mov bx, cx
.skip:
    sub cx, bx
    mov ax, bx
    shl ax, 1
    sub [E_SKIP], ax
    call .drop
    mov bx, cx
    mov cx, [E_BYTES]
    shr cx, 1
    cmp cx, bx
    jbe .keep
    mov cx, bx
.keep:
    sub bx, cx
    les di, [E_BUFFER]
    add di, [E_GOT]
    mov ax, cx
    shl ax, 1
    add [E_GOT], ax
    sub [E_BYTES], ax
    rep insw
.drop:
    test bx, bx
    jz .dropped
    in ax, dx
    dec bx
    jmp .drop
.dropped:
    ret
