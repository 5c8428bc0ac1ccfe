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
    virtio_disks: Vec<Overlay>,
    floppy: Option<Overlay>,
}

impl Disks {
    fn open(run: &Run) -> Result<Self> {
        let open = |chosen: &Chosen| Image::open(chosen).map(|image| image.overlay());
        let all = |images: &[Chosen]| images.iter().map(open).collect::<Result<_, _>>();
        let (disks, virtio_disks) = (all(&run.guest.disk)?, all(&run.guest.virtio_disk)?);
        Ok(Self { disks, virtio_disks, floppy: run.guest.floppy.as_ref().map(open).transpose()? })
    }

    fn each(&self, f: impl Fn(&Overlay) -> Overlay) -> Self {
        let all = |disks: &[Overlay]| disks.iter().map(&f).collect();
        let (disks, virtio_disks) = (all(&self.disks), all(&self.virtio_disks));
        Self { disks, virtio_disks, floppy: self.floppy.as_ref().map(f) }
    }

    fn into_media(self) -> Result<Media> {
        let boxed = |disk| Box::new(disk) as Box<dyn machine::Disk>;
        let all = |disks: Vec<Overlay>| disks.into_iter().map(boxed).collect();
        Media::new(all(self.disks), all(self.virtio_disks), self.floppy.map(boxed))
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
        guest::build(self.run, self.engine(side), disks.into_media()?.with_cdrom(self.run)?)
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
        let media = self.kept.each(Overlay::copy).into_media()?.with_cdrom(self.run)?;
        Ok(guest::restored(self.run, state, self.engine(side), media)?)
    }

    fn remember(&mut self) {
        self.kept = self.live.each(Overlay::copy);
    }
}
