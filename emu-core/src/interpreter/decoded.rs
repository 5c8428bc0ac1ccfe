//! Which bytes of a page were decoded: to the byte, since programs keep their variables right beside their code (GRUB and
//! DOS programs in the same 64 bytes), and a store to one of them must not cost the page's code.

const PAGE_BYTES: u64 = 4096;

/// A bit for each byte of a page.
pub struct DecodedBytes(Box<[u64; 64]>);

impl Default for DecodedBytes {
    fn default() -> Self {
        Self(Box::new([0; 64]))
    }
}

/// The words that `size` bytes at `offset` touch, with their bits. What is beyond the page does not count.
fn words(offset: u64, size: u64) -> impl Iterator<Item = (usize, u64)> {
    let end = offset.saturating_add(size.max(1)).min(PAGE_BYTES);
    (offset >> 6..end.div_ceil(64)).map(move |word| {
        let first = offset.max(word << 6) & 63;
        let last = (end - 1).min(word << 6 | 63) & 63;
        ((word & 63) as usize, u64::MAX >> (63 - (last - first)) << first)
    })
}

impl DecodedBytes {
    pub fn add(&mut self, offset: u64, size: u64) {
        words(offset, size).for_each(|(word, bits)| self.0[word] |= bits);
    }

    pub fn touches(&self, offset: u64, size: u64) -> bool {
        words(offset, size).any(|(word, bits)| self.0[word] & bits != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_is_exact() {
        for (offset, size) in
            [(0, 1), (60, 8), (63, 1), (64, 64), (100, 200), (4095, 1), (4090, 16), (0, 4096)]
        {
            let mut bytes = DecodedBytes::default();
            assert!(!bytes.touches(0, 4096));
            bytes.add(offset, size);
            for at in 0..4096 {
                let inside = (offset..offset + size).contains(&at);
                assert_eq!(bytes.touches(at, 1), inside, "{at} of {offset}+{size}");
            }
            assert!(offset == 0 || !bytes.touches(0, offset));
            assert!(bytes.touches(offset.saturating_sub(3), 4));
        }
    }
}
