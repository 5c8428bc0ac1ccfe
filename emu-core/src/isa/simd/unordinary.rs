//! The stand-in for `ordinary` where the host is no x86-64: it decides nothing, the exact functions do all.

macro_rules! undecided {
    ($($name:ident)*) => {$(
        #[inline(always)]
        pub fn $name(_: u128, _: u128) -> Option<u128> {
            None
        }
    )*};
}

undecided! {
    addps addpd subps subpd mulps mulpd divps divpd sqrtps sqrtpd minps minpd maxps maxpd cvtdq2ps cvtps2dq cvttps2dq
}

#[inline(always)]
pub fn cmpps(_: u128, _: u128, _: u8) -> Option<u128> {
    None
}

#[inline(always)]
pub fn cmppd(_: u128, _: u128, _: u8) -> Option<u128> {
    None
}
