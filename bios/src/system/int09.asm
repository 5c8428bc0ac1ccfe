; The keyboard's interrupt: scan codes of set 1 become characters in the buffer (PC/AT Technical Reference, INT 9).

; Bits of 40:17h, 40:18h and 40:96h.
RIGHT_SHIFT = 1
LEFT_SHIFT = 2
CTRL = 4
ALT = 8
SCROLL = 10h
NUM = 20h
CAPS = 40h
INSERT = 80h
PAUSED = 8
HAD_E1 = 1
HAD_E0 = 2

int09:
    INTERRUPT
    in al, 60h
    mov ah, 4Fh
    stc
    int 15h
    jnc .taken
    call key
.taken:
    cli
    test byte [B_SHIFT+1], PAUSED
    jnz .pause
    mov al, 20h
    out 20h, al
    LEAVE_INTERRUPT
.pause:
    test byte [B_KEYBOARD_MODE], 80h
    jnz .quiet              ; an inner interrupt: the outer one waits
    or byte [B_KEYBOARD_MODE], 80h
    mov al, 20h
    out 20h, al
.wait:
    sti
    hlt
    test byte [B_SHIFT+1], PAUSED
    jnz .wait
    cli
    and byte [B_KEYBOARD_MODE], 7Fh
    LEAVE_INTERRUPT
.quiet:
    mov al, 20h
    out 20h, al
    LEAVE_INTERRUPT

; Scan code AL. DS is the BIOS data area.
key:
    cmp al, 0E0h
    je .e0
    cmp al, 0E1h
    je .e1
    test byte [B_KEYBOARD_MODE], HAD_E1
    jnz .pause_key
    mov ah, [B_KEYBOARD_MODE]
    and ah, HAD_E0          ; AH: behind E0h
    and byte [B_KEYBOARD_MODE], 0FDh
    cmp al, 0AAh
    jae .maybe_answer
.code:
    mov bl, al
    and bl, 7Fh
    call modifier
    jc .done
    test al, 80h
    jnz .done
    test byte [B_SHIFT+1], PAUSED
    jz .press
    and byte [B_SHIFT+1], 0F7h
    ret
.press:
    jmp press
.maybe_answer:
    cmp al, 0FAh            ; ACK, RESEND, overrun: no keys
    jae .done
    jmp .code
.e0:
    or byte [B_KEYBOARD_MODE], HAD_E0
.done:
    ret
.e1:
    or byte [B_KEYBOARD_MODE], HAD_E1
    ret
; E1 1D 45 E1 9D C5 is one stroke of Pause.
.pause_key:
    mov ah, al
    and ah, 7Fh
    cmp ah, 45h
    jne .done
    and byte [B_KEYBOARD_MODE], 0FEh
    cmp al, 45h
    jne .done
    or byte [B_SHIFT+1], PAUSED
    ret

; Keys that are states. Carry: it was one. BL is the key, AL its code, AH not zero behind E0h.
modifier:
    cmp bl, 2Ah
    je .left_shift
    cmp bl, 36h
    je .right_shift
    cmp bl, 1Dh
    je .ctrl
    cmp bl, 38h
    je .alt
    mov cl, CAPS
    cmp bl, 3Ah
    je .toggle
    mov cl, NUM
    cmp bl, 45h
    je .toggle
    cmp bl, 46h
    je .scroll
    cmp bl, 54h
    je .system
    cmp bl, 52h
    je .insert
    clc
    ret
.left_shift:
    test ah, ah             ; the fake shifts around grey keys
    jnz .taken
    mov cl, LEFT_SHIFT
    jmp .hold
.right_shift:
    test ah, ah
    jnz .taken
    mov cl, RIGHT_SHIFT
    jmp .hold
.ctrl:
    mov ch, 1               ; 40:18h: left
    test ah, ah
    jz .left_ctrl
    mov ch, 4               ; 40:96h: right
.left_ctrl:
    mov cl, CTRL
    jmp .pair
.alt:
    mov ch, 2
    test ah, ah
    jz .left_alt
    mov ch, 8
.left_alt:
    mov cl, ALT
.pair:
    mov bx, B_SHIFT+1
    test ah, ah
    jz .side
    mov bx, B_KEYBOARD_MODE
.side:
    test al, 80h
    jnz .release_pair
    or [bx], ch
    or [B_SHIFT], cl
    stc
    ret
.release_pair:
    not ch
    and [bx], ch
    ; The state goes when neither side is held: left in bit 0 or 1 of 40:18h, right in bit 2 or 3 of 40:96h.
    mov dl, [B_KEYBOARD_MODE]
    shr dl, 2
    or dl, [B_SHIFT+1]
    mov dh, cl
    shr dh, 2
    test dl, dh
    jnz .taken
    not cl
    and [B_SHIFT], cl
    test cl, ALT
    jnz .taken
    ; Alt is up: the number typed on the keypad is a character.
    mov al, 0
    xchg [B_ALT_DIGITS], al
    mov ah, 0
    test al, al
    jz .taken
    call key_store
.taken:
    stc
    ret
.hold:
    test al, 80h
    jnz .up
    or [B_SHIFT], cl
    stc
    ret
.up:
    not cl
    and [B_SHIFT], cl
    stc
    ret
.scroll:
    test ah, ah
    jz .scroll_alone
    clc                     ; Ctrl-Pause is Break
    ret
.scroll_alone:
    mov cl, SCROLL
.toggle:
    test al, 80h
    jnz .toggle_up
    test [B_SHIFT+1], cl
    jnz .taken              ; held and repeating
    or [B_SHIFT+1], cl
    xor [B_SHIFT], cl
    stc
    ret
.toggle_up:
    not cl
    and [B_SHIFT+1], cl
    stc
    ret
.insert:
    test al, 80h
    jnz .insert_up
    test byte [B_SHIFT+1], INSERT
    jnz .insert_held
    test ah, ah
    jnz .insert_toggle
    mov cl, [B_SHIFT]       ; on the keypad it is a digit with either Num Lock or Shift
    test cl, ALT
    jnz .insert_held
    and cl, NUM|RIGHT_SHIFT|LEFT_SHIFT
    jz .insert_toggle
    test cl, NUM
    jz .insert_held
    test cl, RIGHT_SHIFT|LEFT_SHIFT
    jz .insert_held
.insert_toggle:
    xor byte [B_SHIFT], INSERT
    or byte [B_SHIFT+1], INSERT
.insert_held:
    clc
    ret
.insert_up:
    and byte [B_SHIFT+1], 7Fh
    stc
    ret
; SysReq: INT 15h tells the system.
.system:
    shr al, 7
    mov ah, 85h
    sti
    int 15h
    stc
    ret

; Key BL goes down; AH is not zero behind E0h.
press:
    mov cl, [B_SHIFT]
    test ah, ah
    jnz .grey
    cmp bl, KEYS
    jae .done
    test cl, CTRL
    jz .no_reset
    test cl, ALT
    jz .no_reset
    cmp bl, 53h
    je restart
.no_reset:
    movzx si, bl
    shl si, 3
    add si, keys
    cmp bl, 47h
    jb .plain
    cmp bl, 53h
    ja .plain
    cmp bl, 4Ah
    je .plain
    cmp bl, 4Eh
    je .plain
    test cl, ALT
    jnz alt_digit
.plain:
    call either_shift       ; CH: 1 if Shift counts
    test cl, CAPS
    jz .choose
    ; Caps Lock turns Shift around for letters.
    mov al, [cs:si]
    cmp al, 'a'
    jb .choose
    cmp al, 'z'
    ja .choose
    xor ch, 1
.choose:
    ; Num Lock turns it around on the keypad.
    cmp bl, 47h
    jb .column
    cmp bl, 53h
    ja .column
    test cl, NUM
    jz .column
    xor ch, 1
.column:
    mov bx, 6
    test cl, ALT
    jnz .load
    mov bx, 4
    test cl, CTRL
    jnz .load
    movzx bx, ch
    shl bx, 1
.load:
    mov ax, [cs:bx+si]
    test ax, ax
    jz .done
    jmp key_store
.done:
    ret
.grey:
    cmp bl, 46h
    je break_key
    cmp bl, 37h
    je print_screen
    test cl, CTRL
    jz .not_reset
    test cl, ALT
    jz .not_reset
    cmp bl, 53h
    je restart
.not_reset:
    mov si, grey_keys
.next:
    cs lodsb
    test al, al
    jz .done
    cmp al, bl
    je .found
    add si, 8
    jmp .next
.found:
    mov ch, 0
    jmp .column

either_shift:
    mov ch, 0
    test cl, RIGHT_SHIFT|LEFT_SHIFT
    jz .no
    inc ch
.no:
    ret

; Alt and a digit of the keypad: three make a character.
alt_digit:
    mov al, [cs:si+2]       ; the digit is what Shift gives
    sub al, '0'
    cmp al, 9
    ja .done
    mov ah, [B_ALT_DIGITS]
    mov cl, al
    mov al, 10
    mul ah
    add al, cl
    mov [B_ALT_DIGITS], al
.done:
    ret

; Ctrl-Pause arrives as E0 46.
break_key:
    test cl, CTRL
    jz .done
    mov ax, [B_BUFFER_FROM]
    mov [B_HEAD], ax
    mov [B_TAIL], ax
    mov byte [B_BREAK], 80h
    sti
    int 1Bh
    cli
    DS_BDA
    xor ax, ax
    jmp key_store
.done:
    ret

print_screen:
    test cl, CTRL
    jnz .ctrl
    test cl, ALT
    jnz .done
    mov al, 20h             ; INT 5 may take long
    out 20h, al
    sti
    int 5
    cli
.done:
    ret
.ctrl:
    mov ax, 7200h
    jmp key_store

; Ctrl-Alt-Del.
restart:
    mov word [B_WARM], 1234h
reset_machine:
    mov al, 0FEh
    out 64h, al
    mov al, 6
    mov dx, 0CF9h
    out dx, al
.stop:
    hlt
    jmp .stop

; AX into the keyboard buffer; a full one loses it. Carry: it was full.
key_store:
    mov di, [B_TAIL]
    mov si, di
    call key_advance
    cmp si, [B_HEAD]
    je .full
    mov [di], ax
    mov [B_TAIL], si
    clc
    ret
.full:
    stc
    ret

; SI to the next place of the buffer.
key_advance:
    add si, 2
    cmp si, [B_BUFFER_TO]
    jb .done
    mov si, [B_BUFFER_FROM]
.done:
    ret
