//! What the words of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE have in common.

use super::drive::XFER_MWDMA;

/// ASCII in words, the first character in the high byte, filled up with blanks.
pub(super) fn set_text(words: &mut [u16], text: &str) {
    let mut bytes = text.bytes().chain(std::iter::repeat(b' '));
    for word in words {
        *word = u16::from_be_bytes([bytes.next().unwrap_or(b' '), bytes.next().unwrap_or(b' ')]);
    }
}

pub(super) fn set_u32(words: &mut [u16], value: u32) {
    for (word, bytes) in words.iter_mut().zip(value.to_le_bytes().chunks_exact(2)) {
        *word = u16::from_le_bytes([bytes[0], bytes[1]]);
    }
}

/// The high byte of word 63: which multiword DMA mode is in use.
pub(super) fn active_mode(transfer_mode: u8) -> u16 {
    if XFER_MWDMA.contains(&transfer_mode) { 0x0100 << (transfer_mode & 7) } else { 0 }
}

pub(super) fn bytes(words: &[u16; 256]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
