//! A writer of cpio archives in the "newc" format, the form of an initramfs.
//!
//! Follows Linux, Documentation/driver-api/early-userspace/buffer-format.rst. The same entries always give the same
//! bytes: times are 0 and inode numbers count up.

/// What an entry is.
pub enum Kind<'a> {
    Folder,
    File(&'a [u8]),
    Link(&'a str),
    /// A character device with its major and minor number.
    Character(u32, u32),
}

/// An archive in the making.
#[derive(Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    inode: u32,
}

impl Cpio {
    /// Adds an entry. `name` has no leading slash; parents come before children. `permissions` as in chmod.
    pub fn add(&mut self, name: &str, permissions: u32, kind: &Kind<'_>) {
        let (kind_bits, data, device): (u32, &[u8], (u32, u32)) = match *kind {
            Kind::Folder => (0o040_000, &[], (0, 0)),
            Kind::File(data) => (0o100_000, data, (0, 0)),
            Kind::Link(target) => (0o120_000, target.as_bytes(), (0, 0)),
            Kind::Character(major, minor) => (0o020_000, &[], (major, minor)),
        };
        self.inode += 1;
        self.record(name, self.inode, kind_bits | permissions, data, device);
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.record("TRAILER!!!", 0, 0, &[], (0, 0));
        self.bytes
    }

    fn record(&mut self, name: &str, inode: u32, mode: u32, data: &[u8], device: (u32, u32)) {
        let size = u32::try_from(data.len()).expect("files of an initramfs are far below 4 GiB");
        let name_size = u32::try_from(name.len() + 1).expect("names are short");
        let (uid, gid, links, time, folder_device, checksum) = (0, 0, 1, 0, 0, 0);
        let fields = [
            inode,
            mode,
            uid,
            gid,
            links,
            time,
            size,
            folder_device,
            folder_device,
            device.0,
            device.1,
            name_size,
            checksum,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::{Cpio, Kind};

    #[test]
    fn a_record_is_110_bytes_of_header_then_name_then_data_each_padded_to_4() {
        let mut archive = Cpio::default();
        archive.add("init", 0o755, &Kind::File(b"hello"));
        let bytes = archive.finish();
        assert_eq!(&bytes[..6], b"070701");
        assert_eq!(&bytes[14..22], b"000081ED"); // regular file, rwxr-xr-x
        assert_eq!(&bytes[54..62], b"00000005"); // size of the data
        assert_eq!(&bytes[110..116], b"init\0\0");
        assert_eq!(&bytes[116..124], b"hello\0\0\0");
        assert!(bytes[124..].starts_with(b"070701") && bytes.len() % 4 == 0);
    }
}
