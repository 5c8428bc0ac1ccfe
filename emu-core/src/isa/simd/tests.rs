//! What the comparison with the host CPU (`tests/host_simd.rs`) cannot check: estimates are our own.

use super::float::{rcpss, rsqrtss};

const LEAST_NORMAL: u32 = 0x0080_0000;
const INFINITY: u32 = 0x7F80_0000;

/// Positive normal numbers, every 997th.
fn normals() -> impl Iterator<Item = f32> {
    (LEAST_NORMAL..INFINITY).step_by(997).map(f32::from_bits)
}

fn single(f: fn(u128, u128) -> u128, x: f32) -> f32 {
    f32::from_bits(f(0, x.to_bits().into()) as u32)
}

#[test]
fn estimates_are_as_good_as_promised() {
    // Intel SDM Vol. 2, "RCPPS", "RSQRTPS": |relative error| <= 1.5 * 2^-12; ours is 2^-13.
    let limit = f64::powi(2.0, -13) * 1.0001;
    for x in normals() {
        let exact = 1.0 / f64::from(x);
        let got = f64::from(single(rcpss, x));
        if exact >= f64::from(f32::MIN_POSITIVE) {
            assert!((got / exact - 1.0).abs() <= limit, "1/{x:e} = {got:e}");
        } else {
            assert!(got == 0.0 || got == f64::from(f32::MIN_POSITIVE), "1/{x:e} = {got:e} is flushed");
        }
        assert_eq!(single(rcpss, -x), -single(rcpss, x));
        let exact = 1.0 / f64::from(x).sqrt();
        let got = f64::from(single(rsqrtss, x));
        assert!((got / exact - 1.0).abs() <= limit, "1/sqrt({x:e}) = {got:e}");
    }
}

#[test]
fn estimates_of_special_values() {
    let cases: [(u32, u32, u32); 9] = [
        // operand, RCPSS, RSQRTSS
        (0, INFINITY, INFINITY),
        (0x8000_0000, 0xFF80_0000, 0xFF80_0000),
        (1, INFINITY, INFINITY),
        (0x807F_FFFF, 0xFF80_0000, 0xFF80_0000),
        (INFINITY, 0, 0),
        (0xFF80_0000, 0x8000_0000, 0xFFC0_0000),
        (0x7F80_0001, 0x7FC0_0001, 0x7FC0_0001),
        (0x3F80_0000, 0x3F80_0000, 0x3F80_0000),
        (0xBF80_0000, 0xBF80_0000, 0xFFC0_0000),
    ];
    for (x, reciprocal, root) in cases {
        assert_eq!(rcpss(0, x.into()) as u32, reciprocal, "RCPSS {x:08X}");
        assert_eq!(rsqrtss(0, x.into()) as u32, root, "RSQRTSS {x:08X}");
    }
}

/// The portable functions agree with the instructions that stand in for them on x86-64 hosts.
#[cfg(target_arch = "x86_64")]
#[test]
fn portable_functions_agree_with_instructions() {
    use super::{crc, integer, packed};
    const EDGES: [u8; 8] = [0, 1, 0x7F, 0x80, 0x81, 0xFE, 0xFF, 0x55];
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    };
    for n in 0..4000 {
        let mut vector = || match n % 4 {
            0 => u128::from_le_bytes(std::array::from_fn(|_| EDGES[next() as usize >> 3 & 7])),
            1 => u128::from(next() % 80),
            _ => u128::from(next()) << 64 | u128::from(next()),
        };
        let (a, b) = (vector(), vector());
        for (name, native, portable) in packed::BASELINE.iter().chain(packed::DETECTED) {
            assert_eq!(native(a, b), portable(a, b), "{name} {a:032X} {b:032X}");
        }
        let imm = n as u8;
        assert_eq!(
            packed::pclmulqdq(a, b, imm),
            crc::pclmulqdq(a, b, imm),
            "PCLMULQDQ {a:032X} {b:032X} {imm:X}"
        );
        assert_eq!(
            packed::crc32(a as u32, b as u64, 8),
            crc::crc32(a as u32, b as u64, 8),
            "CRC32 {a:X} {b:X}"
        );
        assert_eq!(packed::pmovmskb(a), integer::pmovmskb(a), "PMOVMSKB {a:032X}");
    }
}
