; Memory: the RAM behind the ROM, and how to reach above 1 MiB.

; 82441FX, PAM0 to PAM6. AL: 1 reads RAM, 2 writes RAM, 3 both, for C0000h-FFFFFh.
pam:
    mov bl, al
    shl bl, 4
    or bl, al               ; two segments a register
    mov eax, 80000058h
    mov dx, 0CF8h
    out dx, eax
    mov dx, 0CFDh
    mov al, bl
    and al, 0F0h
    out dx, al              ; PAM0: F0000h only, high nibble
    mov al, bl
    inc dx
    out dx, al
    inc dx
    out dx, al
    mov eax, 8000005Ch
    mov dx, 0CF8h
    out dx, eax
    mov al, bl
    mov dx, 0CFCh
    mov cx, 4
.next:
    out dx, al
    inc dx
    loop .next
    ret

; Copies the ROM into the RAM behind it, and reads from there.
shadow:
    mov al, 2
    call pam
    mov ax, 0E000h
    call shadow_segment
    mov ax, 0F000h
    call shadow_segment
    mov al, 3
    jmp pam

shadow_segment:
    mov ds, ax
    mov es, ax
    xor si, si
    xor di, di
    mov cx, 4000h
    rep movsd
    ret

shadow_again:
    mov al, 1
    jmp pam

; What held our parts is empty again.
clear_carried:
    mov ax, 0E000h
    mov es, ax
    xor di, di
    xor eax, eax
    mov cx, 4000h
    rep stosd
    ret

; Nothing of the shadow can be written any more.
lock_shadow:
    mov al, 1
    jmp pam

; Copies parts of the image to their places in memory: rows of source, destination and length, all linear.
copy_blobs:
    call flat
    mov si, [cs:blobs]
.next:
    mov ecx, [cs:si+8]
    jecxz .done
    mov ebx, [cs:si]
    mov edi, [cs:si+4]
    add si, 12
.byte:
    mov eax, [es:ebx]
    mov [es:edi], eax
    add ebx, 4
    add edi, 4
    sub ecx, 4
    ja .byte
    jmp .next
.done:
    jmp unflat

; Gives ES a limit of 4 GiB and base 0 ("unreal mode": Intel SDM Vol. 3A 9.9.2, the limit survives).
flat:
    pushf
    push eax
    push ds
    cli
    lgdt [cs:gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp .in
.in:
    mov ax, 8
    mov es, ax
    mov eax, cr0
    and al, 0FEh
    mov cr0, eax
    jmp .out
.out:
    xor ax, ax
    mov es, ax
    pop ds
    pop eax
    popf
    ret

; ES has its limit of 64 KiB again.
unflat:
    pushf
    push eax
    cli
    lgdt [cs:gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp .in
.in:
    mov ax, 16
    mov es, ax
    mov eax, cr0
    and al, 0FEh
    mov cr0, eax
    jmp .out
.out:
    xor ax, ax
    mov es, ax
    pop eax
    popf
    ret

    align 8
gdt:
    dd 0, 0
    dw 0FFFFh, 0, 9300h, 008Fh  ; data, 4 GiB
    dw 0FFFFh, 0, 9300h, 0      ; data, 64 KiB
gdt_pointer:
    dw 23
    dd gdt+0F0000h
