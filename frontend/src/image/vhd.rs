//! Virtual Hard Disks of Virtual PC and early Hyper-V, read: fixed and dynamic ones ("Virtual Hard Disk Image Format
//! Specification", Microsoft 2006). Differencing images are left out.
//!
//! The bitmaps before the blocks of a dynamic image are not looked at: sectors that were never written are zeros in the
//! file too. A dynamic image has a copy of its footer at the start, which serves when the one at the end is damaged.

use super::blocks::{self, Blocks, Place};
use super::{Format, Held, ImageError, SECTOR};
use std::os::unix::fs::FileExt;

const FOOTER: usize = 512;
const DYNAMIC_HEADER: usize = 1024;
/// "A dynamic disk is at most 2040 GB", as a fixed one is.
const LARGEST: u64 = 2040 << 30;
/// The largest block that is believed; the default is 2 MiB.
const LARGEST_BLOCK: u32 = 256 << 20;
/// The entry of a block that is not in the file.
const UNUSED: u32 = 0xFFFF_FFFF;

/// What a footer says.
struct Footer {
    /// Where the dynamic header lies.
    data_offset: u64,
    current_size: u64,
    kind: Kind,
}

enum Kind {
    Fixed,
    Dynamic,
}

pub fn open(held: Held) -> Result<Blocks, ImageError> {
    let Footer { data_offset, current_size, kind } = footer(&held)?;
    match kind {
        Kind::Fixed if current_size > held.bytes.saturating_sub(FOOTER as u64) => {
            Err(damaged(&held, "the file is shorter than the disk"))
        }
        // One block, the whole file.
        Kind::Fixed => {
            let place = Place { first: 0, stride: 0, skip: 0, absent: UNUSED };
            Ok(Blocks::new(held.file, current_size, current_size, vec![0], place))
        }
        Kind::Dynamic => dynamic(held, data_offset, current_size),
    }
}

fn damaged(held: &Held, why: &str) -> ImageError {
    ImageError::Damaged { name: held.name(), format: Format::Vhd, why: why.into() }
}

fn footer(held: &Held) -> Result<Footer, ImageError> {
    for start in [held.bytes.saturating_sub(FOOTER as u64), 0] {
        let mut bytes = [0; FOOTER];
        if held.bytes >= FOOTER as u64 {
            held.file.read_exact_at(&mut bytes, start).map_err(held.failed("read"))?;
        }
        if bytes.starts_with(b"conectix") && dword(&bytes, 64) == checksum(&bytes, 64) {
            return parsed(held, &bytes);
        }
    }
    Err(damaged(held, "it has no footer with a right checksum"))
}

fn parsed(held: &Held, footer: &[u8]) -> Result<Footer, ImageError> {
    let kind = match dword(footer, 60) {
        2 => Kind::Fixed,
        3 => Kind::Dynamic,
        4 => {
            let why = "it holds only the difference to another image".into();
            return Err(ImageError::Unsupported { name: held.name(), format: Format::Vhd, why });
        }
        _ => return Err(damaged(held, "its type is none that exists")),
    };
    let current_size = qword(footer, 48);
    if current_size == 0 || current_size > LARGEST || !current_size.is_multiple_of(SECTOR) {
        return Err(damaged(held, "the size of its disk is impossible"));
    }
    Ok(Footer { data_offset: qword(footer, 16), current_size, kind })
}

fn dynamic(held: Held, at: u64, bytes: u64) -> Result<Blocks, ImageError> {
    let mut header = [0; DYNAMIC_HEADER];
    if at.checked_add(DYNAMIC_HEADER as u64).is_none_or(|end| end > held.bytes) {
        return Err(damaged(&held, "its dynamic header is not in the file"));
    }
    held.file.read_exact_at(&mut header, at).map_err(held.failed("read"))?;
    if !header.starts_with(b"cxsparse") || dword(&header, 36) != checksum(&header, 36) {
        return Err(damaged(&held, "its dynamic header has not the right checksum"));
    }
    let (table_offset, entries, block) = (qword(&header, 16), dword(&header, 28), dword(&header, 32));
    if !block.is_power_of_two() || !(512..=LARGEST_BLOCK).contains(&block) {
        return Err(damaged(&held, "the size of its blocks is impossible"));
    }
    let block = u64::from(block);
    if u64::from(entries) < bytes.div_ceil(block) {
        return Err(damaged(&held, "its table does not describe the whole disk"));
    }
    let table = blocks::table(&held, Format::Vhd, table_offset, entries.into())?;
    let table = table.as_chunks().0.iter().map(|entry| u32::from_be_bytes(*entry)).collect();
    // "The sector bitmap is padded to a 512-byte sector boundary": one bit for each sector of the block.
    let skip = (block / SECTOR).div_ceil(8).next_multiple_of(SECTOR);
    let place = Place { first: 0, stride: SECTOR, skip, absent: UNUSED };
    Ok(Blocks::new(held.file, bytes, block, table, place))
}

/// "A one's complement of the sum of all the bytes without the checksum field".
pub(super) fn checksum(bytes: &[u8], field: usize) -> u32 {
    let counted = bytes.iter().enumerate().filter(|(at, _)| !(field..field + 4).contains(at));
    !counted.fold(0u32, |sum, (_, byte)| sum.wrapping_add((*byte).into()))
}

fn dword(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn qword(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
