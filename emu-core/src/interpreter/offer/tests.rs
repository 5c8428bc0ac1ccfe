//! Each model refuses what it lacks, and nothing else.

use crate::Exit;
use crate::interpreter::exception::vector::UD;
use crate::interpreter::testbed::{CODE, HANDLERS, PAGES, Testbed};
use crate::isa::cpuid::{self, Feature, MODELS, Need, feature as f};
use crate::vcpu::cr4;
use iced_x86::Code;

/// In 32-bit code: a feature and an instruction of it. EAX points to aligned memory.
const INSTRUCTIONS: [(Feature, &[u8]); 72] = [
    (f::I486, &[0x0F, 0xC8]),                               // BSWAP
    (f::I486, &[0x0F, 0xC1, 0xC0]),                         // XADD
    (f::I486, &[0x0F, 0xB1, 0xC0]),                         // CMPXCHG
    (f::I486, &[0x0F, 0x08]),                               // INVD
    (f::I486, &[0x0F, 0x09]),                               // WBINVD
    (f::I486, &[0xF3, 0x0F, 0x09]),                         // WBINVD: no model has WBNOINVD
    (f::I486, &[0x0F, 0x01, 0x38]),                         // INVLPG
    (f::CPUID, &[0x0F, 0xA2]),                              // CPUID
    (f::TSC, &[0x0F, 0x31]),                                // RDTSC
    (f::MSR, &[0x0F, 0x32]),                                // RDMSR
    (f::MSR, &[0x0F, 0x30]),                                // WRMSR
    (f::CX8, &[0x0F, 0xC7, 0x08]),                          // CMPXCHG8B
    (f::MMX, &[0x0F, 0x77]),                                // EMMS
    (f::MMX, &[0x0F, 0xFC, 0xC0]),                          // PADDB
    (f::PMC, &[0x0F, 0x33]),                                // RDPMC
    (f::SEP, &[0x0F, 0x34]),                                // SYSENTER
    (f::SEP, &[0x0F, 0x35]),                                // SYSEXIT
    (f::CMOV, &[0x0F, 0x44, 0xC0]),                         // CMOVE
    (f::CMOV, &[0xDA, 0xC8]),                               // FCMOVE
    (f::CMOV, &[0xDB, 0xF0]),                               // FCOMI
    (f::CMOV, &[0x0F, 0x1F, 0xC0]),                         // NOP r/m
    (f::CMOV, &[0x0F, 0x18, 0x00]),                         // PREFETCHNTA, a NOP
    (f::CMOV, &[0xF3, 0x0F, 0x1E, 0xFB]),                   // ENDBR32, a NOP
    (f::CMOV, &[0xF3, 0x0F, 0x1E, 0xC8]),                   // RDSSPD, a NOP
    (f::FXSR, &[0x0F, 0xAE, 0x00]),                         // FXSAVE
    (f::FXSR, &[0x0F, 0xAE, 0x08]),                         // FXRSTOR
    (f::SSE, &[0x0F, 0x58, 0xC0]),                          // ADDPS
    (f::SSE, &[0x0F, 0x70, 0xC0, 0x00]),                    // PSHUFW
    (f::SSE, &[0x0F, 0xAE, 0xF8]),                          // SFENCE
    (f::SSE, &[0x0F, 0xAE, 0x18]),                          // STMXCSR
    (f::SSE2, &[0x66, 0x0F, 0x58, 0xC0]),                   // ADDPD
    (f::SSE2, &[0x0F, 0xD4, 0xC0]),                         // PADDQ mm
    (f::SSE2, &[0x0F, 0xC3, 0x00]),                         // MOVNTI
    (f::SSE2, &[0x0F, 0xAE, 0xF0]),                         // MFENCE
    (f::CLFSH, &[0x0F, 0xAE, 0x38]),                        // CLFLUSH
    (f::PREFETCHW, &[0x0F, 0x0D, 0x08]),                    // PREFETCHW
    (f::PREFETCHW, &[0x0F, 0x0D, 0xC0]),                    // NOP r/m
    (f::SSE3, &[0xF2, 0x0F, 0x7C, 0xC0]),                   // HADDPS
    (f::SSE3, &[0xDB, 0x08]),                               // FISTTP
    (f::SSSE3, &[0x0F, 0x38, 0x00, 0xC0]),                  // PSHUFB mm
    (f::SSE4_1, &[0x66, 0x0F, 0x38, 0x17, 0xC0]),           // PTEST
    (f::SSE4_2, &[0x66, 0x0F, 0x38, 0x37, 0xC0]),           // PCMPGTQ
    (f::SSE4_2, &[0xF2, 0x0F, 0x38, 0xF0, 0xC0]),           // CRC32
    (f::POPCNT, &[0xF3, 0x0F, 0xB8, 0xC0]),                 // POPCNT
    (f::PCLMULQDQ, &[0x66, 0x0F, 0x3A, 0x44, 0xC0, 0x00]),  // PCLMULQDQ
    (f::AES, &[0x66, 0x0F, 0x38, 0xDC, 0xC0]),              // AESENC
    (f::MOVBE, &[0x0F, 0x38, 0xF0, 0x00]),                  // MOVBE
    (f::XSAVE, &[0x0F, 0xAE, 0x20]),                        // XSAVE
    (f::XSAVE, &[0x0F, 0x01, 0xD0]),                        // XGETBV
    (f::XSAVEOPT, &[0x0F, 0xAE, 0x30]),                     // XSAVEOPT
    (f::XSAVEC, &[0x0F, 0xC7, 0x20]),                       // XSAVEC
    (f::RDRAND, &[0x0F, 0xC7, 0xF0]),                       // RDRAND
    (f::RDSEED, &[0x0F, 0xC7, 0xF8]),                       // RDSEED
    (f::INVPCID, &[0x66, 0x0F, 0x38, 0x82, 0x00]),          // INVPCID
    (f::SMAP, &[0x0F, 0x01, 0xCA]),                         // CLAC
    (f::SMAP, &[0x0F, 0x01, 0xCB]),                         // STAC
    (f::RDTSCP, &[0x0F, 0x01, 0xF9]),                       // RDTSCP
    (f::AVX, &[0xC5, 0xF8, 0x58, 0xC0]),                    // VADDPS
    (f::AVX2, &[0xC5, 0xFD, 0xFC, 0xC0]),                   // VPADDB ymm
    (f::FMA, &[0xC4, 0xE2, 0x79, 0x98, 0xC0]),              // VFMADD132PS
    (f::F16C, &[0xC4, 0xE2, 0x79, 0x13, 0xC0]),             // VCVTPH2PS
    (f::BMI1, &[0xC4, 0xE2, 0x78, 0xF2, 0xC0]),             // ANDN
    (f::BMI2, &[0xC4, 0xE2, 0x78, 0xF5, 0xC0]),             // BZHI
    (f::CLFLUSHOPT, &[0x66, 0x0F, 0xAE, 0x38]),             // CLFLUSHOPT
    (f::CLWB, &[0x66, 0x0F, 0xAE, 0x30]),                   // CLWB
    (f::RDPID, &[0xF3, 0x0F, 0xC7, 0xF8]),                  // RDPID
    (f::ADX, &[0x66, 0x0F, 0x38, 0xF6, 0xC0]),              // ADCX
    (f::ADX, &[0xF3, 0x0F, 0x38, 0xF6, 0xC0]),              // ADOX
    (f::SHA, &[0x0F, 0x38, 0xC8, 0xC0]),                    // SHA1NEXTE
    (f::SHA, &[0x0F, 0x3A, 0xCC, 0xC0, 0x00]),              // SHA1RNDS4
    (f::VAES, &[0xC4, 0xE2, 0x7D, 0xDC, 0xC0]),             // VAESENC ymm
    (f::VPCLMULQDQ, &[0xC4, 0xE3, 0x7D, 0x44, 0xC0, 0x00]), // VPCLMULQDQ ymm
];

/// In 64-bit code.
const INSTRUCTIONS64: [(Feature, &[u8]); 5] = [
    (f::CX16, &[0x48, 0x0F, 0xC7, 0x08]),     // CMPXCHG16B
    (f::SYSCALL, &[0x0F, 0x05]),              // SYSCALL
    (f::FSGSBASE, &[0xF3, 0x0F, 0xAE, 0xC0]), // RDFSBASE
    (f::LAHF_LM, &[0x9F]),                    // LAHF
    (f::LAHF_LM, &[0x9E]),                    // SAHF
];

/// On every model: newer parts gave these a meaning of their own.
const ALWAYS: [&[u8]; 5] = [
    &[0xF3, 0x90],             // PAUSE
    &[0xF3, 0x0F, 0xBC, 0xC0], // TZCNT or BSF
    &[0xF3, 0x0F, 0xBD, 0xC0], // LZCNT or BSR
    &[0x9F],                   // LAHF
    &[0xD9, 0xFE],             // FSIN
];

/// Whether one instruction is #UD, with everything enabled that control registers can enable.
fn undefined(mut bed: Testbed, bytes: &[u8]) -> bool {
    bed.handlers(0x8E);
    bed.cpu.cr4 |= cr4::OSFXSR | cr4::OSXMMEXCPT | cr4::OSXSAVE | cr4::FSGSBASE;
    bed.cpu.xcr0 = 7;
    bed.cpu.gpr[0] = 0x1_8000;
    bed.poke(CODE, bytes);
    assert_ne!(bed.step(1), Exit::Shutdown, "{bytes:02X?}");
    bed.cpu.rip / 16 == HANDLERS / 16 + u64::from(UD)
}

/// 64-bit mode without pages of 1 GiB, which the oldest of these models lacks.
fn long(model: &str) -> Testbed {
    let mut bed = Testbed::long();
    bed.poke64(PAGES + 0x1000, (PAGES + 0x2000) | 7);
    bed.poke64(PAGES + 0x2000, 0x87);
    bed.cpu.model = cpuid::by_name(model).expect("a model of the table");
    bed
}

#[test]
fn what_a_model_lacks_is_undefined() {
    for model in &MODELS {
        for (feature, bytes) in INSTRUCTIONS {
            let lacking = !model.features.has(feature);
            assert_eq!(
                undefined(Testbed::protected(model.name), bytes),
                lacking,
                "{} {bytes:02X?}",
                model.name
            );
        }
        for (feature, bytes) in INSTRUCTIONS64.iter().filter(|_| model.features.has(f::LM)) {
            let lacking = !model.features.has(*feature);
            assert_eq!(undefined(long(model.name), bytes), lacking, "{} {bytes:02X?}", model.name);
        }
        for bytes in ALWAYS {
            assert!(!undefined(Testbed::protected(model.name), bytes), "{} {bytes:02X?}", model.name);
        }
    }
}

/// LM cannot be missing where its instructions decode, no model has MONITOR, and without LZCNT its instruction is
/// another one.
#[test]
fn every_feature_with_instructions_has_a_row() {
    let rows: Vec<Feature> =
        INSTRUCTIONS.iter().chain(&INSTRUCTIONS64).map(|(feature, _)| *feature).collect();
    for family in Code::values().flat_map(cpuid::families) {
        if let Need::Feature(feature) = cpuid::need(*family) {
            let exempt = [f::LM, f::MONITOR, f::LZCNT].contains(&feature);
            assert!(exempt || rows.contains(&feature), "{family:?}");
        }
    }
}
