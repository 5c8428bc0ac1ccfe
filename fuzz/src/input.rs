//! Reads decisions off a byte string.

/// The bytes not yet used. At the end everything is zero.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (now, later) = self.0.split_at(N.min(self.0.len()));
        self.0 = later;
        std::array::from_fn(|n| now.get(n).copied().unwrap_or(0))
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.u8() & 1 != 0
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        match end {
            0..=0x100 => u64::from(self.u8()) % end.max(1),
            0x101..=0x1_0000 => u64::from(self.u16()) % end,
            _ => self.u64() % end,
        }
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A 64-bit number of any magnitude: small ones and those near powers of two are as likely as the others.
    pub(crate) fn magnitude(&mut self) -> u64 {
        let (kind, shift) = (self.u8(), u32::from(self.u8()) & 63);
        match kind & 3 {
            0 => self.u8().into(),
            1 => self.u64() >> shift,
            2 => 1u64.wrapping_shl(shift).wrapping_sub(u64::from(kind >> 7)),
            _ => u64::MAX.wrapping_shl(shift).wrapping_add(u64::from(kind >> 7)),
        }
    }

    /// Up to `len` bytes as they are.
    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (now, later) = self.0.split_at(len.min(self.0.len()));
        self.0 = later;
        now
    }
}
