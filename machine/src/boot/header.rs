//! The setup header of a bzImage (boot.rst, "Details of Header Fields").

use super::BootError;

/// Offsets in the image.
mod at {
    pub(super) const SETUP_SECTS: usize = 0x1F1;
    pub(super) const SYSSIZE: usize = 0x1F4;
    pub(super) const BOOT_FLAG: usize = 0x1FE;
    pub(super) const JUMP_LEN: usize = 0x201;
    pub(super) const HEADER: usize = 0x202;
    pub(super) const VERSION: usize = 0x206;
    pub(super) const LOADFLAGS: usize = 0x211;
    pub(super) const CODE32_START: usize = 0x214;
    pub(super) const INITRD_ADDR_MAX: usize = 0x22C;
    pub(super) const KERNEL_ALIGNMENT: usize = 0x230;
    pub(super) const RELOCATABLE_KERNEL: usize = 0x234;
    pub(super) const XLOADFLAGS: usize = 0x236;
    pub(super) const CMDLINE_SIZE: usize = 0x238;
    pub(super) const PREF_ADDRESS: usize = 0x258;
    pub(super) const INIT_SIZE: usize = 0x260;
}

/// Where the header begins in the image and in the zero page.
pub(super) const START: usize = at::SETUP_SECTS;
/// The shortest image that can hold a header of protocol 2.06.
const SHORTEST: usize = 0x23C;
/// The longest header: it must end below the EDD buffer of the zero page (zero-page.rst).
const LONGEST_END: usize = 0x290;

const BOOT_FLAG: u16 = 0xAA55;
const MAGIC: [u8; 4] = *b"HdrS";
const LOADED_HIGH: u8 = 1 << 0;
const XLF_KERNEL_64: u16 = 1 << 0;
const SECTOR: u64 = 512;

/// What a loader needs of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupHeader {
    /// The header as it stands in the image, from [`START`] on.
    pub(super) bytes: Vec<u8>,
    kernel_at: usize,
    pub version: u16,
    initrd_addr_max: u32,
    pub(super) kernel_alignment: u64,
    pub(super) relocatable: bool,
    pub(super) has_64_bit_entry: bool,
    pub(super) cmdline_size: u32,
    pub(super) pref_address: u64,
    /// Bytes from the load address on that the kernel needs before it knows the memory map.
    pub(super) init_size: u64,
}

fn u16_at(image: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([image[at], image[at + 1]])
}

fn u32_at(image: &[u8], at: usize) -> u32 {
    u32::from(u16_at(image, at)) | u32::from(u16_at(image, at + 2)) << 16
}

impl SetupHeader {
    /// Where the protected-mode kernel begins in the image.
    pub fn payload_start(&self) -> usize {
        self.kernel_at
    }

    /// The address at which an initrd must end at the latest.
    pub fn initrd_end(&self) -> u64 {
        u64::from(self.initrd_addr_max) + 1
    }

    /// # Errors
    /// The image is not a bzImage of protocol 2.06 or later, or not all of it is there.
    pub fn parse(image: &[u8]) -> Result<Self, BootError> {
        if image.len() < SHORTEST
            || u16_at(image, at::BOOT_FLAG) != BOOT_FLAG
            || image[at::HEADER..at::HEADER + 4] != MAGIC
        {
            return Err(BootError::NotAKernel);
        }
        let version = u16_at(image, at::VERSION);
        if version < 0x206 {
            return Err(BootError::TooOld(version));
        }
        if image[at::LOADFLAGS] & LOADED_HIGH == 0 {
            return Err(BootError::LowKernel);
        }
        let end = (at::HEADER + usize::from(image[at::JUMP_LEN])).clamp(SHORTEST, LONGEST_END);
        let kernel_at = Self::check_length(image)?;
        Self::fields(&image[..end.min(image.len())], version, kernel_at)
    }

    /// Where the protected-mode kernel begins, if all of it is there. `syssize` counts paragraphs, the last of
    /// which need not be whole.
    fn check_length(image: &[u8]) -> Result<usize, BootError> {
        let sectors = match image[at::SETUP_SECTS] {
            0 => 4, // boot.rst: "for backwards compatibility"
            sectors => sectors,
        };
        let start = (u64::from(sectors) + 1) * SECTOR;
        let promised = start + u64::from(u32_at(image, at::SYSSIZE)) * 16;
        let found = image.len() as u64;
        if found <= start || found + 15 < promised {
            return Err(BootError::Truncated { promised, found });
        }
        Ok(usize::try_from(start).expect("256 sectors at most"))
    }

    /// `image` ends where the header ends: fields of later protocols read as zero.
    fn fields(image: &[u8], version: u16, kernel_at: usize) -> Result<Self, BootError> {
        let mut padded = image.to_vec();
        padded.resize(LONGEST_END, 0);
        let pref_address = match version {
            0x20A.. => {
                let high = u64::from(u32_at(&padded, at::PREF_ADDRESS + 4));
                u64::from(u32_at(&padded, at::PREF_ADDRESS)) | high << 32
            }
            _ => u32_at(&padded, at::CODE32_START).into(),
        };
        let alignment = u32_at(&padded, at::KERNEL_ALIGNMENT).max(0x1000);
        if !alignment.is_power_of_two() {
            return Err(BootError::Nonsense("its alignment is not a power of two"));
        }
        if pref_address < 0x10_0000 {
            return Err(BootError::Nonsense("its load address is below 1 MiB"));
        }
        Ok(Self {
            bytes: image[START..].to_vec(),
            kernel_at,
            version,
            initrd_addr_max: u32_at(&padded, at::INITRD_ADDR_MAX),
            kernel_alignment: alignment.into(),
            relocatable: padded[at::RELOCATABLE_KERNEL] != 0,
            has_64_bit_entry: version >= 0x20C && u16_at(&padded, at::XLOADFLAGS) & XLF_KERNEL_64 != 0,
            cmdline_size: u32_at(&padded, at::CMDLINE_SIZE),
            pref_address,
            init_size: u32_at(&padded, at::INIT_SIZE).into(),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A bzImage of `payload` bytes with a 64-bit entry, as Linux 6 writes it.
    pub(crate) fn image(payload: usize) -> Vec<u8> {
        let mut image = vec![0; 1024 + payload];
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(at::SETUP_SECTS, &[1]);
        put(at::SYSSIZE, &(payload as u32).div_ceil(16).to_le_bytes());
        put(at::BOOT_FLAG, &BOOT_FLAG.to_le_bytes());
        put(at::HEADER - 2, &[0xEB, 0x6A]);
        put(at::HEADER, &MAGIC);
        put(at::VERSION, &0x20Fu16.to_le_bytes());
        put(at::LOADFLAGS, &[LOADED_HIGH]);
        put(at::CODE32_START, &0x10_0000u32.to_le_bytes());
        put(at::INITRD_ADDR_MAX, &0x7FFF_FFFFu32.to_le_bytes());
        put(at::KERNEL_ALIGNMENT, &0x20_0000u32.to_le_bytes());
        put(at::RELOCATABLE_KERNEL, &[1]);
        put(at::XLOADFLAGS, &XLF_KERNEL_64.to_le_bytes());
        put(at::CMDLINE_SIZE, &2047u32.to_le_bytes());
        put(at::PREF_ADDRESS, &0x100_0000u64.to_le_bytes());
        put(at::INIT_SIZE, &0x20_0000u32.to_le_bytes());
        for (n, byte) in image[1024..].iter_mut().enumerate() {
            *byte = n as u8;
        }
        image
    }

    #[test]
    fn a_kernel_of_today_parses() {
        let header = SetupHeader::parse(&image(1000)).expect("a kernel");
        assert_eq!((header.version, header.kernel_at, header.pref_address), (0x20F, 1024, 0x100_0000));
        assert!(header.has_64_bit_entry && header.relocatable);
    }

    #[test]
    fn truncation_is_noticed_wherever_it_happens() {
        let whole = image(1008);
        for len in 0..whole.len() - 15 {
            let error = SetupHeader::parse(&whole[..len]).expect_err("truncated");
            let expected = matches!(error, BootError::NotAKernel | BootError::Truncated { .. });
            assert!(expected, "{len}: {error}");
        }
    }

    #[test]
    fn bad_headers_never_panic() {
        let good = image(64);
        for at in START..LONGEST_END {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut bad = good.clone();
                bad[at] = value;
                let _either_way = SetupHeader::parse(&bad);
            }
        }
        assert_eq!(SetupHeader::parse(b"#!/bin/sh"), Err(BootError::NotAKernel));
    }

    #[test]
    fn old_protocols_are_named() {
        let mut old = image(64);
        old[at::VERSION] = 5;
        let error = SetupHeader::parse(&old).expect_err("too old");
        assert_eq!(error.to_string(), "the kernel speaks boot protocol 2.05, older than 2.06");
    }
}
