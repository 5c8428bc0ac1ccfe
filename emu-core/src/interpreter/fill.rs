//! Runs of equal elements: REP STOS.
#![allow(unsafe_code)] // stores to guest pages; REP STOS of the host's own

use super::word::Scalar;

/// From here on the host's own REP STOS is faster than stores: its start takes some thirty cycles.
#[cfg(target_arch = "x86_64")]
const LONG: usize = 256;

/// Stores `value` to `count` elements from `to` on.
///
/// # Safety
/// They are all writable. `to` need not be aligned.
#[inline(always)]
pub unsafe fn fill<T: Scalar>(to: *mut T, value: T, count: usize) {
    #[cfg(target_arch = "x86_64")]
    if count * size_of::<T>() >= LONG {
        // SAFETY: as the caller says.
        return unsafe { repeat(to.cast(), value.to_wide() as u64, size_of::<T>(), count) };
    }
    for n in 0..count {
        // SAFETY: as the caller says.
        unsafe { to.add(n).write_unaligned(value) };
    }
}

/// The host's REP STOS. Bytes are what microcode is fastest with: an element of equal bytes is stored as such, and others
/// by eight bytes where they fill such.
///
/// # Safety
/// As for [`fill`].
#[cfg(target_arch = "x86_64")]
unsafe fn repeat(to: *mut u8, value: u64, size: usize, count: usize) {
    let bits = 8 * size as u32;
    let spread =
        (0..64).step_by(bits as usize).fold(0, |word, at| word | (value & (u64::MAX >> (64 - bits))) << at);
    let bytes = size * count;
    // SAFETY: DF is clear, as the ABI says; as the caller says, the bytes are writable.
    unsafe {
        if spread == (spread & 0xFF) * 0x0101_0101_0101_0101 {
            std::arch::asm!("rep stosb", inout("rdi") to => _, inout("rcx") bytes => _, in("al") spread as u8,
                options(nostack, preserves_flags));
        } else {
            let end: *mut u8;
            std::arch::asm!("rep stosq", inout("rdi") to => end, inout("rcx") bytes / 8 => _, in("rax") spread,
                options(nostack, preserves_flags));
            std::ptr::copy_nonoverlapping(spread.to_le_bytes().as_ptr(), end, bytes % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Scalar>(value: T, element: &[u8]) {
        let size = element.len();
        for count in [0, 1, 2, 31, 63, 64, 129, 255, 256, 257, 400] {
            for offset in 0..9 {
                let mut bytes = vec![0x55; 4096];
                // SAFETY: the elements lie inside `bytes`.
                unsafe { fill(bytes.as_mut_ptr().add(offset).cast::<T>(), value, count) };
                let end = offset + size * count;
                assert!(
                    bytes[..offset].iter().chain(&bytes[end..]).all(|byte| *byte == 0x55),
                    "{size} x {count}"
                );
                assert!(bytes[offset..end].chunks(size).all(|chunk| chunk == element), "{size} x {count}");
            }
        }
    }

    #[test]
    fn all_elements_and_nothing_else() {
        for value in [0, 0x1111_1111_1111_1111, 0x0123_4567_89AB_CDEF_u64] {
            let bytes = value.to_le_bytes();
            check(value as u8, &bytes[..1]);
            check(value as u16, &bytes[..2]);
            check(value as u32, &bytes[..4]);
            check(value, &bytes);
        }
    }
}
