//! AES rounds (Intel SDM Vol. 2, "AESENC" and its neighbours; FIPS 197). The state is column-major, lowest byte first.

/// Multiplication by x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
const fn double(v: u8) -> u8 {
    v << 1 ^ if v & 0x80 != 0 { 0x1B } else { 0 }
}

const fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        a = double(a);
        b >>= 1;
    }
    product
}

/// The inverse in GF(2^8), v^254; zero for zero.
const fn inverse(v: u8) -> u8 {
    let (mut power, mut result, mut n) = (v, 1, 254);
    while n != 0 {
        if n & 1 != 0 {
            result = multiply(result, power);
        }
        power = multiply(power, power);
        n >>= 1;
    }
    if v == 0 { 0 } else { result }
}

const fn s_box() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let v = inverse(i as u8);
        table[i] = v ^ v.rotate_left(1) ^ v.rotate_left(2) ^ v.rotate_left(3) ^ v.rotate_left(4) ^ 0x63;
        i += 1;
    }
    table
}

const fn inverted(table: &[u8; 256]) -> [u8; 256] {
    let mut result = [0; 256];
    let mut i = 0;
    while i < 256 {
        result[table[i] as usize] = i as u8;
        i += 1;
    }
    result
}

/// Products of every byte with `factor`.
const fn products(factor: u8) -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = multiply(i as u8, factor);
        i += 1;
    }
    table
}

static S_BOX: [u8; 256] = s_box();
static INVERSE_S_BOX: [u8; 256] = inverted(&S_BOX);
static TIMES_9: [u8; 256] = products(9);
static TIMES_11: [u8; 256] = products(11);
static TIMES_13: [u8; 256] = products(13);
static TIMES_14: [u8; 256] = products(14);

type State = [u8; 16];

/// SubBytes after ShiftRows, in one pass: row r moves left by r columns.
fn shift_and_substitute(s: State) -> State {
    std::array::from_fn(|i| S_BOX[usize::from(s[(i + 4 * (i % 4)) % 16])])
}

fn inverse_shift_and_substitute(s: State) -> State {
    std::array::from_fn(|i| INVERSE_S_BOX[usize::from(s[(i + 12 * (i % 4)) % 16])])
}

/// The bytes of one column, starting at row `i % 4`.
fn column(s: &State, i: usize) -> [u8; 4] {
    std::array::from_fn(|k| s[(i & !3) + (i + k) % 4])
}

fn mix_columns(s: State) -> State {
    std::array::from_fn(|i| {
        let [a, b, c, d] = column(&s, i);
        double(a) ^ double(b) ^ b ^ c ^ d
    })
}

fn inverse_mix_columns(s: State) -> State {
    std::array::from_fn(|i| {
        let [a, b, c, d] = column(&s, i).map(usize::from);
        TIMES_14[a] ^ TIMES_11[b] ^ TIMES_13[c] ^ TIMES_9[d]
    })
}

pub fn aesenc(a: u128, key: u128) -> u128 {
    u128::from_le_bytes(mix_columns(shift_and_substitute(a.to_le_bytes()))) ^ key
}

pub fn aesenclast(a: u128, key: u128) -> u128 {
    u128::from_le_bytes(shift_and_substitute(a.to_le_bytes())) ^ key
}

pub fn aesdec(a: u128, key: u128) -> u128 {
    u128::from_le_bytes(inverse_mix_columns(inverse_shift_and_substitute(a.to_le_bytes()))) ^ key
}

pub fn aesdeclast(a: u128, key: u128) -> u128 {
    u128::from_le_bytes(inverse_shift_and_substitute(a.to_le_bytes())) ^ key
}

pub fn aesimc(_: u128, b: u128) -> u128 {
    u128::from_le_bytes(inverse_mix_columns(b.to_le_bytes()))
}

/// Key expansion's SubWord and RotWord of words 1 and 3, with the round constant `imm`.
pub fn aeskeygenassist(_: u128, b: u128, imm: u8) -> u128 {
    let substituted = b.to_le_bytes().map(|v| S_BOX[usize::from(v)]);
    let [_, one, _, three] = super::lanes::split::<u32, 4>(u128::from_le_bytes(substituted));
    let rotated = |word: u32| word.rotate_right(8) ^ u32::from(imm);
    super::lanes::join([one, rotated(one), three, rotated(three)])
}
