//! The rows of the report: instructions that belong together.

use iced_x86::{Code, CpuidFeature, EncodingKind, Mnemonic};
use serde::{Deserialize, Serialize};

macro_rules! families {
    ($($(#[$doc:meta])* $family:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Family {
            $($(#[$doc])* $family,)*
        }

        impl Family {
            pub const ALL: &'static [Self] = &[$(Self::$family,)*];

            /// What reports and `--family` call it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$family => $name,)*
                }
            }
        }
    };
}

families! {
    Arithmetic = "integer-arithmetic",
    Logic = "logic",
    Shift = "shift-rotate",
    Bits = "bit",
    MulDiv = "multiply-divide",
    Decimal = "decimal",
    Transfer = "transfer",
    Atomic = "exchange",
    Stack = "stack",
    Branch = "branch",
    String = "string",
    Flags = "flags",
    Segment = "segment",
    System = "system",
    Undefined = "undefined-opcode",
    X87Arithmetic = "x87-arithmetic",
    X87Transcendental = "x87-transcendental",
    X87Transfer = "x87-transfer",
    X87Control = "x87-control",
    Mmx = "mmx",
    Sse = "sse",
    Sse2 = "sse2",
    Sse3 = "sse3-ssse3",
    Sse4 = "sse4",
    Crypto = "aes-pclmul-sha",
    Avx = "avx",
    Avx2 = "avx2",
    Fma = "fma",
    F16c = "f16c",
    Bmi = "bmi",
    Adx = "adx",
    Save = "save-areas",
    /// Of encodings that no model has.
    Other = "other",
}

impl Family {
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|family| family.name() == name)
    }

    pub fn of(code: Code) -> Self {
        let plain = matches!(code.encoding(), EncodingKind::Legacy | EncodingKind::VEX);
        if !plain {
            return Self::Other;
        }
        extension(code).or_else(|| x87(code.mnemonic())).unwrap_or_else(|| general(code))
    }
}

/// By the extension that brought it.
fn extension(code: Code) -> Option<Family> {
    use CpuidFeature as F;
    let features = code.cpuid_features();
    // FISTTP and FCMOVcc name other features too.
    let has = |feature: &F| features.contains(feature) && !features.contains(&F::FPU);
    const TABLE: &[(F, Family)] = &[
        (F::FXSR, Family::Save),
        (F::XSAVE, Family::Save),
        (F::XSAVEC, Family::Save),
        (F::XSAVEOPT, Family::Save),
        (F::XSAVES, Family::Save),
        (F::AES, Family::Crypto),
        (F::PCLMULQDQ, Family::Crypto),
        (F::SHA, Family::Crypto),
        (F::GFNI, Family::Crypto),
        (F::VAES, Family::Crypto),
        (F::VPCLMULQDQ, Family::Crypto),
        (F::AVX, Family::Avx),
        (F::AVX2, Family::Avx2),
        (F::FMA, Family::Fma),
        (F::F16C, Family::F16c),
        (F::BMI1, Family::Bmi),
        (F::BMI2, Family::Bmi),
        (F::LZCNT, Family::Bmi),
        (F::TBM, Family::Bmi),
        (F::ADX, Family::Adx),
        (F::SSE4_1, Family::Sse4),
        (F::SSE4_2, Family::Sse4),
        (F::SSSE3, Family::Sse3),
        (F::SSE3, Family::Sse3),
        (F::SSE2, Family::Sse2),
        (F::SSE, Family::Sse),
        (F::MMX, Family::Mmx),
    ];
    TABLE.iter().find(|(feature, _)| has(feature)).map(|&(_, family)| family)
}

fn x87(mnemonic: Mnemonic) -> Option<Family> {
    use Mnemonic::*;
    Some(match mnemonic {
        Fadd | Faddp | Fiadd | Fsub | Fsubp | Fisub | Fsubr | Fsubrp | Fisubr | Fmul | Fmulp | Fimul
        | Fdiv | Fdivp | Fidiv | Fdivr | Fdivrp | Fidivr | Fsqrt | Fabs | Fchs | Frndint | Fscale
        | Fxtract | Fprem | Fprem1 | Fcom | Fcomp | Fcompp | Ficom | Ficomp | Fucom | Fucomp | Fucompp
        | Fcomi | Fcomip | Fucomi | Fucomip | Ftst | Fxam => Family::X87Arithmetic,
        F2xm1 | Fyl2x | Fyl2xp1 | Fptan | Fpatan | Fsin | Fcos | Fsincos => Family::X87Transcendental,
        Fld | Fst | Fstp | Fstpnce | Fild | Fist | Fistp | Fisttp | Fbld | Fbstp | Fxch | Fld1 | Fldl2t
        | Fldl2e | Fldpi | Fldlg2 | Fldln2 | Fldz | Fcmovb | Fcmove | Fcmovbe | Fcmovu | Fcmovnb
        | Fcmovne | Fcmovnbe | Fcmovnu => Family::X87Transfer,
        Fldenv | Fnstenv | Fstenv | Fldcw | Fnstcw | Fstcw | Fnop | Fdecstp | Fincstp | Fneni | Feni
        | Fndisi | Fdisi | Fnclex | Fclex | Fninit | Finit | Fnsetpm | Fsetpm | Frstor | Fnsave | Fsave
        | Fnstsw | Fstsw | Ffree | Ffreep | Wait => Family::X87Control,
        _ => return None,
    })
}

fn general(code: Code) -> Family {
    use Mnemonic::*;
    if code.is_jcc_short_or_near() {
        return Family::Branch;
    }
    if let Some(family) = special_register(code) {
        return family;
    }
    match code.mnemonic() {
        Add | Adc | Sub | Sbb | Cmp | Inc | Dec | Neg => Family::Arithmetic,
        And | Or | Xor | Not | Test => Family::Logic,
        Rol | Ror | Rcl | Rcr | Shl | Shr | Sal | Sar | Shld | Shrd => Family::Shift,
        Bt | Bts | Btr | Btc | Bsf | Bsr | Popcnt => Family::Bits,
        Mul | Imul | Div | Idiv => Family::MulDiv,
        Daa | Das | Aaa | Aas | Aam | Aad | Salc => Family::Decimal,
        Mov | Movzx | Movsx | Movsxd | Lea | Cbw | Cwde | Cdqe | Cwd | Cdq | Cqo | Bswap | Movbe | Xlatb
        | Nop | Reservednop | Prefetchnta | Prefetcht0 | Prefetcht1 | Prefetcht2 | Prefetch | Prefetchw
        | Prefetchwt1 | Movdiri | Movdir64b | Pause | Endbr32 | Endbr64 | Rdsspd | Rdsspq => Family::Transfer,
        Xchg | Xadd | Cmpxchg | Cmpxchg8b | Cmpxchg16b => Family::Atomic,
        Push | Pop | Pusha | Pushad | Popa | Popad | Enter | Leave => Family::Stack,
        Jmp | Call | Ret | Retf | Jcxz | Jecxz | Jrcxz | Loop | Loope | Loopne | Iret | Iretd | Iretq => {
            Family::Branch
        }
        Movsb | Movsw | Movsd | Movsq | Cmpsb | Cmpsw | Cmpsd | Cmpsq | Stosb | Stosw | Stosd | Stosq
        | Lodsb | Lodsw | Lodsd | Lodsq | Scasb | Scasw | Scasd | Scasq | Insb | Insw | Insd | Outsb
        | Outsw | Outsd => Family::String,
        Clc | Stc | Cmc | Cld | Std | Lahf | Sahf | Pushf | Pushfd | Pushfq | Popf | Popfd | Popfq | Cli
        | Sti | Seto | Setno | Setb | Setae | Sete | Setne | Setbe | Seta | Sets | Setns | Setp | Setnp
        | Setl | Setge | Setle | Setg | Cmovo | Cmovno | Cmovb | Cmovae | Cmove | Cmovne | Cmovbe | Cmova
        | Cmovs | Cmovns | Cmovp | Cmovnp | Cmovl | Cmovge | Cmovle | Cmovg => Family::Flags,
        Lds | Les | Lfs | Lgs | Lss | Lar | Lsl | Verr | Verw | Arpl | Rdfsbase | Rdgsbase | Wrfsbase
        | Wrgsbase => Family::Segment,
        Ud0 | Ud1 | Ud2 => Family::Undefined,
        _ => Family::System,
    }
}

/// Instructions that name a segment, control, debug or test register.
fn special_register(code: Code) -> Option<Family> {
    use iced_x86::OpCodeOperandKind::{cr_reg, cs, dr_reg, ds, es, fs, gs, seg_reg, ss, tr_reg};
    code.op_code().op_kinds().iter().find_map(|kind| match kind {
        seg_reg | cs | ds | es | fs | gs | ss => Some(Family::Segment),
        cr_reg | dr_reg | tr_reg => Some(Family::System),
        _ => None,
    })
}
