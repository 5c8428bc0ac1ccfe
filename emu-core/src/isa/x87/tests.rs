//! The portable unit against the host's silicon, over edge and random operands and all controls.
#![cfg(target_arch = "x86_64")]

use super::f80::INTEGER;
use super::status::{C0, C1, C2, C3, DE, EXCEPTIONS, IE, OE, UE, ZE};
use super::*;

/// xorshift64*: reproducible operands.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    fn significand(&mut self) -> u64 {
        match self.below(8) {
            0 => INTEGER,
            1 => u64::MAX,
            2 => INTEGER | 1,
            3 => self.next() & self.next() & self.next() | INTEGER,
            4 => INTEGER | self.next() & 0xFFFF_FF00_0000_0000,
            5 => INTEGER | u64::MAX << self.below(63),
            _ => self.next() | INTEGER,
        }
    }

    /// Every class of operand; most are numbers that interact.
    pub fn f80(&mut self) -> F80 {
        let sign = (self.next() as u16) & 0x8000;
        let (exponent, significand) = match self.below(20) {
            0 => (0, 0),
            1 => (0x7FFF, INTEGER),
            2 => (0x7FFF, INTEGER | self.next()),
            3 => (0x7FFF, (self.next() >> self.below(62)) | INTEGER),
            4 => (0, self.next() >> (1 + self.below(63))),
            5 => (0, self.significand()),
            6 => (self.next() as u16 & 0x7FFF, self.next() & !INTEGER),
            7 => (1 + self.below(80) as u16, self.significand()),
            8 => (0x7FFE - self.below(80) as u16, self.significand()),
            9 => (self.next() as u16 & 0x7FFF, self.significand()),
            10 => (0x3F00 + self.below(512) as u16, self.significand()),
            11 => (0x3FFF, INTEGER),
            12 => (0x3BFE + self.below(60) as u16, self.significand()),
            13 => (0x43FE, self.significand()),
            14 => {
                let integer = F80::from_i64((self.next() >> self.below(64)) as i64);
                (integer.biased(), integer.significand)
            }
            _ => (0x3FFF - 70 + self.below(140) as u16, self.significand()),
        };
        F80::new(exponent | sign, significand)
    }

    /// All roundings and precisions; masks mostly set.
    pub fn control(&mut self) -> u16 {
        let masks = if self.below(3) == 0 { self.next() as u16 & 0x3F } else { 0x3F };
        let precision = [0, 2, 3, 3, 3][self.below(5) as usize] << control::PC_SHIFT;
        (self.next() as u16 & control::RC) | precision | masks | control::FIXED
    }
}

/// With no sticky flags before, whatever the unit reports is exact.
fn env(random: &mut Random) -> Env {
    Env { control: random.control(), status: 0 }
}

fn unmasked(env: Env, status: u16) -> u16 {
    status & EXCEPTIONS & !env.control
}

const COUNT: u32 = 200_000;

fn check_outcome(what: &str, e: Env, a: &F80, b: &F80, host: Outcome, soft: Outcome, conditions: u16) {
    let bits = EXCEPTIONS | conditions;
    let no_result = unmasked(e, host.status) & (IE | DE | ZE) != 0;
    let bits = if no_result { EXCEPTIONS } else { bits };
    assert_eq!(
        host.status & bits,
        soft.status & bits,
        "{what} status {e:x?} {a:x?} {b:x?} {host:x?} {soft:x?}"
    );
    if !no_result {
        assert_eq!(host.value, soft.value, "{what} {e:x?} {a:x?} {b:x?} {host:x?} {soft:x?}");
    }
}

fn check_binary(op: Binary, conditions: u16, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..COUNT {
        let (e, a, b) = (env(&mut random), random.f80(), random.f80());
        let (host, soft) = (Host::binary(op, e, &a, &b), Soft::binary(op, e, &a, &b));
        check_outcome(&format!("{op:?}"), e, &a, &b, host, soft, conditions);
    }
}

#[test]
fn add() {
    check_binary(Binary::Add, C1, 1);
}

#[test]
fn sub() {
    check_binary(Binary::Sub, C1, 2);
}

#[test]
fn mul() {
    check_binary(Binary::Mul, C1, 3);
}

#[test]
fn div() {
    check_binary(Binary::Div, C1, 4);
}

#[test]
fn scale() {
    check_binary(Binary::Scale, C1, 5);
}

#[test]
fn remainder() {
    check_binary(Binary::Remainder, C0 | C1 | C2 | C3, 6);
}

#[test]
fn ieee_remainder() {
    check_binary(Binary::IeeeRemainder, C0 | C1 | C2 | C3, 7);
}

#[test]
fn sqrt_and_round() {
    for (op, seed) in [(Unary::Sqrt, 8), (Unary::RoundToInteger, 9)] {
        let mut random = Random(seed);
        for _ in 0..COUNT {
            let (e, a) = (env(&mut random), random.f80());
            check_outcome(&format!("{op:?}"), e, &a, &a, Host::unary(op, e, &a), Soft::unary(op, e, &a), C1);
        }
    }
}

#[test]
fn compare() {
    let mut random = Random(10);
    for n in 0..COUNT {
        let (e, a) = (env(&mut random), random.f80());
        let b = if n % 4 == 0 { a } else { random.f80() };
        for quiet in [false, true] {
            let (host, soft) = (Host::compare(quiet, e, &a, &b), Soft::compare(quiet, e, &a, &b));
            let bits = if unmasked(e, host) == 0 { EXCEPTIONS | C0 | C2 | C3 } else { EXCEPTIONS };
            assert_eq!(host & bits, soft & bits, "{quiet} {e:x?} {a:x?} {b:x?}");
        }
    }
}

#[test]
fn stores() {
    use Format::*;
    let mut random = Random(11);
    for _ in 0..COUNT {
        let (e, a) = (env(&mut random), random.f80());
        for format in [F32, F64, I16, I32, I64, Truncated16, Truncated32, Truncated64] {
            let (host, soft) = (Host::store(format, e, &a), Soft::store(format, e, &a));
            let prevented = unmasked(e, host.status) & (IE | OE | UE) != 0;
            let bits = EXCEPTIONS | if prevented { 0 } else { C1 };
            assert_eq!(
                host.status & bits,
                soft.status & bits,
                "{format:?} {e:x?} {a:x?} {host:x?} {soft:x?}"
            );
            assert!(prevented || host.bits == soft.bits, "{format:?} {e:x?} {a:x?} {host:x?} {soft:x?}");
        }
        let (host, soft) = (Host::store_bcd(e, &a), Soft::store_bcd(e, &a));
        assert_eq!(host.status & EXCEPTIONS, soft.status & EXCEPTIONS, "BCD {e:x?} {a:x?}");
        assert!(unmasked(e, host.status) & IE != 0 || host.bits == soft.bits, "BCD {e:x?} {a:x?}");
    }
}

#[test]
fn extract() {
    let mut random = Random(12);
    for _ in 0..COUNT {
        let (e, a) = (env(&mut random), random.f80());
        let (host, soft) = (Host::split(Split::Extract, e, &a), Soft::split(Split::Extract, e, &a));
        assert_eq!(host.status & EXCEPTIONS, soft.status & EXCEPTIONS, "{e:x?} {a:x?}");
        if unmasked(e, host.status) & (IE | DE | ZE) == 0 {
            assert_eq!((host.top, host.next), (soft.top, soft.next), "{e:x?} {a:x?}");
        }
    }
}

/// What the portable transcendentals promise: about 50 bits on moderate arguments.
#[test]
fn transcendentals_are_close() {
    let usual = Env { control: 0x037F, status: 0 };
    let mut random = Random(13);
    let close = |what: &str, a: &F80, b: &F80, host: F80, soft: F80| {
        let bits = |value: F80| i128::from(value.biased()) << 63 | i128::from(value.significand & !INTEGER);
        let apart = (bits(host) - bits(soft)).unsigned_abs() >> 63 == 0
            && (bits(host) - bits(soft)).unsigned_abs() < 1 << 20;
        assert!(apart || host.biased() < 0x3FFF - 40, "{what} {a:x?} {b:x?} {host:x?} {soft:x?}");
    };
    for _ in 0..COUNT / 4 {
        let sign = random.next() as u16 & 0x8000;
        let a = F80::new((0x3FFB + random.below(4) as u16) | sign, random.next() | INTEGER);
        let b = F80::new(0x3FF0 + random.below(32) as u16, random.next() | INTEGER);
        for op in [Unary::Sin, Unary::Cos, Unary::Exp2m1] {
            let (host, soft) = (Host::unary(op, usual, &a), Soft::unary(op, usual, &a));
            close(&format!("{op:?}"), &a, &a, host.value, soft.value);
        }
        let host = Host::binary(Binary::Atan, usual, &a, &b);
        close("atan", &a, &b, host.value, Soft::binary(Binary::Atan, usual, &a, &b).value);
        let positive = F80::new(0x4001, a.significand);
        let host = Host::binary(Binary::YLog2X, usual, &positive, &b);
        close("log", &positive, &b, host.value, Soft::binary(Binary::YLog2X, usual, &positive, &b).value);
    }
}

/// Sticky flags that the guest has already must not hide what an operation raises beyond them.
#[test]
fn stale_host_flags_do_not_leak() {
    let masked = |status| Env { control: 0x037F, status };
    let (one, three) = (F80::ONE, F80::from_i64(3));
    Host::binary(Binary::Div, masked(0), &one, &three);
    Host::binary(Binary::Div, masked(super::status::PE), &one, &F80::ZERO);
    let exact = Host::binary(Binary::Add, masked(0), &one, &three);
    assert_eq!((exact.value, exact.status & EXCEPTIONS), (F80::from_i64(4), 0));
}

#[test]
fn conversions_from_memory_are_the_hosts() {
    let mut random = Random(14);
    for _ in 0..COUNT {
        let bits = random.next();
        let double = f64::from_bits(bits);
        if !double.is_nan() {
            let back = Host::store(Format::F64, Env { control: 0x037F, status: 0 }, &F80::from_f64(bits));
            assert_eq!(back.bits, bits);
        }
        let single = bits as u32;
        if !f32::from_bits(single).is_nan() {
            let back = Host::store(Format::F32, Env { control: 0x037F, status: 0 }, &F80::from_f32(single));
            assert_eq!(back.bits as u32, single);
        }
        let integer = (bits >> random.below(64)) as i64;
        let back = Host::store(Format::I64, Env { control: 0x037F, status: 0 }, &F80::from_i64(integer));
        assert_eq!(back.bits as i64, integer);
    }
}
