; Names that all services share: the BIOS data area, our extended BIOS data area, and the frame of a service.

; BIOS data area, segment 40h (IBM PC/AT Technical Reference, "BIOS Data Area").
BDA = 40h
B_COM = 0
B_LPT = 8
B_EBDA = 0Eh
B_EQUIPMENT = 10h
B_MEMORY = 13h
B_SHIFT = 17h           ; two bytes of shift flags
B_ALT_DIGITS = 19h
B_HEAD = 1Ah
B_TAIL = 1Ch
B_BUFFER = 1Eh
B_BUFFER_END = 3Eh
B_FLOPPY_CALIBRATED = 3Eh
B_MOTOR = 3Fh
B_MOTOR_TICKS = 40h
B_FLOPPY_STATUS = 41h
B_FLOPPY_RESULT = 42h
B_RESUME = 67h          ; far pointer for the shutdown codes 5 and 0Ah
B_TICKS = 6Ch
B_MIDNIGHT = 70h
B_BREAK = 71h
B_WARM = 72h
B_DISK_STATUS = 74h
B_DISKS = 75h
B_LPT_TIMEOUT = 78h
B_COM_TIMEOUT = 7Ch
B_BUFFER_FROM = 80h
B_BUFFER_TO = 82h
B_MEDIA_RATE = 8Bh
B_DISK_DONE = 8Eh
B_MEDIA = 90h           ; one byte for each drive
B_CYLINDER = 94h        ; one byte for each drive
B_KEYBOARD_MODE = 96h
B_LEDS = 97h
B_WAIT_FLAG = 98h       ; far pointer
B_WAIT = 9Ch            ; microseconds left
B_WAITING = 0A0h

; Extended BIOS data area. Up to 5Ch as on IBM's PS/2; the rest is ours.
E_SIZE = 0
E_MOUSE_HANDLER = 22h   ; far pointer
E_MOUSE_FLAGS = 26h     ; bits 0-2: bytes of the packet so far
E_MOUSE_SIZE = 27h      ; bits 0-2: bytes of a packet; bit 7: there is a handler
E_MOUSE_PACKET = 28h    ; 8 bytes
E_DISK_TABLE = 3Dh      ; two fixed-disk parameter tables
E_DISKS = 80h           ; hard disks: eight descriptors
E_CDS = 180h            ; CD drives: four descriptors
E_CD_COUNT = 200h
E_KEEP = 201h           ; El Torito: keep to the emulated drive (see cdrom.asm)
E_LBA = 204h            ; 8 bytes: the transfer's first sector
E_COUNT = 20Ch          ; sectors that are left
E_DONE = 20Eh           ; sectors that were moved
E_BUFFER = 210h         ; far pointer
E_OPERATION = 214h      ; 0 read, 1 write, 2 verify
E_COMMAND = 215h
E_SKIP = 216h           ; CD: bytes to throw away before what is wanted
E_BYTES = 218h          ; CD: bytes that are wanted; right behind E_SKIP
E_BLOCKS = 21Ah         ; CD: sectors of one command
E_PACKET = 220h         ; 12 bytes
E_EMULATION = 230h      ; El Torito specification packet, 20 bytes, see cdrom.asm
E_BOOT_COUNT = 250h
E_BOOT_NEXT = 251h
E_BOOT_LIST = 252h      ; pairs: kind, number
E_IO = 280h             ; PCI: next free I/O port
E_MEM = 284h            ; PCI: next free address
E_VIDEO = 288h          ; device and function of the VGA
E_SCRATCH = 290h
E_FLOPPY_RATE = 2A0h
E_FLOPPY_TRACK = 2A2h
E_FLOPPY_HEAD = 2A3h
E_FLOPPY_SECTOR = 2A4h
E_FLOPPY_RUN = 2A5h
E_FLOPPY_DRIVE = 2A6h
E_SCRATCH_DISK = 2C0h   ; the emulated drive's descriptor
E_CATALOG = 2E0h
E_GOT = 2E4h
E_SWAPPED = 2E6h        ; the disk that has changed places with the first, or 0
E_QUEUE = 300h          ; a virtqueue: four descriptors; they must lie on paragraphs
E_AVAILABLE = 340h
E_USED = 350h
E_REQUEST = 380h        ; virtio's request header, 16 bytes, and its status
E_REQUEST_STATUS = 390h
E_QUEUE_BYTES = 92h

; A descriptor of a drive.
D_KIND = 0
D_SELECT = 1            ; device register: bit 4 says which drive of the channel
D_IO = 2
D_CONTROL = 4
D_FUNCTION = 1          ; virtio: device and function on PCI bus 0
D_COMMON = 2            ; virtio: where in configuration space its capabilities are, in the order of their types
D_NOTIFY = 3
D_DEVICE = 5
D_WINDOW = 6
D_NUMBER = 7            ; 0 primary master ... 3 secondary slave
D_HEADS = 8
D_SPT = 10
D_CYLINDERS = 12
D_SECTORS = 16
D_PHYSICAL = 24         ; cylinders, heads, sectors a track
DESCRIPTOR = 32
ATA = 1
ATAPI = 2
VIRTIO = 3

; The first CD drive in no-emulation mode.
CD_FIRST = 0E0h
CD_AT_ONCE = 16         ; sectors of one command, at most: 32 KiB

; The frame that SERVICE builds: the caller's registers, at BP.
F_ES = 0
F_DS = 2
F_DI = 4
F_SI = 8
F_BX = 20
F_BL = 20
F_BH = 21
F_DX = 24
F_DL = 24
F_DH = 25
F_CX = 28
F_CL = 28
F_CH = 29
F_AX = 32
F_AL = 32
F_AH = 33
F_IP = 36
F_CS = 38
F_FLAGS = 40

; Saves everything; BP points to the frame. Interrupts are on.
macro SERVICE
    pushad
    push ds
    push es
    mov bp, sp
    cld
    sti
endmacro

; Back to the caller, with what is in the frame.
macro LEAVE_SERVICE
    pop es
    pop ds
    popad
    iret
endmacro

; A hardware interrupt's entry: saves everything; DS is the BIOS data area.
macro INTERRUPT
    pushad
    push ds
    push es
    cld
    push BDA
    pop ds
endmacro

macro LEAVE_INTERRUPT
    pop es
    pop ds
    popad
    iret
endmacro

macro DS_BDA
    push BDA
    pop ds
endmacro

macro DS_EBDA
    push EBDA
    pop ds
endmacro

macro CARRY_CLEAR
    and byte [bp+F_FLAGS], 0FEh
endmacro

macro CARRY_SET
    or byte [bp+F_FLAGS], 1
endmacro
