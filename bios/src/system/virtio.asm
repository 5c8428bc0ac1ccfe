; Virtio block devices on PCI ("Virtual I/O Device (VIRTIO) Version 1.2", 4.1 and 5.2), by the modern interface through the
; configuration access capability (4.1.4.9): real mode need not reach the registers' addresses.
;
; A device is started for each transfer and reset behind it: whoever drives it next finds it as after power-on, and it
; writes to nobody's memory. Left out: other buses than 0, and V86 monitors that have moved the caller's buffer (VDS).

; struct virtio_pci_common_cfg, 4.1.4.3.
V_DEVICE_FEATURES = 4
V_FEATURE_SELECT = 8
V_FEATURES = 0Ch
V_STATUS = 14h
V_QUEUE_SELECT = 16h
V_QUEUE_SIZE = 18h
V_QUEUE_ENABLE = 1Ch
V_QUEUE_NOTIFY_OFF = 1Eh
V_QUEUE_DESC = 20h
V_QUEUE_DRIVER = 28h
V_QUEUE_DEVICE = 30h

V_RUNNING = 0Fh         ; ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK
V_READ_ONLY = 20h       ; VIRTIO_BLK_F_RO
V_NEXT = 1              ; flags of a descriptor, 2.7.5
V_WRITE = 2

; Register EDI of the structure that the capability at AL tells of, ECX bytes wide, comes to port DX.
virtio_window:
    mov bl, [si+D_FUNCTION]
    push ecx
    push ax
    add al, 8
    call pci_read
    add edi, eax            ; offset in the BAR
    pop ax
    add al, 4
    call pci_read
    movzx ecx, al           ; the BAR
    mov al, [si+D_WINDOW]
    add al, 4
    call pci_write
    add al, 4
    mov ecx, edi
    call pci_write
    add al, 4
    pop ecx
    call pci_write
    add al, 4
    jmp pci_at

; Such a register to EAX.
virtio_get:
    call virtio_window
    in eax, dx
    neg cl                  ; only what is as wide
    shl cl, 3
    add cl, 32
    shl eax, cl
    shr eax, cl
    ret

; EAX to register EDI, ECX bytes wide, of the common configuration.
virtio_set:
    push eax
    mov al, [si+D_COMMON]
    call virtio_window
    pop eax
    out dx, eax
    ret

; The device's status to EAX.
virtio_status:
    mov al, [si+D_COMMON]
    mov edi, V_STATUS
    mov ecx, 1
    jmp virtio_get

; Resets the device, 2.4. Carry: one second was not enough.
virtio_reset:
    xor eax, eax
    mov edi, V_STATUS
    mov ecx, 1
    call virtio_set
    mov bp, 0FFFFh
.next:
    call virtio_status
    test al, al
    jz .done
    call refresh_edge
    dec bp
    jnz .next
    stc
.done:
    ret

; Makes the device take requests from the queue at E_QUEUE, with no feature but VERSION_1: a write has reached the disk
; when it ends (5.2.5.2). Carry: it does not.
virtio_start:
    call virtio_reset
    jc .done
    mov bx, .steps
.next:
    movzx edi, byte [cs:bx]
    cmp di, 0FFh
    je .check
    movzx ecx, byte [cs:bx+1]
    mov eax, [cs:bx+2]
    push bx
    call virtio_set
    pop bx
    add bx, 6
    jmp .next
.check:
    call virtio_status
    cmp al, V_RUNNING
    je .done                ; carry is clear
    stc
.done:
    ret
; Register, width, value: VIRTIO 3.1.1.
.steps:
    db V_STATUS, 1
    dd 1
    db V_STATUS, 1
    dd 3
    db V_FEATURE_SELECT, 4
    dd 0
    db V_FEATURES, 4
    dd 0
    db V_FEATURE_SELECT, 4
    dd 1
    db V_FEATURES, 4
    dd 1
    db V_STATUS, 1
    dd 0Bh
    db V_QUEUE_SELECT, 2
    dd 0
    db V_QUEUE_SIZE, 2
    dd 4
    db V_QUEUE_DESC, 4
    dd EBDA*16+E_QUEUE
    db V_QUEUE_DESC+4, 4
    dd 0
    db V_QUEUE_DRIVER, 4
    dd EBDA*16+E_AVAILABLE
    db V_QUEUE_DRIVER+4, 4
    dd 0
    db V_QUEUE_DEVICE, 4
    dd EBDA*16+E_USED
    db V_QUEUE_DEVICE+4, 4
    dd 0
    db V_QUEUE_ENABLE, 2
    dd 1
    db V_STATUS, 1
    dd V_RUNNING
    db 0FFh

; Moves E_COUNT sectors of disk SI in one request. There is no way to verify, but all of the disk is there.
virtio_transfer:
    push bp
    mov ax, [E_COUNT]
    cmp byte [E_OPERATION], 2
    je .good
    test ax, ax
    jz .good
    call virtio_is_protected
    mov ah, 3
    jc .out
    call virtio_request
    call virtio_start
    jc .failed
    call virtio_notify
    call virtio_wait
    mov ah, 80h
    jc .reset
    cmp byte [E_REQUEST_STATUS], 1
    cmc                     ; carry unless it is VIRTIO_BLK_S_OK, 0
.failed:
    mov ah, 20h
.reset:
    pushf
    push ax
    call virtio_reset
    pop ax
    popf
    jc .out
    mov ax, [E_COUNT]
.good:
    mov [E_DONE], ax
    xor ah, ah
.out:
    pop bp
    ret

; Carry: a write, to a disk that cannot be written.
virtio_is_protected:
    cmp byte [E_OPERATION], 1
    clc
    jne .done
    xor eax, eax
    mov edi, 0              ; device_feature_select
    mov ecx, 4
    call virtio_set
    mov al, [si+D_COMMON]
    mov edi, V_DEVICE_FEATURES
    call virtio_get
    test al, V_READ_ONLY
    jz .done
    stc
.done:
    ret

; The request as the queue's first: header, data and status (5.2.6), and no interrupt wished (2.7.6).
virtio_request:
    push ds
    pop es
    mov di, E_QUEUE
    mov cx, E_QUEUE_BYTES/2
    xor ax, ax
    rep stosw
    movzx eax, byte [E_OPERATION]   ; VIRTIO_BLK_T_IN is 0, VIRTIO_BLK_T_OUT 1
    mov [E_REQUEST], eax
    mov eax, [E_LBA]
    mov [E_REQUEST+8], eax
    mov eax, [E_LBA+4]
    mov [E_REQUEST+12], eax
    mov byte [E_REQUEST_STATUS], 0FFh
    mov dword [E_QUEUE], EBDA*16+E_REQUEST
    mov word [E_QUEUE+8], 16
    mov dword [E_QUEUE+12], V_NEXT|1<<16
    movzx eax, word [E_BUFFER+2]
    shl eax, 4
    movzx edx, word [E_BUFFER]
    add eax, edx
    mov [E_QUEUE+16], eax
    movzx eax, word [E_COUNT]
    shl eax, 9
    mov [E_QUEUE+24], eax
    mov dword [E_QUEUE+28], V_NEXT|V_WRITE|2<<16
    cmp byte [E_OPERATION], 1
    jne .status
    mov byte [E_QUEUE+28], V_NEXT
.status:
    mov dword [E_QUEUE+32], EBDA*16+E_REQUEST_STATUS
    mov word [E_QUEUE+40], 1
    mov word [E_QUEUE+44], V_WRITE
    mov dword [E_AVAILABLE], 10001h ; VIRTQ_AVAIL_F_NO_INTERRUPT, and one entry
    ret

; Tells the device of the request, 4.1.4.4.
virtio_notify:
    mov al, [si+D_COMMON]
    mov edi, V_QUEUE_NOTIFY_OFF
    mov ecx, 2
    call virtio_get
    mov edi, eax
    mov al, [si+D_NOTIFY]
    add al, 16              ; notify_off_multiplier
    call pci_read
    imul edi, eax
    mov al, [si+D_NOTIFY]
    call virtio_window
    xor ax, ax
    out dx, ax
    ret

; Waits for the answer. Carry: half a minute was not enough.
virtio_wait:
    mov ecx, 2000000
.next:
    cmp word [E_USED+2], 1
    je .done                ; carry is clear
    call refresh_edge
    dec ecx
    jnz .next
    stc
.done:
    ret

; The block devices of bus 0 become disks. SI is a place to put together what is found.
virtio_disks:
    xor bx, bx
.next:
    mov al, 0
    call pci_read
    cmp eax, 10011AF4h      ; transitional
    je .block
    cmp eax, 10421AF4h
    jne .other
.block:
    push bx
    call virtio_describe
    pop bx
.other:
    inc bl
    jnz .next
    ret

; Function BL becomes the next disk, if it has the capabilities, and there is room.
virtio_describe:
    mov byte [si+D_KIND], VIRTIO
    mov [si+D_FUNCTION], bl
    mov dword [si+D_COMMON], 0
    mov byte [si+D_WINDOW], 0
    mov al, 34h
    call pci_read
    mov cx, 48              ; more do not fit in
.next:
    and al, 0FCh
    jz .end
    mov dl, al
    call pci_read           ; vendor-specific is 9, the next one, length, type
    cmp al, 9
    jne .other
    mov edi, eax
    shr edi, 24
    dec di
    cmp di, 4
    ja .other
    add di, si
    cmp byte [di+D_COMMON], 0
    jne .other              ; the first is the best, 4.1.4.1
    mov [di+D_COMMON], dl
.other:
    mov al, ah
    loop .next
.end:
    cmp byte [si+D_COMMON], 0
    je .none
    cmp byte [si+D_NOTIFY], 0
    je .none
    cmp byte [si+D_DEVICE], 0
    je .none
    cmp byte [si+D_WINDOW], 0
    je .none
    call disk_new
    jc .none
    push si
    mov si, di
    call virtio_size
    mov di, si
    call disk_logical
    pop si
.none:
    ret

; Size and geometry of disk SI.
virtio_size:
    mov bx, .fields
.next:
    movzx edi, byte [cs:bx]
    movzx ecx, byte [cs:bx+1]
    push bx
    mov al, [si+D_DEVICE]
    call virtio_get
    pop bx
    movzx di, byte [cs:bx+2]
    add di, si
    mov [di], eax
    add bx, 3
    cmp bx, .end
    jb .next
    ret
; Offset and width in struct virtio_blk_config (5.2.4), and the descriptor's field.
.fields:
    db 0, 4, D_SECTORS
    db 4, 4, D_SECTORS+4
    db 10h, 2, D_PHYSICAL
    db 12h, 1, D_PHYSICAL+2
    db 13h, 1, D_PHYSICAL+4
.end:
