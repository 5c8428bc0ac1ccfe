//! What the drive tells of a disc: one session with one data track. MMC-3, "Read TOC/PMA/ATIP", "Read Disc
//! Information", "Read Track Information", "Read Sub-Channel", "Read DVD Structure".

use super::packet::{Packet, address, minutes};
use super::sense::Sense;
use super::tray::Profile;

/// ADR 1, and the control field of a data track.
const DATA_TRACK: u8 = 0x14;
const LEAD_OUT: u8 = 0xAA;

/// Two bytes of length, which do not count themselves.
fn with_length(mut reply: Vec<u8>) -> Vec<u8> {
    let len = u16::try_from(reply.len() - 2).unwrap_or(u16::MAX);
    reply[..2].copy_from_slice(&len.to_be_bytes());
    reply
}

fn descriptor(track: u8, block: u32, msf: bool) -> Vec<u8> {
    [&[0, DATA_TRACK, track, 0][..], &address(block, msf)].concat()
}

pub(super) fn read_toc(packet: &Packet, blocks: u32) -> Result<Vec<u8>, Sense> {
    let msf = packet.bit(1, 1);
    // SFF-8020i has the format in the two high bits of the last byte but two.
    let format = match packet.byte(2) & 0x0F {
        0 => packet.byte(9) >> 6,
        format => format,
    };
    let mut reply = vec![0, 0, 1, 1];
    match format {
        0 => {
            let from = packet.byte(6);
            if from > 1 && from != LEAD_OUT {
                return Err(Sense::INVALID_FIELD);
            }
            if from <= 1 {
                reply.extend(descriptor(1, 0, msf));
            }
            reply.extend(descriptor(LEAD_OUT, blocks, msf));
        }
        1 => reply.extend(descriptor(1, 0, msf)),
        2 => {
            let points = [(0xA0, [1, 0, 0]), (0xA1, [1, 0, 0]), (0xA2, minutes(blocks)), (1, minutes(0))];
            for (point, [m, s, f]) in points {
                reply.extend([1, DATA_TRACK, 0, point, 0, 0, 0, 0, m, s, f]);
            }
        }
        _ => return Err(Sense::INVALID_FIELD),
    }
    Ok(with_length(reply))
}

/// A finished disc.
pub(super) fn disc_information() -> Vec<u8> {
    let mut reply = vec![0; 34];
    // Last session complete, disc complete; first track, sessions, first and last track of the last session: 1.
    reply[2..7].copy_from_slice(&[0x0E, 1, 1, 1, 1]);
    reply[7] = 0x20; // unrestricted use
    with_length(reply)
}

pub(super) fn track_information(packet: &Packet, blocks: u32) -> Result<Vec<u8>, Sense> {
    let number = packet.u32(2);
    let known = match packet.byte(1) & 3 {
        0 => number < blocks,
        1 | 2 => number == 1,
        _ => false,
    };
    if !known {
        return Err(Sense::INVALID_FIELD);
    }
    let mut reply = vec![0; 36];
    // Track 1 of session 1, data track, mode 1.
    (reply[2], reply[3], reply[5], reply[6]) = (1, 1, 0x04, 0x01);
    reply[24..28].copy_from_slice(&blocks.to_be_bytes());
    Ok(with_length(reply))
}

pub(super) fn sub_channel(packet: &Packet) -> Result<Vec<u8>, Sense> {
    // No audio status: none was played.
    let mut reply = vec![0, 0x15, 0, 0];
    if packet.bit(2, 6) {
        let msf = packet.bit(1, 1);
        match packet.byte(3) {
            // Where the head is: at the start of the track. A relative address has no pregap.
            1 => {
                reply.extend([1, DATA_TRACK, 1, 1]);
                reply.extend(address(0, msf));
                reply.extend([0; 4]);
            }
            // No catalogue number, no ISRC.
            format @ 2..=3 => {
                reply.extend([format, 0, 0, 0]);
                reply.extend([0; 16]);
            }
            _ => return Err(Sense::INVALID_FIELD),
        }
    }
    let len = u16::try_from(reply.len() - 4).unwrap_or(u16::MAX);
    reply[2..4].copy_from_slice(&len.to_be_bytes());
    Ok(reply)
}

pub(super) fn dvd_structure(
    packet: &Packet,
    profile: Option<Profile>,
    blocks: u32,
) -> Result<Vec<u8>, Sense> {
    if profile != Some(Profile::DvdRom) {
        return Err(Sense::INCOMPATIBLE_MEDIUM);
    }
    // The first sector of the data zone (ECMA-267, 16.3).
    const FIRST: u32 = 0x03_0000;
    let mut reply = vec![0; 4];
    match packet.byte(7) {
        // Physical format: DVD-ROM 1, 120 mm, one embossed layer.
        0 => {
            reply.extend([0x01, 0x0F, 0x01, 0x00]);
            reply.extend(FIRST.to_be_bytes());
            reply.extend(FIRST.saturating_add(blocks - 1).to_be_bytes());
            reply.resize(4 + 2048, 0);
        }
        // Copyright: not protected, playable everywhere.
        1 => reply.extend([0; 4]),
        _ => return Err(Sense::INVALID_FIELD),
    }
    Ok(with_length(reply))
}
