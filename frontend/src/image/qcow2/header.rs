//! The header of a qcow2 image, as far as it must be known before the image is opened ("qcow2", "Header").

use crate::image::{Format, Held, ImageError};
use std::os::unix::fs::FileExt;

const MAGIC: &[u8; 4] = b"QFI\xFB";
/// The header of version 2, and the least one of version 3.
const V2: usize = 72;
const V3: usize = 104;
/// The longest name of a backing image, "Length of the backing file name".
const LONGEST_NAME: u32 = 1023;
/// The header extension that names the format of the backing image.
const BACKING_FORMAT: u32 = 0xE279_2ACA;
/// Extensions that are looked at.
const EXTENSIONS: usize = 64;

/// Incompatible features.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

/// Autoclear feature: there are dirty bitmaps.
const BITMAPS: u64 = 1;

#[derive(Clone, Debug)]
pub struct Header {
    pub version: u32,
    pub cluster_bits: u32,
    pub encrypted: bool,
    pub l1_entries: u32,
    pub l1_offset: u64,
    pub refcount_offset: u64,
    pub refcount_clusters: u32,
    pub refcount_order: u32,
    pub snapshots: u32,
    pub snapshots_offset: u64,
    pub incompatible: u64,
    pub autoclear: u64,
    pub backing: Option<Backing>,
}

/// What the image is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    pub name: String,
    pub format: Option<String>,
}

impl Header {
    /// # Errors
    /// Not a header, or one of an image that cannot be read.
    pub fn read(held: &Held) -> Result<Self, ImageError> {
        let header = Self::parse(held)?;
        header.known(0).map_err(|why| ImageError::Unsupported {
            name: held.name(),
            format: Format::Qcow2,
            why,
        })?;
        Ok(header)
    }

    /// Bytes of a cluster.
    pub fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// The header of any qcow2 image.
    pub fn parse(held: &Held) -> Result<Self, ImageError> {
        let mut bytes = [0; V3];
        let there = usize::try_from(held.bytes).unwrap_or(V3).min(V3);
        held.file.read_exact_at(&mut bytes[..there], 0).map_err(held.failed("read"))?;
        let dword = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let qword = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let version = dword(4);
        if there < V2 || !bytes.starts_with(MAGIC) {
            return Err(damaged(held, "it does not have the signature"));
        }
        if !(2..=3).contains(&version) || version == 3 && there < V3 {
            let why = format!("its version is {version}");
            return Err(ImageError::Unsupported { name: held.name(), format: Format::Qcow2, why });
        }
        let v3 = version == 3;
        let mut header = Self {
            version,
            cluster_bits: dword(20),
            encrypted: dword(32) != 0,
            l1_entries: dword(36),
            l1_offset: qword(40),
            refcount_offset: qword(48),
            refcount_clusters: dword(56),
            refcount_order: if v3 { dword(96) } else { 4 },
            snapshots: dword(60),
            snapshots_offset: qword(64),
            incompatible: if v3 { qword(72) } else { 0 },
            autoclear: if v3 { qword(88) } else { 0 },
            backing: None,
        };
        if !(9..=21).contains(&header.cluster_bits) || header.refcount_order > 6 {
            return Err(damaged(held, "the sizes in its header are impossible"));
        }
        let length = if v3 { dword(100).into() } else { V2 as u64 };
        header.backing = header.backing(held, qword(8), dword(16), length)?;
        Ok(header)
    }

    fn backing(&self, held: &Held, at: u64, len: u32, header: u64) -> Result<Option<Backing>, ImageError> {
        if at == 0 {
            return Ok(None);
        }
        if len == 0 || len > LONGEST_NAME || at > self.cluster() {
            return Err(damaged(held, "the name of the image it is based on is not in its header"));
        }
        let mut name = vec![0; len as usize];
        held.file.read_exact_at(&mut name, at).map_err(held.failed("read"))?;
        let not_text = |_| damaged(held, "the name of the image it is based on is not text");
        let name = String::from_utf8(name).map_err(not_text)?;
        Ok(Some(Backing { name, format: self.backing_format(held, header)? }))
    }

    /// Header extensions: a type, a length, that many bytes, padded to eight.
    fn backing_format(&self, held: &Held, header: u64) -> Result<Option<String>, ImageError> {
        let mut at = header;
        for _ in 0..EXTENSIONS {
            let mut start = [0; 8];
            if at + 8 > self.cluster().min(held.bytes) {
                break;
            }
            held.file.read_exact_at(&mut start, at).map_err(held.failed("read"))?;
            let [kind, len] =
                [0, 4].map(|at| start[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)));
            match kind {
                0 => break,
                BACKING_FORMAT if len <= 16 => {
                    let mut format = vec![0; len as usize];
                    held.file.read_exact_at(&mut format, at + 8).map_err(held.failed("read"))?;
                    return Ok(Some(String::from_utf8_lossy(&format).into_owned()));
                }
                _ => at += 8 + u64::from(len).next_multiple_of(8),
            }
        }
        Ok(None)
    }

    /// Whether a check of this image says something.
    pub fn can_be_checked(&self) -> Result<(), String> {
        if self.autoclear & BITMAPS != 0 {
            return Err("it has dirty bitmaps, which a check would take for leaks".into());
        }
        self.known(DIRTY | CORRUPT)
    }

    /// Whether this is an image of a kind that can be read, not minding some features.
    fn known(&self, unminded: u64) -> Result<(), String> {
        let incompatible = self.incompatible & !unminded;
        let features: [(u64, &str); 5] = [
            (DIRTY, "it was not closed cleanly; repair it with `qemu-img check -r all`"),
            (CORRUPT, "it is marked as damaged; repair it with `qemu-img check -r all`"),
            (DATA_FILE, "its data lies in another file"),
            (COMPRESSION, "it is packed with zstd"),
            (EXTENDED_L2, "it has extended L2 entries"),
        ];
        let known = features.iter().map(|(bit, _)| bit).sum::<u64>();
        match features.iter().find(|(bit, _)| incompatible & bit != 0) {
            Some((_, why)) => Err((*why).into()),
            None if incompatible & !known != 0 => Err("it has features that are newer than Posada".into()),
            None if self.encrypted => Err("it is encrypted".into()),
            None => Ok(()),
        }
    }
}

pub fn damaged(held: &Held, why: &str) -> ImageError {
    ImageError::Damaged { name: held.name(), format: Format::Qcow2, why: why.into() }
}
