//! A whole PC that boots a disk of ours, which does a script of calls.

use crate::expect::{Answer, Registers};
use bios::assembler::{Source, assemble};
use emu_core::interpreter::Interpreter;
use emu_core::{HostEvent, HostRequest, Tick};
use machine::{BootPlan, Cpu, Disk, Firmware, Machine, MachineConfig, RunLimit, RunOutcome, TimeMode};
use std::path::PathBuf;

/// Where the runner keeps the answers, and what is free for scripts.
const RESULTS: u64 = 0x2_0000;
const SLOT: u64 = 64;
pub const BUFFER: u16 = 0x3000;
/// Sectors of the program with its script.
pub const PROGRAM: usize = 17;
const SECTOR: usize = 512;
const PASSED: u32 = 0x31;
/// What the runner puts to the debug port where the host has something to do.
const MARK: u8 = 1;
const PATIENCE: Tick = Tick::SECOND.times(20);
const MEMORY: u64 = 16 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bios {
    Posada,
    SeaBios,
}

/// What the runner can do.
#[derive(Clone, Debug)]
pub enum Step {
    Call {
        interrupt: u8,
        registers: Registers,
    },
    /// Bytes to an offset in the segment [`BUFFER`].
    Put(u16, Vec<u8>),
    /// The host does this.
    Host(HostEvent),
    /// An interrupt has a handler that counts, at [`COUNT`].
    Hook(u8),
    /// So many ticks of 55 ms pass.
    Idle(u16),
}

/// How often hooked interrupts have come: a word in the BIOS data area.
pub const COUNT: u32 = 0x4F2;

/// A file of the folder of guests. A test without its guest fails: it must not look as if it had passed.
fn guest(name: &str) -> Vec<u8> {
    let named = std::env::var_os("POSADA_CACHE").map(PathBuf::from);
    let program = std::env::current_exe().expect("a program");
    let beside = program.ancestors().map(|folder| folder.join("guests"));
    let found = named.into_iter().chain(beside).map(|folder| folder.join(name)).find(|file| file.is_file());
    let file =
        found.unwrap_or_else(|| panic!("{name} is missing: fetch the guests with `cargo xtask setup`"));
    std::fs::read(file).expect("a file that can be read")
}

fn firmware(bios: Bios, cpu: &Cpu, plan: &BootPlan) -> Firmware {
    match bios {
        Bios::Posada => Firmware::posada(MEMORY, cpu, bios::video::rom(), plan).expect("its video BIOS fits"),
        Bios::SeaBios => {
            Firmware { image: guest("bios-256k.bin"), vga_bios: Some(guest("vgabios-isavga.bin")) }
        }
    }
}

/// The PC of the tests: what is on IDE, behind virtio, in drive A and in the CD-ROM drive.
#[derive(Default)]
pub struct Drives {
    pub disks: Vec<Box<dyn Disk>>,
    pub virtio: Vec<Box<dyn Disk>>,
    pub diskette: Option<Box<dyn Disk>>,
    pub disc: Option<Box<dyn Disk>>,
}

impl Drives {
    pub fn machine(self, bios: Bios, plan: &BootPlan) -> Machine {
        let cpu = Cpu::from_model(emu_core::isa::cpuid::DEFAULT);
        let mut config = MachineConfig::new(MEMORY, cpu, TimeMode::Deterministic);
        config.firmware = Some(firmware(bios, &config.cpu, plan));
        for (slot, disk) in config.disks.iter_mut().zip(self.disks) {
            *slot = Some(disk);
        }
        config.virtio_disks = self.virtio;
        config.floppies[0] = self.diskette;
        config.cdrom = self.disc;
        Machine::new(config, Box::new(Interpreter::new())).expect("a machine")
    }
}

/// The image of a disk that does the steps: the program, its script, and behind them `sectors` in all.
pub fn program(steps: &[Step], sectors: usize) -> Vec<u8> {
    let source = Source { name: "runner.asm", text: include_str!("runner.asm") };
    let mut image = assemble(&[source], &[], SECTOR + 4).expect("the runner assembles").bytes;
    let mut data = image.len() + (steps.len() + 1) * 36;
    let mut tail = Vec::new();
    for step in steps {
        image.extend(encode(step, &mut tail, &mut data));
    }
    image.extend([0; 36]);
    image.extend(tail);
    assert!(image.len() <= PROGRAM * SECTOR, "the script is too long: {} bytes", image.len());
    image.resize(sectors * SECTOR, 0);
    image
}

fn encode(step: &Step, tail: &mut Vec<u8>, data: &mut usize) -> Vec<u8> {
    let (kind, interrupt, registers) = match step {
        Step::Call { interrupt, registers } => (1, *interrupt, *registers),
        Step::Put(at, bytes) => {
            let registers = Registers {
                esi: u32::try_from(*data).expect("a small image"),
                edi: (*at).into(),
                ecx: u32::try_from(bytes.len()).expect("a few bytes"),
                ..Registers::default()
            };
            tail.extend(bytes);
            *data += bytes.len();
            (2, 0, registers)
        }
        Step::Hook(interrupt) => (4, *interrupt, Registers::default()),
        Step::Idle(ticks) => (5, 0, Registers { ecx: (*ticks).into(), ..Registers::default() }),
        Step::Host(_) => (3, 0, Registers { ecx: MARK.into(), ..Registers::default() }),
    };
    let mut bytes = vec![kind, interrupt, 0, 0];
    for value in registers.general() {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([registers.ds.to_le_bytes(), registers.es.to_le_bytes()].concat());
    bytes
}

/// The machine after a script, and what it said on the debug port and the serial port.
pub struct Run {
    pub machine: Machine,
    pub text: String,
    pub serial: Vec<u8>,
}

impl Run {
    /// Runs a machine whose disk does these steps, to their end.
    pub fn of(machine: Machine, steps: &[Step]) -> Self {
        let mut run = Self { machine, text: String::new(), serial: Vec::new() };
        let mut events = steps.iter().filter_map(|step| match step {
            Step::Host(event) => Some(event.clone()),
            Step::Call { .. } | Step::Put(..) | Step::Hook(_) | Step::Idle(_) => None,
        });
        let mut at = 0;
        loop {
            let until = run.machine.now() + Tick::MILLISECOND;
            let outcome = run.machine.run(RunLimit::until(until));
            for _ in 0..run.hear() {
                let event = events.next().expect("one for each mark");
                run.machine.handle().post(event);
            }
            if outcome == RunOutcome::Exit(PASSED) {
                return run;
            }
            let pc = run.machine.cpu().rip;
            at = at.max(run.step());
            assert_eq!(outcome, RunOutcome::Stopped, "step {at}, IP {pc:#x}: {}", run.text);
            assert!(run.machine.now() < PATIENCE, "step {at} does not end, IP {pc:#x}: {}", run.text);
        }
    }

    /// How often the script has asked the host for its next event.
    fn hear(&mut self) -> usize {
        let mut marks = 0;
        for request in self.machine.take_requests() {
            match request {
                HostRequest::Debug(MARK) => marks += 1,
                HostRequest::Debug(byte) => self.text.push(char::from(byte)),
                HostRequest::Serial { byte, .. } => self.serial.push(byte),
                HostRequest::Exit(_) | HostRequest::Speaker(_) => {}
            }
        }
        marks
    }

    /// Steps that the runner has begun.
    fn step(&self) -> u16 {
        u16::from_le_bytes(self.machine.memory().read_array(0x4F0))
    }

    pub fn answer(&self, step: usize) -> Answer {
        Answer::from_bytes(self.machine.memory().read_array(RESULTS + SLOT * step as u64))
    }

    pub fn bytes(&self, address: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.machine.memory().read(address.into(), &mut bytes);
        bytes
    }
}
