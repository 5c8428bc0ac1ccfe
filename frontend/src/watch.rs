//! Looking for a text in a stream of bytes that arrives in pieces.

/// Finds one text in a stream.
pub struct Watch {
    text: Vec<u8>,
    /// The last bytes seen, at most one fewer than the text has.
    tail: Vec<u8>,
}

impl Watch {
    /// Watches for `text`, which is not empty.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), tail: Vec::new() }
    }

    /// Takes more of the stream. When the text has just been completed, returns how many of `bytes` that took; the
    /// search then begins anew behind it.
    pub fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        let before = self.tail.len();
        self.tail.extend_from_slice(bytes);
        if let Some(at) = self.tail.windows(self.text.len()).position(|window| window == self.text) {
            let used = (at + self.text.len()).saturating_sub(before);
            self.tail.clear();
            return Some(used);
        }
        let keep = self.text.len().saturating_sub(1).min(self.tail.len());
        self.tail.drain(..self.tail.len() - keep);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Watch;

    #[test]
    fn a_text_is_found_across_pieces_and_only_once() {
        let mut watch = Watch::new("ready");
        assert_eq!(watch.take(b"not rea"), None);
        assert_eq!(watch.take(b"l, rea"), None);
        assert_eq!(watch.take(b"dy now"), Some(2));
        assert_eq!(watch.take(b"..."), None);
    }

    #[test]
    fn overlapping_beginnings_are_not_missed() {
        let mut watch = Watch::new("aab");
        assert_eq!(watch.take(b"aa"), None);
        assert_eq!(watch.take(b"ab"), Some(2));
    }
}
