//! The guest's whole x87 state in the host's unit, and back, through an image of FSAVE.
//!
//! Between [`load`] and [`store`] the host's register stack is the guest's. Rust code may run meanwhile as long as it uses
//! neither x87 nor MMX: the compiler emits such instructions on x86-64 for nothing that is here, and the host's kernel
//! keeps the unit's state for each thread.
#![allow(unsafe_code)] // inline assembly is the point of this module

use super::status::{B, ES};
use crate::vcpu::{F80, X87};
use std::arch::asm;

/// The control word of every thread (System V: 037Fh; Windows: double precision).
pub(super) static HOST_CONTROL: u16 = if cfg!(windows) { 0x027F } else { 0x037F };

/// The 32-bit protected-mode format (Intel SDM Vol. 1 figure 8-9): seven fields, then ST(0) to ST(7). That format is
/// what FNSAVE and FRSTOR use in 64-bit code too.
#[repr(C, align(16))]
struct Image {
    /// Control, status and tag word; then the pointers, which belong to the host's code and are not looked at.
    fields: [u32; 7],
    stack: [[u8; 10]; 8],
}

const CONTROL: usize = 0;
const STATUS: usize = 1;
const TAGS: usize = 2;
const EMPTY: u32 = 3;

impl Image {
    const BLANK: Self = Self { fields: [0; 7], stack: [[0; 10]; 8] };

    fn of(x87: &X87) -> Self {
        let mut image = Self::BLANK;
        image.fields[CONTROL] = x87.control.into();
        image.fields[STATUS] = x87.status.into();
        // FRSTOR only tells empty from not empty; the other tags follow from the contents (Intel SDM Vol. 1 8.1.7).
        image.fields[TAGS] = (0..8).filter(|n| x87.empty >> n & 1 != 0).map(|n| EMPTY << (2 * n)).sum();
        for (n, ten) in image.stack.iter_mut().enumerate() {
            let value = &x87.r[(usize::from(x87.top()) + n) & 7];
            ten[..8].copy_from_slice(&value.significand.to_le_bytes());
            ten[8..].copy_from_slice(&value.exponent.to_le_bytes());
        }
        image
    }

    fn registers_to(&self, x87: &mut X87) {
        x87.status = self.fields[STATUS] as u16;
        let tags = self.fields[TAGS];
        x87.empty = (0..8).fold(0, |empty, n| empty | u8::from(tags >> (2 * n) & 3 == EMPTY) << n);
        let top = usize::from(x87.top());
        for (n, ten) in self.stack.iter().enumerate() {
            let [a, b, c, d, e, f, g, h, low, high] = *ten;
            let significand = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
            x87.r[(top + n) & 7] = F80::new(u16::from_le_bytes([low, high]), significand);
        }
    }
}

/// Gives the host's unit the guest's registers, tags, status and control word. All exceptions are masked in that, and
/// none is pending.
pub fn load(x87: &X87) {
    debug_assert!(x87.control & super::control::MASKS == super::control::MASKS && x87.status & (ES | B) == 0);
    let image = Image::of(x87);
    // SAFETY: reads the image. No x87 code of Rust's runs before `store`, see the module.
    unsafe { asm!("frstor [{}]", in(reg) &raw const image, options(nostack, readonly, preserves_flags)) };
}

/// Takes registers, tags and the status word over, and leaves the host's unit as Rust expects it: empty, and with the
/// usual control word. (The guest's control word stands in `x87` at all times.)
pub fn store(x87: &mut X87) {
    let mut image = Image::BLANK;
    // SAFETY: FNSAVE writes the image and initialises the unit; FLDCW reads the constant.
    unsafe {
        asm!("fnsave [{image}]", "fldcw word ptr [{usual}]", image = in(reg) &raw mut image,
            usual = in(reg) &HOST_CONTROL, options(nostack, preserves_flags));
    }
    image.registers_to(x87);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field that the unit holds, with each TOP and all tags.
    #[test]
    fn what_is_loaded_comes_back() {
        for n in 0..=0xFFu8 {
            let mut x87 = X87 { empty: n, control: 0x007F | u16::from(n & 15) << 8, ..X87::default() };
            x87.status = u16::from(n) << 8 & 0x7F00 | u16::from(n.reverse_bits()) & 0x7F;
            for (at, r) in x87.r.iter_mut().enumerate() {
                // Unsupported formats too: any exponent without the integer bit.
                *r = F80::new(
                    u16::from(n) << 8 | at as u16,
                    u64::from(n).wrapping_mul(0x0123_4567_89AB_CDEF << at),
                );
            }
            let mut back = X87 { r: [F80::default(); 8], status: 0, empty: 0, ..x87 };
            load(&x87);
            store(&mut back);
            assert_eq!(back, x87);
        }
    }

    #[test]
    fn the_unit_is_empty_afterwards() {
        let mut x87 = X87 { empty: 0, control: 0x0C7F, ..X87::default() };
        load(&x87);
        store(&mut x87);
        store(&mut x87);
        assert_eq!((x87.empty, x87.status, x87.top()), (0xFF, 0, 0));
        assert_eq!(x87.control, 0x0C7F);
    }
}
