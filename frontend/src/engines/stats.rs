//! What the engines did, in numbers: `--stats`, and a short form for the terminal.

use super::{EngineChoice, Engines, Gauge};
use emu_core::interpreter::tier::Leave;
use jit::Work;
use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counts of all engines of a run together.
#[derive(Default)]
struct Total {
    instructions: u64,
    compiled: u64,
    entered: u64,
    left: [u64; Leave::COUNT],
    called_out: u64,
    tlb_misses: u64,
    direct: Translated,
    optimised: Translated,
    refused: u64,
    stale: u64,
    replaced: u64,
    /// Of the engine that runs now.
    code_bytes: u64,
}

/// What one translator has done.
#[derive(Clone, Copy, Default)]
struct Translated {
    regions: u64,
    instructions: u64,
    nanoseconds: u64,
}

impl Translated {
    fn add(&mut self, work: &Work) {
        self.regions += get(&work.regions);
        self.instructions += get(&work.instructions);
        self.nanoseconds += get(&work.time);
    }
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Relaxed)
}

impl Total {
    fn of(gauges: &[Gauge]) -> Self {
        let mut total = Self::default();
        for gauge in gauges {
            total.add(gauge);
        }
        total
    }

    fn regions(&self) -> u64 {
        self.direct.regions + self.optimised.regions
    }

    fn add(&mut self, gauge: &Gauge) {
        let counters = &*gauge.counters;
        self.instructions += get(&counters.instructions);
        self.compiled += get(&counters.compiled);
        self.entered += get(&counters.entered);
        self.called_out += get(&counters.called_out);
        self.tlb_misses += get(&counters.tlb_misses);
        for (sum, count) in self.left.iter_mut().zip(&counters.left) {
            *sum += get(count);
        }
        self.code_bytes = 0;
        if let Some(report) = &gauge.report {
            self.direct.add(&report.direct);
            self.optimised.add(&report.optimised);
            self.refused += get(&report.refused);
            self.stale += get(&report.stale);
            self.replaced += get(&report.replaced);
            self.code_bytes = get(&report.code_bytes);
        }
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:5.1} %", 100.0 * ratio(part, whole))
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Engines {
    /// The table of `--stats`.
    pub fn stats(&self) -> String {
        let total = Total::of(&self.gauges);
        let mut text = String::new();
        // Writing into a string never fails.
        let _ = self.write_shares(&mut text, &total).and_then(|()| write_work(&mut text, &total));
        text
    }

    fn write_shares(&self, text: &mut String, total: &Total) -> std::fmt::Result {
        writeln!(text, "instructions       {:>15}", total.instructions)?;
        let interpreted = total.instructions.saturating_sub(total.compiled);
        for (tier, count) in [("interpreted", interpreted), ("compiled", total.compiled)] {
            writeln!(text, "  {tier:16} {count:>15} {}", percent(count, total.instructions))?;
        }
        if self.gauges.len() > 1 {
            for choice in [EngineChoice::Interpreter, EngineChoice::Auto, EngineChoice::Jit] {
                let mine = self.gauges.iter().filter(|gauge| gauge.choice == choice);
                let count = mine.map(|gauge| get(&gauge.counters.instructions)).sum();
                let name = format!("under {choice}");
                writeln!(text, "  {name:16} {count:>15} {}", percent(count, total.instructions))?;
            }
        }
        writeln!(text, "TLB misses         {:>15}", total.tlb_misses)
    }

    /// One line for the terminal.
    pub fn short(&self) -> String {
        let total = Total::of(&self.gauges);
        let engine = self.gauges.last().map_or_else(String::new, |gauge| gauge.choice.to_string());
        format!(
            "engine {engine}: {} compiled, {} regions of {} KiB, {} TLB misses",
            percent(total.compiled, total.instructions).trim(),
            total.regions(),
            total.code_bytes >> 10,
            total.tlb_misses
        )
    }
}

fn write_work(text: &mut String, total: &Total) -> std::fmt::Result {
    let Total { refused, stale, replaced, .. } = total;
    let regions = total.regions();
    if regions + refused == 0 {
        return Ok(());
    }
    writeln!(
        text,
        "regions            {regions:>15}   {refused} refused, {stale} stale, {replaced} replaced"
    )?;
    for (name, work) in [("translated directly", total.direct), ("by Cranelift", total.optimised)] {
        write_translated(text, name, work)?;
    }
    writeln!(text, "  code now         {:>11} KiB", total.code_bytes >> 10)?;
    write_calls(text, total)
}

fn write_translated(text: &mut String, name: &str, work: Translated) -> std::fmt::Result {
    let Translated { regions, instructions, nanoseconds } = work;
    if regions == 0 {
        return Ok(());
    }
    let (length, each) = (ratio(instructions, regions), ratio(nanoseconds, instructions) / 1000.0);
    writeln!(text, "  {name:20} {regions:>11}   {instructions} guest instructions, {length:.1} a region;")?;
    writeln!(text, "{:>34}   {} ms, {each:.1} us an instruction", "", nanoseconds / 1_000_000)
}

fn write_calls(text: &mut String, total: &Total) -> std::fmt::Result {
    let each = ratio(total.compiled, total.entered);
    writeln!(text, "calls of regions   {:>15}   {each:.1} instructions a call", total.entered)?;
    writeln!(text, "why they came back (jumps from region to region do not, and are not counted)")?;
    for (leave, name) in Leave::ALL {
        let count = total.left[leave as usize];
        writeln!(text, "  {name:20} {count:>11} {}", percent(count, total.entered))?;
    }
    let each = percent(total.called_out, total.compiled);
    writeln!(text, "calls out          {:>15} {each} of compiled: interpreted in a region", total.called_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Observe;

    #[test]
    fn engines_are_summed_up_and_named() {
        let mut engines = Engines::open(&Observe::default()).unwrap();
        let _ = engines.make(EngineChoice::Interpreter);
        let _ = engines.make(EngineChoice::Auto);
        engines.gauges[0].counters.instructions.store(300, Relaxed);
        engines.gauges[1].counters.instructions.store(700, Relaxed);
        engines.gauges[1].counters.compiled.store(500, Relaxed);
        let report = engines.gauges[1].report.clone().expect("a report");
        for (work, time) in [(&report.direct, 400_000), (&report.optimised, 1_200_000)] {
            work.regions.store(2, Relaxed);
            work.instructions.store(40, Relaxed);
            work.time.store(time, Relaxed);
        }
        let text = engines.stats();
        for part in [
            "1000",
            "compiled                     500  50.0 %",
            "under interpreter",
            "translated directly            2   40 guest instructions, 20.0 a region",
            "10.0 us an instruction",
            "by Cranelift                   2",
            "30.0 us an instruction",
        ] {
            assert!(text.contains(part), "`{part}` in\n{text}");
        }
        assert!(engines.short().starts_with("engine auto: 50.0 % compiled, 4 regions"));
    }
}
