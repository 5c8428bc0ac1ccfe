//! What the content of a file says about its format.
//!
//! A file with the signature of a format is of that format. A raw image has no signature, so it must show something of
//! a disk: a boot sector, a file system, or nothing yet (zeros). Everything else could be anything: it is only written to
//! when the user says what it is. Signatures are from the documents that the readers cite, and for those that are only
//! told apart here from the `file` program's public documentation.

use super::{Format, SECTOR};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Is(Format),
    /// Something else that should not be mistaken for a raw image.
    Foreign(&'static str),
    Unknown,
}

/// As much as is looked at from the start: an ISO 9660 volume descriptor lies at 32 KiB.
const START: usize = 36 << 10;

/// Signatures of formats: where, what, of which.
const CONTAINERS: [(usize, &[u8], Content); 10] = [
    (0, b"QFI\xFB", Content::Is(Format::Qcow2)),
    (0, b"KDMV", Content::Is(Format::Vmdk)),
    (0, b"# Disk DescriptorFile", Content::Is(Format::Vmdk)),
    (0x40, b"\x7F\x10\xDA\xBE", Content::Is(Format::Vdi)),
    (0, b"conectix", Content::Is(Format::Vhd)),
    (0, b"vhdxfile", Content::Is(Format::Vhdx)),
    (0, b"COWD", Content::Foreign("a VMDK redo log of ESX")),
    (0, b"QED\0", Content::Foreign("a QED image")),
    (0, b"WithoutFreeSpace", Content::Foreign("a Parallels image")),
    (0, b"WithouFreSpacExt", Content::Foreign("a Parallels image")),
];

/// Signatures of files in which a disk image may be packed.
const PACKED: [(usize, &[u8], Content); 7] = [
    (0, b"\x1F\x8B\x08", Content::Foreign("a file packed with gzip")),
    (0, b"\xFD7zXZ\0", Content::Foreign("a file packed with xz")),
    (0, b"\x28\xB5\x2F\xFD", Content::Foreign("a file packed with zstd")),
    (0, b"BZh", Content::Foreign("a file packed with bzip2")),
    (0, b"PK\x03\x04", Content::Foreign("a zip archive")),
    (0, b"7z\xBC\xAF\x27\x1C", Content::Foreign("a 7z archive")),
    (257, b"ustar", Content::Foreign("a tar archive (or an OVA)")),
];

/// What shows that a file is a raw disk.
const DISKS: [(usize, &[u8]); 7] = [
    (510, b"\x55\xAA"),    // a boot sector, with or without partitions
    (0x438, b"\x53\xEF"),  // ext2 to ext4
    (0x8001, b"CD001"),    // ISO 9660
    (0, b"XFSB"),          // XFS
    (0, b"LUKS\xBA\xBE"),  // LUKS
    (4086, b"SWAPSPACE2"), // swap space of Linux
    (512, b"EFI PART"),    // GPT
];

/// # Errors
/// The host cannot read the file.
pub fn content(file: &File, bytes: u64) -> io::Result<Content> {
    let mut start = vec![0; usize::try_from(bytes).unwrap_or(START).min(START)];
    file.read_exact_at(&mut start, 0)?;
    let mut end = vec![0; start.len().min(super::SECTOR_LEN)];
    let last = bytes - end.len() as u64;
    file.read_exact_at(&mut end, last)?;
    Ok(of(&start, &end))
}

/// The content that is told by the first sector alone, for a guest that may write it.
pub fn container(start: &[u8]) -> Option<Content> {
    found(&CONTAINERS, start)
}

fn of(start: &[u8], end: &[u8]) -> Content {
    // A VHD of fixed size is a raw disk with a footer behind it.
    let footer = end.starts_with(b"conectix").then_some(Content::Is(Format::Vhd));
    let signed = container(start).or(footer).or_else(|| found(&PACKED, start));
    if let Some(content) = signed {
        return content;
    }
    let first = &start[..start.len().min(super::SECTOR_LEN)];
    let zeros = first.iter().all(|byte| *byte == 0);
    // Diskettes of early systems have no signature, but start with a jump: EB xx 90 or E9 xx xx.
    let jump = matches!(first, [0xEB, _, 0x90, ..] | [0xE9, ..]);
    if zeros || jump || DISKS.iter().any(|(at, signature)| has(start, *at, signature)) {
        Content::Is(Format::Raw)
    } else {
        Content::Unknown
    }
}

fn found(signatures: &[(usize, &[u8], Content)], start: &[u8]) -> Option<Content> {
    signatures.iter().find(|(at, signature, _)| has(start, *at, signature)).map(|(_, _, content)| *content)
}

fn has(start: &[u8], at: usize, signature: &[u8]) -> bool {
    start.get(at..).is_some_and(|rest| rest.starts_with(signature))
}

/// Whether a length is one of a raw image.
pub fn is_whole_sectors(bytes: u64) -> bool {
    bytes != 0 && bytes.is_multiple_of(SECTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(at: usize, bytes: &[u8]) -> Content {
        let mut start = vec![1; START];
        start[at..at + bytes.len()].copy_from_slice(bytes);
        of(&start, &[1; 512])
    }

    #[test]
    fn signatures_settle_it() {
        for (at, signature, content) in CONTAINERS.into_iter().chain(PACKED) {
            assert_eq!(with(at, signature), content);
        }
        assert_eq!(of(&[1; 512], b"conectix"), Content::Is(Format::Vhd));
    }

    #[test]
    fn a_raw_image_shows_something_of_a_disk() {
        for (at, signature) in DISKS {
            assert_eq!(with(at, signature), Content::Is(Format::Raw));
        }
        assert_eq!(of(&[0; 512], &[0; 512]), Content::Is(Format::Raw));
        assert_eq!(with(0, &[0xEB, 0x3C, 0x90]), Content::Is(Format::Raw));
        assert_eq!(with(0, b"Dear diary"), Content::Unknown);
        // A signature before anything that a disk shows: a container may well hold 55 AA there.
        let mut start = [0; 512];
        start[..4].copy_from_slice(b"QFI\xFB");
        start[510..].copy_from_slice(&[0x55, 0xAA]);
        assert_eq!(of(&start, &start), Content::Is(Format::Qcow2));
    }
}
