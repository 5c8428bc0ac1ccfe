//! A CPU on a board of memory and little else, for tests: state in, a few instructions, state out.

use super::Interpreter;
use crate::isa::cpuid;
use crate::memory::{Range, Target};
use crate::vcpu::{Segment, SegmentName, TableRegister, cr0, cr4, efer};
use crate::{Attention, Bus, Engine, Exit, MemoryMap, Stop, Tick, VcpuState, Width};
use iced_x86::code_asm::CodeAssembler;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Where the tables of [`Testbed::protected`] and [`Testbed::long`] are.
pub const GDT: u64 = 0x1000;
pub const IDT: u64 = 0x2000;
pub const TSS: u64 = 0x4000;
/// Handlers of all vectors, 16 bytes each, made of HLT.
pub const HANDLERS: u64 = 0x5000;
pub const PAGES: u64 = 0x8000;
/// Where code starts, and where stacks end.
pub const CODE: u64 = 0x1_0000;
pub const STACK0: u64 = 0x2_0000;
pub const STACK3: u64 = 0x3_0000;

/// Selectors of the GDT.
pub const CODE0: u16 = 0x08;
pub const DATA0: u16 = 0x10;
pub const CODE3: u16 = 0x1B;
pub const DATA3: u16 = 0x23;
pub const TASK: u16 = 0x28;
/// Free for the test, 16 bytes each.
pub const SPARE: u16 = 0x40;

const MEMORY: u64 = 1 << 20;
const MSR_APIC_BASE: u32 = 0x1B;
const MSR_TSC_DEADLINE: u32 = 0x6E0;

/// The board: 1 MiB of RAM, ports that remember what was written.
pub struct Board {
    memory: MemoryMap,
    attention: AtomicU32,
    pub retired: u64,
    pub allowance: u64,
    /// How often the engine may ask for its allowance: code that only faults retires nothing, and must end too.
    pub patience: u64,
    pub written: Vec<(u16, Width, u64)>,
    /// What every port reads as.
    pub port: u64,
    pub vector: u8,
    pub cr8: u8,
    pub deadline: u64,
}

impl Bus for Board {
    fn allowance(&mut self) -> u64 {
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 { 0 } else { self.allowance }
    }
    fn retire(&mut self, n: u64) {
        self.retired += n;
        self.allowance = self.allowance.saturating_sub(n);
    }
    fn port_read(&mut self, _: u16, width: Width) -> u64 {
        self.port & width.mask()
    }
    fn port_write(&mut self, port: u16, width: Width, value: u64) {
        self.written.push((port, width, value));
    }
    fn memory_read(&mut self, _: u64, width: Width) -> u64 {
        width.mask()
    }
    fn memory_write(&mut self, _: u64, _: Width, _: u64) {}
    fn msr_read(&mut self, msr: u32) -> Option<u64> {
        match msr {
            MSR_APIC_BASE => Some(0xFEE0_0900),
            MSR_TSC_DEADLINE => Some(self.deadline),
            _ => None,
        }
    }
    fn msr_write(&mut self, msr: u32, value: u64) -> Option<()> {
        (msr == MSR_TSC_DEADLINE).then(|| self.deadline = value)
    }
    fn cr8(&mut self) -> u8 {
        self.cr8
    }
    fn set_cr8(&mut self, priority: u8) {
        self.cr8 = priority;
    }
    fn now(&mut self) -> Tick {
        Tick::TSC.times(self.retired)
    }
    fn attention(&self) -> &AtomicU32 {
        &self.attention
    }
    fn acknowledge(&mut self) -> u8 {
        self.attention.fetch_and(!Attention::INTR, Relaxed);
        self.vector
    }
    fn memory(&self) -> &MemoryMap {
        &self.memory
    }
}

/// See the module.
pub struct Testbed {
    pub cpu: VcpuState,
    pub board: Board,
    engine: Interpreter,
}

/// A descriptor: rights as `Segment::rights` holds them, limit in units of its granularity.
pub const fn descriptor(base: u64, limit: u64, rights: u64) -> u64 {
    limit & 0xFFFF
        | (base & 0xFF_FFFF) << 16
        | rights << 40 & 0x00F0_FF00_0000_0000
        | (limit >> 16 & 0xF) << 48
        | (base >> 24 & 0xFF) << 56
}

/// A gate: `rights` is P, DPL and type.
pub const fn gate(selector: u16, offset: u64, rights: u64, count: u64) -> u64 {
    offset & 0xFFFF | (selector as u64) << 16 | count << 32 | rights << 40 | (offset >> 16 & 0xFFFF) << 48
}

/// Flat code and data, 32 bits or 64.
const CODE32: u64 = 0xC09B;
const CODE64: u64 = 0xA09B;
const DATA32: u64 = 0xC093;
const RING3: u64 = 0x60;

impl Testbed {
    /// A CPU of a named model in real mode, at [`CODE`], with its stack below [`STACK0`] (SS = 1000h).
    pub fn real(model: &str) -> Self {
        let index = cpuid::by_name(model).expect("a model of the table");
        let mut memory = MemoryMap::new();
        let block = memory.add_block("ram", MEMORY).expect("a megabyte");
        let ram = Target::Block { block, offset: 0 };
        memory.map(Range { start: 0, len: MEMORY, read: ram, write: ram });
        let mut cpu = VcpuState::at_reset(index, 0);
        cpu.seg[SegmentName::Cs as usize] = Segment::real((CODE >> 4) as u16);
        cpu.seg[SegmentName::Ss as usize] = Segment::real(0x1000);
        cpu.gpr[4] = 0xFFFE;
        cpu.rip = 0;
        cpu.idtr = TableRegister { base: 0, limit: 0x3FF };
        let board = Board {
            memory,
            attention: AtomicU32::new(0),
            retired: 0,
            allowance: 1 << 40,
            patience: 10_000,
            written: Vec::new(),
            port: 0x1234_5678,
            vector: 0,
            cr8: 0,
            deadline: 0,
        };
        Self { cpu, board, engine: Interpreter::new() }
    }

    fn tables(&mut self, code: u64) {
        let tss_limit = 0x67 + 32;
        self.descriptor(CODE0, descriptor(0, 0xF_FFFF, code));
        self.descriptor(DATA0, descriptor(0, 0xF_FFFF, DATA32));
        self.descriptor(CODE3, descriptor(0, 0xF_FFFF, code | RING3));
        self.descriptor(DATA3, descriptor(0, 0xF_FFFF, DATA32 | RING3));
        self.descriptor(TASK, descriptor(TSS, tss_limit, 0x8B));
        self.cpu.gdtr = TableRegister { base: GDT, limit: 0xFF };
        self.cpu.tr = Segment { selector: TASK, rights: 0x8B, limit: tss_limit as u32, base: TSS };
        self.cpu.ldtr = Segment::default();
        self.cpu.cr0 |= cr0::PE | cr0::NE;
        self.poke16(TSS + 0x66, 0x68);
    }

    /// Flat 32-bit protected mode at CPL 0, with a TSS whose ESP0 is [`STACK0`], no paging, an empty IDT.
    pub fn protected(model: &str) -> Self {
        let mut bed = Self::real(model);
        bed.tables(CODE32);
        bed.poke32(TSS + 4, STACK0 as u32);
        bed.poke16(TSS + 8, DATA0);
        bed.cpu.idtr = TableRegister { base: IDT, limit: 0x7FF };
        bed.at_ring(0);
        bed
    }

    /// 64-bit mode at CPL 0, the first GiB mapped as itself for everyone, RSP0 = [`STACK0`], an empty IDT.
    pub fn long() -> Self {
        let mut bed = Self::real("x86-64-v2");
        bed.tables(CODE64);
        bed.poke64(TSS + 4, STACK0);
        bed.poke64(PAGES, (PAGES + 0x1000) | 7);
        bed.poke64(PAGES + 0x1000, 0x87);
        bed.cpu.cr3 = PAGES;
        bed.cpu.cr4 = cr4::PAE;
        bed.cpu.efer = efer::LME | efer::LMA | efer::SCE | efer::NXE;
        bed.cpu.cr0 |= cr0::PG;
        bed.cpu.idtr = TableRegister { base: IDT, limit: 0xFFF };
        bed.at_ring(0);
        bed
    }

    /// Flat segments of a privilege level, RIP at [`CODE`], a stack of the level.
    pub fn at_ring(&mut self, cpl: u8) -> &mut Self {
        let (code, data, top) = if cpl == 0 { (CODE0, DATA0, STACK0) } else { (CODE3, DATA3, STACK3) };
        let read = |bed: &Self, selector: u16| {
            let raw = bed.peek64(GDT + u64::from(selector & !7));
            Segment::from_descriptor(selector, raw as u32, (raw >> 32) as u32)
        };
        let (code, data) = (read(self, code), read(self, data));
        self.cpu.seg = [data, code, data, data, data, data];
        self.cpu.gpr[4] = top;
        self.cpu.rip = CODE;
        self
    }

    /// V86 mode: segments of paragraph `cs`, IOPL as given.
    pub fn at_v86(&mut self, cs: u16, iopl: u64) -> &mut Self {
        let segment = |selector: u16| Segment { rights: 0xF3, ..Segment::real(selector) };
        self.cpu.seg = [segment(0x2000); 6];
        self.cpu.seg[SegmentName::Cs as usize] = segment(cs);
        self.cpu.rflags |= 1 << 17 | iopl << 12;
        self.cpu.gpr[4] = 0xFFF0;
        self.cpu.rip = 0;
        self
    }

    // ---- memory ------------------------------------------------------------------------------------------------

    pub fn poke(&mut self, at: u64, bytes: &[u8]) {
        self.board.memory.write(at, bytes);
    }
    pub fn poke16(&mut self, at: u64, value: u16) {
        self.poke(at, &value.to_le_bytes());
    }
    pub fn poke32(&mut self, at: u64, value: u32) {
        self.poke(at, &value.to_le_bytes());
    }
    pub fn poke64(&mut self, at: u64, value: u64) {
        self.poke(at, &value.to_le_bytes());
    }
    pub fn peek16(&self, at: u64) -> u16 {
        u16::from_le_bytes(self.board.memory.read_array(at))
    }
    pub fn peek32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.board.memory.read_array(at))
    }
    pub fn peek64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.board.memory.read_array(at))
    }

    /// Words on top of the current flat stack.
    pub fn stack<const N: usize>(&self, size: u64) -> [u64; N] {
        let mut words = [0; N];
        for (n, word) in words.iter_mut().enumerate() {
            let at = self.stack_base() + self.cpu.gpr[4] + n as u64 * size;
            *word = self.peek64(at) & (u64::MAX >> (64 - 8 * size));
        }
        words
    }

    fn stack_base(&self) -> u64 {
        self.cpu.seg[SegmentName::Ss as usize].base
    }

    /// Puts a descriptor into the GDT.
    pub fn descriptor(&mut self, selector: u16, value: u64) {
        self.poke64(GDT + u64::from(selector & !7), value);
    }

    /// Puts a gate into the IDT, in the form the mode wants.
    pub fn gate(&mut self, vector: u64, value: u64) {
        if self.cpu.efer & efer::LMA == 0 {
            self.poke64(IDT + 8 * vector, value);
        } else {
            self.poke64(IDT + 16 * vector, value);
            self.poke64(IDT + 16 * vector + 8, 0);
        }
    }

    /// Assembles code at CS:RIP for the current mode.
    pub fn code(&mut self, assemble: impl FnOnce(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>) {
        let cs = self.cpu.seg[SegmentName::Cs as usize];
        let long = self.cpu.efer & efer::LMA != 0 && cs.is(Segment::L);
        let bits = match (long, cs.is(Segment::DB)) {
            (true, _) => 64,
            (false, true) => 32,
            (false, false) => 16,
        };
        let mut assembler = CodeAssembler::new(bits).expect("a valid size");
        assemble(&mut assembler).expect("valid operands");
        let bytes = assembler.assemble(self.cpu.rip).expect("encodable");
        let base = if long { 0 } else { cs.base };
        self.poke(base + self.cpu.rip, &bytes);
    }

    /// Gates for every vector to handlers that halt. `rights` is P, DPL and type.
    pub fn handlers(&mut self, rights: u64) {
        for vector in 0..256 {
            self.gate(vector, gate(CODE0, HANDLERS + 16 * vector, rights, 0));
        }
        self.poke(HANDLERS, &[0xF4; 0x1000]);
    }

    /// Runs until a handler halts; its vector.
    pub fn run_to_handler(&mut self) -> u64 {
        assert_eq!(self.step(100), Exit::Halted, "at {:#x}", self.cpu.rip);
        let cs = self.segment(SegmentName::Cs).base;
        let at = (cs + self.cpu.rip - 1).wrapping_sub(HANDLERS);
        assert!(at < 0x1000, "halted outside of the handlers, at {:#x}", self.cpu.rip);
        at / 16
    }

    // ---- running -----------------------------------------------------------------------------------------------

    /// Raises or lowers bits of the attention word.
    pub fn attention(&mut self, bits: u32) {
        self.board.attention.store(bits, Relaxed);
    }

    /// Retires `n` instructions, or as many as happen before something else ends the run. An instruction that faults
    /// does not count: its handler's first one does.
    pub fn step(&mut self, n: u64) -> Exit {
        let stop = Stop { at: None, after: Some(n) };
        self.engine.run(&mut self.cpu, &mut self.board, &stop)
    }

    /// A segment register.
    pub fn segment(&self, name: SegmentName) -> &Segment {
        &self.cpu.seg[name as usize]
    }

    pub fn selector(&self, name: SegmentName) -> u16 {
        self.segment(name).selector
    }
}
