; CD-ROM: ATAPI drives by PIO, and El Torito (ATA/ATAPI-6, PACKET; MMC-2, READ (10); "El Torito" 1.0).

; The emulation packet at E_EMULATION, as El Torito's figure 1 lays it out ("specification packet").
EM_SIZE = 0
EM_MEDIA = 1            ; bits 0-3: 0 none, 1-3 a diskette, 4 a hard disk; 80h in bit 7 is ours: it is active
EM_DRIVE = 2
EM_CONTROLLER = 3
EM_LBA = 4
EM_DEVICE = 8
EM_BUFFER = 10
EM_SEGMENT = 12
EM_COUNT = 14
EM_CH = 16
EM_CL = 17
EM_DH = 18
EM_ACTIVE = 19

; Carry: drive DL is the emulated one. A real drive of the same kind moves up by one: DL is corrected.
cd_emulates:
    cmp byte [E_EMULATION+EM_ACTIVE], 0
    je .no
    mov al, [E_EMULATION+EM_MEDIA]
    and al, 0Fh
    jz .no
    cmp dl, [E_EMULATION+EM_DRIVE]
    jne .shift
    mov ah, [bp+F_AH]
    stc
    ret
.shift:
    mov ah, dl
    xor ah, [E_EMULATION+EM_DRIVE]
    js .no
    dec dl
.no:
    clc
    ret

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
    db 0
    dw good
    db 1
    dw disk_status
    db 9
    dw good
    db 0Dh
    dw good
    db 10h
    dw cd_is_ready
    db 11h
    dw good
    db 14h
    dw good
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
    dw 0, bad_command

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

; AL: 0 lock, 1 unlock, 2 ask.
cd_lock:
    mov al, [bp+F_AL]
    cmp al, 2
    ja bad_command
    je .ask
    call packet_clear
    mov byte [E_PACKET], 1Eh
    xor al, 1
    mov [E_PACKET+4], al
    mov [E_KEEP], al
    mov cx, 0
    call cd_packet
    ret
.ask:
    mov al, [E_KEEP]
    mov [bp+F_AL], al
    xor ah, ah
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
    pushf
    push ax
    mov ax, [E_DONE]
    mov [es:di+2], ax
    pop ax
    popf
    ret
.verified:
    xor ah, ah
    ret
.refused:
    stc
    ret

; E_COUNT sectors of 2048 bytes from E_LBA on to E_BUFFER; E_DONE is how many it were.
cd_read:
    mov word [E_DONE], 0
    call buffer_normal
.next:
    cmp word [E_COUNT], 0
    je .all
    mov word [E_SKIP], 0
    mov word [E_BYTES], 2048
    call cd_sector
    jc .done
    add word [E_BUFFER+2], 80h
    inc dword [E_LBA]
    inc word [E_DONE]
    dec word [E_COUNT]
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

; Of the CD's sector E_LBA: E_BYTES bytes behind the first E_SKIP. A drive that has just got its disc says so first.
cd_sector:
    mov cx, 5
.try:
    push cx
    call packet_clear
    mov byte [E_PACKET], 28h
    mov eax, [E_LBA]
    call big_endian
    mov [E_PACKET+2], eax
    mov byte [E_PACKET+8], 1
    mov cx, 2048
    call cd_packet
    pop cx
    jnc .done
    push ax
    push cx
    call cd_sense
    pop cx
    pop ax
    loop .try
    stc
.done:
    ret

; REQUEST SENSE clears what the drive has to say; its answer is thrown away.
cd_sense:
    call packet_clear
    mov byte [E_PACKET], 3
    mov byte [E_PACKET+4], 18
    mov word [E_SKIP], 18
    push word [E_BYTES]
    mov word [E_BYTES], 0
    mov cx, 18
    call cd_packet
    pop word [E_BYTES]
    mov word [E_SKIP], 0
    ret

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

; The emulated drive: the usual functions on an image of 512-byte sectors inside the CD.
emulated_service:
    mov si, E_SCRATCH_DISK
    mov bx, .table
    jmp dispatch
.table:
    db 0
    dw good
    db 1
    dw disk_status
    db 2
    dw emulated_transfer
    db 4
    dw emulated_transfer
    db 3
    dw cd_protected
    db 5
    dw cd_protected
    db 8
    dw emulated_geometry
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
    db 15h
    dw emulated_type
    db 16h
    dw good
    db 4Ah
    dw emulation_start
    db 4Bh
    dw emulation_end
    db 4Ch
    dw emulation_start
    db 4Dh
    dw emulation_catalog
    db 0
    dw 0, bad_command

emulated_type:
    mov ah, 1
    test byte [bp+F_DL], 80h
    jz .diskette
    jmp disk_type
.diskette:
    clc
    ret

emulated_geometry:
    call last_chs
    mov byte [bp+F_AL], 0
    test byte [bp+F_DL], 80h
    jz .diskette
    push ds
    DS_BDA
    mov al, [B_DISKS]
    pop ds
    inc al
    mov [bp+F_DL], al
    xor ah, ah
    ret
.diskette:
    mov byte [bp+F_BL], 4
    call table_pointer
    mov [bp+F_DI], bx
    mov [bp+F_ES], es
    call floppy_count
    inc al
    mov [bp+F_DL], al
    xor ah, ah
    ret

; CHS by the image's geometry; each piece is part of one CD sector.
emulated_transfer:
    call chs_to_lba
    jc bad_command
    call disk_buffer
    jz bad_command
    mov byte [E_OPERATION], 0
    mov word [E_DONE], 0
    cmp byte [bp+F_AH], 4
    je .verified
    call buffer_normal
    movzx si, byte [E_EMULATION+EM_CONTROLLER]
    shl si, 5
    add si, E_CDS
    mov edi, [E_LBA]
.next:
    mov eax, edi
    shr eax, 2
    add eax, [E_EMULATION+EM_LBA]
    mov [E_LBA], eax
    mov ax, di
    and ax, 3
    mov cx, 4
    sub cx, ax              ; sectors to the end of the CD's
    shl ax, 9
    mov [E_SKIP], ax
    cmp cx, [E_COUNT]
    jbe .some
    mov cx, [E_COUNT]
.some:
    mov ax, cx
    shl ax, 9
    mov [E_BYTES], ax
    push edi
    push cx
    call cd_sector
    pop cx
    pop edi
    jc .failed
    add [E_DONE], cx
    movzx eax, cx
    add edi, eax
    shl ax, 5
    add [E_BUFFER+2], ax
    sub [E_COUNT], cx
    jnz .next
    xor ah, ah
    jmp .out
.verified:
    mov ax, [E_COUNT]
    mov [E_DONE], ax
    xor ah, ah
.out:
    clc
.failed:
    mov al, [E_DONE]
    mov [bp+F_AL], al
    ret

; 4Ah, 4Ch: the packet at DS:SI is remembered and the drive is there; 4Ch also boots from it.
emulation_start:
    push si
    push ds
    push ds
    pop es
    mov di, E_EMULATION
    mov ds, [bp+F_DS]
    mov si, [bp+F_SI]
    mov cx, 19
    rep movsb
    pop ds
    pop si
    mov byte [E_EMULATION+EM_ACTIVE], 1
    call emulation_geometry
    xor ah, ah
    ret

; 4Bh: AL=0 ends the emulation; the packet goes to DS:SI.
emulation_end:
    mov es, [bp+F_DS]
    mov di, [bp+F_SI]
    push si
    mov si, E_EMULATION
    mov cx, 19
    rep movsb
    pop si
    cmp byte [bp+F_AL], 0
    jne .asked
    mov byte [E_EMULATION+EM_ACTIVE], 0
.asked:
    xor ah, ah
    ret

; 4Dh: sectors of the boot catalog, by the command packet at DS:SI.
emulation_catalog:
    mov es, [bp+F_DS]
    mov di, [bp+F_SI]
    movzx ax, byte [es:di+1]
    mov [E_COUNT], ax
    mov eax, [es:di+2]
    mov [E_BUFFER], eax
    movzx eax, word [es:di+6]
    add eax, [E_CATALOG]
    mov [E_LBA], eax
    movzx si, byte [E_EMULATION+EM_CONTROLLER]
    shl si, 5
    add si, E_CDS
    jmp cd_read

; The geometry of the emulated drive, from the packet, as a descriptor.
emulation_geometry:
    mov al, [E_EMULATION+EM_CL]
    movzx bx, al
    and al, 3Fh
    mov ah, 0
    mov [E_SCRATCH_DISK+D_SPT], ax
    shl bx, 2
    and bx, 300h
    mov bl, [E_EMULATION+EM_CH]
    inc bx
    mov [E_SCRATCH_DISK+D_CYLINDERS], bx
    movzx ax, byte [E_EMULATION+EM_DH]
    inc ax
    mov [E_SCRATCH_DISK+D_HEADS], ax
    ret

; Where descriptors and the catalog go while nothing is loaded yet: 1000h.
CD_PAGE = 100h

; Boots from CD drive AL. Returns if it cannot; carry.
cd_boot:
    DS_EBDA
    push ds
    pop es
    push ax
    mov di, E_EMULATION
    mov cx, 10
    xor ax, ax
    rep stosw
    pop ax
    mov [E_EMULATION+EM_CONTROLLER], al
    movzx si, al
    shl si, 5
    add si, E_CDS
    ; The boot record volume descriptor is in sector 17, the catalog's address at 47h.
    mov eax, 17
    call cd_page
    jc .no
    cmp dword [es:1], 30304443h     ; "CD001"
    jne .no
    cmp dword [es:7], 54204C45h     ; "EL T"
    jne .no
    mov eax, [es:47h]
    mov [E_CATALOG], eax
    call cd_page
    jc .no
    cmp word [es:0], 1              ; validation entry, for the 80x86
    jne .no
    cmp word [es:1Eh], 0AA55h
    jne .no
    cmp byte [es:20h], 88h          ; bootable
    jne .no
    call cd_entry
    jc .no
    call cd_load
    jc .no
    mov byte [E_EMULATION+EM_ACTIVE], 1
    mov dl, [E_EMULATION+EM_DRIVE]
    mov ax, [E_EMULATION+EM_SEGMENT]
    cmp ax, 7C0h
    je boot_jump
    push ax
    push 0
    xor ax, ax
    mov ds, ax
    mov es, ax
    retf
.no:
    mov byte [E_EMULATION+EM_ACTIVE], 0
    stc
    ret

; Sector EAX of the CD to 1000h, which ES points to then.
cd_page:
    mov [E_LBA], eax
    mov word [E_COUNT], 1
    mov dword [E_BUFFER], CD_PAGE<<16
    call cd_read
    push CD_PAGE
    pop es
    ret

; The initial entry at ES:20h becomes the emulation packet. Carry: a kind of medium that is not known.
cd_entry:
    mov byte [E_EMULATION+EM_SIZE], 13h
    mov al, [es:21h]
    and al, 0Fh
    mov [E_EMULATION+EM_MEDIA], al
    mov ebx, [es:28h]
    mov [E_EMULATION+EM_LBA], ebx
    mov bx, [es:22h]
    test bx, bx
    jnz .segment
    mov bx, 7C0h
.segment:
    mov [E_EMULATION+EM_SEGMENT], bx
    mov bx, [es:26h]
    test bx, bx
    jnz .count
    inc bx
.count:
    mov [E_EMULATION+EM_COUNT], bx
    mov dl, CD_FIRST
    add dl, [E_EMULATION+EM_CONTROLLER]
    mov [E_EMULATION+EM_DRIVE], dl
    cmp al, 1
    jb .done
    cmp al, 4
    ja .unknown
    je .hard_disk
    mov byte [E_EMULATION+EM_DRIVE], 0
    movzx bx, al
    mov al, [cs:bx+.sectors-1]
    mov [E_EMULATION+EM_CL], al
    mov byte [E_EMULATION+EM_CH], 79
    mov byte [E_EMULATION+EM_DH], 1
    jmp emulation_geometry
.hard_disk:
    ; The geometry is what the first partition ends with.
    mov byte [E_EMULATION+EM_DRIVE], 80h
    mov eax, [E_EMULATION+EM_LBA]
    call cd_page
    jc .done
    mov al, [es:1BEh+5]
    mov [E_EMULATION+EM_DH], al
    mov ax, [es:1BEh+6]
    mov [E_EMULATION+EM_CL], al
    mov [E_EMULATION+EM_CH], ah
    jmp emulation_geometry
.unknown:
    stc
.done:
    ret
.sectors:
    db 15, 18, 36

; What the entry says is loaded.
cd_load:
    mov eax, [E_EMULATION+EM_LBA]
    mov [E_LBA], eax
    mov word [E_BUFFER], 0
    mov ax, [E_EMULATION+EM_SEGMENT]
    mov [E_BUFFER+2], ax
    mov ax, [E_EMULATION+EM_COUNT]
    add ax, 3
    shr ax, 2
    mov [E_COUNT], ax
    jmp cd_read
