//! The container: tagged sections with checksums.

use super::RestoreMachineError;
use std::io::{self, Read, Write};

const MAGIC: [u8; 8] = *b"POSADA\r\n";
/// The version of the container and of the set of sections.
pub(super) const VERSION: u32 = 1;

/// What a section holds. The tags are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// What machine this is.
    Head,
    Cpu,
    Board,
    Devices,
    /// The kernel of a direct start.
    Linux,
    /// Some pages of a memory block.
    Memory,
    End,
}

impl Tag {
    const ALL: [Self; 7] =
        [Self::Head, Self::Cpu, Self::Board, Self::Devices, Self::Linux, Self::Memory, Self::End];

    const fn bytes(self) -> [u8; 4] {
        match self {
            Self::Head => *b"HEAD",
            Self::Cpu => *b"CPU ",
            Self::Board => *b"BORD",
            Self::Devices => *b"DEVS",
            Self::Linux => *b"LINX",
            Self::Memory => *b"MEM ",
            Self::End => *b"END ",
        }
    }
}

/// Writes the header, then sections.
pub(super) struct Writer<W: Write> {
    to: W,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut to: W) -> io::Result<Self> {
        to.write_all(&MAGIC)?;
        to.write_all(&VERSION.to_le_bytes())?;
        Ok(Self { to })
    }

    pub(super) fn section(&mut self, tag: Tag, content: &[u8]) -> io::Result<()> {
        let head = [&tag.bytes()[..], &(content.len() as u64).to_le_bytes()].concat();
        self.to.write_all(&head)?;
        self.to.write_all(&sum(&head, content).to_le_bytes())?;
        self.to.write_all(content)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.section(Tag::End, &[])?;
        self.to.flush()
    }
}

fn sum(head: &[u8], content: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(content);
    sum.finalize()
}

fn damaged(what: &str) -> RestoreMachineError {
    RestoreMachineError::Damaged(what.to_owned())
}

/// Reads the header, then sections whose sums are right.
pub(super) struct Reader<R: Read> {
    from: R,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(mut from: R) -> Result<Self, RestoreMachineError> {
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic).map_err(|_| RestoreMachineError::NotOne)?;
        if magic != MAGIC {
            return Err(RestoreMachineError::NotOne);
        }
        let mut version = [0; 4];
        from.read_exact(&mut version).map_err(|_| damaged("it ends in its header"))?;
        match u32::from_le_bytes(version) {
            VERSION => Ok(Self { from }),
            other => Err(RestoreMachineError::Version(other)),
        }
    }

    /// The next section. The content grows as it is read: a false length cannot make us allocate more than there is.
    pub(super) fn section(&mut self) -> Result<(Tag, Vec<u8>), RestoreMachineError> {
        let mut head = [0; 16];
        self.from.read_exact(&mut head).map_err(|_| damaged("it ends before its last section"))?;
        let (tag, rest) = head.split_at(4);
        let (len, expected) = rest.split_at(8);
        let len = u64::from_le_bytes(len.try_into().expect("eight bytes"));
        let mut content = Vec::new();
        self.from.by_ref().take(len).read_to_end(&mut content)?;
        if content.len() as u64 != len {
            return Err(damaged("it ends inside a section"));
        }
        if sum(&head[..12], &content).to_le_bytes() != *expected {
            return Err(damaged("a checksum is wrong"));
        }
        let tag = Tag::ALL.into_iter().find(|known| known.bytes() == *tag);
        Ok((tag.ok_or_else(|| damaged("it has a section this build does not know"))?, content))
    }

    /// Nothing follows the last section.
    pub(super) fn finish(mut self) -> Result<(), RestoreMachineError> {
        match self.from.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(damaged("something follows its end")),
        }
    }
}

/// Reads all sections and throws them away.
#[cfg(test)]
pub(crate) fn check_sections(file: &[u8]) -> Result<(), RestoreMachineError> {
    let mut reader = Reader::new(file)?;
    while reader.section()?.0 != Tag::End {}
    reader.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_length_allocates_nothing() {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).expect("a vector takes it");
        bytes.extend_from_slice(b"HEAD");
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        bytes.extend_from_slice(&[0; 64]);
        let mut reader = Reader::new(&bytes[..]).expect("the header is right");
        let error = reader.section().expect_err("no such length");
        assert!(matches!(error, RestoreMachineError::Damaged(_)), "{error}");
    }

    #[test]
    fn sections_come_back() {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes).expect("a vector takes it");
        writer.section(Tag::Cpu, b"abc").expect("a vector takes it");
        writer.finish().expect("a vector takes it");
        let mut reader = Reader::new(&bytes[..]).expect("a header");
        assert_eq!(reader.section().expect("a section"), (Tag::Cpu, b"abc".to_vec()));
        assert_eq!(reader.section().expect("a section"), (Tag::End, Vec::new()));
        reader.finish().expect("the end");
    }
}
