//! Random numbers with a liking for edges, the same in every run.
#![allow(dead_code)] // each test file uses its part

/// xorshift64*.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    /// One of `choices`.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    pub fn single(&mut self) -> u32 {
        const EDGES: [u32; 24] = [
            0,
            0x1,
            0x7F_FFFF,
            0x80_0000,
            0x80_0001,
            0x100_0000,
            0x3F80_0000,
            0x3F00_0000,
            0x3FC0_0000,
            0x4020_0000,
            0x4B00_0000,
            0x4B7F_FFFF,
            0x4EFF_FFFF,
            0x4F00_0000,
            0x5F00_0000,
            0x7F7F_FFFF,
            0x7F80_0000,
            0x7F80_0001,
            0x7FBF_FFFF,
            0x7FC0_0000,
            0x7FC1_2345,
            0x7FFF_FFFF,
            0x3F7F_FFFF,
            0x40_0000,
        ];
        match self.below(6) {
            0 | 1 => EDGES[self.below(24) as usize] | (self.next() as u32 & 1 << 31),
            2 => ((self.next() as i32 % 1000) as f32 / 4.0).to_bits(),
            3 | 4 => (0x3F80_0000 + ((self.below(16) as u32) << 23)) ^ (self.next() as u32 & 0x807F_FFFF),
            _ => self.next() as u32,
        }
    }

    pub fn double(&mut self) -> u64 {
        const EDGES: [u64; 24] = [
            0,
            1,
            0xF_FFFF_FFFF_FFFF,
            0x10_0000_0000_0000,
            0x10_0000_0000_0001,
            0x20_0000_0000_0000,
            0x3FF0_0000_0000_0000,
            0x3FE0_0000_0000_0000,
            0x3FF8_0000_0000_0000,
            0x4004_0000_0000_0000,
            0x4330_0000_0000_0000,
            0x41DF_FFFF_FFC0_0000,
            0x41E0_0000_0000_0000,
            0x41DF_FFFF_FFE0_0000,
            0x43E0_0000_0000_0000,
            0x43DF_FFFF_FFFF_FFFF,
            0x7FEF_FFFF_FFFF_FFFF,
            0x7FF0_0000_0000_0000,
            0x7FF0_0000_0000_0001,
            0x7FF7_FFFF_FFFF_FFFF,
            0x7FF8_0000_0000_0000,
            0x7FF8_1234_5678_9ABC,
            0x380F_FFFF_FFFF_FFFF,
            0x47EF_FFFF_FFFF_FFFF,
        ];
        match self.below(6) {
            0 | 1 => EDGES[self.below(24) as usize] | (self.next() & 1 << 63),
            2 => ((self.next() as i32 % 1000) as f64 / 4.0).to_bits(),
            3 => (0x3FF0_0000_0000_0000 + (self.below(64) << 52)) ^ (self.next() & 0x800F_FFFF_FFFF_FFFF),
            4 => (0x3690_0000_0000_0000 + (self.below(300) << 52)) ^ (self.next() & 0x800F_FFFF_FFFF_FFFF),
            _ => self.next(),
        }
    }

    pub fn byte_edges(&mut self) -> u64 {
        const EDGES: [u8; 8] = [0, 1, 2, 0x7F, 0x80, 0x81, 0xFF, 0x41];
        (0..8).fold(0, |v, _| v << 8 | u64::from(EDGES[self.below(8) as usize]))
    }

    pub fn vector(&mut self) -> u128 {
        let half = |r: &mut Self| match r.below(5) {
            0 => u64::from(r.single()) << 32 | u64::from(r.single()),
            1 => r.double(),
            2 => r.byte_edges(),
            3 => r.below(80),
            _ => r.next(),
        };
        match self.below(4) {
            0 => (0..4).fold(0, |v, _| v << 32 | u128::from(self.single())),
            1 => u128::from(self.double()) << 64 | u128::from(self.double()),
            _ => u128::from(half(self)) << 64 | u128::from(half(self)),
        }
    }
}
