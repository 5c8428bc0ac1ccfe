//! Text to compress: words of a made-up language, frequent and rare ones, in sentences with some numbers.

use crate::random::Random;

const WORDS: usize = 6_000;

/// So many bytes of text, always the same.
pub fn text(bytes: usize) -> Vec<u8> {
    let mut random = Random::new(1);
    let words: Vec<Vec<u8>> = (0..WORDS).map(|_| word(&mut random)).collect();
    let mut text = Vec::with_capacity(bytes + 64);
    while text.len() < bytes {
        // The product of two chances: low indices are far more frequent, as in a language.
        let index = random.below(WORDS) * random.below(WORDS) / WORDS;
        text.extend_from_slice(&words[index]);
        match random.below(16) {
            0 => text.extend_from_slice(b".\n"),
            1 => text.extend_from_slice(b", "),
            2 => text.extend_from_slice(format!(" {} ", random.below(100_000)).as_bytes()),
            _ => text.push(b' '),
        }
    }
    text.truncate(bytes);
    text
}

fn word(random: &mut Random) -> Vec<u8> {
    const LETTERS: &[u8] = b"eeeeaaaaiiioootttnnnsssrrrllldddmmuuccpphhggbbffywvkxzjq";
    (0..2 + random.below(8)).map(|_| LETTERS[random.below(LETTERS.len())]).collect()
}
