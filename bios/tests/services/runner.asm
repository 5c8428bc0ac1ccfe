; A boot sector that does a script: calls of interrupts with all registers given, and puts what they return where the host
; reads it. It goes on where it was when a call has booted again.

RESULTS = 2000h         ; segment
SLOT = 64
STEP = 36
NEXT = 0F0h             ; in the BIOS data area: IBM's place for programs to leave something for others
BDA = 40h

start:
    jmpf 7C0h:here
here:
    cli
    xor ax, ax
    mov ss, ax
    mov sp, 7C00h
    sti
    cld
    push cs
    pop ds
    cmp dword [loaded], 4C4C4121h
    je next
    push cs
    pop es
    mov bx, 200h
.again:
    mov ax, 210h
    mov cx, 2
    mov dh, 0
    int 13h
    jc .again
next:
    push cs
    pop ds
    cld
    sti
    push BDA
    pop es
    mov ax, [es:NEXT]
    inc word [es:NEXT]
    mov [number], ax
    imul bx, ax, STEP
    add bx, script
    mov al, [bx]
    cmp al, 1
    je call_it
    cmp al, 2
    je put
    cmp al, 3
    je mark
    mov dx, 501h
    mov al, 31h
    out dx, al
stop:
    hlt
    jmp stop

; Character CL to the debug port: the host does something now.
mark:
    mov al, [bx+12]
    mov dx, 402h
    out dx, al
    jmp next

; CX bytes from SI to ES:DI.
put:
    mov es, [bx+34]
    mov si, [bx+20]
    mov di, [bx+24]
    mov cx, [bx+12]
    rep movsb
    jmp next

call_it:
    mov al, [bx+1]
    mov [.interrupt+1], al
    mov es, [bx+34]
    mov ecx, [bx+12]
    mov edx, [bx+16]
    mov esi, [bx+20]
    mov edi, [bx+24]
    mov ebp, [bx+28]
    push dword [bx+4]
    push word [bx+32]
    push dword [bx+8]
    pop ebx
    pop ds
    pop eax
.interrupt:
    int 0
    pushf
    push ds
    push cs
    pop ds
    pop word [result+28]
    pop word [result+32]
    mov [result], eax
    mov [result+4], ebx
    mov [result+8], ecx
    mov [result+12], edx
    mov [result+16], esi
    mov [result+20], edi
    mov [result+24], ebp
    mov [result+30], es
    mov [result+34], sp
    mov sp, 7C00h
    cld
    push RESULTS
    pop es
    mov di, [number]
    shl di, 6
    mov si, result
    mov cx, 18
    rep movsw
    jmp next

number:
    dw 0
result:
    times 36, 0
    at 510
    dw 0AA55h
loaded:
    dd 4C4C4121h
script:
