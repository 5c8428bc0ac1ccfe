//! Starting a kernel directly: the Linux boot protocol (Linux, Documentation/arch/x86/boot.rst), as Linux and
//! memtest86+ speak it.
//!
//! A kernel that has a 64-bit entry is started there in long mode, on a CPU that has it; any other at its 32-bit
//! entry. The header and the zero page are read and written here by offset, because linux-loader's structures
//! exist on x86 hosts only.

mod entry;
mod header;
mod zero_page;

pub use entry::Entry;
pub use header::SetupHeader;
#[cfg(test)]
pub(crate) use header::tests::image as test_image;

/// Why a kernel cannot be started.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    #[error("the kernel is not a bzImage: it has no Linux boot header")]
    NotAKernel,
    #[error("the kernel is truncated: its header promises {promised} bytes, there are {found}")]
    Truncated { promised: u64, found: u64 },
    #[error("the kernel speaks boot protocol {}.{:02}, older than 2.06", .0 >> 8, .0 & 0xFF)]
    TooOld(u16),
    #[error("the kernel must be loaded below 1 MiB (a zImage), which is not supported")]
    LowKernel,
    #[error("the kernel's header makes no sense: {0}")]
    Nonsense(&'static str),
    #[error("the command line is {len} bytes long, this kernel takes {limit}")]
    CommandLine { len: usize, limit: u32 },
    #[error(
        "{have} MiB of memory below 3 GiB are not enough for this kernel and its initrd; they need {need} MiB"
    )]
    TooLittleMemory { have: u64, need: u64 },
}
