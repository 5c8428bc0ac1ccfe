; The PCI BIOS (PCI BIOS Specification 2.1), in real mode by INT 1Ah and in protected mode by the BIOS32 directory.
; One text for both: it touches registers, the stack and ports only. The routing table (B10Eh) is found as `$PIR`.

macro PCI_BIOS prefix
; AX is a function B1xxh. AH becomes the answer; carry: it is no success.
%1_bios:
    cmp al, 1
    je %1_present
    cmp al, 2
    je %1_find_device
    cmp al, 3
    je %1_find_class
    cmp al, 8
    jb %1_unsupported
    cmp al, 0Dh
    ja %1_unsupported
    jmp %1_access
%1_unsupported:
    mov ah, 81h
    stc
    ret
%1_good:
    mov ah, 0
    clc
    ret
%1_not_found:
    mov ah, 86h
    stc
    ret
%1_bad_register:
    mov ah, 87h
    stc
    ret
%1_present:
    mov edx, 20494350h
    mov al, 1               ; configuration mechanism 1
    mov bx, 210h
    mov cl, 0               ; the last bus
    jmp %1_good
; Register AL of function BX: DX becomes its port.
%1_at:
    push eax
    push ebx
    shl ebx, 16
    shr ebx, 8
    movzx eax, al
    or eax, ebx
    or eax, 80000000h
    mov bl, al
    and al, 0FCh
    mov dx, 0CF8h
    out dx, eax
    movzx dx, bl
    and dx, 3
    add dx, 0CFCh
    pop ebx
    pop eax
    ret
; The SI-th function with device CX of vendor DX.
%1_find_device:
    push eax
    push edi
    push edx
    push ecx
    push esi
    movzx edi, cx
    shl edi, 16
    mov di, dx
    xor bx, bx
%1_fd_next:
    mov al, 0
    call %1_at
    in eax, dx
    cmp eax, edi
    jne %1_fd_other
    sub si, 1
    jc %1_f_found
%1_fd_other:
    inc bl
    jnz %1_fd_next
    jmp %1_f_none
; The SI-th function with class code ECX.
%1_find_class:
    push eax
    push edi
    push edx
    push ecx
    push esi
    mov edi, ecx
    and edi, 0FFFFFFh
    xor bx, bx
%1_fc_next:
    mov al, 0
    call %1_at
    in eax, dx
    cmp ax, 0FFFFh
    je %1_fc_other
    mov al, 8
    call %1_at
    in eax, dx
    shr eax, 8
    cmp eax, edi
    jne %1_fc_other
    sub si, 1
    jc %1_f_found
%1_fc_other:
    inc bl
    jnz %1_fc_next
%1_f_none:
    pop esi
    pop ecx
    pop edx
    pop edi
    pop eax
    jmp %1_not_found
%1_f_found:
    pop esi
    pop ecx
    pop edx
    pop edi
    pop eax
    jmp %1_good
; Functions 08h-0Dh: read or write a byte, word or dword at register DI of BX, from or to ECX.
%1_access:
    cmp di, 0FFh
    ja %1_bad_register
    push edx
    push eax
    push eax
    mov ax, di
    call %1_at
    pop eax
    cmp al, 8
    je %1_read_byte
    cmp al, 0Bh
    je %1_write_byte
    test di, 1
    jnz %1_misplaced
    cmp al, 9
    je %1_read_word
    cmp al, 0Ch
    je %1_write_word
    test di, 2
    jnz %1_misplaced
    cmp al, 0Ah
    je %1_read_dword
    mov eax, ecx
    out dx, eax
    jmp %1_accessed
%1_read_byte:
    in al, dx
    mov cl, al
    jmp %1_accessed
%1_read_word:
    in ax, dx
    mov cx, ax
    jmp %1_accessed
%1_read_dword:
    in eax, dx
    mov ecx, eax
    jmp %1_accessed
%1_write_byte:
    mov al, cl
    out dx, al
    jmp %1_accessed
%1_write_word:
    mov ax, cx
    out dx, ax
%1_accessed:
    pop eax
    pop edx
    jmp %1_good
%1_misplaced:
    pop eax
    pop edx
    jmp %1_bad_register
endmacro

    bits 16
    PCI_BIOS pci16
int1a_pci:
    push bp
    mov bp, sp
    cmp al, 1
    jne .call
    mov edi, pci_entry+0F0000h
.call:
    call pci16_bios
    jc .failed
    and byte [bp+6], 0FEh
    pop bp
    iret
.failed:
    or byte [bp+6], 1
    pop bp
    iret

    bits 32
    PCI_BIOS pci32
pci_entry:
    pushf
    call pci32_bios
    jc .failed
    popf
    clc
    retf
.failed:
    popf
    stc
    retf

; BIOS32 (Standard BIOS 32-bit Service Directory 0.4): EAX names a service, BL is 0.
bios32_entry:
    pushf
    cmp eax, 49435024h      ; "$PCI"
    jne .unknown
    test bl, bl
    jnz .no_function
    mov ebx, 0F0000h
    mov ecx, 10000h
    mov edx, pci_entry
    mov al, 0
    popf
    retf
.unknown:
    mov al, 80h
    popf
    retf
.no_function:
    mov al, 81h
    popf
    retf
    bits 16
