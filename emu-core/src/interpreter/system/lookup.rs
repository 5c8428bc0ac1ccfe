//! Descriptors in their tables: finding, checking and marking them, and the exceptions for bad selectors.

use crate::interpreter::Cpu;
use crate::interpreter::exception::vector;
use crate::interpreter::op::Faulted;
use crate::isa::cpuid::{self, Feature};
use crate::isa::descriptor::{Descriptor, Selector};
use crate::vcpu::Segment;

/// The exception for a selector that fails its checks, with the EXT bit of its error code (Intel SDM Vol. 3A 6.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blame {
    pub vector: u8,
    pub ext: u32,
}

impl Blame {
    pub const GP: Self = Self { vector: vector::GP, ext: 0 };
    pub const TS: Self = Self { vector: vector::TS, ext: 0 };

    pub const fn gp(ext: u32) -> Self {
        Self { vector: vector::GP, ext }
    }

    pub const fn ts(ext: u32) -> Self {
        Self { vector: vector::TS, ext }
    }
}

/// A descriptor and where it was found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub selector: Selector,
    pub descriptor: Descriptor,
    /// Linear address.
    pub at: u64,
}

impl Cpu {
    /// Whether this CPU model has a feature.
    pub fn has(&self, feature: Feature) -> bool {
        cpuid::model(self.s.model).features.has(feature)
    }

    /// #GP(0) unless the CPL is 0.
    pub fn require_ring_0(&mut self) -> Result<(), Faulted> {
        if self.cpl == 0 { Ok(()) } else { Err(self.gp(0)) }
    }

    /// An exception that names a selector.
    #[cold]
    pub fn blame(&mut self, blame: Blame, selector: Selector) -> Faulted {
        self.raise(blame.vector, Some(selector.error() | blame.ext))
    }

    /// #NP for a selector whose descriptor is not present.
    #[cold]
    pub fn not_present(&mut self, selector: Selector, ext: u32) -> Faulted {
        self.blame(Blame { vector: vector::NP, ext }, selector)
    }

    /// #SS for the selector of a stack that is not present or too small.
    #[cold]
    pub fn bad_stack(&mut self, selector: Selector, ext: u32) -> Faulted {
        self.blame(Blame { vector: vector::SS, ext }, selector)
    }

    /// Where the `size` bytes of a descriptor are, unless they are outside their table.
    fn descriptor_at(&self, selector: Selector, size: u64) -> Option<u64> {
        let (base, limit) = if selector.is_local() {
            let ldtr = &self.s.ldtr;
            ldtr.usable().then_some((ldtr.base, u64::from(ldtr.limit)))?
        } else {
            (self.s.gdtr.base, u64::from(self.s.gdtr.limit))
        };
        let offset = selector.offset();
        (offset + (size - 1) <= limit).then_some(base.wrapping_add(offset))
    }

    /// The descriptor of a selector that is not null. Outside its table it is `blame`d.
    pub fn find(&mut self, selector: Selector, blame: Blame) -> Result<Found, Faulted> {
        let Some(at) = self.descriptor_at(selector, 8) else {
            return Err(self.blame(blame, selector));
        };
        let descriptor = Descriptor(self.read_sys::<u64>(at)?);
        Ok(Found { selector, descriptor, at })
    }

    /// As [`Cpu::find`]; a null selector is `blame`d with error code 0.
    pub fn find_not_null(&mut self, selector: Selector, blame: Blame) -> Result<Found, Faulted> {
        if selector.is_null() {
            return Err(self.blame(blame, Selector(0)));
        }
        self.find(selector, blame)
    }

    /// As [`Cpu::find`]; `None` outside the table. For LAR and its like, which do not fault.
    pub fn peek(&mut self, selector: Selector) -> Result<Option<Found>, Faulted> {
        if selector.is_null() || self.descriptor_at(selector, 8).is_none() {
            return Ok(None);
        }
        self.find(selector, Blame::GP).map(Some)
    }

    /// The upper eight bytes of a 16-byte system descriptor (Intel SDM Vol. 3A 3.5, 5.8.3.1): the type there must be
    /// zero. Legacy modes have none: 0.
    pub fn upper_half(&mut self, found: &Found, blame: Blame) -> Result<u64, Faulted> {
        if !self.long_mode() {
            return Ok(0);
        }
        if self.descriptor_at(found.selector, 16).is_none() {
            return Err(self.blame(blame, found.selector));
        }
        let upper = self.read_sys::<u64>(found.at.wrapping_add(8))?;
        if upper >> 40 & 0x1F != 0 {
            return Err(self.blame(blame, found.selector));
        }
        Ok(upper)
    }

    /// Sets the accessed bit in memory and gives the segment register's new content.
    pub fn accessed(&mut self, found: &Found) -> Result<Segment, Faulted> {
        if !found.descriptor.accessed() {
            self.set_type(found, found.descriptor.kind() | 1)?;
        }
        let mut segment = found.descriptor.segment(found.selector);
        segment.rights |= Segment::ACCESSED;
        Ok(segment)
    }

    /// Changes the type field of a descriptor in memory.
    pub fn set_type(&mut self, found: &Found, kind: u8) -> Result<(), Faulted> {
        let rights = (found.descriptor.0 >> 40) as u8;
        self.write_sys(found.at.wrapping_add(5), rights & 0xF0 | kind)
    }
}
