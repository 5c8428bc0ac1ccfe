//! What the engines did, in numbers: `--stats`, and a short form for the terminal.

use super::{EngineChoice, Engines, Gauge};
use emu_core::interpreter::tier::Leave;
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
    tlb_misses: u64,
    regions: u64,
    refused: u64,
    stale: u64,
    useless: u64,
    translated: u64,
    nanoseconds: u64,
    /// Of the engine that runs now.
    code_bytes: u64,
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

    fn add(&mut self, gauge: &Gauge) {
        let counters = &*gauge.counters;
        self.instructions += get(&counters.instructions);
        self.compiled += get(&counters.compiled);
        self.entered += get(&counters.entered);
        self.tlb_misses += get(&counters.tlb_misses);
        for (sum, count) in self.left.iter_mut().zip(&counters.left) {
            *sum += get(count);
        }
        self.code_bytes = 0;
        if let Some(report) = &gauge.report {
            self.regions += get(&report.regions);
            self.refused += get(&report.refused);
            self.stale += get(&report.stale);
            self.useless += get(&report.useless);
            self.translated += get(&report.instructions);
            self.nanoseconds += get(&report.compile_ns);
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
            total.regions,
            total.code_bytes >> 10,
            total.tlb_misses
        )
    }
}

fn write_work(text: &mut String, total: &Total) -> std::fmt::Result {
    if total.regions + total.refused == 0 {
        return Ok(());
    }
    let Total { regions, refused, stale, useless, translated, .. } = total;
    let each = ratio(total.nanoseconds, *translated) / 1000.0;
    writeln!(text, "regions            {regions:>15}   {refused} refused, {stale} stale, {useless} useless")?;
    writeln!(text, "  guest instructions{translated:>14}   {:.1} a region", ratio(*translated, *regions))?;
    writeln!(
        text,
        "  translation time {:>12} ms   {each:.1} us an instruction",
        total.nanoseconds / 1_000_000
    )?;
    writeln!(text, "  code now         {:>11} KiB", total.code_bytes >> 10)?;
    let each = ratio(total.compiled, total.entered);
    writeln!(text, "calls of regions   {:>15}   {each:.1} instructions a call; left for", total.entered)?;
    for (leave, name) in Leave::ALL {
        let count = total.left[leave as usize];
        writeln!(text, "  {name:20} {count:>11} {}", percent(count, total.entered))?;
    }
    Ok(())
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
        report.regions.store(2, Relaxed);
        report.instructions.store(40, Relaxed);
        report.compile_ns.store(400_000, Relaxed);
        let text = engines.stats();
        for part in [
            "1000",
            "compiled                     500  50.0 %",
            "under interpreter",
            "10.0 us an instruction",
        ] {
            assert!(text.contains(part), "`{part}` in\n{text}");
        }
        assert!(engines.short().starts_with("engine auto: 50.0 % compiled, 2 regions"));
    }
}
