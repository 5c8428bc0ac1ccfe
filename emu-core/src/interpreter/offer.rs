//! Which instructions the CPU model offers. Decoding asks once; handlers rely on it.

use super::lower::Decoded;
use crate::isa::cpuid::feature::{self, Feature};
use crate::isa::cpuid::{executes, model};
use iced_x86::Mnemonic;

impl Decoded<'_> {
    /// Whether the CPU model has a feature.
    pub fn has(&self, feature: Feature) -> bool {
        model(self.mode.model).features.has(feature)
    }

    /// Whether the CPU model executes the instruction, maybe as something else.
    pub fn offered(&self) -> bool {
        match self.instruction.mnemonic() {
            // BSF and BSR with an ignored prefix on parts without them (Intel SDM Vol. 2, "TZCNT", "LZCNT").
            Mnemonic::Tzcnt | Mnemonic::Lzcnt => true,
            Mnemonic::Lahf | Mnemonic::Sahf if self.mode.long => self.has(feature::LAHF_LM),
            _ => executes(&model(self.mode.model).features, self.instruction.code()),
        }
    }
}

#[cfg(test)]
mod tests;
