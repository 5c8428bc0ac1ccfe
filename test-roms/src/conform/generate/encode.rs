//! From a form to bytes: encoded, given useless prefixes, placed, and decoded again to see what came of it.

use super::operand::{self, Pool, Site};
use crate::conform::form::Form;
use crate::conform::layout::{CODE, CODE_BYTES};
use crate::conform::program::CodeSize;
use crate::conform::values::Rng;
use iced_x86::{
    CpuidFeature, Decoder, DecoderOptions, Encoder, FlowControl, Instruction, Mnemonic, OpKind, Register,
};

/// The longest an instruction may be (Intel SDM Vol. 2A 2.3.11).
const LONGEST: usize = 15;
const LOCK: u8 = 0xF0;

/// An instruction as bytes, and as what they mean.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub instruction: Instruction,
    pub bytes: Vec<u8>,
    /// Its prefixes make it fault: LOCK where it is not allowed, or more than 15 bytes.
    pub broken: bool,
}

impl Encoded {
    /// Sets the displacement of a branch whose last byte it is.
    pub fn aim(&mut self, displacement: u8, size: CodeSize) {
        if let Some(last) = self.bytes.last_mut() {
            *last = displacement;
        }
        let ip = self.instruction.ip();
        self.instruction = Decoder::with_ip(size.bits(), &self.bytes, ip, DecoderOptions::NONE).decode();
    }
}

/// Where a program starts, as an offset in the code pages. `length` is what the program is expected to have.
pub fn start(length: u64, rng: &mut Rng) -> u64 {
    match rng.below(16) {
        0 => 0,
        1..4 => 0x1000 - rng.below(length + 1),
        4 => CODE_BYTES as u64 - length,
        _ => rng.below(CODE_BYTES as u64 - 160),
    }
}

/// One instruction of the form at `site`, with random operands and sometimes more prefixes than it needs.
pub fn encode(form: &Form, site: &Site, rng: &mut Rng) -> Option<Encoded> {
    let instruction = operand::instruction(form, site, rng)?;
    let mut encoder = Encoder::new(site.size.bits());
    encoder.encode(&instruction, site.ip()).ok()?;
    let plain = encoder.take_buffer();
    if rng.chance(if site.pool == Pool::Any { 25 } else { 5 }) {
        let mut bytes = plain.clone();
        add_prefixes(&mut bytes, site.size, rng);
        if let Some(encoded) = decode(form, bytes, site) {
            return Some(encoded);
        }
    } else if site.pool == Pool::Any && rng.chance(1) {
        return broken(form, plain, site, rng);
    }
    decode(form, plain, site)
}

/// What the bytes mean, if it is the form's code and a branch leads to somewhere harmless.
fn decode(form: &Form, bytes: Vec<u8>, site: &Site) -> Option<Encoded> {
    let mut decoder = Decoder::with_ip(site.size.bits(), &bytes, site.ip(), DecoderOptions::NONE);
    let instruction = decoder.decode();
    let same = instruction.code() == form.code
        && instruction.len() == bytes.len()
        && !components_astray(&instruction);
    (same && harmless(&instruction) && !unpredictable(&bytes, &instruction, site.size)).then_some(Encoded {
        instruction,
        bytes,
        broken: false,
    })
}

/// Whether EAX or EDX of an XSAVE or XRSTOR holds an address: they are to name state components, and not those that
/// are the host's own affair.
fn components_astray(i: &Instruction) -> bool {
    let taken = |register: Register| matches!(register.full_register(), Register::RAX | Register::RDX);
    let managed = i.code().cpuid_features().iter().any(|feature| {
        matches!(feature, CpuidFeature::XSAVE | CpuidFeature::XSAVEC | CpuidFeature::XSAVEOPT)
    });
    managed && (taken(i.memory_base()) || taken(i.memory_index()))
}

/// Whether a direct branch leads out of the instruction, or to its end.
fn harmless(i: &Instruction) -> bool {
    let near = matches!(i.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    !near || i.near_branch_target().wrapping_sub(i.ip()) >= i.len() as u64
}

/// Prefixes that mean different things to different parts: operand size of a near branch in 64-bit code (Intel's ignore
/// it, AMD's do not: AMD64 APM Vol. 3, "Near Branches in 64-Bit Mode"), and repeat prefixes of LOOPcc (reserved; with
/// one, AMD's parts exchange LOOPE and LOOPNE).
fn unpredictable(bytes: &[u8], i: &Instruction, size: CodeSize) -> bool {
    let mut prefixes = bytes.iter().take_while(|byte| is_prefix(**byte) || matches!(byte, 0x40..=0x4F));
    let indirect = i.is_jmp_near_indirect() || i.is_call_near_indirect() || i.mnemonic() == Mnemonic::Ret;
    let near = indirect
        || matches!(i.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    let counts = matches!(i.mnemonic(), Mnemonic::Loope | Mnemonic::Loopne);
    prefixes.any(|byte| match byte {
        0x66 => size == CodeSize::Bits64 && near,
        0xF2 | 0xF3 => counts,
        _ => false,
    })
}

/// A LOCK prefix that is not allowed, or too many prefixes. Without it the instruction is the form's own.
fn broken(form: &Form, plain: Vec<u8>, site: &Site, rng: &mut Rng) -> Option<Encoded> {
    let mut encoded = decode(form, plain, site)?;
    if encoded.instruction.flow_control() != FlowControl::Next {
        return Some(encoded);
    }
    if form.info().is_privileged()
        || matches!(encoded.instruction.mnemonic(), Mnemonic::Verr | Mnemonic::Verw)
    {
        return Some(encoded); // AMD's parts look at other things before LOCK, or give it a meaning (MOV CR8)
    }
    if moves_control(&encoded.instruction) {
        return Some(encoded); // LOCK is how AMD's parts name CR8 (AMD64 APM Vol. 3, "MOV CRn")
    }
    let lockable = form.info().can_use_lock_prefix() && encoded.instruction.op0_kind() == OpKind::Memory;
    if lockable || rng.chance(30) {
        while encoded.bytes.len() <= LONGEST {
            encoded.bytes.insert(0, 0x3E);
        }
    } else {
        encoded.bytes.insert(0, LOCK);
    }
    encoded.broken = true;
    Some(encoded)
}

fn moves_control(i: &Instruction) -> bool {
    [i.op0_register(), i.op1_register()].iter().any(|register| register.is_cr())
}

fn add_prefixes(bytes: &mut Vec<u8>, size: CodeSize, rng: &mut Rng) {
    for _ in 0..=rng.below(3) {
        let long = size == CodeSize::Bits64;
        match rng.below(4) {
            0 if long => add_rex(bytes, rng),
            // REX that is not next to the opcode counts for nothing (Intel SDM Vol. 2A 2.2.1).
            1 if long && is_prefix(bytes[0]) => bytes.insert(0, 0x40 | rng.below(16) as u8),
            _ => {
                bytes.insert(0, rng.pick(&[0x66, 0x66, 0x67, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65]))
            }
        }
    }
    bytes.truncate(LONGEST);
}

fn is_prefix(byte: u8) -> bool {
    matches!(byte, 0x66 | 0x67 | 0xF2 | 0xF3 | LOCK | 0x26 | 0x2E | 0x36 | 0x3E | 0x64 | 0x65)
}

/// A REX prefix where it counts, or more bits in the one that is there.
fn add_rex(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = bytes.iter().position(|&b| !is_prefix(b)).unwrap_or(0);
    let bits = rng.below(16) as u8;
    match bytes[at] {
        0x40..0x50 => bytes[at] |= bits,
        0xC4 | 0xC5 => {}
        _ => bytes.insert(at, 0x40 | bits),
    }
}

/// The linear address of code page offset `offset`.
pub fn address(offset: u64) -> u64 {
    CODE + offset
}
