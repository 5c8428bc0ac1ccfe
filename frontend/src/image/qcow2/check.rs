//! Whether the tables of a qcow2 image agree with each other: each cluster must be counted as often as it is used
//! ("qcow2", "Host cluster management" and "Cluster mapping").
//!
//! A cluster that is used more often than it is counted is damage: it may be given away while it is in use. One that is
//! counted more often is a leak, which costs only space. Nothing is repaired.

use super::header::Header;
use crate::image::{Format, Held, ImageError};
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;

/// The largest file that is checked: four bytes of memory for each cluster.
const CLUSTERS: u64 = 64 << 20;
/// The longest table of the first level, 32 MiB, and the most snapshots.
const ENTRIES: u64 = 4 << 20;
const SNAPSHOTS: u32 = 4096;
/// Messages that are kept.
const MESSAGES: usize = 8;

/// Bits of an entry of a table: the offset, and the flags.
const OFFSET: u64 = 0x00FF_FFFF_FFFF_FE00;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;

/// What a check has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub damaged: u64,
    pub leaked: u64,
    /// The first damages, for a person.
    pub messages: Vec<String>,
}

struct Check<'a> {
    held: &'a Held,
    header: &'a Header,
    /// How often each cluster of the file is used, and how often it is counted.
    used: Vec<u32>,
    counted: Vec<u32>,
    /// Clusters that nothing else may use: they are written where they are.
    alone: Vec<RangeInclusive<usize>>,
    findings: Findings,
}

/// What the disk is seen through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    Active,
    Snapshot,
}

#[derive(Clone, Copy)]
enum Level {
    Refcounts,
    First,
    Second,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Refcounts => "the refcount table",
            Self::First => "a table of the first level",
            Self::Second => "a table of the second level",
        }
    }
}

/// Tells `go_on` how many parts of the disk are done, and of how many, and ends when it says so.
///
/// # Errors
/// The image cannot be read, or it is of a kind that is not known.
pub fn check(held: &Held, go_on: impl FnMut(u64, u64) -> bool) -> Result<Findings, ImageError> {
    let header = Header::parse(held)?;
    header.can_be_checked().map_err(|why| unsupported(held, why))?;
    walk(held, &header, go_on)
}

/// Whether an image may be written to: a writer believes the tables, and would destroy a damaged image.
///
/// # Errors
/// It is damaged, or cannot be read.
pub fn sound(held: &Held, header: &Header) -> Result<(), ImageError> {
    let Findings { damaged, messages, .. } = walk(held, header, |_, _| true)?;
    match messages.into_iter().next() {
        Some(first) if damaged > 0 => {
            let why = format!("{first}; it can still be read, with readonly");
            Err(ImageError::Damaged { name: held.name(), format: Format::Qcow2, why })
        }
        _ => Ok(()),
    }
}

fn unsupported(held: &Held, why: String) -> ImageError {
    ImageError::Unsupported { name: held.name(), format: Format::Qcow2, why }
}

fn walk(
    held: &Held,
    header: &Header,
    mut go_on: impl FnMut(u64, u64) -> bool,
) -> Result<Findings, ImageError> {
    let clusters = held.bytes.div_ceil(header.cluster());
    if clusters > CLUSTERS {
        return Err(unsupported(held, "it has too many clusters to be checked".into()));
    }
    let len = usize::try_from(clusters).unwrap_or(0);
    let (used, counted, alone) = (vec![0; len], vec![0; len], Vec::new());
    let mut check = Check { held, header, used, counted, alone, findings: Findings::default() };
    check.refcounts()?;
    check.use_alone(0, 1, "the header");
    check.snapshots()?;
    check.first_level(Root::Active, header.l1_offset, header.l1_entries, &mut go_on)?;
    check.compare();
    Ok(check.findings)
}

impl Check<'_> {
    fn damage(&mut self, message: String) {
        self.findings.damaged += 1;
        if self.findings.messages.len() < MESSAGES {
            self.findings.messages.push(message);
        }
    }

    fn index(&self, offset: u64) -> Option<usize> {
        usize::try_from(offset >> self.header.cluster_bits).ok().filter(|index| *index < self.used.len())
    }

    /// Counts the clusters in which these bytes lie as used once more.
    fn use_bytes(&mut self, offset: u64, len: u64, what: &str) -> Option<RangeInclusive<usize>> {
        let last = offset.checked_add(len.saturating_sub(1)).and_then(|last| self.index(last));
        let (Some(first), Some(last)) = (self.index(offset), last) else {
            self.damage(format!("{what} at {offset:#x} lies beyond the end of the file"));
            return None;
        };
        self.used[first..=last].iter_mut().for_each(|count| *count = count.saturating_add(1));
        Some(first..=last)
    }

    /// The same for what must share its clusters with nothing.
    fn use_alone(&mut self, offset: u64, len: u64, what: &str) -> bool {
        let clusters = self.use_bytes(offset, len, what);
        let inside = clusters.is_some();
        self.alone.extend(clusters);
        inside
    }

    /// A table of entries of eight bytes, if it is in the file.
    fn table(&mut self, level: Level, offset: u64, entries: u64) -> Result<Vec<u64>, ImageError> {
        if entries == 0 {
            return Ok(Vec::new());
        }
        let what = level.name();
        let can_be = offset.is_multiple_of(self.header.cluster()) && offset != 0 && entries <= ENTRIES;
        let used = can_be
            && match level {
                // Snapshots share these.
                Level::Second => self.use_bytes(offset, entries * 8, what).is_some(),
                Level::Refcounts | Level::First => self.use_alone(offset, entries * 8, what),
            };
        if !used {
            self.damage(format!("{what} at {offset:#x} is not where a table can be"));
            return Ok(Vec::new());
        }
        let bytes = self.read(offset, entries * 8)?;
        Ok(bytes.as_chunks().0.iter().map(|entry| u64::from_be_bytes(*entry)).collect())
    }

    /// Bytes of the file; zeros beyond its end, where its last cluster may be cut short.
    fn read(&self, offset: u64, len: u64) -> Result<Vec<u8>, ImageError> {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let there = self.held.bytes.saturating_sub(offset).min(len);
        let there = usize::try_from(there).unwrap_or(0);
        self.held.file.read_exact_at(&mut bytes[..there], offset).map_err(self.held.failed("read"))?;
        Ok(bytes)
    }

    /// Reads what is counted.
    fn refcounts(&mut self) -> Result<(), ImageError> {
        let Header { cluster_bits, refcount_offset, refcount_clusters, refcount_order, .. } = *self.header;
        let entries = (u64::from(refcount_clusters) << cluster_bits) / 8;
        let blocks = self.table(Level::Refcounts, refcount_offset, entries)?;
        let cluster = self.header.cluster();
        let in_block = usize::try_from((cluster * 8) >> refcount_order).unwrap_or(0);
        for (n, entry) in blocks.into_iter().enumerate() {
            let offset = entry & OFFSET;
            if offset == 0 {
                continue;
            }
            if !offset.is_multiple_of(cluster) || !self.use_alone(offset, cluster, "a refcount block") {
                self.damage(format!("a refcount block at {offset:#x} is not where one can be"));
                continue;
            }
            let block = self.read(offset, cluster)?;
            let first = n.saturating_mul(in_block).min(self.counted.len());
            for (index, count) in self.counted[first..].iter_mut().take(in_block).enumerate() {
                *count = refcount(&block, index, refcount_order);
            }
        }
        Ok(())
    }

    /// Tables of a first level and all below them.
    fn first_level(
        &mut self,
        root: Root,
        offset: u64,
        entries: u32,
        go_on: &mut impl FnMut(u64, u64) -> bool,
    ) -> Result<(), ImageError> {
        let table = self.table(Level::First, offset, entries.into())?;
        let mut seen = HashSet::new();
        let total = table.len() as u64;
        for (n, entry) in (1..).zip(table) {
            if !go_on(n, total) {
                return Err(ImageError::Interrupted);
            }
            let offset = entry & OFFSET;
            if offset == 0 {
                continue;
            }
            if !seen.insert(offset) {
                self.damage(format!("the table at {offset:#x} is used for two parts of the disk"));
                continue;
            }
            self.look_at_copied(root, entry, offset);
            let entries = self.header.cluster() / 8;
            for entry in self.table(Level::Second, offset, entries)? {
                self.second_level(root, entry);
            }
        }
        Ok(())
    }

    fn second_level(&mut self, root: Root, entry: u64) {
        let bits = self.header.cluster_bits;
        if entry & COMPRESSED != 0 {
            // The offset takes the low bits, the number of sectors after the first one those above.
            let offset_bits = 62 - (bits - 8);
            let offset = entry & ((1 << offset_bits) - 1);
            let sectors = 1 + (entry >> offset_bits & ((1 << (bits - 8)) - 1));
            // The last sector may be cut short with the file.
            let end = ((offset & !511) + sectors * 512).min(self.held.bytes.max(offset + 1));
            self.use_bytes(offset, end - offset, "packed data");
            return;
        }
        let offset = entry & OFFSET;
        if offset == 0 {
            return;
        }
        if !offset.is_multiple_of(self.header.cluster()) {
            self.damage(format!("data at {offset:#x} is not where a cluster can be"));
        } else if self.use_bytes(offset, 1, "data").is_some() {
            self.look_at_copied(root, entry, offset);
        }
    }

    /// "COPIED": the cluster is used once, so it may be written to.
    fn look_at_copied(&mut self, root: Root, entry: u64, offset: u64) {
        let Some(index) = self.index(offset) else { return };
        let once = self.counted[index] == 1;
        if root == Root::Active && (entry & COPIED != 0) != once {
            self.damage(format!("the cluster at {offset:#x} is marked wrongly as used once or more often"));
        }
    }

    /// The table of snapshots, and what each of them uses ("Snapshots").
    fn snapshots(&mut self) -> Result<(), ImageError> {
        let Header { snapshots, snapshots_offset: start, .. } = *self.header;
        if snapshots == 0 {
            return Ok(());
        }
        let mut at = start;
        for _ in 0..snapshots.min(SNAPSHOTS) {
            let entry = self.read(at, 40)?;
            let word = |at: usize| entry[at..].first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
            let dword = |at: usize| entry[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            let qword = |at: usize| entry[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            self.first_level(Root::Snapshot, qword(0), dword(8), &mut |_, _| true)?;
            let rest = u64::from(dword(36)) + u64::from(word(12)) + u64::from(word(14));
            let next = at.checked_add((40 + rest).next_multiple_of(8));
            match next.filter(|next| *next <= self.held.bytes) {
                Some(next) => at = next,
                None => {
                    self.damage("the table of snapshots ends beyond the file".into());
                    break;
                }
            }
        }
        self.use_bytes(start, at.saturating_sub(start).max(1), "the table of snapshots");
        Ok(())
    }

    fn compare(&mut self) {
        for index in std::mem::take(&mut self.alone).into_iter().flatten() {
            if self.used[index] > 1 {
                let offset = (index as u64) << self.header.cluster_bits;
                self.damage(format!("the cluster at {offset:#x} holds a table and something else"));
            }
        }
        let pairs: Vec<(usize, u32, u32)> = self
            .used
            .iter()
            .zip(&self.counted)
            .enumerate()
            .filter(|(_, (used, counted))| used != counted)
            .map(|(index, (used, counted))| (index, *used, *counted))
            .collect();
        for (index, used, counted) in pairs {
            if used > counted {
                let offset = (index as u64) << self.header.cluster_bits;
                self.damage(format!(
                    "the cluster at {offset:#x} is used {used} times but counted {counted} times"
                ));
            } else {
                self.findings.leaked += 1;
            }
        }
    }
}

/// An entry of a refcount block, of `2^order` bits; those of less than a byte start at its low end.
fn refcount(block: &[u8], index: usize, order: u32) -> u32 {
    let bits = 1usize << order;
    if bits < 8 {
        let byte = block[index * bits / 8];
        return u32::from(byte >> (index * bits % 8)) & ((1 << bits) - 1);
    }
    let bytes = bits / 8;
    let wide = block[index * bytes..][..bytes].iter().fold(0u64, |wide, byte| wide << 8 | u64::from(*byte));
    u32::try_from(wide).unwrap_or(u32::MAX)
}
