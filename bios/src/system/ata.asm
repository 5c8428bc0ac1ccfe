; ATA disks by PIO (ATA/ATAPI-6), and what drives there are: ATA first, then virtio.

BSY = 80h
DRQ = 8
DF = 20h
ERR = 1

; Moves E_COUNT sectors of disk SI in commands of up to 128.
ata_transfer:
    movzx ecx, word [E_COUNT]
    jcxz .all
    cmp cx, 128
    jbe .fits
    mov cx, 128
.fits:
    movzx bx, byte [E_OPERATION]
    mov al, [cs:bx+.commands]
    push cx
    call ata_issue
    pop cx
    jc ata_timeout
    push cx
    call ata_sectors
    pop cx
    jc .done
    sub [E_COUNT], cx
    movzx ecx, cx
    add [E_LBA], ecx
    adc dword [E_LBA+4], 0
    jmp ata_transfer
.all:
    call ata_quiet
    xor ah, ah
.done:
    ret
; READ SECTORS, WRITE SECTORS, READ VERIFY SECTORS.
.commands:
    db 20h, 30h, 40h

ata_timeout:
    mov ah, 80h
    stc
    ret

; Interrupts of the channel are allowed again.
ata_quiet:
    mov dx, [si+D_CONTROL]
    mov al, 8
    out dx, al
    ret

; Command AL for CX sectors at E_LBA to drive SI, its interrupt off. Carry: it stays busy.
ata_issue:
    mov [E_COMMAND], al
    mov dx, [si+D_CONTROL]
    mov al, 0Ah
    out dx, al
    mov ebx, [E_LBA]
    mov al, [si+D_SELECT]
    or al, 40h
    cmp dword [E_LBA+4], 0
    jne .big
    movzx edi, cx
    add edi, ebx
    jc .big
    cmp edi, 10000000h
    ja .big
    mov edi, ebx
    shr edi, 24
    or ax, di
    jmp .select
.big:
    call .choose
    jc .busy
    sub dx, 5               ; sector count
    mov al, ch
    out dx, al
    inc dx
    mov eax, ebx
    shr eax, 24
    out dx, al
    inc dx
    mov eax, [E_LBA+4]
    out dx, al
    inc dx
    mov al, ah
    out dx, al
    mov al, 4
    cmp byte [E_COMMAND], 40h
    jne .extended
    mov al, 2
.extended:
    add [E_COMMAND], al
    sub dx, 3
    jmp .low
.select:
    call .choose
    jc .busy
    sub dx, 5
.low:
    mov al, cl
    out dx, al
    inc dx
    mov eax, ebx
    out dx, al
    inc dx
    mov al, ah
    out dx, al
    inc dx
    shr eax, 16
    out dx, al
    add dx, 2
    mov al, [E_COMMAND]
    out dx, al
    clc
.busy:
    ret
; Selects with AL; DX becomes the status port.
.choose:
    mov dx, [si+D_IO]
    add dx, 6
    out dx, al
    inc dx

; Waits until BSY is clear at status port DX; AL is the status. Carry: half a minute was not enough.
ata_idle:
    push ecx
    mov ecx, 2000000
    in al, dx               ; 400 ns
    in al, dx
.next:
    in al, dx
    test al, BSY
    jz .idle
    call refresh_edge
    dec ecx
    jnz .next
    pop ecx
    stc
    ret
.idle:
    pop ecx
    clc
    ret

; The data of CX sectors. Carry and AH: what went wrong.
ata_sectors:
    cmp byte [E_OPERATION], 2
    je .end
.next:
    mov dx, [si+D_IO]
    add dx, 7
    call ata_idle
    jc ata_timeout
    test al, ERR|DF
    jnz ata_error
    test al, DRQ
    jz ata_error
    sub dx, 7
    push cx
    call ata_sector
    pop cx
    add word [E_BUFFER+2], 20h
    inc word [E_DONE]
    loop .next
    jmp .finish
.end:
    add [E_DONE], cx
.finish:
    mov dx, [si+D_IO]
    add dx, 7
    call ata_idle
    jc ata_timeout
    test al, ERR|DF
    jnz ata_error
    ret

; One sector through data port DX.
ata_sector:
    mov cx, 80h
    cmp byte [E_OPERATION], 1
    je .write
    les di, [E_BUFFER]
    rep insd
    ret
.write:
    push si
    push ds
    lds si, [E_BUFFER]
    rep outsd
    pop ds
    pop si
    ret

; From the error register to INT 13h's status.
ata_error:
    mov dx, [si+D_IO]
    inc dx
    in al, dx
    mov ah, 0Ah
    test al, 80h            ; bad block
    jnz .is
    mov ah, 10h
    test al, 40h            ; uncorrectable
    jnz .is
    mov ah, 4
    test al, 10h            ; no such sector
    jnz .is
    mov ah, 1
    test al, 4              ; aborted
    jnz .is
    mov ah, 20h
.is:
    call ata_quiet
    stc
    ret

; Where IDENTIFY's answer goes while nothing else is in memory.
IDENTITY = 600h

; Looks at all four places; disks and CD drives get descriptors.
disks_set_up:
    DS_EBDA
    mov word [E_SCRATCH], E_DISKS
    mov word [E_SCRATCH+2], E_CDS
    mov si, E_BOOT_LIST     ; a descriptor of the place looked at, until boot_list is made
    xor bx, bx
.place:
    mov di, bx
    shr di, 1
    shl di, 2
    mov ax, [cs:di+.channels]
    mov [si+D_IO], ax
    mov ax, [cs:di+.channels+2]
    mov [si+D_CONTROL], ax
    mov al, bl
    and al, 1
    shl al, 4
    or al, 0A0h
    mov [si+D_SELECT], al
    mov [si+D_NUMBER], bl
    push bx
    call identify
    jc .nothing
    call describe
.nothing:
    pop bx
    inc bx
    cmp bx, 4
    jb .place
    call virtio_disks
    mov ax, [E_SCRATCH+2]
    sub ax, E_CDS
    shr ax, 5
    mov [E_CD_COUNT], al
    mov ax, [E_SCRATCH]
    sub ax, E_DISKS
    shr ax, 5
    push ds
    DS_BDA
    mov [B_DISKS], al
    pop ds
    mov di, E_BOOT_LIST     ; clean again
    push ds
    pop es
    mov cx, 16
    xor ax, ax
    rep stosw
    jmp disk_tables
.channels:
    dw 1F0h, 3F6h, 170h, 376h

; IDENTIFY DEVICE or IDENTIFY PACKET DEVICE to 0:600h. D_KIND is what it is; carry: nothing is there.
identify:
    mov dx, [si+D_IO]
    add dx, 7
    in al, dx
    cmp al, 0FFh
    je .none
    mov dx, [si+D_CONTROL]
    mov al, 0Ah
    out dx, al
    mov dx, [si+D_IO]
    add dx, 6
    mov al, [si+D_SELECT]
    out dx, al
    inc dx
    call ata_idle
    jc .none
    sub dx, 5
    mov al, 55h             ; the sector count keeps what is written
    out dx, al
    in al, dx
    cmp al, 55h
    jne .none
    mov byte [si+D_KIND], ATA
    mov al, 0ECh
    call .ask
    jnc .read
    ; A packet device has put its signature into the cylinder registers.
    sub dx, 2
    in al, dx
    cmp al, 0EBh
    jne .none
    dec dx
    in al, dx
    cmp al, 14h
    jne .none
    mov byte [si+D_KIND], ATAPI
    mov al, 0A1h
    call .ask
    jc .none
.read:
    sub dx, 7
    push 0
    pop es
    mov di, IDENTITY
    mov cx, 256
    rep insw
    call ata_quiet
    clc
    ret
.none:
    stc
    ret
; Command AL; DX is the status port. Carry: no data.
.ask:
    mov dx, [si+D_IO]
    add dx, 7
    out dx, al
    call ata_idle
    jc .asked
    test al, ERR|DF
    jnz .no
    test al, DRQ
    jnz .asked
.no:
    stc
.asked:
    ret

; The place SI, identified, becomes the next disk or CD drive.
describe:
    cmp byte [si+D_KIND], ATAPI
    je .cd
    call disk_new
    jc .full
    call disk_size
    jmp disk_logical
.cd:
    mov di, [E_SCRATCH+2]
    cmp di, E_CD_COUNT
    jae .full
    add word [E_SCRATCH+2], DESCRIPTOR
    jmp describe_place
.full:
    ret

; The next disk's descriptor, at DI then, begins as what SI is. Carry: there is no room for it.
disk_new:
    mov di, [E_SCRATCH]
    cmp di, E_CDS
    cmc
    jc describe_none
    add word [E_SCRATCH], DESCRIPTOR

; The first 8 bytes of SI go to DI. Carry is clear.
describe_place:
    push es
    push ds
    pop es
    mov cx, 8
    rep movsb
    pop es
    sub si, 8
    sub di, 8
    clc
describe_none:
    ret

; Size and geometry of disk DI from the words at ES:600h.
disk_size:
    mov eax, [es:IDENTITY+120]
    mov [di+D_SECTORS], eax
    mov dword [di+D_SECTORS+4], 0
    test byte [es:IDENTITY+167], 4  ; word 83, bit 10
    jz .small
    mov eax, [es:IDENTITY+200]
    mov [di+D_SECTORS], eax
    mov eax, [es:IDENTITY+204]
    mov [di+D_SECTORS+4], eax
.small:
    mov ax, [es:IDENTITY+2]
    mov [di+D_PHYSICAL], ax
    mov ax, [es:IDENTITY+6]
    mov [di+D_PHYSICAL+2], ax
    mov ax, [es:IDENTITY+12]
    mov [di+D_PHYSICAL+4], ax
    ret

; The geometry that INT 13h shows: 63 sectors a track, and as many heads as make at most 1024 cylinders
; ("LBA-assisted translation", Phoenix EDD 3.0, annex).
disk_logical:
    mov word [di+D_SPT], 63
    mov eax, [di+D_SECTORS]
    cmp dword [di+D_SECTORS+4], 0
    je .small
    mov eax, 0FFFFFFFFh
.small:
    xor edx, edx
    mov ecx, 63
    div ecx                 ; tracks
    mov cx, 16
.heads:
    mov ebx, eax
    shr ebx, 10
    movzx edx, cx
    cmp ebx, edx
    jb .fits
    shl cx, 1
    cmp cx, 256
    jb .heads
    mov cx, 255
.fits:
    mov [di+D_HEADS], cx
    movzx ecx, cx
    xor edx, edx
    div ecx
    cmp eax, 1024
    jbe .few
    mov ax, 1024
.few:
    test ax, ax
    jnz .some
    inc ax
.some:
    mov [di+D_CYLINDERS], ax
    ret

; The fixed-disk parameter tables of the first two disks, translated ones (Phoenix EDD 3.0, "FDPT").
disk_tables:
    mov si, E_DISKS
    mov di, E_DISK_TABLE
    mov cx, 2
.next:
    cmp byte [si+D_KIND], 0
    je .done
    mov ax, [si+D_CYLINDERS]
    mov [di], ax
    mov al, [si+D_HEADS]
    mov [di+2], al
    mov byte [di+3], 0A0h
    mov al, [si+D_PHYSICAL+4]
    mov [di+4], al
    mov byte [di+8], 8      ; more than eight heads
    mov ax, [si+D_PHYSICAL]
    mov [di+9], ax
    mov al, [si+D_PHYSICAL+2]
    mov [di+11], al
    mov al, [si+D_SPT]
    mov [di+14], al
    push cx
    mov cx, 15
    xor bx, bx
    mov al, 0
.sum:
    add al, [di+bx]
    inc bx
    loop .sum
    neg al
    mov [di+15], al
    pop cx
    add di, 16
    add si, DESCRIPTOR
    loop .next
.done:
    ret
