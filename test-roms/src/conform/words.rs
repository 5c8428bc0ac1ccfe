//! An outcome as a row of 64-bit words: what a recording keeps are the words that differ from those before the run.

use super::state::{End, Outcome, Registers};
use emu_core::vcpu::{F80, X87};

/// Words of an outcome.
pub const COUNT: usize = 4 + 16 + 5 + 3 + 16 + 32 + 32;

/// Kinds of end, as the first word has them.
const THROUGH: u64 = 0;
const LOST: u64 = 1;
const EXCEPTION: u64 = 2;
const PAGE_FAULT: u64 = 3;
const ENDLESS: u64 = 4;

/// The words of an outcome.
pub fn of(outcome: &Outcome) -> [u64; COUNT] {
    let mut words = Vec::with_capacity(COUNT);
    words.extend(end(&outcome.end));
    let r = &outcome.registers;
    words.extend(r.gpr);
    let [a, b, c, d, e, f] = outcome.selectors.map(u64::from);
    words.extend([r.rflags, r.fs_base, r.gs_base, a | b << 16 | c << 32 | d << 48, e | f << 16]);
    let x = &r.x87;
    let word = u64::from(x.control) | u64::from(x.status) << 16;
    words.push(word | u64::from(x.opcode) << 32 | u64::from(x.empty) << 48);
    words.extend([x.ip, x.dp]);
    words.extend(x.r.iter().flat_map(|r| [r.significand, u64::from(r.exponent)]));
    words.extend(r.xmm.iter().chain(&r.ymm_high).flat_map(|v| [*v as u64, (*v >> 64) as u64]));
    let mut row: [u64; COUNT] = words.try_into().expect("one word for each place");
    row[3] |= u64::from(r.mxcsr) << 32;
    row
}

fn end(end: &End) -> [u64; 4] {
    match *end {
        End::Through => [THROUGH, 0, 0, 0],
        End::Lost => [LOST, 0, 0, 0],
        End::Endless => [ENDLESS, 0, 0, 0],
        End::Exception { vector, error, rip, cr2 } => {
            let kind = if cr2.is_some() { PAGE_FAULT } else { EXCEPTION };
            [kind | u64::from(vector) << 8, rip, cr2.unwrap_or(0), u64::from(error)]
        }
    }
}

/// The outcome that has these words.
pub fn outcome(words: &[u64; COUNT]) -> Outcome {
    let pair = |at: usize| u128::from(words[at]) | u128::from(words[at + 1]) << 64;
    let vector = (words[0] >> 8) as u8;
    let exception = |cr2| End::Exception { vector, error: words[3] as u32, rip: words[1], cr2 };
    let end = match words[0] & 0xFF {
        THROUGH => End::Through,
        EXCEPTION => exception(None),
        PAGE_FAULT => exception(Some(words[2])),
        ENDLESS => End::Endless,
        _ => End::Lost,
    };
    let x = words[25];
    let x87 = X87 {
        r: std::array::from_fn(|n| F80 {
            significand: words[28 + 2 * n],
            exponent: words[29 + 2 * n] as u16,
        }),
        control: x as u16,
        status: (x >> 16) as u16,
        opcode: (x >> 32) as u16,
        empty: (x >> 48) as u8,
        ip: words[26],
        dp: words[27],
        ..X87::default()
    };
    let registers = Registers {
        gpr: std::array::from_fn(|n| words[4 + n]),
        rflags: words[20],
        fs_base: words[21],
        gs_base: words[22],
        x87,
        mxcsr: (words[3] >> 32) as u32,
        xmm: std::array::from_fn(|n| pair(44 + 2 * n)),
        ymm_high: std::array::from_fn(|n| pair(76 + 2 * n)),
    };
    let selectors = std::array::from_fn(|n| (words[23 + n / 4] >> (16 * (n % 4))) as u16);
    Outcome { end, registers, selectors }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let x87 = X87 {
            r: std::array::from_fn(|n| F80 { significand: !(n as u64), exponent: 0x7FF0 + n as u16 }),
            control: 0x37F,
            status: 0x3800,
            empty: 0x81,
            opcode: 0x7FF,
            ip: 5,
            dp: 6,
            ..X87::default()
        };
        let registers = Registers {
            gpr: std::array::from_fn(|n| n as u64 * 0x0123_4567_89AB_CDEF),
            rflags: 0x246,
            fs_base: 1,
            gs_base: 2,
            x87,
            mxcsr: 0xFFBF,
            xmm: std::array::from_fn(|n| u128::MAX / (n as u128 + 2)),
            ymm_high: std::array::from_fn(|n| u128::MAX / (n as u128 + 77)),
        };
        let ends = [
            End::Through,
            End::Lost,
            End::Endless,
            End::Exception { vector: 13, error: 0xFFFF_FFF8, rip: 9, cr2: None },
            End::Exception { vector: 14, error: 7, rip: u64::MAX, cr2: Some(0) },
        ];
        for end in ends {
            let outcome = Outcome { end, registers: registers.clone(), selectors: [1, 2, 3, 4, 5, 6] };
            assert_eq!(super::outcome(&of(&outcome)), outcome);
        }
    }
}
