; INT 19h and 18h: from drive to drive until one boots (Phoenix and others, "BIOS Boot Specification" 1.01).

BOOT_FLOPPY = 1
BOOT_DISK = 2
BOOT_CD = 3
F12 = 86h

int19:
    cli
    xor ax, ax
    mov ss, ax
    mov sp, 7C00h
    cld
    sti
    call disks_in_order
    call boot_list
    DS_EBDA
    mov byte [E_BOOT_NEXT], 0
    cmp byte [cs:boot_menu], 0
    jne .menu
    mov ah, 11h
    int 16h
    jz boot_next
    mov ah, 10h
    int 16h
    cmp ah, F12
    jne boot_next
.menu:
    call menu
    jmp boot_next

int18:
    cli
    xor ax, ax
    mov ss, ax
    mov sp, 7C00h
    cld
    sti

; The next of the list, for ever.
boot_next:
    call disks_in_order
    DS_EBDA
    movzx bx, byte [E_BOOT_NEXT]
    cmp bl, [E_BOOT_COUNT]
    jae boot_nothing
    inc byte [E_BOOT_NEXT]
    shl bx, 1
    mov ax, [bx+E_BOOT_LIST]
    mov si, booting_text
    call print
    call boot_name
    mov si, dots_text
    call print
    push ax
    call boot_try
    pop ax
    mov si, failed_text
    call print
    jmp boot_next

booting_text:
    db "Booting from ", 0
dots_text:
    db "...", 13, 10, 0
failed_text:
    db "  not bootable", 13, 10, 0

; Prints the name of AL, number AH.
boot_name:
    push ax
    mov si, floppy_text
    cmp al, BOOT_FLOPPY
    je .kind
    mov si, cd_text
    cmp al, BOOT_DISK
    jne .kind
    movzx si, ah
    shl si, 5
    add si, E_DISKS
    movzx ecx, ah
    call disk_name
    pop ax
    ret
.kind:
    call print
    movzx eax, ah
    call print_number
    pop ax
    ret

; Returns only if AL, number AH, does not boot.
boot_try:
    mov dl, 0
    cmp al, BOOT_FLOPPY
    je boot_sector
    cmp al, BOOT_DISK
    je .disk
    mov al, ah
    jmp cd_boot
.disk:
    ; The disk that boots is the first.
    DS_EBDA
    mov [E_SWAPPED], ah
    call disk_swap
    mov dl, 80h
    jmp boot_sector

; What changed places for a try that failed is where it belongs.
disks_in_order:
    DS_EBDA
    call disk_swap
    mov byte [E_SWAPPED], 0
    ret

; Disk E_SWAPPED and the first change places.
disk_swap:
    movzx si, byte [E_SWAPPED]
    shl si, 5
    jz .done
    mov di, E_DISKS
    add si, di
    mov cx, DESCRIPTOR/2
.next:
    mov ax, [si]
    xchg [di], ax
    mov [si], ax
    add si, 2
    add di, 2
    loop .next
    jmp disk_tables
.done:
    ret

; Loads and starts the first sector of drive DL.
boot_sector:
    mov cx, 4
.try:
    push cx
    push 0
    pop es
    mov ax, 201h
    mov bx, 7C00h
    mov cx, 1
    mov dh, 0
    int 13h
    pop cx
    jnc .read
    mov ah, 0
    int 13h
    loop .try
    ret
.read:
    push 0
    pop es
    cmp word [es:7DFEh], 0AA55h
    jne .no
    cmp word [es:7C00h], 0
    jne boot_jump
.no:
    ret

; To the sector that was loaded; DL is the drive.
boot_jump:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov bx, ax
    mov cx, ax
    mov bp, ax
    mov si, ax
    mov di, ax
    mov dh, 0
    mov ax, 0AA55h
    jmpf 0:7C00h

boot_nothing:
    mov si, nothing_text
    call print
    DS_EBDA
    xor bx, bx
.next:
    cmp bl, [E_BOOT_COUNT]
    jae .listed
    push bx
    shl bx, 1
    mov ax, [bx+E_BOOT_LIST]
    mov si, indent_text
    call print
    call boot_name
    mov si, line_text
    call print
    pop bx
    inc bx
    jmp .next
.listed:
    mov si, again_text
    call print
    mov ah, 10h
    int 16h
    int 19h

nothing_text:
    db 13, 10, "No bootable device. Tried:", 13, 10, 0
indent_text:
    db "  ", 0
again_text:
    db "Press a key to try again.", 13, 10, 0

; All drives in the order that the configuration names.
boot_list:
    DS_EBDA
    push ds
    pop es
    mov di, E_BOOT_LIST
    mov si, boot_order
.kind:
    cs lodsb
    test al, al
    jz .done
    mov cl, 0
    cmp al, BOOT_FLOPPY
    je .floppy
    cmp al, BOOT_DISK
    je .disks
    mov cl, [E_CD_COUNT]
    jmp .add
.floppy:
    push ax
    call floppy_count
    mov cl, al
    pop ax
    cmp cl, 1
    jb .add
    mov cl, 1
    jmp .add
.disks:
    push ds
    DS_BDA
    mov cl, [B_DISKS]
    pop ds
.add:
    mov ah, 0
.next:
    cmp ah, cl
    jae .kind
    stosw
    inc ah
    jmp .next
.done:
    sub di, E_BOOT_LIST
    shr di, 1
    mov ax, di
    mov [E_BOOT_COUNT], al
    ret

; Lets a person choose; the chosen one comes first, the others behind it in their order.
menu:
    mov si, menu_text
    call print
    DS_EBDA
    xor bx, bx
.next:
    cmp bl, [E_BOOT_COUNT]
    jae .ask
    mov si, indent_text
    call print
    lea ax, [bx+1]
    movzx eax, ax
    call print_number
    mov si, dot_text
    call print
    push bx
    shl bx, 1
    mov ax, [bx+E_BOOT_LIST]
    call boot_name
    mov si, line_text
    call print
    pop bx
    inc bx
    jmp .next
.ask:
    mov ah, 10h
    int 16h
    cmp al, 1Bh
    je .done
    sub al, '1'
    cmp al, [E_BOOT_COUNT]
    jae .ask
    ; The chosen pair changes places with each before it.
    movzx bx, al
    shl bx, 1
    mov ax, [bx+E_BOOT_LIST]
.shift:
    test bx, bx
    jz .put
    mov cx, [bx+E_BOOT_LIST-2]
    mov [bx+E_BOOT_LIST], cx
    sub bx, 2
    jmp .shift
.put:
    mov [bx+E_BOOT_LIST], ax
.done:
    ret

menu_text:
    db 13, 10, "Select boot device (Esc: the usual order):", 13, 10, 0
dot_text:
    db ". ", 0
