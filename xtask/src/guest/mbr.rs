//! The first megabyte of a disk: a partition table with one partition, and GRUB before it.
//!
//! Follows GRUB 2.06, `include/grub/i386/pc/boot.h` for the fields of `boot.img` and `diskboot.img` that
//! `grub-bios-setup` fills in when it embeds a core image. That program wants the disk as a device of the host, which
//! takes root; the two images are put in place here instead. Left out: the Reed-Solomon code that protects an
//! embedded core image against other programs that write there.

use anyhow::{Result, ensure};

pub const SECTOR: usize = 512;
/// Where the partition begins, as every partitioning program of today has it: at 1 MiB.
pub const PARTITION: u32 = 2048;

/// The core image comes straight after the boot record.
const CORE: u64 = 1;
/// `GRUB_BOOT_MACHINE_KERNEL_SECTOR`: which sector `boot.img` loads.
const KERNEL_SECTOR: usize = 0x5C;
/// `GRUB_BOOT_MACHINE_DRIVE_CHECK`: a jump over the lines that set DL to 80h if a BIOS has passed something else.
/// `grub-bios-setup` removes that jump on hard disks.
const DRIVE_CHECK: usize = 0x66;
const NOP: u8 = 0x90;
/// `GRUB_BOOT_MACHINE_WINDOWS_NT_MAGIC`: here the code ends and the disk's signature is.
const DISK_SIGNATURE: usize = 0x1B8;
const PARTITION_TABLE: usize = 0x1BE;
/// The first entry of the list of blocks that ends `diskboot.img`: sector (8 bytes), how many (2), segment (2).
const BLOCK_LIST: usize = SECTOR - 12;
/// The paragraph after `diskboot.img`, which `boot.img` has loaded to 8000h.
const KERNEL_SEGMENT: u16 = 0x820;

const ACTIVE: u8 = 0x80;
const LINUX: u8 = 0x83;
/// Cylinder, head and sector of what lies beyond them.
const BEYOND_CHS: [u8; 3] = [0xFE, 0xFF, 0xFF];

/// The beginning of a disk of so many sectors, from GRUB's `boot.img` and a core image of `grub-mkimage`.
pub fn first_sectors(boot: &[u8], core: &[u8], disk: u32, signature: u32) -> Result<Vec<u8>> {
    ensure!(boot.len() == SECTOR && boot.ends_with(&[0x55, 0xAA]), "boot.img of GRUB is not a boot sector");
    ensure!(core.len() > SECTOR, "the core image of GRUB is too short");
    let rest = u16::try_from(core.len().div_ceil(SECTOR) - 1)?;
    ensure!(u32::from(rest) + 2 <= PARTITION, "the core image of GRUB does not fit before the partition");

    let mut sectors = boot.to_vec();
    sectors[KERNEL_SECTOR..][..8].copy_from_slice(&CORE.to_le_bytes());
    sectors[DRIVE_CHECK..][..2].fill(NOP);
    sectors[DISK_SIGNATURE..][..4].copy_from_slice(&signature.to_le_bytes());
    sectors[PARTITION_TABLE..SECTOR - 2].fill(0);
    sectors[PARTITION_TABLE..][..16].copy_from_slice(&partition(PARTITION, disk - PARTITION));

    sectors.extend_from_slice(core);
    let list = &mut sectors[SECTOR + BLOCK_LIST..][..12];
    list[..8].copy_from_slice(&(CORE + 1).to_le_bytes());
    list[8..10].copy_from_slice(&rest.to_le_bytes());
    list[10..].copy_from_slice(&KERNEL_SEGMENT.to_le_bytes());
    sectors.resize(sectors.len().next_multiple_of(SECTOR), 0);
    Ok(sectors)
}

fn partition(first: u32, count: u32) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[0] = ACTIVE;
    entry[1..4].copy_from_slice(&BEYOND_CHS);
    entry[4] = LINUX;
    entry[5..8].copy_from_slice(&BEYOND_CHS);
    entry[8..12].copy_from_slice(&first.to_le_bytes());
    entry[12..].copy_from_slice(&count.to_le_bytes());
    entry
}

#[cfg(test)]
mod tests {
    use super::{SECTOR, first_sectors};

    const DISK: u32 = 8 << 11; // 8 MiB

    fn boot() -> Vec<u8> {
        let mut boot = vec![0xCC; SECTOR];
        boot[510..].copy_from_slice(&[0x55, 0xAA]);
        boot
    }

    #[test]
    fn boot_record_then_core_with_its_list_of_blocks() {
        let sectors = first_sectors(&boot(), &[0xEE; 1025], DISK, 0x1234_5678).unwrap();
        assert_eq!(sectors.len(), 4 * SECTOR);
        assert_eq!(sectors[0x5C..0x68], [1, 0, 0, 0, 0, 0, 0, 0, 0xCC, 0xCC, 0x90, 0x90]);
        assert_eq!(sectors[0x1B8..0x1BC], [0x78, 0x56, 0x34, 0x12]);
        assert_eq!(
            sectors[0x1BE..0x1CE],
            [0x80, 0xFE, 0xFF, 0xFF, 0x83, 0xFE, 0xFF, 0xFF, 0, 8, 0, 0, 0, 0x38, 0, 0]
        );
        assert_eq!(sectors[0x1CE..0x200], [&[0; 48][..], &[0x55, 0xAA]].concat());
        // Two more sectors of the core image, the last of which is not full, from sector 2 to 820h:0.
        assert_eq!(sectors[SECTOR + 0x1F4..2 * SECTOR], [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x20, 8]);
        assert_eq!((sectors[3 * SECTOR], sectors[3 * SECTOR + 1]), (0xEE, 0));
    }

    #[test]
    fn what_is_not_grub_or_too_large_is_refused() {
        assert!(first_sectors(&[0; SECTOR], &[0; 2048], DISK, 0).is_err());
        assert!(first_sectors(&boot(), &[0; SECTOR], DISK, 0).is_err());
        assert!(first_sectors(&boot(), &[0; 2047 * SECTOR], DISK, 0).is_ok());
        assert!(first_sectors(&boot(), &[0; 2047 * SECTOR + 1], DISK, 0).is_err());
    }
}
