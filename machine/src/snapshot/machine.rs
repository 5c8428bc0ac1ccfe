//! What of a machine goes into which section.

use super::sections::{Reader, Tag, Writer};
use super::{RestoreMachineError, SaveError, file, ram};
use crate::board::SavedDevice;
use crate::config::{Linux, MachineConfig, check_firmware, host_memory};
use crate::machine::{Machine, MachineError};
use emu_core::{Bus, Engine, Forget, Saved, VcpuState};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::Path;

const COMPRESSION: i32 = 1;

/// What a saved machine says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedMachine {
    /// Bytes of RAM.
    pub memory: u64,
    /// Name of the CPU model.
    pub cpu: String,
    /// Bytes of firmware; 0 for a machine that was started in its kernel.
    pub firmware: u64,
    pub devices: Vec<String>,
    /// Guest time in nanoseconds.
    pub nanoseconds: u64,
}

/// The kernel that a reset starts again. Byte strings, not arrays of numbers.
#[derive(Serialize, Deserialize)]
struct SavedLinux {
    kernel: u64,
    initrd: u64,
    command_line: String,
}

fn pack(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("plain data into a vector");
    bytes
}

fn unpack<T: DeserializeOwned>(content: &[u8]) -> Result<T, RestoreMachineError> {
    ciborium::from_reader(content).map_err(|error| RestoreMachineError::Damaged(error.to_string()))
}

fn missing(what: &str) -> RestoreMachineError {
    RestoreMachineError::Damaged(format!("it has no section for {what}"))
}

/// What a saved machine says of itself, without restoring it.
///
/// # Errors
/// It is not a saved machine, or its first section is damaged.
pub fn describe(from: impl Read) -> Result<SavedMachine, RestoreMachineError> {
    head(&mut Reader::new(from)?)
}

fn head<R: Read>(reader: &mut Reader<R>) -> Result<SavedMachine, RestoreMachineError> {
    match reader.section()? {
        (Tag::Head, content) => unpack(&content),
        _ => Err(missing("the machine's description")),
    }
}

impl Machine {
    /// Saves the whole machine but its disks. What the host has not taken yet ([`Self::take_requests`]), and events
    /// scheduled for later ([`Self::schedule`]), are not part of it.
    ///
    /// # Errors
    /// `to` does not take it.
    pub fn save(&self, to: &mut impl Write) -> Result<(), SaveError> {
        let mut writer = Writer::new(to)?;
        writer.section(Tag::Head, &pack(&self.describe()))?;
        writer.section(Tag::Cpu, &pack(&self.cpu))?;
        writer.section(Tag::Board, &pack(&self.board.save()))?;
        let devices = pack(&self.board.save_devices());
        writer.section(Tag::Devices, &compress(&devices)?)?;
        if let Some(linux) = &self.linux {
            writer.section(Tag::Linux, &pack_linux(linux)?)?;
        }
        for (number, block) in (0u8..).zip(&self.blocks) {
            ram::save(Bus::memory(&self.board), number, *block, &mut writer)?;
        }
        Ok(writer.finish()?)
    }

    /// Saves to a file: beside it first, then in its place, so that a failure leaves what was there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_to_file(&self, path: &Path) -> Result<(), SaveError> {
        file::replace(path, |to| self.save(to))
    }

    fn describe(&self) -> SavedMachine {
        SavedMachine {
            memory: self.memory_size(),
            cpu: self.cpu_model.name.clone(),
            firmware: self.flash,
            devices: self.board.names().map(str::to_owned).collect(),
            nanoseconds: self.now().as_nanos(),
        }
    }

    /// A machine that goes on where the saved one was. `config` gives what is not saved (disks, time mode, CPU) and
    /// must ask for the same memory and CPU; its firmware and kernel are not used.
    ///
    /// # Errors
    /// The file is not a saved machine, or damaged, or of another machine than `config` says.
    pub fn restore(
        from: &mut impl Read,
        config: MachineConfig,
        engine: Box<dyn Engine>,
    ) -> Result<Self, RestoreMachineError> {
        let mut reader = Reader::new(from)?;
        let head = head(&mut reader)?;
        check(&head, &config)?;
        let mut machine = Self::assemble(config, head.firmware, engine)?;
        let mut parts = Parts::default();
        loop {
            let (tag, content) = reader.section()?;
            match tag {
                Tag::Head => return Err(RestoreMachineError::Damaged("it describes itself twice".into())),
                Tag::Cpu => parts.cpu = Some(unpack(&content)?),
                Tag::Board => parts.board = Some(unpack(&content)?),
                Tag::Devices => parts.devices = Some(unpack(&decompress(&content)?)?),
                Tag::Linux => machine.linux = Some(unpack_linux(&content, head.memory)?),
                Tag::Memory => ram::restore(Bus::memory(&machine.board), &machine.blocks, &content)?,
                Tag::End => break,
            }
        }
        reader.finish()?;
        machine.take_over(parts)?;
        Ok(machine)
    }

    fn take_over(&mut self, parts: Parts) -> Result<(), RestoreMachineError> {
        let cpu = parts.cpu.ok_or_else(|| missing("the CPU"))?;
        let board = parts.board.ok_or_else(|| missing("the board"))?;
        let devices = parts.devices.ok_or_else(|| missing("the devices"))?;
        if cpu.model != self.cpu_model.model {
            return Err(RestoreMachineError::Damaged("its CPU is of another model than it says".into()));
        }
        self.board.restore(&board, &devices).map_err(MachineError::from)?;
        self.cpu = cpu;
        self.engine.forget(Forget::All);
        // Whoever waited for a disk has to ask this machine's.
        crate::pc::sockets::disks_are_ready().for_each(|event| self.handle.post(event));
        Ok(())
    }
}

/// Sections that are taken over when all have been read.
#[derive(Default)]
struct Parts {
    cpu: Option<VcpuState>,
    board: Option<Saved>,
    devices: Option<Vec<SavedDevice>>,
}

fn check(head: &SavedMachine, config: &MachineConfig) -> Result<(), RestoreMachineError> {
    if head.memory != config.memory {
        return Err(RestoreMachineError::Memory { saved: head.memory, asked: config.memory });
    }
    if head.cpu != config.cpu.name {
        return Err(RestoreMachineError::Cpu { saved: head.cpu.clone(), asked: config.cpu.name.clone() });
    }
    config.check_memory(host_memory()).map_err(MachineError::from)?;
    if head.firmware != 0 {
        check_firmware(head.firmware).map_err(MachineError::from)?;
    }
    Ok(())
}

/// The length, then the compressed bytes.
fn compress(bytes: &[u8]) -> Result<Vec<u8>, SaveError> {
    let mut packed = (bytes.len() as u64).to_le_bytes().to_vec();
    packed.extend(zstd::encode_all(bytes, COMPRESSION)?);
    Ok(packed)
}

fn decompress(content: &[u8]) -> Result<Vec<u8>, RestoreMachineError> {
    let short = || RestoreMachineError::Damaged("a section is short".into());
    let (len, packed) = content.split_first_chunk().ok_or_else(short)?;
    let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| short())?;
    ram::unpack(packed, len)
}

fn pack_linux(linux: &Linux) -> Result<Vec<u8>, SaveError> {
    let Linux { kernel, initrd, command_line } = linux;
    let head = SavedLinux {
        kernel: kernel.len() as u64,
        initrd: initrd.len() as u64,
        command_line: command_line.clone(),
    };
    let head = pack(&head);
    let len = (head.len() as u64).to_le_bytes();
    compress(&[&len[..], &head, kernel, initrd].concat())
}

fn unpack_linux(content: &[u8], memory: u64) -> Result<Linux, RestoreMachineError> {
    let wrong = || RestoreMachineError::Damaged("its kernel has the wrong size".into());
    // What was loaded fitted into memory, with the header and setup code beside it.
    let len = content.first_chunk().map(|len| u64::from_le_bytes(*len)).ok_or_else(wrong)?;
    if len > memory.saturating_mul(2) {
        return Err(wrong());
    }
    let bytes = decompress(content)?;
    let (len, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
    let size = |n: u64| usize::try_from(n).map_err(|_| wrong());
    let (head, files) = rest.split_at_checked(size(u64::from_le_bytes(*len))?).ok_or_else(wrong)?;
    let head: SavedLinux = unpack(head)?;
    let (kernel, initrd) = files.split_at_checked(size(head.kernel)?).ok_or_else(wrong)?;
    if initrd.len() as u64 != head.initrd {
        return Err(wrong());
    }
    Ok(Linux { kernel: kernel.to_vec(), initrd: initrd.to_vec(), command_line: head.command_line })
}
