//! SMBIOS 2.4 tables (DMTF DSP0134): what a person reads in an inventory.

use super::configuration::Configuration;
use super::image::checksum;

/// Structures behind each other.
pub(super) struct Structures {
    pub(super) bytes: Vec<u8>,
    count: u16,
    longest: usize,
}

const VENDOR: &str = "Posada";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Handles are 16-bit names of structures.
const MEMORY_ARRAY: u16 = 0x1000;

/// A structure under construction: the fixed part, then its strings.
struct Structure {
    fixed: Vec<u8>,
    strings: Vec<String>,
}

impl Structure {
    fn new(kind: u8, handle: u16) -> Self {
        let [low, high] = handle.to_le_bytes();
        Self { fixed: vec![kind, 0, low, high], strings: Vec::new() }
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.fixed.extend_from_slice(bytes);
        self
    }

    fn word(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn dword(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// A field that names a string.
    fn string(mut self, text: &str) -> Self {
        self.strings.push(text.replace('\0', " "));
        self.fixed.push(u8::try_from(self.strings.len()).expect("a few strings"));
        self
    }

    fn finish(mut self) -> Vec<u8> {
        self.fixed[1] = u8::try_from(self.fixed.len()).expect("fixed parts are short");
        for text in &self.strings {
            self.fixed.extend_from_slice(text.as_bytes());
            self.fixed.push(0);
        }
        if self.strings.is_empty() {
            self.fixed.push(0);
        }
        self.fixed.push(0);
        self.fixed
    }
}

fn bios() -> Structure {
    // Characteristics: PCI, upgradeable no, boot from CD, EDD, keyboard, serial and printer services.
    Structure::new(0, 0)
        .string(VENDOR)
        .string(VERSION)
        .word(0xF000)
        .string("11/29/2026")
        .bytes(&[1]) // 128 KiB
        .bytes(&(1u64 << 7 | 1 << 15 | 1 << 16 | 1 << 19 | 1 << 27 | 1 << 28 | 1 << 29).to_le_bytes())
        .bytes(&[0x01, 0x00]) // ACPI
        .bytes(&[0, 1, 0xFF, 0xFF])
}

fn system() -> Structure {
    Structure::new(1, 0x100)
        .string(VENDOR)
        .string("Posada PC")
        .string(VERSION)
        .bytes(&[0])
        .bytes(&[0; 16]) // no UUID
        .bytes(&[6, 0, 0]) // woken by the power switch
}

fn chassis() -> Structure {
    Structure::new(3, 0x300).string(VENDOR).bytes(&[3, 0, 0, 0, 3, 3, 3, 2]).dword(0).bytes(&[0, 1, 0, 0])
}

fn processor(configuration: &Configuration) -> Structure {
    let cpu = &configuration.cpu;
    Structure::new(4, 0x400)
        .string("CPU 0")
        .bytes(&[3, 2]) // a central processor of unknown family
        .string(VENDOR)
        .dword(cpu.signature)
        .dword(cpu.features)
        .string(&cpu.name)
        .bytes(&[0])
        .word(0)
        .word(0)
        .word(0)
        .bytes(&[0x41, 2]) // in its socket, enabled
        .word(0xFFFF)
        .word(0xFFFF)
        .word(0xFFFF)
        .bytes(&[0, 0, 0])
}

/// Sizes are told in KiB as far as the field goes.
fn memory_array(configuration: &Configuration) -> Structure {
    let kib = u32::try_from(configuration.memory() >> 10).unwrap_or(0x8000_0000).min(0x8000_0000);
    Structure::new(16, MEMORY_ARRAY).bytes(&[3, 3, 3]).dword(kib).word(0xFFFE).word(1)
}

fn memory_device(configuration: &Configuration) -> Structure {
    let mib = u16::try_from(configuration.memory() >> 20).unwrap_or(0x7FFF).min(0x7FFF);
    Structure::new(17, 0x1100)
        .word(MEMORY_ARRAY)
        .word(0xFFFE)
        .word(64)
        .word(64)
        .word(mib)
        .bytes(&[9, 0])
        .string("DIMM 0")
        .bytes(&[0, 7])
        .word(0)
        .word(0)
        .bytes(&[0, 0, 0, 0])
}

/// A range of mapped addresses.
fn mapped(handle: u16, start: u64, len: u64) -> Structure {
    let kib = |address: u64| u32::try_from(address >> 10).unwrap_or(u32::MAX);
    let last = start.saturating_add(len).saturating_sub(1);
    Structure::new(19, handle).dword(kib(start)).dword(kib(last)).word(MEMORY_ARRAY).bytes(&[1])
}

pub(super) fn structures(configuration: &Configuration) -> Structures {
    let mut all = vec![
        bios(),
        system(),
        chassis(),
        processor(configuration),
        memory_array(configuration),
        memory_device(configuration),
        mapped(0x1300, 0, configuration.low_end),
    ];
    if configuration.high > 0 {
        all.push(mapped(0x1301, 1 << 32, configuration.high));
    }
    all.push(Structure::new(32, 0x2000).bytes(&[0; 7])); // no boot errors
    all.push(Structure::new(127, 0x7F00));
    let all: Vec<Vec<u8>> = all.into_iter().map(Structure::finish).collect();
    let longest = all.iter().map(Vec::len).max().unwrap_or(0);
    Structures { count: u16::try_from(all.len()).expect("ten"), longest, bytes: all.concat() }
}

/// The entry point for structures at an address: DSP0134, 5.2.1.
pub(super) fn entry_point(structures: &Structures, address: u32) -> Vec<u8> {
    let word = |value: usize| u16::try_from(value).expect("tables are small").to_le_bytes();
    let mut entry = b"_SM_\0\x1F\x02\x04".to_vec();
    entry.extend_from_slice(&word(structures.longest));
    entry.extend_from_slice(&[0; 6]);
    entry.extend_from_slice(b"_DMI_\0");
    entry.extend_from_slice(&word(structures.bytes.len()));
    entry.extend_from_slice(&address.to_le_bytes());
    entry.extend_from_slice(&structures.count.to_le_bytes());
    entry.push(0x24);
    entry[0x15] = checksum(&entry[0x10..]);
    entry[4] = checksum(&entry);
    entry
}
