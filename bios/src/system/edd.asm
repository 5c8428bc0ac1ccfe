; INT 13h, functions 41h-4Eh, for disks (Phoenix "Enhanced Disk Drive Specification" 3.0). Left out: buffers above 1 MiB.

edd_present:
    cmp word [bp+F_BX], 55AAh
    jne bad_command
    mov word [bp+F_BX], 0AA55h
    mov word [bp+F_CX], 5   ; access and device parameters
    mov ah, 30h
    clc
    ret

; The packet at DS:SI: count at 2, buffer at 4, first sector at 8.
edd_transfer:
    mov es, [bp+F_DS]
    mov di, [bp+F_SI]
    cmp byte [es:di], 10h
    jb bad_command
    mov al, [bp+F_AH]
    sub al, 42h
    mov [E_OPERATION], al
    mov ax, [es:di+2]
    mov [E_COUNT], ax
    mov eax, [es:di+4]
    mov [E_BUFFER], eax
    mov eax, [es:di+8]
    mov [E_LBA], eax
    mov eax, [es:di+12]
    mov [E_LBA+4], eax
    push es
    push di
    cmp byte [bp+F_AH], 47h
    je .seek
    call disk_transfer
    pop di
    pop es
    jmp packet_done
.seek:
    pop di
    pop es
    jmp disk_inside

; How many sectors it were, into the packet at ES:DI; AX and flags are kept.
packet_done:
    pushf
    push ax
    mov ax, [E_DONE]
    mov [es:di+2], ax
    pop ax
    popf
    ret

; Result buffer at DS:SI: 1Ah bytes, 1Eh with a pointer to the controller's, 42h with the path.
edd_parameters:
    mov es, [bp+F_DS]
    mov di, [bp+F_SI]
    mov cx, [es:di]
    cmp cx, 1Ah
    jb bad_command
    push cx
    mov word [es:di], 1Ah
    movzx eax, word [si+D_PHYSICAL]
    mov [es:di+4], eax
    cmp ax, 1
    sbb ax, ax
    and al, 2
    xor al, 2               ; whether the geometry is valid
    mov ah, 0
    mov [es:di+2], ax
    movzx eax, word [si+D_PHYSICAL+2]
    mov [es:di+8], eax
    movzx eax, word [si+D_PHYSICAL+4]
    mov [es:di+12], eax
    mov eax, [si+D_SECTORS]
    mov [es:di+16], eax
    mov eax, [si+D_SECTORS+4]
    mov [es:di+20], eax
    mov word [es:di+24], 512
    pop cx
    cmp cx, 1Eh
    jb .done
    mov word [es:di], 1Eh
    mov dword [es:di+26], 0FFFFFFFFh
    cmp cx, 42h
    jb .done
    call edd_path
.done:
    xor ah, ah
    ret

; EDD 3.0, "Device Path Information": a PCI function, and the device behind it. Virtio has no name there; its PCI class is
; that of SCSI, with one target.
edd_path:
    mov word [es:di], 42h
    mov dword [es:di+30], 24BEDDh   ; key BEDDh, 36 bytes
    mov word [es:di+34], 0
    mov dword [es:di+36], 20494350h ; "PCI "
    mov dword [es:di+44], 20202020h
    xor eax, eax
    mov [es:di+52], eax
    mov [es:di+56], eax
    mov [es:di+60], eax
    mov [es:di+64], al
    cmp byte [si+D_KIND], VIRTIO
    je .virtio
    mov dword [es:di+40], 20415441h ; "ATA "
    mov dword [es:di+48], 010100h   ; bus 0, device 1, function 1
    mov al, [si+D_NUMBER]
    shr al, 1
    mov [es:di+51], al      ; channel
    mov al, [si+D_NUMBER]
    and al, 1
    mov [es:di+56], al      ; master or slave
    jmp .sum
.virtio:
    mov dword [es:di+40], 49534353h ; "SCSI"
    mov al, [si+D_FUNCTION]
    mov ah, al
    shr al, 3
    and ah, 7
    mov [es:di+49], ax      ; bus 0, device, function
    mov byte [es:di+48], 0
    mov byte [es:di+51], 0
.sum:
    push di
    mov cx, 35
    add di, 30
    mov al, 0
.next:
    add al, [es:di]
    inc di
    loop .next
    neg al
    mov [es:di], al
    pop di
    ret

; Only what changes nothing can be had: prefetch, DMA and PIO modes stay as they are.
edd_hardware:
    mov al, [bp+F_AL]
    cmp al, 6
    ja bad_command
    mov byte [bp+F_AL], 0
    xor ah, ah
    ret
