//! The tier that the interpreter sees: counts samples, has regions translated, keeps their code.
#![allow(unsafe_code)] // hands compiled code to the interpreter

use crate::arena::{Arena, Parts, Piece};
use crate::compiler::{Done, Job, Workshop, cpu_time};
use crate::direct::{self, LinkJump, Routine, Routines, Translated};
use crate::engine::Options;
use crate::facts::Facts;
use crate::observe::{self, Notes, Observer, Source};
use crate::region::{self, Rules, form};
use crate::translate;
use emu_core::Frame;
use emu_core::interpreter::Cpu;
use emu_core::interpreter::tier::{Code, Jump, Link, Place, Region, Retired, Seen, Single, Site, Span, Tier};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// What one of the translators has done so far.
#[derive(Debug, Default)]
pub struct Work {
    pub regions: AtomicU64,
    /// Guest instructions in all of them.
    pub instructions: AtomicU64,
    /// CPU time, in nanoseconds.
    pub time: AtomicU64,
}

impl Work {
    fn add(&self, instructions: usize, took: Duration) {
        self.regions.fetch_add(1, Relaxed);
        self.instructions.fetch_add(instructions as u64, Relaxed);
        self.time.fetch_add(took.as_nanos() as u64, Relaxed);
    }
}

/// What the translators have done so far.
#[derive(Debug, Default)]
pub struct Report {
    pub direct: Work,
    /// Cranelift's.
    pub optimised: Work,
    /// Regions that a translator could not do, or that found no room.
    pub refused: AtomicU64,
    /// Regions that are gone because their code changed, and because Cranelift's took their place.
    pub stale: AtomicU64,
    pub replaced: AtomicU64,
    /// Bytes of code in the arena now.
    pub code_bytes: AtomicU64,
}

/// Which translator has made a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    Direct,
    Optimised,
}

/// A region on its way through the workshop.
struct Pending {
    site: Site,
    other_pages: Vec<(i64, Frame)>,
    spans: Vec<Span>,
    /// For the observer, if there is one.
    source: Option<Source>,
}

/// A region that is installed, or about to be.
struct Kept {
    piece: Piece,
    /// What of it runs rarely.
    cold: Option<Piece>,
    site: Site,
    rank: Rank,
    /// The code refers to them by address.
    _singles: Vec<Arc<Single>>,
}

/// What is known of a place that has been sampled.
#[derive(Clone, Copy, Debug, Default)]
struct Heat {
    samples: u32,
    /// How often code of it has gone stale.
    stale: u32,
    /// Windows in its code would cross pages.
    windowless: bool,
    never_direct: bool,
    never_optimised: bool,
}

/// Code in the arena, and what belongs to it.
struct Product {
    piece: Piece,
    cold: Option<Piece>,
    code: Vec<u8>,
    notes: Notes,
    seen: Box<Seen>,
    links: Vec<Link>,
    singles: Vec<Arc<Single>>,
    need: i64,
    rank: Rank,
}

type Enter = unsafe extern "C" fn(*mut Cpu, *const u8) -> u32;

/// The shared routines, where they are run.
struct Placed {
    routines: Routines,
    base: *const u8,
}

// SAFETY: only an address in the arena beside it.
unsafe impl Send for Placed {}

impl Placed {
    fn at(&self, offset: usize) -> *const u8 {
        self.base.wrapping_add(offset)
    }
}

pub struct Translations {
    options: Options,
    heat: HashMap<Site, Heat>,
    pending: HashMap<u64, Pending>,
    kept: HashMap<u64, Kept>,
    /// Where direct regions begin.
    begins: HashMap<Site, u64>,
    ready: Vec<Region>,
    /// The arena had no room for the last region.
    full: bool,
    next: u64,
    placed: Placed,
    arena: Arena,
    workshop: Option<Workshop>,
    report: Arc<Report>,
    observer: Option<Box<dyn Observer>>,
}

// SAFETY: the links of a region that waits to be installed lead to the arena, which goes where this goes.
unsafe impl Send for Translations {}

/// Sites that samples are counted for at a time.
const MAX_SITES: usize = 1 << 16;
/// Regions that may wait for the compiler.
const MAX_PENDING: usize = 64;
/// Code that has changed so often is left to the interpreter.
const MAX_STALE: u32 = 16;

/// Larger regions, and calls in regions, are more copies of the same code. If it does not fit the host's caches, that costs
/// more than ways from region to region.
const DIRECT: Rules = Rules { limit: 60, pages: 6, calls: false, know: direct::know };
const OPTIMISED: Rules = Rules { limit: 150, pages: 2, calls: true, know: translate::know };

impl Translations {
    /// `None` if the routines have no room.
    pub fn new(
        options: Options,
        mut arena: Arena,
        workshop: Option<Workshop>,
        report: Arc<Report>,
        observer: Option<Box<dyn Observer>>,
    ) -> Option<Self> {
        let routines = Routines::new()?;
        let piece = arena.add(&routines.code)?;
        let base = arena.address(piece);
        Some(Self {
            options,
            heat: HashMap::new(),
            pending: HashMap::new(),
            kept: HashMap::new(),
            begins: HashMap::new(),
            ready: Vec::new(),
            full: false,
            next: 0,
            placed: Placed { routines, base },
            arena,
            workshop,
            report,
            observer,
        })
    }

    fn routine(&self, routine: Routine) -> *const u8 {
        self.placed.at(self.placed.routines.offset(routine))
    }

    fn enter(&self) -> Enter {
        let address = self.placed.at(self.placed.routines.enter);
        // SAFETY: `Routines` has built it with this signature; the arena keeps it, executable and unchanged.
        unsafe { std::mem::transmute::<*const u8, Enter>(address) }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn wants_notes(&self) -> bool {
        self.observer.as_ref().is_some_and(|observer| observer.wants_notes())
    }

    fn pending(&self, place: &Place<'_>, region: &region::Region, spans: Vec<Span>) -> Pending {
        let source = self.observer.is_some().then(|| Source::of(place, region, &spans));
        Pending { site: place.site, other_pages: region.other_pages.clone(), spans, source }
    }

    /// The region to install for a product.
    fn finish(&mut self, id: u64, pending: Pending, product: Product) -> Region {
        let Pending { site, other_pages, spans, source } = pending;
        let Product { piece, cold, code, notes, seen, links, singles, need, rank } = product;
        let address = self.arena.address(piece);
        if let (Some(observer), Some(source)) = (&mut self.observer, &source) {
            let address = address as u64;
            observer.placed(&observe::Placed { source, notes: &notes, code: &code, address });
        }
        self.begins.insert(site, id);
        self.kept.insert(id, Kept { piece, cold, site, rank, _singles: singles });
        self.report.code_bytes.store(self.arena.used() as u64, Relaxed);
        // SAFETY: both translators keep to the contract; the arena keeps the code, executable and unchanged, until
        // `retired`, and so are kept the `Single`s; links and `seen` go with the region.
        let code = unsafe { Code::new(self.enter(), address) };
        let nowhere = self.placed.at(self.placed.routines.nowhere);
        Region { id, site, need, other_pages, spans, code, seen, links, nowhere }
    }

    /// Translates directly, at once.
    fn translate_directly(&mut self, place: &Place<'_>, windows: bool) -> Option<()> {
        let start = cpu_time();
        let begins = |site: Site| self.begins.contains_key(&site);
        let (region, spans) = form(place, &DIRECT, &begins)?;
        let facts = Facts::of(&region);
        let translated = direct::translate(&region, &facts, windows, self.wants_notes());
        let Some(translated) = translated else {
            self.report.refused.fetch_add(1, Relaxed);
            return None;
        };
        let Translated { mut code, cold, crossing, relocations, mut links, jumps, seen, mut marks } =
            translated;
        let to: Vec<(usize, *const u8)> =
            relocations.into_iter().map(|(at, r)| (at, self.routine(r))).collect();
        let mut parts = Parts { code: &mut code, cold, crossing: &crossing, targets: &to };
        let Some((piece, cold_piece)) = self.arena.add_parts(&mut parts) else {
            self.full = true;
            return None;
        };
        for (link, LinkJump { at, unlinked }) in links.iter_mut().zip(jumps) {
            let stub = |at: usize| self.arena.address(cold_piece).wrapping_add(at - cold);
            let jump = Jump {
                distance: self.arena.writable(piece).wrapping_add(at).cast(),
                end: self.arena.address(piece).wrapping_add(at + 4),
                unlinked: unlinked.map_or_else(|| self.routine(Routine::Unlinked), stub),
            };
            // SAFETY: the jump is in the code that goes when the link goes, and the arena holds less than 2 GiB.
            unsafe { link.place(jump) };
        }
        // Listings show what runs often.
        code.truncate(cold);
        marks.retain(|mark| (mark.end as usize) <= cold);
        let notes = Notes { ir: None, marks };
        let (singles, need, rank) = (region.singles(), facts.need, Rank::Direct);
        let cold = Some(cold_piece);
        let product = Product { piece, cold, code, notes, seen, links, singles, need, rank };
        let id = self.number();
        let pending = self.pending(place, &region, spans);
        let finished = self.finish(id, pending, product);
        self.ready.push(finished);
        self.report.direct.add(region.instructions(), cpu_time().saturating_sub(start));
        Some(())
    }

    /// Gives a region to Cranelift.
    fn optimise(&mut self, place: &Place<'_>) -> Option<()> {
        let id = self.number();
        let (region, spans) = form(place, &OPTIMISED, &|_| false)?;
        if region.is_small() || region.is_cut_short() {
            return None;
        }
        let (pending, notes) = (self.pending(place, &region, spans), self.wants_notes());
        self.workshop.as_mut()?.submit(Job { id, region, notes });
        self.pending.insert(id, pending);
        Some(())
    }

    /// Puts a C function into the arena, behind what makes a region of it.
    fn add_function(&mut self, function: Vec<u8>) -> Option<(Piece, Vec<u8>)> {
        let (mut code, at) = direct::before_function();
        let cold = code.len() + function.len();
        code.extend(function);
        let targets = [(at, self.routine(Routine::Optimised))];
        let mut parts = Parts { code: &mut code, cold, crossing: &[], targets: &targets };
        let piece = self.arena.add_whole(&mut parts)?;
        Some((piece, code))
    }

    /// Puts Cranelift's code into the arena.
    fn place(&mut self, mut done: Done) -> Option<Region> {
        let pending = self.pending.remove(&done.id)?;
        let Some((piece, code)) = done.code.and_then(|code| self.add_function(code)) else {
            self.report.refused.fetch_add(1, Relaxed);
            return None;
        };
        let ahead = direct::before_function().0.len() as u32;
        for mark in &mut done.notes.marks {
            (mark.start, mark.end) = (mark.start + ahead, mark.end + ahead);
        }
        self.report.optimised.add(done.instructions, done.took);
        let product = Product {
            piece,
            cold: None,
            code,
            notes: done.notes,
            seen: done.seen,
            links: Vec::new(),
            singles: Vec::new(),
            need: done.need,
            rank: Rank::Optimised,
        };
        Some(self.finish(done.id, pending, product))
    }
}

impl Tier for Translations {
    fn slice(&self) -> i64 {
        self.options.slice
    }

    fn sample(&mut self, place: &Place<'_>) {
        if self.heat.len() > MAX_SITES {
            self.heat.clear();
        }
        let rank = place.region.and_then(|id| self.kept.get(&id)).map(|kept| kept.rank);
        let heat = self.heat.entry(place.site).or_default();
        heat.samples = heat.samples.saturating_add(1);
        let Heat { samples, stale, never_direct, never_optimised, windowless } = *heat;
        if stale > MAX_STALE || rank == Some(Rank::Optimised) {
            return;
        }
        let hot = samples >= self.options.threshold || place.wanted;
        if rank.is_none() && !never_direct && hot && self.options.direct {
            let done = self.translate_directly(place, !windowless);
            self.heat.entry(place.site).or_default().never_direct = done.is_none();
        }
        if !never_optimised && samples >= self.options.optimise && self.pending.len() < MAX_PENDING {
            self.heat.entry(place.site).or_default().never_optimised = true;
            self.optimise(place);
        }
    }

    fn is_full(&mut self) -> bool {
        std::mem::take(&mut self.full)
    }

    fn finished(&mut self) -> Option<Region> {
        if let Some(region) = self.ready.pop() {
            return Some(region);
        }
        loop {
            let done = self.workshop.as_mut()?.take()?;
            if let Some(region) = self.place(done) {
                return Some(region);
            }
        }
    }

    fn retired(&mut self, id: u64, why: Retired) {
        let Some(kept) = self.kept.remove(&id) else { return };
        self.arena.remove(kept.piece);
        if let Some(cold) = kept.cold {
            self.arena.remove(cold);
        }
        if self.begins.get(&kept.site) == Some(&id) {
            self.begins.remove(&kept.site);
        }
        match why {
            Retired::Stale => {
                let heat = self.heat.entry(kept.site).or_default();
                *heat = Heat { stale: heat.stale + 1, windowless: heat.windowless, ..Heat::default() };
                self.report.stale.fetch_add(1, Relaxed);
            }
            Retired::Replaced => {
                self.report.replaced.fetch_add(1, Relaxed);
            }
            Retired::Straddles => {
                let heat = self.heat.entry(kept.site).or_default();
                *heat = Heat { stale: heat.stale, windowless: true, ..Heat::default() };
            }
        }
        self.report.code_bytes.store(self.arena.used() as u64, Relaxed);
    }
}
