//! PDEP and PEXT: the host's own instructions where it has them, loops over the mask's bits elsewhere.
#![allow(unsafe_code)] // instructions of a feature that is checked for

/// The low bits of `a` spread to where `mask` has ones.
pub fn pdep(a: u64, mask: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") {
        // SAFETY: the host has the feature.
        return unsafe { std::arch::x86_64::_pdep_u64(a, mask) };
    }
    deposit(a, mask)
}

/// The bits of `a` where `mask` has ones, brought together at the low end.
pub fn pext(a: u64, mask: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") {
        // SAFETY: the host has the feature.
        return unsafe { std::arch::x86_64::_pext_u64(a, mask) };
    }
    extract(a, mask)
}

/// The set bits of `mask`, lowest first.
fn ones(mut mask: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let lowest = mask & mask.wrapping_neg();
        mask ^= lowest;
        (lowest != 0).then_some(lowest)
    })
}

fn deposit(a: u64, mask: u64) -> u64 {
    ones(mask).enumerate().filter(|(n, _)| a >> n & 1 != 0).fold(0, |r, (_, bit)| r | bit)
}

fn extract(a: u64, mask: u64) -> u64 {
    ones(mask).enumerate().filter(|(_, bit)| a & bit != 0).fold(0, |r, (n, _)| r | 1 << n)
}

#[cfg(test)]
mod tests {
    use super::{deposit, extract, pdep, pext};

    #[test]
    fn loops_agree_with_the_host() {
        assert_eq!(deposit(0b1011, 0b1010_0110), 0b1000_0110);
        assert_eq!(extract(0b1000_0110, 0b1010_0110), 0b1011);
        let mut x = 0x9E37_79B9_7F4A_7C15u64;
        for n in 0..1000 {
            let a = x;
            x = x.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            let mask = x.rotate_left(n) & if n & 1 != 0 { u64::MAX } else { a >> 7 };
            assert_eq!(deposit(a, mask), pdep(a, mask), "PDEP {a:X} {mask:X}");
            assert_eq!(extract(a, mask), pext(a, mask), "PEXT {a:X} {mask:X}");
        }
    }
}
