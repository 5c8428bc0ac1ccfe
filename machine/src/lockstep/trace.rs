//! What an engine executes, one instruction at a time.

use super::difference::{Difference, cpu_differences, memory_address};
use crate::machine::Machine;
use crate::peek::{code_bits, linear_rip};
use crate::run::RunLimit;
use emu_core::vcpu::{Shadow, rflags};
use emu_core::{Attention, Bus};
use std::sync::atomic::Ordering;

/// The longest instruction (Intel SDM Vol. 2A 2.3.11).
const LONGEST: usize = 15;

/// One instruction as it was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Instructions retired before it, since power-on.
    pub count: u64,
    pub rip: u64,
    pub linear: u64,
    /// 16, 32 or 64.
    pub bits: u32,
    /// Its bytes and what follows, as far as memory can be read there.
    pub bytes: Vec<u8>,
    /// An interrupt was taken before it: what was executed is the first instruction of the handler.
    pub interrupted: bool,
    /// Names of what it changed: fields of the CPU, and the watched places in memory.
    pub changed: Vec<String>,
}

/// Runs `n` instructions one by one. Of memory, only the places in `watched` are looked at.
pub(super) fn record(
    machine: &mut Machine,
    limit: RunLimit,
    n: u64,
    watched: &[Difference],
) -> Vec<Executed> {
    let places: Vec<(&str, u64)> = watched
        .iter()
        .filter_map(|difference| memory_address(difference).map(|at| (difference.what.as_str(), at)))
        .collect();
    (0..n).map(|_| step(machine, limit, &places)).collect()
}

fn step(machine: &mut Machine, limit: RunLimit, places: &[(&str, u64)]) -> Executed {
    let before = machine.cpu().clone();
    let mut executed = Executed {
        count: machine.retired(),
        rip: before.rip,
        linear: linear_rip(&before),
        bits: code_bits(&before),
        bytes: vec![0; LONGEST],
        interrupted: is_interrupted(machine),
        changed: Vec::new(),
    };
    let readable = machine.peek(executed.linear, &mut executed.bytes);
    executed.bytes.truncate(readable);
    let look = |machine: &Machine| -> Vec<[u8; 8]> {
        places.iter().map(|(_, at)| machine.memory().read_array(*at)).collect()
    };
    let seen = look(machine);
    machine.run(RunLimit { instructions: 1, ..limit });
    let changed = cpu_differences([&before, machine.cpu()]);
    executed.changed = changed.into_iter().map(|difference| difference.what).collect();
    let memory = places.iter().zip(seen.iter().zip(look(machine)));
    let stored = memory.filter(|(_, (before, after))| *before != after);
    executed.changed.extend(stored.map(|((name, _), _)| (*name).to_owned()));
    executed
}

fn is_interrupted(machine: &Machine) -> bool {
    let attention = Bus::attention(machine.board()).load(Ordering::Acquire);
    let cpu = machine.cpu();
    let maskable = attention & Attention::INTR != 0 && cpu.rflags & rflags::IF != 0;
    let nmi = attention & Attention::NMI != 0 && !cpu.nmi_blocked;
    cpu.shadow == Shadow::None && (maskable || nmi)
}
