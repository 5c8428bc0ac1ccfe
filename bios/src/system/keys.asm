; What a key means: scan code and character, alone, with Shift, Ctrl and Alt; 0 is nothing (PC/AT Technical Reference,
; "Keyboard Encoding and Usage"; the 101-key codes from the PS/2 BIOS Interface Technical Reference, INT 16h).

KEYS = 59h

; One row a scan code of set 1, from 0 on.
keys:
    dw 00000h, 00000h, 00000h, 00000h    ; 00h
    dw 0011Bh, 0011Bh, 0011Bh, 00100h    ; 01h
    dw 00231h, 00221h, 00000h, 07800h    ; 02h
    dw 00332h, 00340h, 00300h, 07900h    ; 03h
    dw 00433h, 00423h, 00000h, 07A00h    ; 04h
    dw 00534h, 00524h, 00000h, 07B00h    ; 05h
    dw 00635h, 00625h, 00000h, 07C00h    ; 06h
    dw 00736h, 0075Eh, 0071Eh, 07D00h    ; 07h
    dw 00837h, 00826h, 00000h, 07E00h    ; 08h
    dw 00938h, 0092Ah, 00000h, 07F00h    ; 09h
    dw 00A39h, 00A28h, 00000h, 08000h    ; 0Ah
    dw 00B30h, 00B29h, 00000h, 08100h    ; 0Bh
    dw 00C2Dh, 00C5Fh, 00C1Fh, 08200h    ; 0Ch
    dw 00D3Dh, 00D2Bh, 00000h, 08300h    ; 0Dh
    dw 00E08h, 00E08h, 00E7Fh, 00E00h    ; 0Eh
    dw 00F09h, 00F00h, 09400h, 0A500h    ; 0Fh
    dw 01071h, 01051h, 01011h, 01000h    ; 10h
    dw 01177h, 01157h, 01117h, 01100h    ; 11h
    dw 01265h, 01245h, 01205h, 01200h    ; 12h
    dw 01372h, 01352h, 01312h, 01300h    ; 13h
    dw 01474h, 01454h, 01414h, 01400h    ; 14h
    dw 01579h, 01559h, 01519h, 01500h    ; 15h
    dw 01675h, 01655h, 01615h, 01600h    ; 16h
    dw 01769h, 01749h, 01709h, 01700h    ; 17h
    dw 0186Fh, 0184Fh, 0180Fh, 01800h    ; 18h
    dw 01970h, 01950h, 01910h, 01900h    ; 19h
    dw 01A5Bh, 01A7Bh, 01A1Bh, 01A00h    ; 1Ah
    dw 01B5Dh, 01B7Dh, 01B1Dh, 01B00h    ; 1Bh
    dw 01C0Dh, 01C0Dh, 01C0Ah, 01C00h    ; 1Ch
    dw 00000h, 00000h, 00000h, 00000h    ; 1Dh
    dw 01E61h, 01E41h, 01E01h, 01E00h    ; 1Eh
    dw 01F73h, 01F53h, 01F13h, 01F00h    ; 1Fh
    dw 02064h, 02044h, 02004h, 02000h    ; 20h
    dw 02166h, 02146h, 02106h, 02100h    ; 21h
    dw 02267h, 02247h, 02207h, 02200h    ; 22h
    dw 02368h, 02348h, 02308h, 02300h    ; 23h
    dw 0246Ah, 0244Ah, 0240Ah, 02400h    ; 24h
    dw 0256Bh, 0254Bh, 0250Bh, 02500h    ; 25h
    dw 0266Ch, 0264Ch, 0260Ch, 02600h    ; 26h
    dw 0273Bh, 0273Ah, 00000h, 02700h    ; 27h
    dw 02827h, 02822h, 00000h, 02800h    ; 28h
    dw 02960h, 0297Eh, 00000h, 02900h    ; 29h
    dw 00000h, 00000h, 00000h, 00000h    ; 2Ah
    dw 02B5Ch, 02B7Ch, 02B1Ch, 02B00h    ; 2Bh
    dw 02C7Ah, 02C5Ah, 02C1Ah, 02C00h    ; 2Ch
    dw 02D78h, 02D58h, 02D18h, 02D00h    ; 2Dh
    dw 02E63h, 02E43h, 02E03h, 02E00h    ; 2Eh
    dw 02F76h, 02F56h, 02F16h, 02F00h    ; 2Fh
    dw 03062h, 03042h, 03002h, 03000h    ; 30h
    dw 0316Eh, 0314Eh, 0310Eh, 03100h    ; 31h
    dw 0326Dh, 0324Dh, 0320Dh, 03200h    ; 32h
    dw 0332Ch, 0333Ch, 00000h, 03300h    ; 33h
    dw 0342Eh, 0343Eh, 00000h, 03400h    ; 34h
    dw 0352Fh, 0353Fh, 00000h, 03500h    ; 35h
    dw 00000h, 00000h, 00000h, 00000h    ; 36h
    dw 0372Ah, 0372Ah, 09600h, 03700h    ; 37h
    dw 00000h, 00000h, 00000h, 00000h    ; 38h
    dw 03920h, 03920h, 03920h, 03920h    ; 39h
    dw 00000h, 00000h, 00000h, 00000h    ; 3Ah
    dw 03B00h, 05400h, 05E00h, 06800h    ; 3Bh
    dw 03C00h, 05500h, 05F00h, 06900h    ; 3Ch
    dw 03D00h, 05600h, 06000h, 06A00h    ; 3Dh
    dw 03E00h, 05700h, 06100h, 06B00h    ; 3Eh
    dw 03F00h, 05800h, 06200h, 06C00h    ; 3Fh
    dw 04000h, 05900h, 06300h, 06D00h    ; 40h
    dw 04100h, 05A00h, 06400h, 06E00h    ; 41h
    dw 04200h, 05B00h, 06500h, 06F00h    ; 42h
    dw 04300h, 05C00h, 06600h, 07000h    ; 43h
    dw 04400h, 05D00h, 06700h, 07100h    ; 44h
    dw 00000h, 00000h, 00000h, 00000h    ; 45h
    dw 00000h, 00000h, 00000h, 00000h    ; 46h
    dw 04700h, 04737h, 07700h, 00000h    ; 47h
    dw 04800h, 04838h, 08D00h, 00000h    ; 48h
    dw 04900h, 04939h, 08400h, 00000h    ; 49h
    dw 04A2Dh, 04A2Dh, 08E00h, 04A00h    ; 4Ah
    dw 04B00h, 04B34h, 07300h, 00000h    ; 4Bh
    dw 04C00h, 04C35h, 08F00h, 00000h    ; 4Ch
    dw 04D00h, 04D36h, 07400h, 00000h    ; 4Dh
    dw 04E2Bh, 04E2Bh, 09000h, 04E00h    ; 4Eh
    dw 04F00h, 04F31h, 07500h, 00000h    ; 4Fh
    dw 05000h, 05032h, 09100h, 00000h    ; 50h
    dw 05100h, 05133h, 07600h, 00000h    ; 51h
    dw 05200h, 05230h, 09200h, 00000h    ; 52h
    dw 05300h, 0532Eh, 09300h, 00000h    ; 53h
    dw 00000h, 00000h, 00000h, 00000h    ; 54h
    dw 00000h, 00000h, 00000h, 00000h    ; 55h
    dw 0565Ch, 0567Ch, 00000h, 00000h    ; 56h
    dw 08500h, 08700h, 08900h, 08B00h    ; 57h
    dw 08600h, 08800h, 08A00h, 08C00h    ; 58h

; Keys behind E0h: scan code, then the row.
grey_keys:
    db 1Ch
    dw 0E00Dh, 0E00Dh, 0E00Ah, 0A600h
    db 35h
    dw 0E02Fh, 0E02Fh, 09500h, 0A400h
    db 47h
    dw 047E0h, 047E0h, 077E0h, 09700h
    db 48h
    dw 048E0h, 048E0h, 08DE0h, 09800h
    db 49h
    dw 049E0h, 049E0h, 084E0h, 09900h
    db 4Bh
    dw 04BE0h, 04BE0h, 073E0h, 09B00h
    db 4Dh
    dw 04DE0h, 04DE0h, 074E0h, 09D00h
    db 4Fh
    dw 04FE0h, 04FE0h, 075E0h, 09F00h
    db 50h
    dw 050E0h, 050E0h, 091E0h, 0A000h
    db 51h
    dw 051E0h, 051E0h, 076E0h, 0A100h
    db 52h
    dw 052E0h, 052E0h, 092E0h, 0A200h
    db 53h
    dw 053E0h, 053E0h, 093E0h, 0A300h
    db 0
