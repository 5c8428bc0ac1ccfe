//! The chips of the model `pc`: the only place that makes them.

use super::layout::Layout;
use super::wiring::VIRTIO_DISKS;
use super::{cmos, firmware};
use crate::background::BackgroundDisk;
use crate::board::Board;
use crate::clock::TimeMode;
use crate::config::{ConfigError, MachineConfig};
use crate::host::Handle;
use devices::debugcon::Debugcon;
use devices::disk::Disk;
use devices::fw_cfg::FwCfg;
use devices::hpet::Hpet;
use devices::i440fx::I440fx;
use devices::i8042::I8042;
use devices::i8237a::I8237aPair;
use devices::i8254::I8254;
use devices::i8259a::I8259aPair;
use devices::i82077aa::{DriveType, I82077aa};
use devices::i82093aa::I82093aa;
use devices::isa_debug_exit::IsaDebugExit;
use devices::lapic::{self, Lapic};
use devices::mc146818::Mc146818;
use devices::ns16550a::Ns16550a;
use devices::piix3::Piix3;
use devices::piix3_ide::{Piix3Ide, Unit};
use devices::piix4_pm::Piix4Pm;
use devices::port92::Port92;
use devices::vga::{Drawn, Picture, TextScreen, Vga};
use devices::virtio::VirtioPci;
use emu_core::isa::cpuid;
use emu_core::memory::BlockId;
use emu_core::{Device, DiskController, HostEvent};

/// All chips, in socket order. Takes the disks out of the configuration.
///
/// # Errors
/// A diskette image is larger than any diskette, there is no place for the CD-ROM drive, or there are more virtio disks
/// than slots.
pub(crate) fn chips(
    config: &mut MachineConfig,
    layout: &Layout,
    video_memory: BlockId,
    handle: &Handle,
) -> Result<Vec<Box<dyn Device>>, ConfigError> {
    let mut chips: Vec<Box<dyn Device>> = vec![
        Box::new(I440fx::new()),
        Box::new(Piix3::new()),
        Box::new(Piix3Ide::new(ide_units(config, handle)?)),
        Box::new(Piix4Pm::new()),
        Box::new(I8259aPair::new()),
        Box::new(I8254::new()),
        Box::new(I8237aPair::new()),
        Box::new(Mc146818::new()),
        Box::new(I8042::new()),
        Box::new(Port92::new()),
        Box::new(Ns16550a::new(0)),
        Box::new(floppy_controller(config, handle)?),
        Box::new(Debugcon::new()),
        Box::new(IsaDebugExit::new()),
        Box::new(fw_cfg(config, layout)),
        Box::new(Vga::new(video_memory).with_monitor(config.preferred_mode)),
        Box::new(Hpet::new()),
    ];
    if config.cpu.apic {
        chips.push(Box::new(Lapic::with_features(0, lapic_features(config.cpu.model))));
        chips.push(Box::new(I82093aa::new()));
    }
    chips.extend(virtio_disks(config, handle)?);
    Ok(chips)
}

/// A medium behind `controller`. Where time is the host's it may work in the background.
pub(crate) fn medium(
    disk: Box<dyn Disk>,
    controller: DiskController,
    time: TimeMode,
    handle: &Handle,
) -> Box<dyn Disk> {
    let handle = handle.clone();
    match time {
        TimeMode::Deterministic => disk,
        TimeMode::Paced => {
            let call = move || handle.post(HostEvent::DiskReady(controller));
            Box::new(BackgroundDisk::new(disk, call))
        }
    }
}

fn virtio_disks(config: &mut MachineConfig, handle: &Handle) -> Result<Vec<Box<dyn Device>>, ConfigError> {
    let disks = std::mem::take(&mut config.virtio_disks);
    if disks.len() > VIRTIO_DISKS.len() {
        return Err(ConfigError::VirtioDisks(disks.len()));
    }
    let chip = |(number, (name, disk))| {
        let disk = medium(disk, DiskController::Virtio(number), config.time, handle);
        Box::new(VirtioPci::block(name, disk)) as Box<dyn Device>
    };
    Ok((0..).zip(VIRTIO_DISKS.into_iter().zip(disks)).map(chip).collect())
}

/// What CPUID says of the model's local APIC.
fn lapic_features(model: u8) -> lapic::Features {
    let features = &cpuid::model(model).features;
    lapic::Features {
        x2apic: features.has(cpuid::feature::X2APIC),
        tsc_deadline: features.has(cpuid::feature::TSC_DEADLINE),
    }
}

/// The disks, and a CD-ROM drive if they leave a place for it: if it can be, it has a cable of its own.
fn ide_units(config: &mut MachineConfig, handle: &Handle) -> Result<[Option<Unit>; 4], ConfigError> {
    let time = config.time;
    let medium = |disk| medium(disk, DiskController::Ide, time, handle);
    let mut units = std::mem::take(&mut config.disks).map(|disk| disk.map(|disk| Unit::Disk(medium(disk))));
    let disc = config.cdrom.take().map(medium);
    match [2, 3, 1, 0].into_iter().find(|place: &usize| units[*place].is_none()) {
        Some(place) => units[place] = Some(Unit::CdRom(disc)),
        None if disc.is_some() => return Err(ConfigError::NoPlaceForCdRom),
        None => {}
    }
    Ok(units)
}

/// Drive A is always there; drive B if it has a diskette. A drive is of the kind that its first diskette needs.
fn floppy_controller(config: &mut MachineConfig, handle: &Handle) -> Result<I82077aa, ConfigError> {
    let [a, b] = std::mem::take(&mut config.floppies);
    let kind = |sectors| DriveType::for_image(sectors).ok_or(ConfigError::Diskette(sectors));
    let kinds = [
        Some(a.as_ref().map_or(Ok(DriveType::F1440K), |disk| kind(disk.sectors()))?),
        b.as_ref().map(|disk| kind(disk.sectors())).transpose()?,
    ];
    let mut controller = I82077aa::new(kinds);
    for (drive, disk) in [a, b].into_iter().enumerate() {
        if let Some(disk) = disk {
            let sectors = disk.sectors();
            let disk = medium(disk, DiskController::Floppy, config.time, handle);
            controller.insert(drive, disk).map_err(|_| ConfigError::Diskette(sectors))?;
        }
    }
    Ok(controller)
}

fn fw_cfg(config: &MachineConfig, layout: &Layout) -> FwCfg {
    let mut device = FwCfg::new();
    let firmware::Items { keys, files } = firmware::items(config, layout);
    for (key, data) in keys {
        device.add_item(key, data);
    }
    for (name, data) in files {
        device.add_file(name, data);
    }
    device
}

/// Writes what the board itself keeps in CMOS: how much memory there is, and which drives.
pub(crate) fn set_cmos(board: &mut Board, layout: &Layout) {
    let kinds = board.on_chip(|floppy: &mut I82077aa, _| floppy.drive_types()).unwrap_or_default();
    let kinds = kinds.map(|kind| kind.map_or(0, DriveType::cmos));
    let bytes = cmos::contents(layout, kinds);
    board.on_chip(|rtc: &mut Mc146818, _| {
        for (index, value) in bytes {
            rtc.set_cmos(index, value);
        }
    });
}

/// What a firmware would have done to chips that need more than port writes: text mode 3 with our video BIOS's font,
/// and the local APIC in virtual wire mode.
pub(crate) fn set_up_for_kernel(board: &mut Board) {
    let font = bios::video::font::font_16();
    board.on_chip(|vga: &mut Vga, _| vga.set_mode_3(&font));
    board.on_chip(|apic: &mut Lapic, _| apic.set_virtual_wire());
}

/// The local APIC hears INIT too.
pub(crate) fn init_local_apic(board: &mut Board) {
    board.on_chip(Lapic::init);
}

/// Has every controller that waits for a disk ask it again, as after a restore.
pub(crate) fn disks_are_ready() -> impl Iterator<Item = HostEvent> {
    let virtio = (0..).zip(VIRTIO_DISKS).map(|(number, _)| DiskController::Virtio(number));
    [DiskController::Ide, DiskController::Floppy].into_iter().chain(virtio).map(HostEvent::DiskReady)
}

pub(crate) fn text_screen(board: &mut Board) -> Option<TextScreen> {
    board.on_chip(|vga: &mut Vga, _| vga.text_screen()).flatten()
}

pub(crate) fn keyboard_leds(board: &mut Board) -> u8 {
    board.on_chip(|controller: &mut I8042, _| controller.leds()).unwrap_or(0)
}

pub(crate) fn keyboard_is_idle(board: &mut Board) -> bool {
    board.on_chip(|controller: &mut I8042, _| controller.keyboard_is_idle()).unwrap_or(false)
}

pub(crate) fn draw(board: &mut Board, picture: &mut Picture) -> Drawn {
    board.on_chip(|vga: &mut Vga, cx| vga.draw(picture, cx.now(), cx.memory())).unwrap_or_default()
}

/// How many more bytes COM1 can take from the host.
pub(crate) fn serial_room(board: &mut Board) -> usize {
    board.on_chip(|serial: &mut Ns16550a, _| serial.host_room()).unwrap_or(0)
}
