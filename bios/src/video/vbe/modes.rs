//! The list of VBE modes, computed from one table of numbers and one of sizes.

/// A mode of the list as the ROM holds it.
struct Mode {
    number: u16,
    width: u16,
    height: u16,
    depth: u8,
}

/// Offsets in a row of the ROM's table.
pub(super) mod row {
    pub(in crate::video) const WIDTH: i32 = 2;
    pub(in crate::video) const HEIGHT: i32 = 4;
    pub(in crate::video) const DEPTH: i32 = 6;
    /// Which row of the formats.
    pub(in crate::video) const FORMAT: i32 = 7;
    pub(in crate::video) const PITCH: i32 = 8;
    /// 64 KiB pieces of memory that one picture takes.
    pub(in crate::video) const PIECES: i32 = 10;
    pub(in crate::video) const SIZE: i32 = 12;
}

/// Numbers that VESA gave, and 140h-145h, the 32-bit modes of their sizes as other VGA BIOSes number them.
#[rustfmt::skip]
const NUMBERED: [(u16, u16, u16, u8); 36] = [
    (0x100, 640, 400, 8), (0x101, 640, 480, 8), (0x102, 800, 600, 4), (0x103, 800, 600, 8),
    (0x104, 1024, 768, 4), (0x105, 1024, 768, 8), (0x106, 1280, 1024, 4), (0x107, 1280, 1024, 8),
    (0x10D, 320, 200, 15), (0x10E, 320, 200, 16), (0x10F, 320, 200, 24),
    (0x110, 640, 480, 15), (0x111, 640, 480, 16), (0x112, 640, 480, 24),
    (0x113, 800, 600, 15), (0x114, 800, 600, 16), (0x115, 800, 600, 24),
    (0x116, 1024, 768, 15), (0x117, 1024, 768, 16), (0x118, 1024, 768, 24),
    (0x119, 1280, 1024, 15), (0x11A, 1280, 1024, 16), (0x11B, 1280, 1024, 24),
    (0x11C, 1600, 1200, 8), (0x11D, 1600, 1200, 15), (0x11E, 1600, 1200, 16), (0x11F, 1600, 1200, 24),
    (0x140, 320, 200, 32), (0x141, 640, 400, 32), (0x142, 640, 480, 32), (0x143, 800, 600, 32),
    (0x144, 1024, 768, 32), (0x145, 1280, 1024, 32), (0x146, 320, 200, 8), (0x147, 1600, 1200, 32),
    (0x148, 1152, 864, 8),
];

/// Other sizes, numbered from 149h on, each in these depths.
const SIZES: [(u16, u16); 14] = [
    (320, 240),
    (400, 300),
    (512, 384),
    (1152, 864),
    (1280, 720),
    (1280, 800),
    (1280, 960),
    (1440, 900),
    (1600, 900),
    (1680, 1050),
    (1920, 1080),
    (1920, 1200),
    (2560, 1440),
    (2560, 1600),
];
const DEPTHS: [u8; 4] = [8, 16, 24, 32];
const FIRST_NUMBER: u16 = 0x149;

fn list() -> Vec<Mode> {
    let numbered = NUMBERED.map(|(number, width, height, depth)| Mode { number, width, height, depth });
    let is_numbered = |width, height, depth| {
        numbered.iter().any(|mode| (mode.width, mode.height, mode.depth) == (width, height, depth))
    };
    let sizes = SIZES.iter().flat_map(|&(width, height)| DEPTHS.map(|depth| (width, height, depth)));
    let others = sizes.filter(|&(width, height, depth)| !is_numbered(width, height, depth));
    let others: Vec<Mode> = (FIRST_NUMBER..)
        .zip(others)
        .map(|(number, (width, height, depth))| Mode { number, width, height, depth })
        .collect();
    numbered.into_iter().chain(others).collect()
}

impl Mode {
    /// Bytes of a line; in planar modes of each plane.
    fn pitch(&self) -> u16 {
        match self.depth {
            4 => self.width / 8,
            depth => self.width * u16::from(depth.div_ceil(8)),
        }
    }

    /// Memory that a picture takes: planes lie beside one another.
    fn pieces(&self) -> u16 {
        let planes = if self.depth == 4 { 4 } else { 1 };
        let bytes = u32::from(self.pitch()) * u32::from(self.height) * planes;
        u16::try_from(bytes.div_ceil(0x1_0000)).expect("less than 4 GiB")
    }

    fn bytes(&self) -> Vec<u8> {
        let format =
            FORMATS.iter().position(|format| format.depth == self.depth).expect("a depth of the table");
        let format = u8::try_from(format).expect("six formats");
        [
            &self.number.to_le_bytes()[..],
            &self.width.to_le_bytes(),
            &self.height.to_le_bytes(),
            &[self.depth, format],
            &self.pitch().to_le_bytes(),
            &self.pieces().to_le_bytes(),
        ]
        .concat()
    }
}

/// The rows of the ROM's table; FFFFh ends it.
pub(in crate::video) fn table() -> Vec<u8> {
    list().iter().flat_map(Mode::bytes).chain([0xFF, 0xFF]).collect()
}

/// What depends on the depth alone (VBE 3.0, 4.3, "ModeInfoBlock").
struct Format {
    depth: u8,
    attributes: u16,
    planes: u8,
    memory_model: u8,
    /// Size and position of red, green, blue and the bits left over.
    masks: [u8; 8],
}

/// Supported, optional fields valid, colour, graphics; bit 7: with a linear frame buffer; bit 5: no VGA registers.
const BANKED_ONLY: u16 = 0x1B;
const WITH_LINEAR: u16 = 0xBB;

const PLANAR: u8 = 3;
const PACKED: u8 = 4;
const DIRECT: u8 = 6;

#[rustfmt::skip]
const FORMATS: [Format; 6] = [
    Format { depth: 4, attributes: BANKED_ONLY, planes: 4, memory_model: PLANAR, masks: [0; 8] },
    Format { depth: 8, attributes: WITH_LINEAR, planes: 1, memory_model: PACKED, masks: [0; 8] },
    Format { depth: 15, attributes: WITH_LINEAR, planes: 1, memory_model: DIRECT, masks: [5, 10, 5, 5, 5, 0, 1, 15] },
    Format { depth: 16, attributes: WITH_LINEAR, planes: 1, memory_model: DIRECT, masks: [5, 11, 6, 5, 5, 0, 0, 0] },
    Format { depth: 24, attributes: WITH_LINEAR, planes: 1, memory_model: DIRECT, masks: [8, 16, 8, 8, 8, 0, 0, 0] },
    Format { depth: 32, attributes: WITH_LINEAR, planes: 1, memory_model: DIRECT, masks: [8, 16, 8, 8, 8, 0, 8, 24] },
];

/// Offsets in a row of the ROM's formats.
pub(super) mod format {
    pub(in crate::video) const PLANES: i32 = 2;
    pub(in crate::video) const MEMORY_MODEL: i32 = 3;
    pub(in crate::video) const MASKS: i32 = 4;
    pub(in crate::video) const SIZE: i32 = 12;
}

pub(in crate::video) fn formats() -> Vec<u8> {
    let bytes = |format: &Format| {
        let [low, high] = format.attributes.to_le_bytes();
        [&[low, high, format.planes, format.memory_model][..], &format.masks].concat()
    };
    FORMATS.iter().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_fits_where_it_is_told() {
        let list = list();
        // The reserved bytes of the information block hold it (VBE 3.0, 4.3, "VbeInfoBlock").
        assert!(list.len() < 222 / 2, "{} modes", list.len());
        assert_eq!(table().len(), list.len() * row::SIZE as usize + 2);
        assert_eq!(formats().len(), FORMATS.len() * format::SIZE as usize);
        for (index, mode) in list.iter().enumerate() {
            // Lines of whole eight-byte pieces never cross the end of a bank inside of one.
            assert_eq!((mode.width % 8, mode.pitch() % 4), (0, 0), "{:#x}", mode.number);
            let same = |other: &Mode| {
                other.number == mode.number
                    || (other.width, other.height, other.depth) == (mode.width, mode.height, mode.depth)
            };
            assert!(!list[..index].iter().any(same), "{:#x} is there twice", mode.number);
        }
        assert_eq!(list[4].pieces(), 6, "1024x768 in 16 colours");
    }
}
