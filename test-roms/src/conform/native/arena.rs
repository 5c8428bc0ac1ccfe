//! The window's pages in this process, and the segments of 16-bit code in its LDT.
#![allow(unsafe_code)] // fixed mappings, executable memory, a raw system call

use super::control::{CONTROL, CONTROL_BYTES, Control, TRAMPOLINE_BYTES, TRAMPOLINES};
use crate::conform::layout::*;
use crate::conform::memory::Memory;
use std::io::{Error, Result};

/// The mappings. There is one per process, because the addresses are fixed; they stay until it ends.
pub struct Arena {
    code: &'static mut [u8; CODE_BYTES],
    fixed: &'static mut [u8; FIXED_BYTES],
    data: &'static mut [u8; DATA_BYTES],
    stack: &'static mut [u8; STACK_BYTES],
    control: *mut Control,
}

/// A file in memory of which parts are mapped, some twice: writable here, executable or read-only at the window.
struct File(i32);

impl File {
    fn new(bytes: usize) -> Result<Self> {
        // SAFETY: a new descriptor; the name is a C string.
        let fd = unsafe { libc::memfd_create(c"posada-conform".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: the descriptor is ours.
        if fd < 0 || unsafe { libc::ftruncate(fd, bytes as i64) } != 0 {
            return Err(Error::last_os_error());
        }
        Ok(Self(fd))
    }

    /// Maps `bytes` at `offset`: at address `at`, or anywhere if it is 0.
    fn map(&self, at: u64, offset: usize, bytes: usize, protection: i32) -> Result<*mut u8> {
        // In place at once: a page of Linux's that is yet to come faults with another error code.
        let flags =
            libc::MAP_SHARED | libc::MAP_POPULATE | if at == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
        // SAFETY: a new mapping that replaces none.
        let p = unsafe { libc::mmap(at as *mut _, bytes, protection, flags, self.0, offset as i64) };
        if p == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(p.cast()) }
    }
}

const READ: i32 = libc::PROT_READ;
const WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const EXECUTE: i32 = libc::PROT_READ | libc::PROT_EXEC;

impl Arena {
    /// Maps everything and fills in the trampolines and the LDT.
    ///
    /// # Errors
    /// An address is taken (a second arena in one process), or the system refuses.
    pub fn new(trampolines: &[u8]) -> Result<Self> {
        let file = File::new(0x10000)?;
        let (data, fixed, stack) =
            (CODE_BYTES, CODE_BYTES + DATA_BYTES, CODE_BYTES + DATA_BYTES + FIXED_BYTES);
        let control = stack + STACK_BYTES;
        let code = control + CONTROL_BYTES;
        assert!(trampolines.len() <= TRAMPOLINE_BYTES, "the trampolines fit their page");
        file.map(CODE, 0, CODE_BYTES, EXECUTE)?;
        file.map(FIXED, fixed, FIXED_BYTES, READ)?;
        file.map(TRAMPOLINES, code, TRAMPOLINE_BYTES, EXECUTE)?;
        let trampoline_page = file.map(0, code, TRAMPOLINE_BYTES, WRITE)?;
        // SAFETY: the page was just mapped for writing, and the bytes fit (checked above).
        unsafe { trampoline_page.copy_from_nonoverlapping(trampolines.as_ptr(), trampolines.len()) };
        describe_segments()?;
        // SAFETY: fresh mappings of these sizes that live as long as the process; each is handed out once. (The
        // executable and read-only aliases are never made into references.)
        unsafe {
            Ok(Self {
                code: &mut *file.map(0, 0, CODE_BYTES, WRITE)?.cast(),
                fixed: &mut *file.map(0, fixed, FIXED_BYTES, WRITE)?.cast(),
                data: &mut *file.map(DATA, data, DATA_BYTES, WRITE)?.cast(),
                stack: &mut *file.map(STACK, stack, STACK_BYTES, WRITE)?.cast(),
                control: file.map(CONTROL, control, CONTROL_BYTES, WRITE)?.cast(),
            })
        }
    }

    /// The control block. Trampolines and handler touch it while a program runs, so this is not kept across a run.
    pub fn control(&mut self) -> &mut Control {
        // SAFETY: mapped, zeroed, aligned to its page; only one reference at a time by the borrow of self.
        unsafe { &mut *self.control }
    }
}

impl Memory for Arena {
    fn set_code(&mut self, bytes: &[u8; CODE_BYTES]) {
        *self.code = *bytes;
    }

    fn set_fixed(&mut self, bytes: &[u8; FIXED_BYTES]) {
        *self.fixed = *bytes;
    }

    fn set(&mut self, data: &[u8; DATA_BYTES], stack: &[u8; STACK_BYTES]) {
        *self.data = *data;
        *self.stack = *stack;
    }

    fn get(&self, data: &mut [u8; DATA_BYTES], stack: &mut [u8; STACK_BYTES]) {
        *data = *self.data;
        *stack = *self.stack;
    }
}

/// `struct user_desc` of `modify_ldt` (Linux, arch/x86/include/uapi/asm/ldt.h).
#[repr(C)]
struct UserDesc {
    entry: u32,
    base: u32,
    limit: u32,
    /// Bit 0 32-bit, 1-2 contents (0 data, 1 expand-down, 2 code), 3 read or execute only, 4 in pages, 5 not present.
    flags: u32,
}

/// The rows of the LDT: base, limit, flags. Their selectors are in [`selector`].
const SEGMENTS: [(u64, u32, u32); 6] = [
    (WINDOW, 0xFFFF, 2 << 1),
    (WINDOW, 0xFFFF, 0),
    (FS_BASE, 0xFFF, 0),
    (GS_BASE, 0xFFF, 0),
    (DATA, 0xFFF, 1 << 3),
    (DATA, 0xFFF, 1 << 1),
];

fn describe_segments() -> Result<()> {
    for (entry, (base, limit, flags)) in (0u32..).zip(SEGMENTS) {
        let row = UserDesc { entry, base: base as u32, limit, flags };
        // SAFETY: function 11h reads one row of this size.
        let failed =
            unsafe { libc::syscall(libc::SYS_modify_ldt, 0x11, &raw const row, size_of::<UserDesc>()) };
        if failed != 0 {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}
