//! The zero page, `struct boot_params` (Linux, Documentation/arch/x86/zero-page.rst).

use super::header::{START, SetupHeader};
use crate::pc::layout::E820;

/// Offsets in the page.
mod at {
    pub(super) const EXT_MEM_K: usize = 0x002;
    pub(super) const VIDEO_MODE: usize = 0x006;
    pub(super) const VIDEO_COLS: usize = 0x007;
    pub(super) const VIDEO_LINES: usize = 0x00E;
    pub(super) const VIDEO_IS_VGA: usize = 0x00F;
    pub(super) const VIDEO_POINTS: usize = 0x010;
    pub(super) const ACPI_RSDP_ADDR: usize = 0x070;
    pub(super) const ALT_MEM_K: usize = 0x1E0;
    pub(super) const E820_ENTRIES: usize = 0x1E8;
    pub(super) const VID_MODE: usize = 0x1FA;
    pub(super) const TYPE_OF_LOADER: usize = 0x210;
    pub(super) const CODE32_START: usize = 0x214;
    pub(super) const RAMDISK_IMAGE: usize = 0x218;
    pub(super) const RAMDISK_SIZE: usize = 0x21C;
    pub(super) const CMD_LINE_PTR: usize = 0x228;
    pub(super) const E820_TABLE: usize = 0x2D0;
}

/// A loader without a number of its own (boot.rst, "type_of_loader").
const UNDEFINED_LOADER: u8 = 0xFF;
/// "normal": keep the mode the loader has set.
const VID_MODE_NORMAL: u16 = 0xFFFF;

/// Where the parts of a start lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) kernel: u32,
    pub(super) initrd: u32,
    pub(super) initrd_len: u32,
    pub(super) command_line: u32,
    pub(super) rsdp: u64,
}

/// The page that tells the kernel where everything is.
pub(super) fn zero_page(header: &SetupHeader, places: Places, e820: &[E820], low_end: u64) -> Vec<u8> {
    let mut page = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(START, &header.bytes);
    put(at::TYPE_OF_LOADER, &[UNDEFINED_LOADER]);
    put(at::VID_MODE, &VID_MODE_NORMAL.to_le_bytes());
    put(at::CODE32_START, &places.kernel.to_le_bytes());
    put(at::RAMDISK_IMAGE, &places.initrd.to_le_bytes());
    put(at::RAMDISK_SIZE, &places.initrd_len.to_le_bytes());
    put(at::CMD_LINE_PTR, &places.command_line.to_le_bytes());
    put(at::ACPI_RSDP_ADDR, &places.rsdp.to_le_bytes());

    // Text mode 3: 80x25, 16 lines a character, a VGA at B8000h (screen_info).
    put(at::VIDEO_MODE, &[3]);
    put(at::VIDEO_COLS, &[80]);
    put(at::VIDEO_LINES, &[25]);
    put(at::VIDEO_IS_VGA, &[1]);
    put(at::VIDEO_POINTS, &16u16.to_le_bytes());

    let extended = u32::try_from(low_end.saturating_sub(1 << 20) >> 10).unwrap_or(u32::MAX);
    put(at::EXT_MEM_K, &u16::try_from(extended).unwrap_or(u16::MAX).to_le_bytes());
    put(at::ALT_MEM_K, &extended.to_le_bytes());
    put(at::E820_ENTRIES, &[u8::try_from(e820.len()).expect("a dozen rows")]);
    for (n, row) in e820.iter().enumerate() {
        let at = at::E820_TABLE + 20 * n;
        put(at, &row.start.to_le_bytes());
        put(at + 8, &row.len.to_le_bytes());
        put(at + 16, &(row.kind as u32).to_le_bytes());
    }
    page
}
