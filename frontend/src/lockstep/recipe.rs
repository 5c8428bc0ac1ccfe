//! How the two machines are made, at the start and when a difference is looked at closer.

use super::options::Compare;
use crate::engines::EngineChoice;
use crate::guest::{self, Built, Media};
use crate::image::{Chosen, Image, Overlay};
use crate::options::Run;
use anyhow::Result;
use emu_core::Engine;
use machine::Machine;
use machine::lockstep::{Recipe, Side};
use std::error::Error;

/// The disks and the diskette of one machine.
struct Disks {
    disks: Vec<Overlay>,
    floppy: Option<Overlay>,
}

impl Disks {
    fn open(run: &Run) -> Result<Self> {
        let open = |chosen: &Chosen| Image::open(chosen).map(|image| image.overlay());
        let disks = run.guest.disk.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { disks, floppy: run.guest.floppy.as_ref().map(open).transpose()? })
    }

    fn each(&self, f: impl Fn(&Overlay) -> Overlay) -> Self {
        Self { disks: self.disks.iter().map(&f).collect(), floppy: self.floppy.as_ref().map(f) }
    }

    fn into_media(self) -> Result<Media> {
        let boxed = |disk| Box::new(disk) as Box<dyn machine::Disk>;
        Media::new(self.disks.into_iter().map(boxed).collect(), self.floppy.map(boxed))
    }
}

pub(super) struct Guests<'a> {
    run: &'a Run,
    engines: [EngineChoice; 2],
    background: bool,
    /// What the disks of the reference hold now, and what they held when it was last saved.
    live: Disks,
    kept: Disks,
}

impl<'a> Guests<'a> {
    pub(super) fn open(run: &'a Run, compare: &Compare) -> Result<Self> {
        let live = Disks::open(run)?;
        let kept = live.each(Overlay::copy);
        Ok(Self { run, engines: compare.engines.0, background: compare.background, live, kept })
    }

    /// The machine of a side at the start of the run.
    pub(super) fn first(&self, side: Side) -> Result<Built> {
        let disks = match side {
            Side::Tested => self.kept.each(Overlay::copy),
            Side::Reference => self.live.each(Overlay::shared),
        };
        guest::build(self.run, self.engine(side), disks.into_media()?)
    }

    pub(super) fn choice(&self, side: Side) -> EngineChoice {
        self.engines[side as usize]
    }
}

impl Recipe for Guests<'_> {
    fn engine(&self, side: Side) -> Box<dyn Engine> {
        self.choice(side).plain(self.background)
    }

    fn restore(&self, side: Side, state: &[u8]) -> Result<Machine, Box<dyn Error + Send + Sync>> {
        let media = self.kept.each(Overlay::copy).into_media()?;
        Ok(guest::restored(self.run, state, self.engine(side), media)?)
    }

    fn remember(&mut self) {
        self.kept = self.live.each(Overlay::copy);
    }
}
