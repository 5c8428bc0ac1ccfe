//! The 256 words of IDENTIFY DEVICE: ATA/ATAPI-6, 8.15.

use super::ata_disk::MULTIPLE_MAX;
use super::identify::{active_mode, bytes, set_text, set_u32};
use super::task_file::Translation;

/// What the words depend on.
pub(super) struct Facts {
    pub(super) sectors: u64,
    pub(super) translation: Translation,
    pub(super) multiple: u8,
    /// SET FEATURES transfer mode.
    pub(super) transfer_mode: u8,
    pub(super) write_cache: bool,
    /// Tells the drives apart: 0 is the first of the primary channel.
    pub(super) number: u8,
}

/// The translation at power-on: 16 heads, 63 sectors.
pub(super) const DEFAULT_TRANSLATION: Translation = Translation { heads: 16, sectors: 63 };

/// The most sectors that cylinders, heads and sectors are used for (ATA/ATAPI-6, 6.2.1).
const CHS_SECTORS: u64 = 16_514_064;

/// Cylinders of a translation.
fn cylinders(sectors: u64, translation: Translation) -> u16 {
    let track = u64::from(translation.heads) * u64::from(translation.sectors);
    u16::try_from(sectors.min(CHS_SECTORS) / track.max(1)).unwrap_or(u16::MAX)
}

pub(super) fn identify(facts: &Facts) -> Vec<u8> {
    let mut words = [0u16; 256];
    let (default, current) = (DEFAULT_TRANSLATION, facts.translation);
    words[0] = 0x0040; // fixed device
    words[1] = cylinders(facts.sectors, default).max(1);
    words[3] = default.heads.into();
    words[6] = default.sectors.into();
    set_text(&mut words[10..20], &format!("PSD{:05}", facts.number));
    set_text(&mut words[23..27], env!("CARGO_PKG_VERSION"));
    set_text(&mut words[27..47], "POSADA ATA DISK");
    words[47] = 0x8000 | u16::from(MULTIPLE_MAX);
    words[48] = 1; // 32-bit data port transfers
    words[49] = 0x0F00; // IORDY, LBA, DMA
    words[50] = 0x4000;
    words[51] = 0x0200; // PIO and DMA timing of old editions
    words[52] = 0x0200;
    words[53] = 0x0003; // words 54-58 and 64-70 are valid; 88 is not: the PIIX3 has no Ultra DMA
    let now = cylinders(facts.sectors, current);
    (words[54], words[55], words[56]) = (now, current.heads.into(), current.sectors.into());
    let capacity = u32::from(now) * u32::from(current.heads) * u32::from(current.sectors);
    set_u32(&mut words[57..59], capacity);
    words[59] = if facts.multiple == 0 { 0 } else { 0x0100 | u16::from(facts.multiple) };
    // 28 bits of address reach sector FFF_FFFEh.
    set_u32(&mut words[60..62], u32::try_from(facts.sectors).unwrap_or(u32::MAX).min(0x0FFF_FFFF));
    words[63] = 0x0007 | active_mode(facts.transfer_mode); // multiword DMA 0-2
    words[64] = 0x0003; // PIO 3 and 4
    words[65..69].fill(120); // ns a cycle
    words[80] = 0x007E; // ATA-1 to ATA/ATAPI-6
    words[82] = 0x0028; // write cache, power management
    words[85] = 0x0008 | if facts.write_cache { 0x0020 } else { 0 };
    (words[83], words[86]) = (0x7400, 0x3400); // FLUSH CACHE (EXT), 48-bit addresses
    (words[84], words[87]) = (0x4000, 0x4000);
    set_u32(&mut words[100..102], (facts.sectors & 0xFFFF_FFFF) as u32);
    set_u32(&mut words[102..104], (facts.sectors >> 32) as u32);
    bytes(&words)
}
