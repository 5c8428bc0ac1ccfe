//! A PC with the video BIOS and a firmware of a few instructions, which runs a script of calls and port accesses.

use crate::firmware::{GOOD, RESULTS, SLOT, firmware};
use emu_core::Tick;
use emu_core::interpreter::Interpreter;
use machine::{Cpu, Firmware, Machine, MachineConfig, Picture, RunLimit, RunOutcome, TextScreen, TimeMode};

/// The segment of the buffers that functions are given in ES.
pub const BUFFER: u64 = 0x2_0000;
/// Instructions of the longest script.
const PATIENCE: u64 = 200_000_000;

/// Registers before or after a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    pub ax: u16,
    pub bx: u16,
    pub cx: u16,
    pub dx: u16,
    pub si: u16,
    pub di: u16,
    pub bp: u16,
    pub es: u16,
}

impl Registers {
    pub fn ah(self) -> u8 {
        self.ax.to_le_bytes()[1]
    }

    pub fn al(self) -> u8 {
        self.ax.to_le_bytes()[0]
    }

    pub fn bh(self) -> u8 {
        self.bx.to_le_bytes()[1]
    }
}

#[derive(Clone, Copy)]
pub enum Step {
    /// INT 10h; ES is the buffer's segment.
    Call(Registers),
    Out(u16, u8),
    In(u16),
    /// A byte written to a linear address below 1 MiB.
    Poke(u32, u8),
    Peek(u32),
}

/// A script.
#[derive(Default)]
pub struct Bench {
    steps: Vec<Step>,
    buffer: Vec<u8>,
}

impl Bench {
    /// A script that begins with a mode set.
    pub fn mode(mode: u8) -> Self {
        Self::default().call(mode.into(), 0, 0, 0)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub fn call(self, ax: u16, bx: u16, cx: u16, dx: u16) -> Self {
        self.call_with(Registers { ax, bx, cx, dx, ..Registers::default() })
    }

    pub fn call_with(self, registers: Registers) -> Self {
        self.step(Step::Call(registers))
    }

    /// Prints by teletype output, in `colour` in graphics modes.
    pub fn print(self, text: &str, colour: u8) -> Self {
        self.print_bytes(text.as_bytes(), colour)
    }

    /// The same of characters that are not ASCII.
    pub fn print_bytes(self, text: &[u8], colour: u8) -> Self {
        text.iter().fold(self, |bench, &byte| bench.call(0x0E00 | u16::from(byte), colour.into(), 0, 0))
    }

    pub fn cursor(self, row: u8, column: u8) -> Self {
        self.call(0x0200, 0, 0, u16::from_le_bytes([column, row]))
    }

    pub fn out(self, port: u16, value: u8) -> Self {
        self.step(Step::Out(port, value))
    }

    pub fn read(self, port: u16) -> Self {
        self.step(Step::In(port))
    }

    /// Reads an indexed register, of the ports `port` and `port + 1`.
    pub fn register(self, port: u16, index: u8) -> Self {
        self.out(port, index).read(port + 1)
    }

    /// Reads a register of the attribute controller.
    pub fn attribute(self, index: u8) -> Self {
        self.read(0x3DA).out(0x3C0, index | 0x20).read(0x3C1).read(0x3DA)
    }

    pub fn poke(self, address: u32, value: u8) -> Self {
        self.step(Step::Poke(address, value))
    }

    pub fn peek(self, address: u32) -> Self {
        self.step(Step::Peek(address))
    }

    /// What is in the buffer when the script starts.
    pub fn with_buffer(mut self, bytes: &[u8]) -> Self {
        self.buffer = bytes.to_vec();
        self
    }

    pub fn run(self) -> Run {
        let image = firmware(&self.steps).expect("a script that assembles");
        if let Ok(folder) = std::env::var("POSADA_KEEP_FIRMWARE") {
            let name = std::thread::current().name().unwrap_or("script").replace(':', "_");
            std::fs::write(format!("{folder}/{name}.bin"), &image).expect("a folder for firmware images");
        }
        let cpu = Cpu::from_model(emu_core::isa::cpuid::DEFAULT);
        let mut config = MachineConfig::new(16 << 20, cpu, TimeMode::Deterministic);
        config.firmware = Some(Firmware { image, vga_bios: None });
        let mut machine = Machine::new(config, Box::new(Interpreter::new())).expect("a machine");
        machine.memory().write(BUFFER, &self.buffer);
        let outcome = machine.run(RunLimit::instructions(PATIENCE));
        assert_eq!(outcome, RunOutcome::Exit(GOOD), "IP = {:#x}", machine.cpu().rip);
        Run { machine, calls: self.steps.iter().filter(|step| step.is_answered()).count() }
    }
}

impl Step {
    pub fn is_answered(self) -> bool {
        matches!(self, Self::Call(_) | Self::In(_) | Self::Peek(_))
    }
}

/// The machine after a script.
pub struct Run {
    pub machine: Machine,
    calls: usize,
}

impl Run {
    /// The registers after call or read `n`, counted from 0. Reads are in AX.
    pub fn answer(&self, n: usize) -> Registers {
        assert!(n < self.calls, "there were only {} calls and reads", self.calls);
        let bytes: [u8; 16] = self.machine.memory().read_array(RESULTS + SLOT * n as u64);
        let word = |n: usize| u16::from_le_bytes([bytes[2 * n], bytes[2 * n + 1]]);
        Registers {
            ax: word(0),
            bx: word(1),
            cx: word(2),
            dx: word(3),
            si: word(4),
            di: word(5),
            bp: word(6),
            es: word(7),
        }
    }

    /// The last `N` answers' AL.
    pub fn last_bytes<const N: usize>(&self) -> [u8; N] {
        std::array::from_fn(|n| self.answer(self.calls - N + n).al())
    }

    pub fn last(&self) -> Registers {
        self.answer(self.calls - 1)
    }

    pub fn byte(&self, address: u64) -> u8 {
        self.machine.memory().read_array::<1>(address)[0]
    }

    pub fn word(&self, address: u64) -> u16 {
        u16::from_le_bytes(self.machine.memory().read_array(address))
    }

    pub fn buffer<const N: usize>(&self) -> [u8; N] {
        self.machine.memory().read_array(BUFFER)
    }

    pub fn screen(&mut self) -> TextScreen {
        self.machine.text_screen().expect("a text mode")
    }

    /// The characters of a row of the text screen, without blanks at its end.
    pub fn row(&mut self, row: usize) -> String {
        let screen = self.screen();
        let columns = usize::try_from(screen.columns).expect("a screen");
        let cells = &screen.cells[row * columns..][..columns];
        let text: String = cells.iter().map(|cell| char::from(cell.ch)).collect();
        text.trim_end().to_owned()
    }

    /// The picture after the next vertical retrace, which takes over the start address.
    pub fn picture(&mut self) -> Picture {
        let later = self.machine.now() + Tick::MILLISECOND.times(20);
        self.machine.run(RunLimit::until(later));
        let mut picture = Picture::new();
        self.machine.draw(&mut picture);
        picture
    }
}
