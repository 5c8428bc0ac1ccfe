//! One small image of each format, made here byte by byte (but for qcow2, which has a writer of its own): the same disk
//! in each.

use super::qcow2::{self, Base};
use super::vhd::checksum;
use super::{Access, Chosen, Format, Held, open};
use std::io::Write;
use std::path::Path;

/// The disk: data at its start, a little more later, then nothing.
pub const BYTES: usize = 3 << 20;
/// The data all lies in the first piece of this length.
const DATA: usize = 1 << 20;

fn le(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap().to_le_bytes()
}

pub fn content() -> Vec<u8> {
    let mut bytes = vec![0; BYTES];
    for (n, byte) in bytes[..60_000].iter_mut().enumerate() {
        *byte = ((n * n) >> 5).to_le_bytes()[0];
    }
    bytes[700 << 10..][..512].fill(0xA5);
    bytes
}

pub struct Sample {
    pub name: &'static str,
    pub format: Format,
    pub bytes: Vec<u8>,
    /// Makes checksums right again, so that what lies behind them is reached.
    pub repair: fn(&mut [u8]),
    /// A file of this name that the image needs in its folder.
    pub beside: Option<(&'static str, Vec<u8>)>,
}

pub fn all() -> Vec<Sample> {
    let sample = |name, format, bytes, repair| Sample { name, format, bytes, repair, beside: None };
    vec![
        sample("raw", Format::Raw, content(), |_| ()),
        sample("qcow2", Format::Qcow2, qcow2(), |_| ()),
        sample("vdi", Format::Vdi, vdi(), |_| ()),
        sample("fixed vhd", Format::Vhd, fixed_vhd(), repair_vhd),
        sample("dynamic vhd", Format::Vhd, dynamic_vhd(), repair_vhd),
        sample("vhdx", Format::Vhdx, vhdx(), repair_vhdx),
        sample("sparse vmdk", Format::Vmdk, vmdk(false), |_| ()),
        sample("packed vmdk", Format::Vmdk, vmdk(true), |_| ()),
        Sample {
            beside: Some(("extent.vmdk", content())),
            ..sample("described vmdk", Format::Vmdk, descriptor("extent.vmdk").into(), |_| ())
        },
        Sample {
            beside: Some(("base.qcow2", qcow2())),
            ..sample("based qcow2", Format::Qcow2, based("base.qcow2"), |_| ())
        },
    ]
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

fn qcow2() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample");
    std::fs::write(&path, []).unwrap();
    write_qcow2(&path, &content());
    std::fs::read(path).unwrap()
}

/// A qcow2 image that holds the second half of the data, and takes the first from another one.
fn based(on: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(on), qcow2()).unwrap();
    let path = folder.path().join("sample");
    std::fs::write(&path, []).unwrap();
    let base = Base { name: on.into(), format: Format::Qcow2 };
    qcow2::create(&Held::open(&path, Access::Write).unwrap(), BYTES as u64, Some(base)).unwrap();
    let mut disk = open(&Chosen::new(&path), Access::Write).unwrap().disk;
    disk.write((BYTES / 2 / 512) as u64, &content()[BYTES / 2..]).unwrap();
    disk.flush().unwrap();
    drop(disk);
    std::fs::read(path).unwrap()
}

/// A descriptor of one flat extent.
pub fn descriptor(extent: &str) -> String {
    format!(
        "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\n\
         RW {} FLAT \"{extent}\" 0\n",
        BYTES / 512
    )
}

/// Makes a qcow2 image with this content of an empty file.
pub fn write_qcow2(path: &Path, content: &[u8]) {
    let held = Held::open(path, Access::Write).unwrap();
    qcow2::create(&held, content.len() as u64, None).unwrap();
    drop(held);
    let chosen = Chosen { format: Some(Format::Qcow2), ..Chosen::new(path) };
    let mut disk = open(&chosen, Access::Write).unwrap().disk;
    for (lba, sector) in (0..).zip(content.chunks(512)) {
        if sector.iter().any(|byte| *byte != 0) {
            disk.write(lba, sector).unwrap();
        }
    }
    disk.flush().unwrap();
}

fn vdi() -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    put(&mut bytes, 0, b"<<< a sample >>>\n");
    let fields: [(usize, usize); 12] = [
        (0x40, 0xBEDA_107F),
        (0x44, 0x0001_0001),
        (0x48, 400),
        (0x4C, 1),
        (0x154, 512),
        (0x158, 1024),
        (0x168, 512),
        (0x170, BYTES),
        (0x178, DATA),
        (0x180, 3),
        (0x184, 1),
        (512, 0),
    ];
    fields.iter().for_each(|(at, value)| put(&mut bytes, *at, &le(*value)));
    put(&mut bytes, 516, &u32::MAX.to_le_bytes());
    put(&mut bytes, 520, &(u32::MAX - 1).to_le_bytes());
    bytes.extend_from_slice(&content()[..DATA]);
    bytes
}

fn vhd_footer(kind: u32, data_offset: u64) -> Vec<u8> {
    let mut footer = vec![0; 512];
    put(&mut footer, 0, b"conectix");
    put(&mut footer, 12, &0x0001_0000u32.to_be_bytes());
    put(&mut footer, 16, &data_offset.to_be_bytes());
    put(&mut footer, 40, &(BYTES as u64).to_be_bytes());
    put(&mut footer, 48, &(BYTES as u64).to_be_bytes());
    put(&mut footer, 60, &kind.to_be_bytes());
    footer
}

fn fixed_vhd() -> Vec<u8> {
    let mut bytes = [content(), vhd_footer(2, u64::MAX)].concat();
    repair_vhd(&mut bytes);
    bytes
}

fn dynamic_vhd() -> Vec<u8> {
    let footer = vhd_footer(3, 512);
    let mut bytes = footer.clone();
    bytes.resize(2048, 0);
    put(&mut bytes, 512, b"cxsparse");
    put(&mut bytes, 512 + 8, &u64::MAX.to_be_bytes());
    put(&mut bytes, 512 + 16, &1536u64.to_be_bytes());
    put(&mut bytes, 512 + 24, &0x0001_0000u32.to_be_bytes());
    put(&mut bytes, 512 + 28, &3u32.to_be_bytes());
    put(&mut bytes, 512 + 32, &u32::try_from(DATA).unwrap().to_be_bytes());
    put(&mut bytes, 1536, &[0, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    bytes.extend_from_slice(&[0xFF; 512]);
    bytes.extend_from_slice(&content()[..DATA]);
    bytes.extend_from_slice(&footer);
    repair_vhd(&mut bytes);
    bytes
}

fn repair_vhd(bytes: &mut [u8]) {
    let end = bytes.len().saturating_sub(512);
    for (start, len, field) in [(end, 512, 64), (0, 512, 64), (512, 1024, 36)] {
        let Some(part) = bytes.get_mut(start..start + len) else { continue };
        if part.starts_with(b"conectix") || part.starts_with(b"cxsparse") {
            let sum = checksum(part, field);
            put(part, field, &sum.to_be_bytes());
        }
    }
}

fn vhdx() -> Vec<u8> {
    const MIB: usize = 1 << 20;
    let mut bytes = vec![0; 4 * MIB];
    put(&mut bytes, 0, b"vhdxfile");
    put(&mut bytes, 0x1_0000, b"head");
    put(&mut bytes, 0x1_0000 + 66, &[1, 0]);
    put(&mut bytes, 0x3_0000, b"regi");
    put(&mut bytes, 0x3_0000 + 8, &[2]);
    let bat = "6677C22D23F600429D64115E9BFD4A08";
    let metadata = "06A27C8B90479A4BB8FE575F050F886E";
    for (n, guid, at, len) in [(0, bat, 2 * MIB, MIB), (1, metadata, MIB, MIB)] {
        let entry = 0x3_0000 + 16 + n * 32;
        put(&mut bytes, entry, &guid_bytes(guid));
        put(&mut bytes, entry + 16, &(at as u64).to_le_bytes());
        put(&mut bytes, entry + 24, &le(len));
    }
    put(&mut bytes, MIB, b"metadata");
    put(&mut bytes, MIB + 10, &[3]);
    let items: [(&str, u64, u32); 3] = [
        ("3767A1CA36FA434DB3B633F0AA44E76B", DATA as u64, 8),
        ("2442A52F1BCD7648B2115DBED83BF4B8", BYTES as u64, 8),
        ("1DBF41816FA90947BA47F233A8FAAB5F", 512, 4),
    ];
    for (n, (guid, value, len)) in items.into_iter().enumerate() {
        let (entry, at) = (MIB + 32 + n * 32, 0x1_0000 + n * 8);
        put(&mut bytes, entry, &guid_bytes(guid));
        put(&mut bytes, entry + 16, &le(at));
        put(&mut bytes, entry + 20, &len.to_le_bytes());
        put(&mut bytes, MIB + at, &value.to_le_bytes());
    }
    put(&mut bytes, 2 * MIB, &(3 << 20 | 6u64).to_le_bytes());
    put(&mut bytes, 3 * MIB, &content()[..DATA]);
    repair_vhdx(&mut bytes);
    bytes
}

fn guid_bytes(hex: &str) -> Vec<u8> {
    (0..16).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn repair_vhdx(bytes: &mut [u8]) {
    for (start, len) in [(0x1_0000, 4096), (0x3_0000, 0x1_0000)] {
        let Some(part) = bytes.get_mut(start..start + len) else { continue };
        part[4..8].fill(0);
        let sum = ::vhdx::header::crc32c(part);
        put(part, 4, &sum.to_le_bytes());
    }
}

/// Sectors of a grain.
const GRAIN: usize = 128;

fn vmdk(packed: bool) -> Vec<u8> {
    let mut bytes = vec![0; GRAIN * 512];
    put(&mut bytes, 0, b"KDMV");
    put(&mut bytes, 4, &(if packed { 3u32 } else { 1 }).to_le_bytes());
    put(&mut bytes, 12, &((BYTES / 512) as u64).to_le_bytes());
    put(&mut bytes, 20, &(GRAIN as u64).to_le_bytes());
    put(&mut bytes, 44, &512u32.to_le_bytes());
    put(&mut bytes, 56, &1u64.to_le_bytes());
    put(&mut bytes, 77, &[packed.into(), 0]);
    put(&mut bytes, 512, &[2]);
    for (n, grain) in content().chunks(GRAIN * 512).enumerate() {
        if grain.iter().all(|byte| *byte == 0) {
            continue;
        }
        let sector = bytes.len() / 512;
        put(&mut bytes, 1024 + n * 4, &le(sector));
        if packed {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(grain).unwrap();
            let data = encoder.finish().unwrap();
            bytes.extend_from_slice(&((n * GRAIN) as u64).to_le_bytes());
            bytes.extend_from_slice(&le(data.len()));
            bytes.extend_from_slice(&data);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        } else {
            bytes.extend_from_slice(grain);
        }
    }
    bytes
}
