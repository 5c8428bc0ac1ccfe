; PCI: every function of bus 0 gets its addresses and its interrupt (PCI Local Bus Specification 3.0, 6.2.5).

; Address for CONFIG_ADDRESS of function BL, register AL: to port CF8h; DX is the byte's data port.
pci_at:
    push eax
    movzx eax, al
    mov ah, bl
    or eax, 80000000h
    push ax
    and al, 0FCh
    mov dx, 0CF8h
    out dx, eax
    pop ax
    and ax, 3
    add ax, 0CFCh
    mov dx, ax
    pop eax
    ret

; Register AL of function BL: to EAX.
pci_read:
    push dx
    call pci_at
    in eax, dx
    pop dx
    ret

; Register AL of function BL becomes ECX.
pci_write:
    push dx
    push eax
    call pci_at
    mov eax, ecx
    out dx, eax
    pop eax
    pop dx
    ret

pci_assign:
    DS_EBDA
    mov word [E_IO], 0C000h
    mov dword [E_MEM], PCI_MEMORY
    mov bl, 0
.next:
    mov al, 0
    call pci_read
    cmp ax, 0FFFFh
    je .skip
    call pci_function
.skip:
    inc bl
    test bl, 7
    jnz .check_multi
    test bl, bl
    jnz .next
    ret
.check_multi:
    ; Functions 1-7 exist only if function 0 says so.
    push bx
    and bl, 0F8h
    mov al, 0Ch
    call pci_read
    pop bx
    cmp eax, 0FFFFFFFFh
    je .whole
    test eax, 800000h
    jnz .next
.whole:
    or bl, 7
    jmp .skip

; Function BL, whose vendor and device are in EAX.
pci_function:
    mov esi, eax
    mov al, 8
    call pci_read
    shr eax, 16
    cmp ax, 300h
    jne .not_vga
    mov [E_VIDEO], bl
.not_vga:
    cmp ah, 6               ; bridges have no addresses to give
    je .chip
    mov di, 10h
.bar:
    call pci_bar
    cmp di, 28h
    jb .bar
    mov al, 4
    call pci_read
    movzx ecx, ax           ; zeros leave the status register alone
    or cx, 7
    mov al, 4
    call pci_write
    call pci_interrupt
.chip:
    mov di, chips
.row:
    cmp dword [cs:di], 0
    je .done
    cmp [cs:di], esi
    jne .other
    mov al, [cs:di+4]
    mov ecx, [cs:di+6]
    call pci_write
.other:
    add di, 10
    jmp .row
.done:
    ret

; Base address register DI of function BL; DI becomes the next one.
pci_bar:
    mov ax, di
    call pci_read
    mov ecx, 0FFFFFFFFh
    mov ax, di
    call pci_write
    mov ax, di
    call pci_read
    test eax, eax
    jz .next
    test al, 1
    jnz .io
    mov edx, eax            ; type bits
    and al, 0F0h
    test eax, eax
    jz .next
    neg eax                 ; the size
    mov ecx, [E_MEM]
    add ecx, eax
    dec ecx
    neg eax
    and ecx, eax            ; aligned to its size
    neg eax
    add eax, ecx
    jc .no_room
    cmp eax, PCI_MEMORY_END
    ja .no_room
    mov [E_MEM], eax
    jmp .write_memory
.no_room:
    xor ecx, ecx
.write_memory:
    mov ax, di
    call pci_write
    test dl, 4              ; 64 bits wide: the upper half is zero
    jz .next
    add di, 4
    xor ecx, ecx
    mov ax, di
    call pci_write
    jmp .next
.io:
    and al, 0FCh
    or eax, 0FFFF0000h      ; the upper half may be hardwired
    neg eax
    movzx ecx, word [E_IO]
    add ecx, eax
    dec ecx
    neg eax
    and ecx, eax
    neg eax
    add eax, ecx
    cmp eax, 10000h
    ja .no_io
    mov [E_IO], ax
    jmp .write_io
.no_io:
    xor ecx, ecx
.write_io:
    mov ax, di
    call pci_write
.next:
    add di, 4
    ret

; Interrupt line of function BL: pins are rotated by device (PIIX3, and our _PRT).
pci_interrupt:
    mov al, 3Ch
    call pci_read
    cmp ah, 1
    jb .none
    cmp ah, 4
    ja .none
    mov al, bl
    shr al, 3
    dec al
    add al, ah
    dec al
    and ax, 3
    push si
    mov si, ax
    movzx ecx, byte [cs:si+pirq]
    pop si
    mov al, 3Ch
    call pci_write
.none:
    ret

; What some chips need beside: vendor and device, register, value.
chips:
    dd 70008086h            ; PIIX3: PIRQRCA-D
    dw 60h
pirq:
    dd 0
    dd 70108086h            ; PIIX3 IDE: IDETIM, both channels decode
    dw 40h
    dd 80008000h
    dd 71138086h            ; PIIX4 power management: PMBA
    dw 40h
pm_base:
    dd 0
    dd 71138086h            ; ports decode
    dw 4
    dd 1
    dd 71138086h            ; PMREGMISC: PMIOSE
    dw 80h
    dd 1
    dd 71138086h            ; the SCI is wired to IRQ 9
    dw 3Ch
    dd 9
    dd 0
