//! Which instructions the CPU model offers: those that came with a CPUID bit and that older parts refuse.

use super::lower::Decoded;
use crate::isa::cpuid::feature::{self as f, Feature};
use crate::isa::cpuid::model;
use iced_x86::CpuidFeature as F;

/// The feature by which a model offers instructions of the decoder's `family`; `None` for those we do not know.
fn feature(family: F) -> Option<Feature> {
    Some(match family {
        F::AVX => f::AVX,
        F::AVX2 => f::AVX2,
        F::FMA => f::FMA,
        F::F16C => f::F16C,
        F::AES => f::AES,
        F::PCLMULQDQ => f::PCLMULQDQ,
        F::VAES => f::VAES,
        F::VPCLMULQDQ => f::VPCLMULQDQ,
        F::BMI1 => f::BMI1,
        F::BMI2 => f::BMI2,
        F::LZCNT => f::LZCNT,
        F::ADX => f::ADX,
        F::MOVBE => f::MOVBE,
        F::SHA => f::SHA,
        _ => return None,
    })
}

impl Decoded<'_> {
    /// Whether the CPU model has a feature.
    pub fn has(&self, feature: Feature) -> bool {
        model(self.mode.model).features.has(feature)
    }

    /// Whether the CPU model has all the features that the instruction needs.
    pub fn offered(&self) -> bool {
        self.instruction.cpuid_features().iter().all(|family| feature(*family).is_some_and(|f| self.has(f)))
    }
}
