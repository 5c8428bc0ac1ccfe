//! Tables with their pointers still open, and the two ways of closing them.

use super::{OEM_ID, OEM_REVISION, OEM_TABLE_ID, dsdt, fixed};
use acpi_tables::Aml;
use acpi_tables::facs::FACS;
use acpi_tables::rsdp::Rsdp;
use acpi_tables::sdt::Sdt;

/// The two files that the tables are given to a firmware in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Tables,
    Rsdp,
}

impl File {
    fn name(self) -> &'static str {
        match self {
            Self::Tables => "etc/acpi/tables",
            Self::Rsdp => "etc/acpi/rsdp",
        }
    }
}

/// A field of `size` bytes that holds an offset into the tables, and shall hold an address.
#[derive(Clone, Copy, Debug)]
struct Pointer {
    file: File,
    at: usize,
    size: usize,
}

/// A byte that makes the sum of `start..start+len` zero.
#[derive(Clone, Copy, Debug)]
struct Checksum {
    file: File,
    at: usize,
    start: usize,
    len: usize,
}

/// All tables behind each other, and the root pointer. Pointers hold offsets into the tables.
#[derive(Clone, Debug)]
pub struct Tables {
    tables: Vec<u8>,
    rsdp: Vec<u8>,
    pointers: Vec<Pointer>,
    checksums: Vec<Checksum>,
}

/// Tables at home: pointers are addresses and sums are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    pub tables: Vec<u8>,
    pub rsdp: Vec<u8>,
}

/// Offsets of fields (ACPI 6.5, tables 5.3, 5.4 and 5.9).
mod at {
    pub(super) const CHECKSUM: usize = 9;
    pub(super) const FIRMWARE_CTRL: usize = 36;
    pub(super) const DSDT: usize = 40;
    pub(super) const X_DSDT: usize = 140;
    pub(super) const RSDP_CHECKSUM: usize = 8;
    pub(super) const RSDT_ADDRESS: usize = 16;
    pub(super) const XSDT_ADDRESS: usize = 24;
    pub(super) const EXTENDED_CHECKSUM: usize = 32;
}

const HEADER: usize = 36;
/// The part of the root pointer that ACPI 1.0 knew.
const RSDP_V1: usize = 20;

fn bytes(table: &dyn Aml) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.to_aml_bytes(&mut bytes);
    bytes
}

impl Tables {
    /// The tables of the model, with interrupt controllers if the CPU has a local APIC.
    pub fn new(apic: bool) -> Self {
        let mut all =
            Self { tables: Vec::new(), rsdp: Vec::new(), pointers: Vec::new(), checksums: Vec::new() };
        let facs = all.place(&bytes(&FACS::new()), 64);
        let dsdt = all.add(&dsdt::dsdt());
        let fadt = all.add(&bytes(&fixed::fadt()));
        all.point(File::Tables, fadt + at::FIRMWARE_CTRL, 4, facs);
        all.point(File::Tables, fadt + at::DSDT, 4, dsdt);
        all.point(File::Tables, fadt + at::X_DSDT, 8, dsdt);
        let mut roots = vec![fadt];
        if apic {
            roots.push(all.add(&fixed::madt()));
        }
        roots.push(all.add(&fixed::hpet()));
        let rsdt = all.add_root(*b"RSDT", 4, &roots);
        let xsdt = all.add_root(*b"XSDT", 8, &roots);
        all.rsdp = bytes(&Rsdp::new(OEM_ID, 0));
        all.point(File::Rsdp, at::RSDT_ADDRESS, 4, rsdt);
        all.point(File::Rsdp, at::XSDT_ADDRESS, 8, xsdt);
        let len = all.rsdp.len();
        all.sum(File::Rsdp, at::RSDP_CHECKSUM, 0, RSDP_V1);
        all.sum(File::Rsdp, at::EXTENDED_CHECKSUM, 0, len);
        all
    }

    fn place(&mut self, table: &[u8], alignment: usize) -> usize {
        let start = self.tables.len().next_multiple_of(alignment);
        self.tables.resize(start, 0);
        self.tables.extend_from_slice(table);
        start
    }

    /// Adds a table that has a checksum; returns its offset.
    fn add(&mut self, table: &[u8]) -> usize {
        let start = self.place(table, 16);
        self.sum(File::Tables, start + at::CHECKSUM, start, table.len());
        start
    }

    /// RSDT or XSDT: a header and pointers of `size` bytes.
    fn add_root(&mut self, signature: [u8; 4], size: usize, roots: &[usize]) -> usize {
        let len = u32::try_from(HEADER + size * roots.len()).expect("a few tables");
        let table = Sdt::new(signature, len, 1, OEM_ID, OEM_TABLE_ID, OEM_REVISION);
        let start = self.add(table.as_slice());
        for (n, &root) in roots.iter().enumerate() {
            self.point(File::Tables, start + HEADER + size * n, size, root);
        }
        start
    }

    fn file(&mut self, file: File) -> &mut Vec<u8> {
        match file {
            File::Tables => &mut self.tables,
            File::Rsdp => &mut self.rsdp,
        }
    }

    fn point(&mut self, file: File, at: usize, size: usize, target: usize) {
        let target = (target as u64).to_le_bytes();
        self.file(file)[at..at + size].copy_from_slice(&target[..size]);
        self.pointers.push(Pointer { file, at, size });
    }

    fn sum(&mut self, file: File, at: usize, start: usize, len: usize) {
        self.checksums.push(Checksum { file, at, start, len });
    }

    /// Closes the pointers for tables that lie at `base`.
    pub fn link(mut self, base: u64) -> Linked {
        for Pointer { file, at, size } in self.pointers.clone() {
            let field = &mut self.file(file)[at..at + size];
            let mut value = [0; 8];
            value[..size].copy_from_slice(field);
            let address = u64::from_le_bytes(value).wrapping_add(base).to_le_bytes();
            field.copy_from_slice(&address[..size]);
        }
        for Checksum { file, at, start, len } in self.checksums.clone() {
            let bytes = self.file(file);
            bytes[at] = 0;
            let sum = bytes[start..start + len].iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            bytes[at] = sum.wrapping_neg();
        }
        Linked { tables: self.tables, rsdp: self.rsdp }
    }

    /// The files by which a firmware is told to do the same: name and content.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut script = Script::default();
        script.allocate(File::Rsdp, 16, Zone::FSegment);
        script.allocate(File::Tables, 64, Zone::High);
        for pointer in &self.pointers {
            script.add_pointer(pointer);
        }
        for checksum in &self.checksums {
            script.add_checksum(checksum);
        }
        vec![
            (File::Tables.name(), self.tables.clone()),
            (File::Rsdp.name(), self.rsdp.clone()),
            ("etc/table-loader", script.bytes),
        ]
    }
}

/// Where a firmware shall allocate a file.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Zone {
    High = 1,
    FSegment = 2,
}

/// The linker script: commands of 128 bytes, little endian, file names of 56 bytes (QEMU, hw/acpi/bios-linker-loader,
/// as SeaBIOS and OVMF read it).
#[derive(Default)]
struct Script {
    bytes: Vec<u8>,
}

const ENTRY: usize = 128;
const NAME: usize = 56;
const ALLOCATE: u32 = 1;
const ADD_POINTER: u32 = 2;
const ADD_CHECKSUM: u32 = 3;

impl Script {
    fn entry(&mut self, command: u32, parts: &[&[u8]]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&command.to_le_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.resize(start + ENTRY, 0);
    }

    fn allocate(&mut self, file: File, alignment: u32, zone: Zone) {
        self.entry(ALLOCATE, &[&name(file), &alignment.to_le_bytes(), &[zone as u8]]);
    }

    fn add_pointer(&mut self, &Pointer { file, at, size }: &Pointer) {
        let size = u8::try_from(size).expect("4 or 8");
        self.entry(ADD_POINTER, &[&name(file), &name(File::Tables), &word(at), &[size]]);
    }

    fn add_checksum(&mut self, &Checksum { file, at, start, len }: &Checksum) {
        self.entry(ADD_CHECKSUM, &[&name(file), &word(at), &word(start), &word(len)]);
    }
}

fn name(file: File) -> [u8; NAME] {
    let mut name = [0; NAME];
    name[..file.name().len()].copy_from_slice(file.name().as_bytes());
    name
}

fn word(offset: usize) -> [u8; 4] {
    u32::try_from(offset).expect("tables are small").to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x3FF_0000;

    fn sum(bytes: &[u8]) -> u8 {
        bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
    }

    fn field(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
    }

    /// The table that an address points to.
    fn table(linked: &Linked, address: usize) -> &[u8] {
        let start = address - BASE as usize;
        &linked.tables[start..start + field(&linked.tables, start + 4)]
    }

    #[test]
    fn every_table_is_reached_and_sums_to_zero() {
        let linked = Tables::new(true).link(BASE);
        assert_eq!(sum(&linked.rsdp[..20]), 0);
        assert_eq!(sum(&linked.rsdp), 0);
        let mut seen = Vec::new();
        for (root, size) in [(field(&linked.rsdp, 16), 4), (field(&linked.rsdp, 24), 8)] {
            let root = table(&linked, root);
            assert_eq!(sum(root), 0);
            for at in (36..root.len()).step_by(size) {
                let table = table(&linked, field(root, at));
                assert_eq!(sum(table), 0, "{:?}", &table[..4]);
                seen.push(table[..4].to_vec());
            }
        }
        let tables = [b"FACP", b"APIC", b"HPET"].map(|name| name.to_vec());
        assert_eq!(seen, [&tables[..], &tables[..]].concat());
    }

    #[test]
    fn the_fadt_finds_dsdt_and_facs() {
        let linked = Tables::new(false).link(BASE);
        let rsdt = table(&linked, field(&linked.rsdp, 16));
        let fadt = table(&linked, field(rsdt, 36));
        let dsdt = table(&linked, field(fadt, 40));
        assert_eq!((&dsdt[..4], sum(dsdt)), (&b"DSDT"[..], 0));
        assert_eq!(field(fadt, 40), field(fadt, 140));
        let facs = field(fadt, 36);
        assert!(facs.is_multiple_of(64));
        assert_eq!(&table(&linked, facs)[..4], b"FACS");
        assert!(linked.tables.len() < 0x1_0000 - 0x1000);
    }

    #[test]
    fn the_script_does_what_we_do() {
        let tables = Tables::new(true);
        let linked = tables.clone().link(BASE);
        let files = tables.files();
        let find = |name: &[u8]| {
            let name = name.split(|byte| *byte == 0).next().expect("a name");
            files.iter().position(|(file, _)| file.as_bytes() == name).expect("a file of ours")
        };
        let mut contents: Vec<Vec<u8>> = files.iter().map(|(_, content)| content.clone()).collect();
        for entry in files[2].1.chunks(ENTRY) {
            let words = |at: usize| field(entry, at);
            match u32::from_le_bytes(entry[..4].try_into().expect("four bytes")) {
                ALLOCATE => {}
                ADD_POINTER => {
                    let (at, size) = (words(116), usize::from(entry[120]));
                    assert_eq!(find(&entry[60..116]), 0, "all pointers point into the tables");
                    let field = &mut contents[find(&entry[4..60])][at..at + size];
                    let mut value = [0; 8];
                    value[..size].copy_from_slice(field);
                    let value = (u64::from_le_bytes(value) + BASE).to_le_bytes();
                    field.copy_from_slice(&value[..size]);
                }
                ADD_CHECKSUM => {
                    let (at, start, len) = (words(60), words(64), words(68));
                    let file = &mut contents[find(&entry[4..60])];
                    file[at] = file[at].wrapping_sub(sum(&file[start..start + len]));
                }
                other => panic!("command {other}"),
            }
        }
        assert_eq!(contents[0], linked.tables);
        assert_eq!(contents[1], linked.rsdp);
    }
}
