//! The ROM image: the code, the tables behind it, and the parts that POST copies elsewhere.
//!
//! 128 KiB. The upper half is the segment F000h: code from its beginning, then tables, then IBM's entry points. The
//! lower half, E000h, carries the video BIOS and the ACPI tables; POST copies them and leaves the segment empty.

use super::configuration::Configuration;
use super::{mp, pir, smbios};
use crate::assembler::{self, Assembled, Source};
use std::sync::OnceLock;

/// Bytes of a segment, and of each half of the image.
const SEGMENT: usize = 0x1_0000;
/// Where the halves appear below 1 MiB.
const LOWER: u32 = 0xE_0000;
const UPPER: u32 = 0xF_0000;
const VIDEO_AT: u32 = 0xC_0000;
/// CPUID.1:EDX.
const MTRR: u32 = 1 << 12;
/// IBM's first entry point: tables end before it.
const ENTRY_POINTS: usize = 0xE05B;

/// Why there can be no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RomError {
    #[error("a video BIOS of {0} bytes does not fit into the system BIOS's image")]
    Video(usize),
    #[error("the ACPI tables of {0} bytes do not fit into the system BIOS's image")]
    Acpi(usize),
    #[error("the tables of this machine do not fit into the system BIOS's image")]
    Tables,
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(Source { name: $name, text: include_str!($name) }),*]
    };
}

const SOURCES: &[Source] = sources![
    "names.asm",
    "post.asm",
    "vectors.asm",
    "memory.asm",
    "chipset.asm",
    "processor.asm",
    "pci.asm",
    "time.asm",
    "keys.asm",
    "int09.asm",
    "int16.asm",
    "mouse.asm",
    "int15.asm",
    "ports.asm",
    "pcibios.asm",
    "int13.asm",
    "edd.asm",
    "ata.asm",
    "virtio.asm",
    "fdc.asm",
    "floppy.asm",
    "diskette.asm",
    "cdrom.asm",
    "eltorito.asm",
    "screen.asm",
    "boot.asm",
    "image.asm",
];

/// The extended BIOS data area's segment, and what PCI memory is given out between.
const CONSTANTS: &[(&str, i64)] =
    &[("EBDA", 0x9FC0), ("PCI_MEMORY", 0xE000_0000), ("PCI_MEMORY_END", 0xFEC0_0000)];

/// The code, which no configuration changes.
pub(super) fn code() -> &'static Assembled {
    static CODE: OnceLock<Assembled> = OnceLock::new();
    CODE.get_or_init(|| match assembler::assemble(SOURCES, CONSTANTS, SEGMENT) {
        Ok(code) => code,
        Err(error) => panic!("the BIOS is a constant that assembles: {error}"),
    })
}

/// The image of a machine's system BIOS.
///
/// # Errors
/// Something is too large for it.
pub fn rom(configuration: &Configuration) -> Result<Vec<u8>, RomError> {
    let mut image = Image::new();
    image.carry(configuration)?;
    image.settings(configuration)?;
    image.tables(configuration)?;
    Ok([image.lower, image.upper].concat())
}

struct Image {
    lower: Vec<u8>,
    upper: Vec<u8>,
    /// Rows of source, destination and length.
    blobs: Vec<u8>,
    /// The end of what is used of the upper half.
    end: usize,
}

impl Image {
    fn new() -> Self {
        let code = code();
        let end = usize::try_from(code.symbols["code_end"]).expect("an offset");
        Self { lower: Vec::new(), upper: code.bytes.clone(), blobs: Vec::new(), end }
    }

    /// Takes bytes into the lower half, to be copied to an address. False if there is no room.
    fn carried(&mut self, bytes: &[u8], to: u32) -> bool {
        let source = LOWER + u32::try_from(self.lower.len()).expect("at most 64 KiB");
        self.lower.extend_from_slice(bytes);
        self.lower.resize(self.lower.len().next_multiple_of(16), 0);
        let Ok(len) = u32::try_from(bytes.len().next_multiple_of(4)) else { return false };
        for field in [source, to, len] {
            self.blobs.extend_from_slice(&field.to_le_bytes());
        }
        self.lower.len() <= SEGMENT
    }

    fn carry(&mut self, configuration: &Configuration) -> Result<(), RomError> {
        let video = &configuration.video;
        if !video.is_empty() && !self.carried(video, VIDEO_AT) {
            return Err(RomError::Video(video.len()));
        }
        if let Some(acpi) = &configuration.acpi
            && !self.carried(&acpi.tables, acpi.address)
        {
            return Err(RomError::Acpi(acpi.tables.len()));
        }
        self.blobs.extend_from_slice(&[0; 12]);
        self.lower.resize(SEGMENT, 0);
        Ok(())
    }

    /// Puts bytes behind all others of the upper half; returns their offset.
    fn place(&mut self, bytes: &[u8]) -> Result<u16, RomError> {
        let start = self.end.next_multiple_of(16);
        let end = start + bytes.len();
        if end > ENTRY_POINTS {
            return Err(RomError::Tables);
        }
        self.upper[start..end].copy_from_slice(bytes);
        self.end = end;
        u16::try_from(start).map_err(|_| RomError::Tables)
    }

    /// Writes a field that the code knows by a name.
    fn set(&mut self, name: &str, bytes: &[u8]) {
        let at = usize::try_from(code().symbols[name]).expect("an offset");
        self.upper[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn settings(&mut self, configuration: &Configuration) -> Result<(), RomError> {
        let blobs = std::mem::take(&mut self.blobs);
        let blobs = self.place(&blobs)?;
        self.set("blobs", &blobs.to_le_bytes());
        let rows = &configuration.memory_map;
        let map: Vec<u8> = rows
            .iter()
            .flat_map(|row| {
                let (start, len) = (row.start.to_le_bytes(), row.len.to_le_bytes());
                [&start[..], &len, &row.kind.to_le_bytes()].concat()
            })
            .collect();
        let map = self.place(&map)?;
        self.set("e820", &map.to_le_bytes());
        let count = u16::try_from(rows.len()).map_err(|_| RomError::Tables)?;
        self.set("e820_rows", &count.to_le_bytes());
        let name: String = configuration.cpu.name.chars().filter(char::is_ascii_graphic).collect();
        let summary = self.place(format!("  |__|    CPU: {name}\r\n\0").as_bytes())?;
        self.set("summary", &summary.to_le_bytes());
        let [below, above] = configuration.e801();
        self.set("memory_below_16m", &below.to_le_bytes());
        self.set("memory_above_16m", &above.to_le_bytes());
        self.set("memory_88", &configuration.extended_kib().to_le_bytes());
        let low_end = u32::try_from(configuration.low_end).unwrap_or(u32::MAX);
        self.set("memory_end", &low_end.to_le_bytes());
        let high = u32::try_from(configuration.high >> 20).unwrap_or(u32::MAX);
        self.set("memory_high_mib", &high.to_le_bytes());
        self.set("elcr", &configuration.level_triggered().to_le_bytes());
        self.set("pirq", &configuration.pirq);
        self.set("pm_base", &u32::from(configuration.pm_base | 1).to_le_bytes());
        let mut order: Vec<u8> = configuration.boot_order.iter().map(|device| *device as u8).collect();
        order.truncate(7);
        self.set("boot_order", &order);
        self.set("has_apic", &[configuration.cpu.apic.into()]);
        self.set("has_mtrr", &[(configuration.cpu.features & MTRR != 0).into()]);
        self.set("boot_menu", &[configuration.boot_menu.into()]);
        Ok(())
    }

    fn tables(&mut self, configuration: &Configuration) -> Result<(), RomError> {
        if let Some(acpi) = &configuration.acpi {
            self.place(&acpi.rsdp)?;
        }
        self.place(&pir::table(configuration.pirq))?;
        let structures = smbios::structures(configuration);
        let at = self.place(&structures.bytes)?;
        self.place(&smbios::entry_point(&structures, UPPER + u32::from(at)))?;
        if configuration.cpu.apic {
            let at = self.place(&mp::configuration_table(configuration))?;
            self.place(&mp::floating_pointer(UPPER + u32::from(at)))?;
        }
        let directory = usize::try_from(code().symbols["bios32_sum"]).expect("an offset");
        let start = directory & !0xF;
        self.upper[directory] = checksum(&self.upper[start..start + 16]);
        Ok(())
    }
}

/// What makes the sum of all bytes zero.
pub(super) fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}
