; El Torito: booting from a CD, and the drive that it can pretend to be (Phoenix and IBM, "El Torito" 1.0).

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

; The emulated drive: the usual functions on an image of 512-byte sectors inside the CD.
emulated_service:
    mov si, E_SCRATCH_DISK
    mov bx, .table
    jmp dispatch
.table:
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
    dw 0, drive_service

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
    mov word [E_BLOCKS], 1
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
    call cd_sectors
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
    test al, al                     ; no emulation; clears the carry
    jz .done
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
