//! Which linear addresses and which offsets in a segment there are.

use crate::vcpu::Segment;

/// Whether bits 47 to 63 are all equal.
#[inline(always)]
pub fn canonical(linear: u64) -> bool {
    ((linear << 16) as i64 >> 16) as u64 == linear
}

/// Whether `size` bytes at `offset` are inside the segment (Intel SDM Vol. 3A 5.3).
pub fn in_limit(segment: &Segment, offset: u64, size: u64) -> bool {
    let last = offset + (size - 1);
    let limit = u64::from(segment.limit);
    if segment.expands_down() {
        let top = if segment.is(Segment::DB) { 0xFFFF_FFFF } else { 0xFFFF };
        offset > limit && last <= top
    } else {
        last <= limit
    }
}
