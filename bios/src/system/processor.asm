; The processor: local APIC in virtual wire mode, memory types (Intel SDM Vol. 3A 11.5, 12.11; MP Specification 3.6.2).

LOCAL_APIC = 0FEE00000h
SVR = 0F0h
LVT_LINT0 = 350h
LVT_LINT1 = 360h

processor_set_up:
    cmp byte [cs:has_apic], 0
    je .no_apic
    call flat
    mov edi, LOCAL_APIC
    mov dword [es:edi+SVR], 1FFh
    mov dword [es:edi+LVT_LINT0], 700h  ; what the 8259A says
    mov dword [es:edi+LVT_LINT1], 400h  ; NMI
    call unflat
.no_apic:
    cmp byte [cs:has_mtrr], 0
    je .done
    ; Write-back below A0000h, VGA memory uncached, the ROM area write-protect, write-back by default.
    mov si, .fixed
.next:
    cs lodsw
    movzx ecx, ax
    jcxz .enable
    cs lodsb
    mov ah, al
    mov dx, ax
    shl eax, 16
    mov ax, dx
    mov edx, eax
    wrmsr
    jmp .next
.enable:
    mov ecx, 2FFh
    mov eax, 0C06h
    xor edx, edx
    wrmsr
.done:
    ret
; IA32_MTRR_FIX registers, and the type of all their ranges.
.fixed:
    dw 250h
    db 6
    dw 258h
    db 6
    dw 259h
    db 0
    dw 268h
    db 5
    dw 269h
    db 5
    dw 26Ah
    db 5
    dw 26Bh
    db 5
    dw 26Ch
    db 5
    dw 26Dh
    db 5
    dw 26Eh
    db 5
    dw 26Fh
    db 5
    dw 0
