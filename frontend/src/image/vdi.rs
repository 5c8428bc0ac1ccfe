//! VirtualBox disk images of version 1.1, read: dynamic and fixed ones (forum.virtualbox.org, topic 8046, "All about
//! VDIs"). Differencing images are left out: they name their parents by number only.

use super::blocks::{self, Blocks, Place};
use super::{Format, Held, ImageError, SECTOR};
use std::os::unix::fs::FileExt;

/// The header: 64 bytes of text for people, then fields in little-endian order.
const HEADER: usize = 0x200;
const SIGNATURE: u32 = 0xBEDA_107F;
const VERSION: u32 = 0x0001_0001;
/// Blocks from this number on are not in the file: FFFFFFFFh never written, FFFFFFFEh zeros.
const ABSENT: u32 = 0xFFFF_FFFE;
/// The largest block that is believed; VirtualBox makes blocks of 1 MiB.
const LARGEST: u32 = 256 << 20;

pub fn open(held: Held) -> Result<Blocks, ImageError> {
    let damaged = |why: &str| ImageError::Damaged { name: held.name(), format: Format::Vdi, why: why.into() };
    let unsupported =
        |why: &str| ImageError::Unsupported { name: held.name(), format: Format::Vdi, why: why.into() };
    let mut header = [0; HEADER];
    held.file.read_exact_at(&mut header, 0).map_err(held.failed("read"))?;
    let dword = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let bytes = u64::from(dword(0x170)) | u64::from(dword(0x174)) << 32;
    let (first_entry, first_block) = (u64::from(dword(0x154)), u64::from(dword(0x158)));
    let (block, extra, count) = (dword(0x178), dword(0x17C), dword(0x180));
    match (dword(0x40), dword(0x44), dword(0x4C)) {
        (SIGNATURE, VERSION, 1 | 2) => {}
        (SIGNATURE, VERSION, 3 | 4) => {
            return Err(unsupported("it holds only the difference to another image"));
        }
        (SIGNATURE, VERSION, _) => return Err(damaged("its type is none that exists")),
        (SIGNATURE, _, _) => return Err(unsupported("its version is not 1.1")),
        _ => return Err(damaged("it does not have the signature")),
    }
    let sound = block.is_power_of_two() && (512..=LARGEST).contains(&block) && dword(0x168) == 512;
    let block = u64::from(block);
    if !sound || bytes == 0 || !bytes.is_multiple_of(SECTOR) || u64::from(count) < bytes.div_ceil(block) {
        return Err(damaged("the sizes in its header do not fit together"));
    }
    let table = blocks::table(&held, Format::Vdi, first_entry, count.into())?;
    let table = table.as_chunks().0.iter().map(|entry| u32::from_le_bytes(*entry)).collect();
    let stride = block + u64::from(extra);
    let place = Place { first: first_block, stride, skip: extra.into(), absent: ABSENT };
    Ok(Blocks::new(held.file, bytes, block, table, place))
}
