//! What differs between two machines, by name. Nothing is listed by hand: the comparison walks the same schemas that
//! a saved machine consists of, so a new field of the CPU or of a chip is compared from its first day.

use crate::machine::Machine;
use ciborium::Value;
use emu_core::memory::{BlockId, PAGE_SIZE};
use emu_core::{Bus, VcpuState};
use serde::Serialize;
use std::collections::BTreeSet;

/// One thing that two machines do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// For example `rax`, `seg[1].base`, `i8254.channels[0].count` or `memory 1f3000h`.
    pub what: String,
    /// What the engine under test has, and what the reference has.
    pub values: [String; 2],
}

/// Bytes in a page, for buffers.
const PAGE: usize = 4096;
/// Pages of memory that are named one by one.
const MAX_PAGES: usize = 16;

/// RAX to R15 in their encoding order.
const REGISTERS: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];
/// Segment registers in their encoding order.
const SEGMENTS: [&str; 6] = ["es", "cs", "ss", "ds", "fs", "gs"];

/// Whether the parts that an engine changes directly are the same: cheap enough for every few instructions.
pub(super) fn alike([a, b]: [&Machine; 2]) -> bool {
    a.cpu == b.cpu && a.retired() == b.retired() && a.now() == b.now() && a.resets() == b.resets()
}

/// Whether everything is the same, chips and memory included.
pub(super) fn same([a, b]: [&Machine; 2]) -> bool {
    alike([a, b])
        && a.board.save() == b.board.save()
        && a.board.save_devices() == b.board.save_devices()
        && a.blocks.iter().all(|block| unequal_pages([a, b], *block).next().is_none())
}

/// All differences, the CPU's first.
pub fn differences(machines: [&Machine; 2]) -> Vec<Difference> {
    let [a, b] = machines;
    let mut found = Vec::new();
    let count = |machine: &Machine| Value::from(machine.retired());
    walk("instructions retired", &count(a), &count(b), &mut found);
    let time = |machine: &Machine| Value::from(machine.now().0);
    walk("guest time in ticks", &time(a), &time(b), &mut found);
    found.extend(cpu_differences([&a.cpu, &b.cpu]));
    walk("board", &a.board.save().body, &b.board.save().body, &mut found);
    for (a, b) in a.board.save_devices().iter().zip(&b.board.save_devices()) {
        walk(&a.name, &a.state.body, &b.state.body, &mut found);
    }
    for block in &a.blocks {
        found.extend(
            unequal_pages(machines, *block).take(MAX_PAGES).map(|page| words(machines, *block, page)),
        );
    }
    found
}

/// The differences of two CPU states.
pub fn cpu_differences(states: [&VcpuState; 2]) -> Vec<Difference> {
    let [a, b] = states.map(plain);
    let mut found = Vec::new();
    walk("", &a, &b, &mut found);
    found
}

fn plain(state: &impl Serialize) -> Value {
    Value::serialized(state).expect("plain data always serialises")
}

/// Compares two trees of the same schema.
fn walk(path: &str, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    match (a, b) {
        _ if a == b => {}
        (Value::Map(a), Value::Map(b)) if a.len() == b.len() => {
            for ((name, a), (_, b)) in a.iter().zip(b) {
                walk(&join(path, &shown(name)), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (n, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&element(path, n), a, b, found);
            }
        }
        _ => found.push(Difference { what: path.to_owned(), values: [shown(a), shown(b)] }),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn element(path: &str, n: usize) -> String {
    match (path, REGISTERS.get(n), SEGMENTS.get(n)) {
        ("gpr", Some(name), _) | ("seg", _, Some(name)) => (*name).to_owned(),
        ("xmm" | "dr", ..) => format!("{path}{n}"),
        _ => format!("{path}[{n}]"),
    }
}

/// A value for a person: numbers in hexadecimal.
fn shown(value: &Value) -> String {
    match value {
        Value::Integer(number) => match i128::from(*number) {
            number if number < 0 => number.to_string(),
            number => format!("{number:x}h"),
        },
        // RFC 8949, 3.4.3, "Bignums".
        Value::Tag(2, bytes) => bytes.as_bytes().map_or_else(String::new, |bytes| format!("{}h", hex(bytes))),
        Value::Bytes(bytes) => hex(bytes),
        Value::Text(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => "nothing".to_owned(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Numbers of the pages of a block that are not the same.
fn unequal_pages<'a>(machines: [&'a Machine; 2], block: BlockId) -> impl Iterator<Item = u64> + 'a {
    let touched = machines.map(|machine| Bus::memory(&machine.board).block(block).touched_pages());
    let pages: BTreeSet<u64> = touched.into_iter().flatten().collect();
    pages.into_iter().filter(move |page| {
        let [a, b] = machines.map(|machine| page_bytes(machine, block, *page));
        a != b
    })
}

fn page_bytes(machine: &Machine, block: BlockId, page: u64) -> [u8; PAGE] {
    let mut bytes = [0; PAGE];
    Bus::memory(&machine.board).block(block).read(page * PAGE_SIZE, &mut bytes);
    bytes
}

/// The first eight bytes of a page that differ.
fn words(machines: [&Machine; 2], block: BlockId, page: u64) -> Difference {
    let [a, b] = machines.map(|machine| page_bytes(machine, block, page));
    let at = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(0) & !7;
    let address = page * PAGE_SIZE + at as u64;
    Difference { what: memory_name(block, address), values: [a, b].map(|page| hex(&page[at..at + 8])) }
}

fn memory_name(block: BlockId, address: u64) -> String {
    match block.0 {
        0 => format!("memory {address:x}h"),
        other => format!("memory block {other}, {address:x}h"),
    }
}

/// The guest-physical address of a difference in RAM, whose block begins at address 0.
pub(super) fn memory_address(difference: &Difference) -> Option<u64> {
    let address = difference.what.strip_prefix("memory ")?.strip_suffix('h')?;
    u64::from_str_radix(address, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_names_people_use() {
        let a = VcpuState::at_reset(0, 0);
        let mut b = a.clone();
        b.gpr[3] = 5;
        b.seg[2].base = 0x10;
        b.xmm[1] = u128::MAX;
        b.x87.r[0].exponent = 7;
        let found = cpu_differences([&a, &b]);
        let names: Vec<&str> = found.iter().map(|difference| difference.what.as_str()).collect();
        assert_eq!(names, ["rbx", "ss.base", "x87.r[0].exponent", "xmm1"]);
        assert_eq!(found[0].values, ["0h", "5h"]);
        assert_eq!(found[3].values[1], format!("{}h", "f".repeat(32)));
    }

    #[test]
    fn an_address_comes_back_from_its_name() {
        let at =
            |what: &str| memory_address(&Difference { what: what.to_owned(), values: Default::default() });
        assert_eq!(at(&memory_name(BlockId(0), 0x1_2340)), Some(0x1_2340));
        assert_eq!(at(&memory_name(BlockId(1), 0x1_2340)), None);
        assert_eq!(at("rax"), None);
    }
}
