//! placeholder
pub fn fuzz_cpu(_data: &[u8]) {}
