//! Memory blocks as sections: 4 MiB a section, zero pages left out, the others compressed.

use super::RestoreMachineError;
use super::sections::{Tag, Writer};
use emu_core::MemoryMap;
use emu_core::memory::{BlockId, PAGE_SIZE};
use std::io::{self, Read, Write};

const PAGE: usize = 4096;
/// Pages in one section.
const CHUNK: usize = 1024;
const CHUNK_BYTES: u64 = CHUNK as u64 * PAGE_SIZE;
const COMPRESSION: i32 = 1;
/// Block number, chunk number, and a bit for each page that is there.
const HEAD: usize = 1 + 4 + CHUNK / 8;

/// Calls `page(number, bytes)` for each page of a block that is not all zero, in order.
pub(super) fn for_each_page(
    map: &MemoryMap,
    block: BlockId,
    mut page: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = [0; PAGE];
    for number in map.block(block).touched_pages() {
        map.block(block).read(number * PAGE_SIZE, &mut bytes);
        if bytes != [0; PAGE] {
            page(number, &bytes)?;
        }
    }
    Ok(())
}

/// One section in the making.
struct Chunk {
    number: u64,
    present: [u8; CHUNK / 8],
    pages: Vec<u8>,
}

impl Chunk {
    fn new(number: u64) -> Self {
        Self { number, present: [0; CHUNK / 8], pages: Vec::new() }
    }

    fn add(&mut self, page: u64, bytes: &[u8]) {
        let page = usize::try_from(page % CHUNK as u64).expect("a page of a chunk");
        self.present[page / 8] |= 1 << (page % 8);
        self.pages.extend_from_slice(bytes);
    }

    fn write<W: Write>(&self, block: u8, to: &mut Writer<W>) -> io::Result<()> {
        if self.pages.is_empty() {
            return Ok(());
        }
        let number = u32::try_from(self.number).expect("a block has fewer than 2^32 chunks");
        let mut content = [&[block][..], &number.to_le_bytes(), &self.present].concat();
        content.extend(zstd::encode_all(&self.pages[..], COMPRESSION)?);
        to.section(Tag::Memory, &content)
    }
}

/// Writes block number `number` of the machine.
pub(super) fn save<W: Write>(
    map: &MemoryMap,
    number: u8,
    block: BlockId,
    to: &mut Writer<W>,
) -> io::Result<()> {
    let mut chunk = Chunk::new(0);
    for_each_page(map, block, |page, bytes| {
        let of_page = page / CHUNK as u64;
        if of_page != chunk.number {
            std::mem::replace(&mut chunk, Chunk::new(of_page)).write(number, to)?;
        }
        chunk.add(page, bytes);
        Ok(())
    })?;
    chunk.write(number, to)
}

/// Fills the pages of one section into the blocks of a machine.
pub(super) fn restore(
    map: &MemoryMap,
    blocks: &[BlockId],
    content: &[u8],
) -> Result<(), RestoreMachineError> {
    let damaged = |what: &str| RestoreMachineError::Damaged(what.to_owned());
    let (head, packed) =
        content.split_at_checked(HEAD).ok_or_else(|| damaged("a memory section is short"))?;
    let number = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let present = &head[5..];
    let block = blocks.get(usize::from(head[0])).ok_or_else(|| damaged("it has an unknown memory block"))?;
    let count = present.iter().map(|byte| byte.count_ones() as usize).sum::<usize>();
    let pages = unpack(packed, count * PAGE)?;
    let set = (0..CHUNK).filter(|page| present[page / 8] & (1 << (page % 8)) != 0);
    for (page, bytes) in set.zip(pages.chunks_exact(PAGE)) {
        let offset = u64::from(number) * CHUNK_BYTES + page as u64 * PAGE_SIZE;
        if offset + PAGE_SIZE > map.block(*block).len() {
            return Err(damaged("it has memory beyond the end of a block"));
        }
        map.fill_block(*block, offset, bytes);
    }
    Ok(())
}

/// Unpacks exactly `len` bytes.
pub(super) fn unpack(packed: &[u8], len: usize) -> Result<Vec<u8>, RestoreMachineError> {
    let damaged = |_: io::Error| RestoreMachineError::Damaged("a section does not unpack".to_owned());
    let mut bytes = Vec::new();
    let decoder = zstd::Decoder::new(packed).map_err(damaged)?;
    decoder.take(len as u64 + 1).read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() == len {
        Ok(bytes)
    } else {
        Err(RestoreMachineError::Damaged("a section has the wrong size".to_owned()))
    }
}
