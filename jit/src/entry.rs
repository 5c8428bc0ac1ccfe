//! The tier that the interpreter sees: counts samples, has regions compiled, keeps their code.
#![allow(unsafe_code)] // hands compiled code to the interpreter

use crate::arena::{Arena, Piece};
use crate::compiler::{Done, Job, Workshop};
use crate::engine::Options;
use crate::observe::{Observer, Placed, Source};
use crate::region::form;
use emu_core::Frame;
use emu_core::interpreter::Cpu;
use emu_core::interpreter::tier::{Code, Place, Region, Retired, Site, Span, Tier};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What the translator has done so far.
#[derive(Debug, Default)]
pub struct Report {
    pub regions: AtomicU64,
    pub refused: AtomicU64,
    /// Guest instructions in all regions.
    pub instructions: AtomicU64,
    pub compile_ns: AtomicU64,
    /// Bytes of code in the arena now.
    pub code_bytes: AtomicU64,
    /// Regions that were taken out: because their code changed, and because they were of no use.
    pub stale: AtomicU64,
    pub useless: AtomicU64,
}

/// A region on its way through the workshop.
struct Pending {
    site: Site,
    other_page: Option<(i64, Frame)>,
    spans: Vec<Span>,
    /// For the observer, if there is one.
    source: Option<Source>,
}

pub struct Translations {
    options: Options,
    samples: HashMap<Site, u32>,
    pending: HashMap<u64, Pending>,
    code: HashMap<u64, (Piece, Site)>,
    next: u64,
    arena: Arena,
    workshop: Workshop,
    report: Arc<Report>,
    observer: Option<Box<dyn Observer>>,
}

/// Sites that samples are counted for at a time.
const MAX_SITES: usize = 1 << 16;
/// A site that is not to be looked at again.
const NEVER: u32 = u32::MAX;
/// Regions that may wait for the compiler.
const MAX_PENDING: usize = 64;

impl Translations {
    pub fn new(
        options: Options,
        arena: Arena,
        workshop: Workshop,
        report: Arc<Report>,
        observer: Option<Box<dyn Observer>>,
    ) -> Self {
        Self {
            options,
            samples: HashMap::new(),
            pending: HashMap::new(),
            code: HashMap::new(),
            next: 0,
            arena,
            workshop,
            report,
            observer,
        }
    }

    /// Puts finished code into the arena.
    fn place(&mut self, done: Done) -> Option<Region> {
        let Pending { site, other_page, spans, source } = self.pending.remove(&done.id)?;
        self.report.compile_ns.fetch_add(done.took.as_nanos() as u64, Relaxed);
        let Some(piece) = done.code.as_deref().and_then(|code| self.arena.add(code)) else {
            self.report.refused.fetch_add(1, Relaxed);
            self.samples.insert(site, NEVER);
            return None;
        };
        self.code.insert(done.id, (piece, site));
        self.samples.remove(&site);
        self.report.regions.fetch_add(1, Relaxed);
        self.report.instructions.fetch_add(done.instructions as u64, Relaxed);
        self.report.code_bytes.store(self.arena.used() as u64, Relaxed);
        let address = self.arena.address(piece);
        if let (Some(observer), Some(source), Some(code)) = (&mut self.observer, &source, &done.code) {
            observer.placed(&Placed { source, notes: &done.notes, code, address: address as u64 });
        }
        // SAFETY: `translate` has built the function with this signature; the arena keeps it, executable and unchanged,
        // until `retired`. What it touches of the `Cpu` is by the offsets of `layout`, and of other memory by TLB hits.
        let code = unsafe {
            Code::new(std::mem::transmute::<*const u8, unsafe extern "C" fn(*mut Cpu) -> u32>(address))
        };
        Some(Region { id: done.id, site, need: done.need, other_page, spans, code })
    }
}

impl Tier for Translations {
    fn slice(&self) -> i64 {
        self.options.slice
    }

    fn sample(&mut self, place: &Place<'_>) {
        if self.samples.len() > MAX_SITES {
            self.samples.clear();
        }
        let count = self.samples.entry(place.site).or_insert(0);
        *count = count.saturating_add(1);
        if *count < self.options.threshold || *count == NEVER || self.pending.len() >= MAX_PENDING {
            return;
        }
        *count = NEVER;
        let Some((region, spans)) = form(place).filter(|(region, _)| !region.is_small()) else { return };
        let id = self.next;
        self.next += 1;
        let source = self.observer.is_some().then(|| Source::of(place, &region, &spans));
        let notes = self.observer.as_ref().is_some_and(|observer| observer.wants_notes());
        self.pending.insert(id, Pending { site: place.site, other_page: region.other_page, spans, source });
        self.workshop.submit(Job { id, region, notes });
    }

    fn finished(&mut self) -> Option<Region> {
        loop {
            let done = self.workshop.take()?;
            if let Some(region) = self.place(done) {
                return Some(region);
            }
        }
    }

    fn retired(&mut self, id: u64, why: Retired) {
        if let Some((piece, site)) = self.code.remove(&id) {
            self.arena.remove(piece);
            match why {
                Retired::Useless => {
                    self.samples.insert(site, NEVER);
                    self.report.useless.fetch_add(1, Relaxed);
                }
                Retired::Stale => {
                    self.report.stale.fetch_add(1, Relaxed);
                }
            }
            self.report.code_bytes.store(self.arena.used() as u64, Relaxed);
        }
    }
}
