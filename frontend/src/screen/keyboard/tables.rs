//! What is printed on keyboards: characters by layout, level and key, from xkeyboard-config (`symbols`), the keys left out
//! of whose third level (AltGr) systems think differently.

pub struct Table {
    /// Characters of the keys in [`ROWS`], a blank for none: of the key alone, with Shift, with AltGr, with both.
    pub levels: [[&'static str; 4]; 4],
    /// Keys that type nothing by themselves: accents, codes and levels.
    pub dead: &'static [(char, u16, usize)],
}

/// The keys of the main block in set-1 codes, row by row.
#[rustfmt::skip]
pub const ROWS: [&[u16]; 4] = [
    &[0x29, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x7D],
    &[0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B],
    &[0x1E, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x2B],
    &[0x56, 0x2C, 0x2D, 0x2E, 0x2F, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x73],
];

const NONE: [&str; 4] = [""; 4];

#[rustfmt::skip]
pub const US: Table = Table {
    levels: [
        ["`1234567890-=", "qwertyuiop[]", "asdfghjkl;'\\", " zxcvbnm,./"],
        ["~!@#$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:\"|", " ZXCVBNM<>?"],
        NONE,
        NONE,
    ],
    dead: &[],
};

#[rustfmt::skip]
pub const UK: Table = Table {
    levels: [
        ["`1234567890-=", "qwertyuiop[]", "asdfghjkl;'#", "\\zxcvbnm,./"],
        ["¬!\"£$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:@~", "|ZXCVBNM<>?"],
        ["    €", "", "", ""],
        NONE,
    ],
    dead: &[],
};

#[rustfmt::skip]
pub const DE: Table = Table {
    levels: [
        [" 1234567890ß ", "qwertzuiopü+", "asdfghjklöä#", "<yxcvbnm,.-"],
        ["°!\"§$%&/()=? ", "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ'", ">YXCVBNM;:_"],
        ["  ²³   {[]}\\", "@ €        ~", "", "|      µ"],
        NONE,
    ],
    dead: &[('^', 0x29, 0), ('´', 0x0D, 0), ('`', 0x0D, 1)],
};

#[rustfmt::skip]
pub const CH: Table = Table {
    levels: [
        ["§1234567890' ", "qwertzuiopü ", "asdfghjklöä$", "<yxcvbnm,.-"],
        ["°+\"*ç%&/()=? ", "QWERTZUIOPè!", "ASDFGHJKLéà£", ">YXCVBNM;:_"],
        ["  @#   |¢", "  €       []", "          {}", "\\"],
        NONE,
    ],
    dead: &[('^', 0x0D, 0), ('`', 0x0D, 1), ('¨', 0x1B, 0), ('´', 0x0C, 2), ('~', 0x0D, 2)],
};

#[rustfmt::skip]
pub const FR: Table = Table {
    levels: [
        ["²&é\"'(-è_çà)=", "azertyuiop $", "qsdfghjklmù*", "<wxcvbn,;:!"],
        [" 1234567890°+", "AZERTYUIOP £", "QSDFGHJKLM%µ", ">WXCVBN?./§"],
        ["  ~#{[|`\\^@]}", "  €", "", ""],
        NONE,
    ],
    dead: &[('^', 0x1A, 0), ('¨', 0x1A, 1)],
};

#[rustfmt::skip]
pub const BE: Table = Table {
    levels: [
        ["²&é\"'(§è!çà)-", "azertyuiop $", "qsdfghjklmùµ", "<wxcvbn,;:="],
        ["³1234567890°_", "AZERTYUIOP *", "QSDFGHJKLM%£", ">WXCVBN?./+"],
        [" |@#  ^  {}", "  €       []", "", "\\"],
        NONE,
    ],
    dead: &[('^', 0x1A, 0), ('¨', 0x1A, 1), ('´', 0x28, 2), ('`', 0x2B, 2), ('~', 0x35, 2)],
};

#[rustfmt::skip]
pub const ES: Table = Table {
    levels: [
        ["º1234567890'¡", "qwertyuiop +", "asdfghjklñ ç", "<zxcvbnm,.-"],
        ["ª!\"·$%&/()=?¿", "QWERTYUIOP *", "ASDFGHJKLÑ Ç", ">ZXCVBNM;:_"],
        ["\\|@#~ ¬", "  €       []", "          {}", ""],
        NONE,
    ],
    dead: &[('`', 0x1A, 0), ('^', 0x1A, 1), ('´', 0x28, 0), ('¨', 0x28, 1)],
};

#[rustfmt::skip]
pub const LATAM: Table = Table {
    levels: [
        ["|1234567890'¿", "qwertyuiop +", "asdfghjklñ{}", "<zxcvbnm,.-"],
        ["°!\"#$%&/()=?¡", "QWERTYUIOP *", "ASDFGHJKLÑ[]", ">ZXCVBNM;:_"],
        ["¬          \\", "@          ~", "", ""],
        NONE,
    ],
    dead: &[('´', 0x1A, 0), ('¨', 0x1A, 1), ('^', 0x28, 2), ('`', 0x2B, 2)],
};

#[rustfmt::skip]
pub const IT: Table = Table {
    levels: [
        ["\\1234567890'ì", "qwertyuiopè+", "asdfghjklòàù", "<zxcvbnm,.-"],
        ["|!\"£$%&/()=?^", "QWERTYUIOPé*", "ASDFGHJKLç°§", ">ZXCVBNM;:_"],
        ["           `~", "  €       []", "         @#", ""],
        ["", "          {}", "", ""],
    ],
    dead: &[],
};

#[rustfmt::skip]
pub const PT: Table = Table {
    levels: [
        ["\\1234567890'«", "qwertyuiop+ ", "asdfghjklçº ", "<zxcvbnm,.-"],
        ["|!\"#$%&/()=?»", "QWERTYUIOP* ", "ASDFGHJKLÇª ", ">ZXCVBNM;:_"],
        ["  @£§  {[]}", "  €", "", ""],
        NONE,
    ],
    dead: &[('´', 0x1B, 0), ('`', 0x1B, 1), ('~', 0x2B, 0), ('^', 0x2B, 1), ('¨', 0x1A, 2)],
};

#[rustfmt::skip]
pub const BR: Table = Table {
    levels: [
        ["'1234567890-=", "qwertyuiop [", "asdfghjklç ]", "\\zxcvbnm,.;/"],
        ["\"!@#$% &*()_+", "QWERTYUIOP {", "ASDFGHJKLÇ }", "|ZXCVBNM<>:?"],
        ["  ²³£¢¬", "", "", ""],
        NONE,
    ],
    dead: &[('´', 0x1A, 0), ('`', 0x1A, 1), ('~', 0x28, 0), ('^', 0x28, 1), ('¨', 0x07, 1)],
};

#[rustfmt::skip]
pub const SE: Table = Table {
    levels: [
        ["§1234567890+ ", "qwertyuiopå ", "asdfghjklöä'", "<zxcvbnm,.-"],
        ["½!\"#¤%&/()=? ", "QWERTYUIOPÅ ", "ASDFGHJKLÖÄ*", ">ZXCVBNM;:_"],
        ["  @£$  {[]}\\", "  €", "", "|"],
        NONE,
    ],
    dead: &[('´', 0x0D, 0), ('`', 0x0D, 1), ('¨', 0x1B, 0), ('^', 0x1B, 1), ('~', 0x1B, 2)],
};

#[rustfmt::skip]
pub const NO: Table = Table {
    levels: [
        ["|1234567890+\\", "qwertyuiopå ", "asdfghjkløæ'", "<zxcvbnm,.-"],
        ["§!\"#¤%&/()=? ", "QWERTYUIOPÅ ", "ASDFGHJKLØÆ*", ">ZXCVBNM;:_"],
        ["  @£$  {[]}", "  €", "", ""],
        NONE,
    ],
    dead: &[('`', 0x0D, 1), ('´', 0x0D, 2), ('¨', 0x1B, 0), ('^', 0x1B, 1), ('~', 0x1B, 2)],
};

#[rustfmt::skip]
pub const DK: Table = Table {
    levels: [
        ["½1234567890+ ", "qwertyuiopå ", "asdfghjklæø'", "<zxcvbnm,.-"],
        ["§!\"#¤%&/()=? ", "QWERTYUIOPÅ ", "ASDFGHJKLÆØ*", ">ZXCVBNM;:_"],
        ["  @£$  {[]} |", "  €", "", "\\"],
        NONE,
    ],
    dead: &[('´', 0x0D, 0), ('`', 0x0D, 1), ('¨', 0x1B, 0), ('^', 0x1B, 1), ('~', 0x1B, 2)],
};

#[rustfmt::skip]
pub const PL: Table = Table {
    levels: [
        ["`1234567890-=", "qwertyuiop[]", "asdfghjkl;'\\", " zxcvbnm,./"],
        ["~!@#$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:\"|", " ZXCVBNM<>?"],
        ["", "  ę     ó", "ąś      ł", " żźć  ń"],
        ["", "  Ę     Ó", "ĄŚ      Ł", " ŻŹĆ  Ń"],
    ],
    dead: &[],
};

#[rustfmt::skip]
pub const JP: Table = Table {
    levels: [
        [" 1234567890-^\\", "qwertyuiop@[", "asdfghjkl;:]", " zxcvbnm,./\\"],
        [" !\"#$%&'() =~|", "QWERTYUIOP`{", "ASDFGHJKL+*}", " ZXCVBNM<>?_"],
        NONE,
        NONE,
    ],
    dead: &[],
};

#[rustfmt::skip]
pub const DVORAK: Table = Table {
    levels: [
        ["`1234567890[]", "',.pyfgcrl/=", "aoeuidhtns-\\", " ;qjkxbmwvz"],
        ["~!@#$%^&*(){}", "\"<>PYFGCRL?+", "AOEUIDHTNS_|", " :QJKXBMWVZ"],
        NONE,
        NONE,
    ],
    dead: &[],
};
