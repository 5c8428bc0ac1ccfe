//! Legacy SSE instructions: which of them compute with floats, and which the host executes as the interpreter does.

use iced_x86::{Instruction, Mnemonic, Register};

pub fn is_xmm(register: Register) -> bool {
    register.is_xmm() && register.number() < 16
}

/// SSE instructions that compute with floats: under the guest's MXCSR. They need not name an XMM register: CVTSD2SI has
/// forms with memory.
pub fn is_float(i: &Instruction) -> bool {
    use Mnemonic::*;
    matches!(
        i.mnemonic(),
        Addss
            | Addsd
            | Addps
            | Addpd
            | Subss
            | Subsd
            | Subps
            | Subpd
            | Mulss
            | Mulsd
            | Mulps
            | Mulpd
            | Divss
            | Divsd
            | Divps
            | Divpd
            | Sqrtss
            | Sqrtsd
            | Sqrtps
            | Sqrtpd
            | Minss
            | Minsd
            | Minps
            | Minpd
            | Maxss
            | Maxsd
            | Maxps
            | Maxpd
            | Cmpss
            | Cmpsd
            | Cmpps
            | Cmppd
            | Ucomiss
            | Ucomisd
            | Comiss
            | Comisd
            | Cvtsi2ss
            | Cvtsi2sd
            | Cvtss2si
            | Cvtsd2si
            | Cvttss2si
            | Cvttsd2si
            | Cvtss2sd
            | Cvtsd2ss
            | Cvtps2pd
            | Cvtpd2ps
            | Cvtdq2ps
            | Cvtdq2pd
            | Cvtps2dq
            | Cvtpd2dq
            | Cvttps2dq
            | Cvttpd2dq
            | Haddps
            | Haddpd
            | Hsubps
            | Hsubpd
            | Addsubps
            | Addsubpd
            | Roundss
            | Roundsd
            | Roundps
            | Roundpd
            | Dpps
            | Dppd
    )
}

/// Vector instructions that the host executes as the interpreter does.
pub fn is_exact(i: &Instruction) -> bool {
    use Mnemonic::*;
    // Approximations differ between makers; the flags of the steps of dot products too. CVTPI2PS is of MMX, from memory
    // as well.
    !matches!(
        i.mnemonic(),
        Cvtpi2ps
            | Cvtpi2pd
            | Rcpss
            | Rcpps
            | Rsqrtss
            | Rsqrtps
            | Dpps
            | Dppd
            | Maskmovdqu
            | Pcmpestri
            | Pcmpestrm
            | Pcmpistri
            | Pcmpistrm
    )
}
