//! The same programs under an engine: a guest whose user mode cannot be told from a Linux process by them.

mod board;
mod tables;

use super::layout::*;
use super::memory::Memory;
use super::program::CodeSize;
use super::state::{End, Outcome, Registers};
use board::Board;
use emu_core::isa::cpuid;
use emu_core::memory::{MemoryError, MemoryMap};
use emu_core::vcpu::{Activity, TableRegister, VcpuState, X87, cr0, cr4, efer};
use emu_core::{Engine, Exit, Stop};
use tables::{STACK_TOP, WINDOW_FRAME};

/// An engine, ready to run programs.
pub struct Guest {
    engine: Box<dyn Engine>,
    board: Board,
    base: VcpuState,
}

/// Instructions after which a program counts as lost. None has as many, iterations of REP included: the window ends.
const ALLOWANCE: u64 = 200_000;
const BP: u8 = 3;
const PF: u8 = 14;
/// Exceptions with an error code (Intel SDM Vol. 3A table 6-1).
const WITH_ERROR: [u8; 8] = [8, 10, 11, 12, 13, 14, 17, 21];
/// Linux reports every fault of user mode above this address as a protection violation, so as to tell nothing of its
/// own page tables (arch/x86/mm/fault.c, `set_signal_archinfo`).
const KERNEL_HALF: u64 = 0x7FFF_FFFF_F000;

impl Guest {
    /// A guest with the CPU model `max`.
    ///
    /// # Errors
    /// The host has no memory left.
    pub fn new(engine: Box<dyn Engine>) -> Result<Self, MemoryError> {
        let board = Board::new()?;
        tables::build(&board.memory);
        Ok(Self { engine, board, base: user_mode() })
    }

    /// The window's pages.
    pub fn memory(&mut self) -> &mut dyn Memory {
        &mut self.board.memory
    }

    /// See [`super::native::Host::run`].
    pub fn run(&mut self, size: CodeSize, start: u64, end: u64, registers: &Registers) -> Outcome {
        let mut cpu = self.base.clone();
        enter(&mut cpu, size, start, registers);
        self.board.left = ALLOWANCE;
        let exit = loop {
            match self.engine.run(&mut cpu, &mut self.board, &Stop::default()) {
                Exit::Stopped if self.board.left > 0 => {}
                exit => break exit,
            }
        };
        self.collect(&cpu, exit, size, end)
    }

    fn collect(&self, cpu: &VcpuState, exit: Exit, size: CodeSize, end: u64) -> Outcome {
        let mut outcome = Outcome {
            end: End::Lost,
            registers: Registers {
                gpr: cpu.gpr,
                rflags: cpu.rflags,
                fs_base: if size == CodeSize::Bits64 { cpu.seg[4].base } else { 0 },
                gs_base: if size == CodeSize::Bits64 { cpu.seg[5].base } else { 0 },
                x87: without_lost_pointers(cpu.x87),
                mxcsr: cpu.mxcsr,
                xmm: cpu.xmm,
                ymm_high: cpu.ymm_high,
            },
            selectors: cpu.seg.map(|segment| segment.selector),
        };
        if exit == Exit::Halted {
            self.read_frame(cpu, size, end, &mut outcome);
        }
        outcome
    }

    /// The exception's frame (Intel SDM Vol. 3A figure 6-9): error code, RIP, CS, RFLAGS, RSP, SS.
    fn read_frame(&self, cpu: &VcpuState, size: CodeSize, end: u64, outcome: &mut Outcome) {
        let word = |n: u64| u64::from_le_bytes(self.board.memory.read_array(STACK_TOP - 8 * n));
        let vector = tables::vector_of(cpu.rip);
        let (ss, rsp, rflags, cs, rip) = (word(1), word(2), word(3), word(4), word(5));
        outcome.registers.gpr[4] = rsp;
        outcome.registers.rflags = rflags;
        outcome.selectors[1] = cs as u16;
        outcome.selectors[2] = ss as u16;
        let cr2 = (vector == PF).then_some(cpu.cr2);
        let mut error = if WITH_ERROR.contains(&vector) { word(6) as u32 } else { 0 };
        if cr2.is_some_and(|at| at >= KERNEL_HALF) {
            error |= 1;
        }
        let through = vector == BP && rip == end + 1 - size.base();
        outcome.end = if through { End::Through } else { End::Exception { vector, error, rip, cr2 } };
    }
}

/// XSAVE, by which Linux keeps the state of a program while it handles a signal, says of an x87 unit in its initial
/// configuration just that; its pointers are lost (Intel SDM Vol. 1 13.6; AMD's parts look at the registers alone).
fn without_lost_pointers(x87: X87) -> X87 {
    let initial =
        X87 { opcode: x87.opcode, ip: x87.ip, cs: x87.cs, dp: x87.dp, ds: x87.ds, ..X87::default() };
    if x87 == initial { X87::default() } else { x87 }
}

/// User mode of a 64-bit Linux, before its registers are known.
fn user_mode() -> VcpuState {
    let model = cpuid::by_name("max").expect("there is a model of this name");
    let mut cpu = VcpuState::at_reset(model, 0);
    cpu.cr0 = cr0::PE | cr0::MP | cr0::ET | cr0::NE | cr0::WP | cr0::AM | cr0::PG;
    cpu.cr3 = tables::PML4;
    cpu.cr4 = cr4::PAE | cr4::PGE | cr4::OSFXSR | cr4::OSXMMEXCPT | cr4::FSGSBASE | cr4::OSXSAVE;
    cpu.cr4 |= cr4::SMEP | cr4::SMAP | cr4::UMIP;
    cpu.efer = efer::SCE | efer::LME | efer::LMA | efer::NXE;
    cpu.xcr0 = 7;
    let system = tables::registers();
    (cpu.tr, cpu.ldtr) = (system.tr, system.ldtr);
    cpu.gdtr = TableRegister { base: system.gdt.0, limit: system.gdt.1 };
    cpu.idtr = TableRegister { base: system.idt.0, limit: system.idt.1 };
    cpu.activity = Activity::Running;
    cpu
}

fn enter(cpu: &mut VcpuState, size: CodeSize, start: u64, registers: &Registers) {
    let names = match size {
        CodeSize::Bits64 => [0, selector::CODE_64, selector::DATA, 0, 0, 0],
        CodeSize::Bits32 => {
            [selector::DATA, selector::CODE_32, selector::DATA, selector::DATA, selector::FS, selector::GS]
        }
        CodeSize::Bits16 => {
            let data = selector::DATA_16;
            [data, selector::CODE_16, data, data, selector::FS, selector::GS]
        }
    };
    cpu.seg = names.map(tables::segment);
    if size == CodeSize::Bits64 {
        (cpu.seg[4].base, cpu.seg[5].base) = (registers.fs_base, registers.gs_base);
    }
    cpu.rip = start - size.base();
    cpu.gpr = registers.gpr;
    cpu.rflags = registers.rflags | 0x202;
    cpu.x87 = registers.x87;
    cpu.mxcsr = registers.mxcsr;
    cpu.xmm = registers.xmm;
    cpu.ymm_high = registers.ymm_high;
}

fn frame(linear: u64) -> u64 {
    linear - WINDOW + WINDOW_FRAME
}

impl Memory for MemoryMap {
    fn set_code(&mut self, bytes: &[u8; CODE_BYTES]) {
        self.write(frame(CODE), bytes);
    }

    fn set_fixed(&mut self, bytes: &[u8; FIXED_BYTES]) {
        self.write(frame(FIXED), bytes);
    }

    fn set(&mut self, data: &[u8; DATA_BYTES], stack: &[u8; STACK_BYTES]) {
        self.write(frame(DATA), data);
        self.write(frame(STACK), stack);
    }

    fn get(&self, data: &mut [u8; DATA_BYTES], stack: &mut [u8; STACK_BYTES]) {
        self.read(frame(DATA), data);
        self.read(frame(STACK), stack);
    }
}
