; What the BIOS says: on the screen by INT 10h, and on the debug port.

DEBUG_PORT = 402h

; Character AL.
put:
    pushad
    push ds
    push es
    mov dx, DEBUG_PORT
    out dx, al
    mov ah, 0Eh
    mov bx, 7
    int 10h
    pop es
    pop ds
    popad
    ret

; The text at CS:SI up to its zero; SI is behind it then.
print:
    push ax
.next:
    cs lodsb
    test al, al
    jz .done
    call put
    jmp .next
.done:
    pop ax
    ret

; EAX in decimal.
print_number:
    pushad
    mov ebx, 10
    xor cx, cx
.digit:
    xor edx, edx
    div ebx
    push dx
    inc cx
    test eax, eax
    jnz .digit
.out:
    pop ax
    add al, '0'
    call put
    loop .out
    popad
    ret

banner:
    mov si, logo
    call print
    mov si, [cs:summary]
    jmp print

logo:
    db 13, 10
    db "   /\    Posada BIOS", 13, 10
    db "  /__\   A room for any guest", 13, 10
    db "  |[]|", 13, 10, 0

; One dword of each MiB is tried; all that answers is counted.
count_memory:
    mov si, memory_text
    call print
    call flat
    mov edi, 100000h
    mov ecx, [cs:memory_end]
.next:
    cmp edi, ecx
    jae .counted
    mov eax, [es:edi]
    mov ebx, eax
    not ebx
    mov [es:edi], ebx
    cmp [es:edi], ebx
    mov [es:edi], eax
    jne .counted
    add edi, 100000h
    jmp .next
.counted:
    call unflat
    mov eax, edi
    shr eax, 20
    add eax, [cs:memory_high_mib]
    call print_number
    mov si, memory_unit
    jmp print

memory_text:
    db "Memory: ", 0
memory_unit:
    db " MiB", 13, 10, 0

; The name of disk ECX, whose descriptor is SI.
disk_name:
    push eax
    push si
    mov si, disk_text
    call print
    mov eax, ecx
    call print_number
    pop si
    push si
    cmp byte [si+D_KIND], VIRTIO
    mov si, virtio_text
    je .bus
    mov si, ide_text
.bus:
    call print
    pop si
    pop eax
    ret

; A line for each disk and CD drive.
report_drives:
    DS_EBDA
    mov si, E_DISKS
    xor ecx, ecx
.disk:
    cmp byte [si+D_KIND], 0
    je .disks_done
    call disk_name
    push si
    mov si, colon_text
    call print
    pop si
    mov eax, [si+D_SECTORS]
    mov edx, [si+D_SECTORS+4]
    shrd eax, edx, 11
    call print_number
    push si
    mov si, memory_unit
    call print
    pop si
    add si, DESCRIPTOR
    inc ecx
    cmp si, E_CDS
    jb .disk
.disks_done:
    xor ecx, ecx
.cd:
    cmp cl, [E_CD_COUNT]
    jae .done
    mov si, cd_text
    call print
    mov eax, ecx
    call print_number
    mov si, line_text
    call print
    inc ecx
    jmp .cd
.done:
    ret

disk_text:
    db "Hard disk ", 0
ide_text:
    db " (IDE)", 0
virtio_text:
    db " (virtio)", 0
cd_text:
    db "CD-ROM drive ", 0
floppy_text:
    db "Diskette drive ", 0
colon_text:
    db ": ", 0
line_text:
    db 13, 10, 0
