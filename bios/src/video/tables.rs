//! The tables of the ROM: computed in Rust, placed before the code, named by their offsets.

use super::{font, modes, palette, vbe};

/// Where jump tables begin; they end where the other tables begin.
pub(super) const JUMPS: usize = 0x60;
const START: usize = 0x1C0;

/// Offsets in the ROM.
#[derive(Clone, Copy)]
pub(super) struct Tables {
    pub(super) font_16: i32,
    pub(super) font_14: i32,
    pub(super) font_8: i32,
    /// A font of no characters: how a list of other shapes for nine-dot cells ends.
    pub(super) no_characters: i32,
    pub(super) parameters: i32,
    pub(super) rows_200: i32,
    pub(super) rows_350: i32,
    pub(super) rows_400: i32,
    pub(super) models: i32,
    pub(super) mode_selects: i32,
    pub(super) mode_palettes: i32,
    /// Words: where each palette starts.
    pub(super) palettes: i32,
    /// Bytes by twice the model: of one row of dots of a character.
    pub(super) units: i32,
    /// Words by twice the model: segments of display memory.
    pub(super) segments: i32,
    pub(super) functionality: i32,
    pub(super) save_pointers: i32,
    pub(super) vbe_modes: i32,
    pub(super) vbe_formats: i32,
    pub(super) maker: i32,
    pub(super) product: i32,
    pub(super) revision: i32,
    pub(super) flat_segment: i32,
    /// Two blocks, filled in when the ROM starts; the first byte before them tells whether they were.
    pub(super) edid_is_there: i32,
    pub(super) edid: i32,
}

/// Bytes of EDID that are kept.
pub(super) const EDID: i32 = 256;

struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    fn put(&mut self, bytes: &[u8]) -> i32 {
        let at = START + self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        i32::try_from(at).expect("the ROM has 32 KiB")
    }

    fn words(&mut self, words: &[i32]) -> i32 {
        let bytes: Vec<u8> =
            words.iter().flat_map(|word| [word.to_le_bytes()[0], word.to_le_bytes()[1]]).collect();
        self.put(&bytes)
    }
}

/// Offsets and bytes of the tables, and where code begins.
pub(super) fn build() -> (Tables, Vec<u8>, usize) {
    let mut builder = Builder { bytes: Vec::new() };
    let b = &mut builder;
    let parameters = b.put(&modes::parameter_table());
    let palettes = palette::all().map(|palette| b.put(&palette));
    // One font pointer and five that are not used follow the video parameter table's (IBM, "Save Pointer Table").
    let mut save_pointers = vec![parameters, i32::from(super::SEGMENT)];
    save_pointers.resize(14, 0);
    let tables = Tables {
        font_16: b.put(&font::font_16()),
        font_14: b.put(&font::font_14()),
        font_8: b.put(&font::font_8()),
        no_characters: b.put(&[0]),
        parameters,
        rows_200: b.put(&modes::ROWS_200),
        rows_350: b.put(&modes::ROWS_350),
        rows_400: b.put(&modes::ROWS_400),
        models: b.put(&modes::models()),
        mode_selects: b.put(&modes::MODE_SELECTS),
        mode_palettes: b.put(&modes::PALETTES),
        palettes: b.words(&palettes),
        units: b.words(&[2, 2, 1, 1, 8, 8]),
        segments: b.words(&[0xB800, 0xB800, 0xB800, 0xA000, 0xA000, 0xA000]),
        functionality: b.put(&FUNCTIONALITY),
        save_pointers: b.words(&save_pointers),
        vbe_modes: b.put(&vbe::modes::table()),
        vbe_formats: b.put(&vbe::modes::formats()),
        maker: b.put(b"Posada\0"),
        product: b.put(b"Posada video BIOS\0"),
        revision: b.put(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()),
        flat_segment: b.put(&FLAT_SEGMENT),
        edid_is_there: b.put(&[0]),
        edid: b.put(&[0; EDID as usize]),
    };
    let code = START + builder.bytes.len();
    (tables, builder.bytes, code)
}

/// Puts tables and jump tables into the ROM.
pub(super) fn place(rom: &mut [u8], tables: &[u8], jumps: &[u16]) {
    assert!(JUMPS + 2 * jumps.len() <= START, "the jump tables end before the other tables");
    for (slot, jump) in rom[JUMPS..].chunks_mut(2).zip(jumps) {
        slot.copy_from_slice(&jump.to_le_bytes());
    }
    rom[START..START + tables.len()].copy_from_slice(tables);
}

/// INT 10h AH=1Bh, static functionality: modes 0-7, 0Dh-13h; 200, 350 and 400 lines; two of eight character blocks;
/// everything else but a light pen (IBM, "Video Static Functionality Table").
const FUNCTIONALITY: [u8; 16] = [0xFF, 0xE0, 0x0F, 0, 0, 0, 0, 0x07, 8, 2, 0xFF, 0x0E, 0, 0, 0, 0];

/// Two segment descriptors: none, and writable data of 4 GiB at 0 (Intel SDM Vol. 3A 3.4.5).
const FLAT_SEGMENT: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0x92, 0xCF, 0];
