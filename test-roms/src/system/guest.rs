//! What a case starts from: the state of a CPU, and memory with tables, handlers and code.
//!
//! All modes share one layout. The handler of every vector is a HLT, by which the host learns of the event, and
//! behind it what returns to the interrupted program: the host decides whether that runs.

use super::encode::{FLAT_LIMIT, descriptor, gate, gate_type, rights};
use emu_core::isa::cpuid;
use emu_core::vcpu::{Segment, SegmentName, TableRegister, VcpuState, cr0, cr4, efer, rflags};
use iced_x86::code_asm::CodeAssembler;
use iced_x86::{BlockEncoderOptions, IcedError};
use std::sync::{Arc, OnceLock};

/// Where things are; linear and physical addresses are the same unless a case says otherwise.
pub mod layout {
    pub const IVT: u64 = 0;
    pub const GDT: u64 = 0x1000;
    pub const IDT: u64 = 0x2000;
    pub const TSS: u64 = 0x4000;
    /// Limit of the TSS: an I/O map for all ports and the byte behind it.
    pub const TSS_LIMIT: u64 = IO_MAP + 0x2000;
    /// The interrupt redirection map lies in front of the I/O map.
    pub const IO_MAP: u64 = 0x88;
    /// Handlers of all vectors, 16 bytes each.
    pub const HANDLERS: u64 = 0x7000;
    pub const LDT: u64 = 0x8000;
    /// A second TSS.
    pub const TSS2: u64 = 0x8800;
    /// The page tables of [`super::Guest::long`] and its like: six pages.
    pub const PAGES: u64 = 0x9000;
    pub const CODE: u64 = 0x1_0000;
    pub const STACK0: u64 = 0x2_0000;
    pub const STACK1: u64 = 0x2_8000;
    pub const STACK2: u64 = 0x2_C000;
    pub const STACK3: u64 = 0x3_0000;
    /// Data of the case, up to the end of the first MiB.
    pub const DATA: u64 = 0x4_0000;
    /// The first 2 MiB are mapped by small pages.
    pub const SMALL_PAGES: u64 = 0x20_0000;
}
use layout::*;

/// Selectors of the GDT.
pub mod selector {
    pub const CODE0: u16 = 0x08;
    pub const DATA0: u16 = 0x10;
    pub const CODE3: u16 = 0x1B;
    pub const DATA3: u16 = 0x23;
    pub const TASK: u16 = 0x28;
    /// 16 bytes in long mode: 30h is its upper half.
    pub const CODE1: u16 = 0x39;
    pub const DATA1: u16 = 0x41;
    pub const CODE2: u16 = 0x4A;
    pub const DATA2: u16 = 0x52;
    /// 32-bit code of CPL 0 and 3 (compatibility mode), and 16-bit code and data of CPL 0.
    pub const CODE32: u16 = 0x58;
    pub const CODE32_3: u16 = 0x63;
    pub const CODE16: u16 = 0x68;
    pub const DATA16: u16 = 0x70;
    /// The LDT, 16 bytes.
    pub const LDT: u16 = 0x78;
    /// The second TSS.
    pub const TASK2: u16 = 0x88;
    /// Free for the case, up to [`LIMIT`].
    pub const SPARE: u16 = 0x90;
    pub const SPARE2: u16 = 0xA0;
    pub const LIMIT: u16 = 0xFF;
}
use selector::{CODE0, CODE3, DATA0, DATA3, TASK};

/// General registers by their encoding.
pub mod reg {
    pub const RAX: usize = 0;
    pub const RCX: usize = 1;
    pub const RDX: usize = 2;
    pub const RBX: usize = 3;
    pub const RSP: usize = 4;
    pub const RBP: usize = 5;
    pub const RSI: usize = 6;
    pub const RDI: usize = 7;
    pub const R11: usize = 11;
}

/// P, R/W, U/S of a page.
pub const PAGE: u64 = 7;
/// The CPU model of all guests: everything this project offers.
const MODEL: &str = "max";

/// A piece of a program.
pub type Program = fn(&mut CodeAssembler) -> Result<(), IcedError>;

/// See the module.
#[derive(Clone)]
pub struct Guest {
    pub cpu: VcpuState,
    /// Bytes that are put into memory, in order.
    pub memory: Vec<(u64, Arc<[u8]>)>,
    /// RIP of every instruction that [`Guest::code`] has assembled.
    pub starts: Vec<u64>,
}

impl Guest {
    /// Real mode at 1000h:0 with its stack below 2000h:0, and an IVT to the handlers.
    pub fn real() -> Self {
        static TEMPLATE: OnceLock<Guest> = OnceLock::new();
        TEMPLATE.get_or_init(Self::make_real).clone()
    }

    fn make_real() -> Self {
        let model = cpuid::by_name(MODEL).unwrap_or(cpuid::DEFAULT);
        let mut cpu = VcpuState::at_reset(model, 0);
        cpu.cr0 &= !(cr0::CD | cr0::NW);
        cpu.seg = [Segment::real(0); 6];
        cpu.seg[SegmentName::Cs as usize] = Segment::real((CODE >> 4) as u16);
        cpu.seg[SegmentName::Ss as usize] = Segment::real((CODE >> 4) as u16);
        cpu.gpr[reg::RSP] = 0xFF00;
        cpu.rip = 0;
        cpu.idtr = TableRegister { base: IVT, limit: 0x3FF };
        let mut guest = Self { cpu, memory: Vec::new(), starts: Vec::new() };
        let vectors: Vec<u8> =
            (0..256u32).flat_map(|n| ((HANDLERS as u32 >> 4) << 16 | n << 4).to_le_bytes()).collect();
        guest.poke(IVT, &vectors);
        guest.stubs(&[0xCF]);
        guest
    }

    /// Flat 32-bit protected mode without paging, at CPL 0.
    pub fn protected() -> Self {
        static TEMPLATE: OnceLock<Guest> = OnceLock::new();
        TEMPLATE.get_or_init(Self::make_protected).clone()
    }

    fn make_protected() -> Self {
        let mut guest = Self::real();
        guest.tables(rights::FLAT | rights::CODE);
        guest.poke32(TSS + 0x04, STACK0 as u32);
        guest.poke16(TSS + 0x08, DATA0);
        guest.poke32(TSS + 0x0C, STACK1 as u32);
        guest.poke16(TSS + 0x10, selector::DATA1);
        guest.poke32(TSS + 0x14, STACK2 as u32);
        guest.poke16(TSS + 0x18, selector::DATA2);
        guest.cpu.idtr = TableRegister { base: IDT, limit: 0x7FF };
        guest.stubs(&[0xCF]);
        guest.gates(gate_type::INTERRUPT32 | gate_type::DPL3);
        guest.at_ring(0)
    }

    /// [`Guest::protected`] with two-level paging: the first 4 MiB mapped as themselves by small pages for everyone.
    pub fn paged() -> Self {
        static TEMPLATE: OnceLock<Guest> = OnceLock::new();
        TEMPLATE.get_or_init(Self::make_paged).clone()
    }

    fn make_paged() -> Self {
        let mut guest = Self::protected();
        let table = PAGES + 0x1000;
        guest.poke32(PAGES, (table | PAGE) as u32);
        let entries: Vec<u8> = (0..1024).flat_map(|n| ((n << 12 | PAGE) as u32).to_le_bytes()).collect();
        guest.poke(table, &entries);
        guest.cpu.cr3 = PAGES;
        guest.cpu.cr0 |= cr0::PG | cr0::WP;
        guest.cpu.cr4 |= cr4::PSE;
        guest
    }

    /// [`Guest::protected`] with PAE paging: the first 4 MiB mapped as themselves for everyone.
    pub fn pae() -> Self {
        static TEMPLATE: OnceLock<Guest> = OnceLock::new();
        TEMPLATE.get_or_init(Self::make_pae).clone()
    }

    fn make_pae() -> Self {
        let mut guest = Self::protected();
        guest.low_pages(PAGES + 0x1000);
        guest.poke64(PAGES, (PAGES + 0x1000) | 1);
        guest.cpu.pdpte = [(PAGES + 0x1000) | 1, 0, 0, 0];
        guest.cpu.cr3 = PAGES;
        guest.cpu.cr4 |= cr4::PAE;
        guest.cpu.cr0 |= cr0::PG | cr0::WP;
        guest.cpu.efer = efer::NXE;
        guest
    }

    /// 64-bit mode at CPL 0, the first 4 MiB mapped as themselves for everyone.
    pub fn long() -> Self {
        static TEMPLATE: OnceLock<Guest> = OnceLock::new();
        TEMPLATE.get_or_init(Self::make_long).clone()
    }

    fn make_long() -> Self {
        let mut guest = Self::real();
        guest.tables(rights::FLAT64 | rights::CODE);
        guest.poke64(TSS + 0x04, STACK0);
        guest.poke64(TSS + 0x0C, STACK1);
        guest.poke64(TSS + 0x14, STACK2);
        guest.poke64(PAGES, (PAGES + 0x2000) | PAGE);
        guest.poke64(PAGES + 0x2000, (PAGES + 0x1000) | PAGE);
        guest.low_pages(PAGES + 0x1000);
        guest.cpu.cr3 = PAGES;
        guest.cpu.cr4 = cr4::PAE | cr4::OSFXSR | cr4::OSXMMEXCPT;
        guest.cpu.efer = efer::LME | efer::LMA | efer::SCE | efer::NXE;
        guest.cpu.cr0 |= cr0::PG | cr0::WP;
        guest.cpu.idtr = TableRegister { base: IDT, limit: 0xFFF };
        guest.stubs(&[0x48, 0xCF]);
        guest.gates(gate_type::INTERRUPT32 | gate_type::DPL3);
        guest.at_ring(0)
    }

    /// A page directory at `directory` and the table behind [`PAGES`]'s first three pages.
    fn low_pages(&mut self, directory: u64) {
        let table = PAGES + 0x3000;
        self.poke64(directory, table | PAGE);
        self.poke64(directory + 8, SMALL_PAGES | 0x80 | PAGE);
        let entries: Vec<u8> = (0..512u64).flat_map(|n| (n << 12 | PAGE).to_le_bytes()).collect();
        self.poke(table, &entries);
    }

    fn tables(&mut self, code: u64) {
        let code32 = rights::FLAT | rights::CODE;
        let data = rights::FLAT | rights::DATA;
        let flat = |rights, dpl| descriptor(0, FLAT_LIMIT, rights::dpl(rights, dpl));
        self.descriptor(CODE0, flat(code, 0));
        self.descriptor(DATA0, flat(data, 0));
        self.descriptor(CODE3, flat(code, 3));
        self.descriptor(DATA3, flat(data, 3));
        self.descriptor(TASK, descriptor(TSS, TSS_LIMIT, rights::TSS32_BUSY));
        self.descriptor(selector::CODE1, flat(code, 1));
        self.descriptor(selector::DATA1, flat(data, 1));
        self.descriptor(selector::CODE2, flat(code, 2));
        self.descriptor(selector::DATA2, flat(data, 2));
        self.descriptor(selector::CODE32, flat(code32, 0));
        self.descriptor(selector::CODE32_3, flat(code32, 3));
        self.descriptor(selector::CODE16, descriptor(CODE, 0xFFFF, rights::CODE));
        self.descriptor(selector::DATA16, descriptor(CODE, 0xFFFF, rights::DATA));
        self.descriptor(selector::LDT, descriptor(LDT, 0xFF, rights::LDT));
        self.descriptor(selector::TASK2, descriptor(TSS2, 0x67, rights::TSS32));
        self.cpu.gdtr = TableRegister { base: GDT, limit: selector::LIMIT };
        self.cpu.tr = Segment { selector: TASK, rights: 0x8B, limit: TSS_LIMIT as u32, base: TSS };
        self.cpu.ldtr = Segment::default();
        self.cpu.cr0 |= cr0::PE | cr0::NE;
        self.poke16(TSS + 0x66, IO_MAP as u16);
        self.poke(TSS + TSS_LIMIT, &[0xFF]);
    }

    /// Fills the handlers: HLT, dropping of an error code, `iret`.
    fn stubs(&mut self, iret: &[u8]) {
        let drop_error: &[u8] = match (self.cpu.cr0 & cr0::PE != 0, iret.len()) {
            (false, _) => &[],
            (true, 1) => &[0x83, 0xC4, 0x04], // ADD ESP, 4
            (true, _) => &[0x48, 0x83, 0xC4, 0x08],
        };
        let mut stubs = Vec::new();
        for vector in 0..=255u8 {
            let dropped = if pushes_error(vector) { drop_error } else { &[] };
            let stub = [&[0xF4], dropped, iret].concat();
            stubs.extend_from_slice(&stub);
            stubs.resize(16 * (usize::from(vector) + 1), 0xCC);
        }
        self.poke(HANDLERS, &stubs);
    }

    /// Gates of one type and DPL for all vectors.
    pub fn gates(&mut self, kind: u64) {
        let upper: &[u8] = if self.cpu.efer & efer::LMA == 0 { &[] } else { &[0; 8] };
        let gates: Vec<u8> = (0..=255)
            .flat_map(|vector| [&gate(CODE0, handler(vector), kind, 0).to_le_bytes(), upper].concat())
            .collect();
        self.poke(IDT, &gates);
    }

    // ---- where the program runs ----------------------------------------------------------------------------------

    /// Flat segments of a privilege level, RIP at [`CODE`], the level's stack.
    pub fn at_ring(self, cpl: u8) -> Self {
        let (code, data, top) = match cpl {
            0 => (CODE0, DATA0, STACK0),
            1 => (selector::CODE1, selector::DATA1, STACK1),
            2 => (selector::CODE2, selector::DATA2, STACK2),
            _ => (CODE3, DATA3, STACK3),
        };
        self.with_segments(code, data, top)
    }

    /// These segments, RIP at [`CODE`] of the code segment, and a stack pointer.
    pub fn with_segments(mut self, code: u16, data: u16, top: u64) -> Self {
        let (code, data) = (self.segment(code), self.segment(data));
        self.cpu.seg = [data, code, data, data, data, data];
        self.cpu.gpr[reg::RSP] = top;
        self.cpu.rip = CODE.wrapping_sub(code.base);
        self
    }

    /// 32-bit code of compatibility mode, at CPL 0 or 3.
    pub fn compatibility(self, cpl: u8) -> Self {
        if cpl == 0 {
            self.with_segments(selector::CODE32, DATA0, STACK0)
        } else {
            self.with_segments(selector::CODE32_3, DATA3, STACK3)
        }
    }

    /// V86 mode: code at 1000h:0, data at 4000h, stack below 3000h:0.
    pub fn v86(mut self, iopl: u64) -> Self {
        let segment = |selector: u64| Segment { rights: 0xF3, ..Segment::real(selector as u16) };
        self.cpu.seg = [segment(DATA >> 4); 6];
        self.cpu.seg[SegmentName::Cs as usize] = segment(CODE >> 4);
        self.cpu.seg[SegmentName::Ss as usize] = segment((STACK3 - 0x1_0000) >> 4);
        self.cpu.rflags |= rflags::VM | iopl << 12;
        self.cpu.gpr[reg::RSP] = 0xFF00;
        self.cpu.rip = 0;
        self
    }

    /// Flags set beside what is set already.
    pub fn flags(mut self, flags: u64) -> Self {
        self.cpu.rflags |= flags;
        self
    }

    /// The segment register that a descriptor of the GDT makes.
    pub fn segment(&self, selector: u16) -> Segment {
        let raw = self.peek64(GDT + u64::from(selector & !7));
        Segment::from_descriptor(selector, raw as u32, (raw >> 32) as u32)
    }

    /// Bits of the code at CS:RIP: 16, 32 or 64.
    pub fn bits(&self) -> u32 {
        let cs = &self.cpu.seg[SegmentName::Cs as usize];
        match (self.cpu.efer & efer::LMA != 0 && cs.is(Segment::L), cs.is(Segment::DB)) {
            (true, _) => 64,
            (false, true) => 32,
            (false, false) => 16,
        }
    }

    /// A vector's handler becomes a task of its own ([`TSS2`]), with a good stack whatever the program's is.
    pub fn through_task(mut self, vector: u8) -> Self {
        self.task(TSS2, handler(vector), STACK1);
        self.gate(vector, gate(selector::TASK2, 0, gate_type::TASK | gate_type::DPL3, 0));
        self
    }

    /// A 32-bit TSS of flat segments at CPL 0, with the current CR3.
    pub fn task(&mut self, tss: u64, eip: u64, esp: u64) {
        let fields = [
            (0x04, STACK0),
            (0x08, u64::from(DATA0)),
            (0x1C, self.cpu.cr3),
            (0x20, eip),
            (0x24, 2),
            (0x38, esp),
            (0x48, u64::from(DATA0)),
            (0x4C, u64::from(CODE0)),
            (0x50, u64::from(DATA0)),
            (0x54, u64::from(DATA0)),
            (0x64, 0x68 << 16),
        ];
        for (offset, value) in fields {
            self.poke32(tss + offset, value as u32);
        }
    }

    // ---- memory ------------------------------------------------------------------------------------------------

    pub fn poke(&mut self, at: u64, bytes: &[u8]) {
        self.memory.push((at, bytes.into()));
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

    /// The last eight bytes put at exactly this address, 0 if none.
    fn peek64(&self, at: u64) -> u64 {
        let found = self.memory.iter().rev().find(|(from, bytes)| *from == at && bytes.len() == 8);
        found.and_then(|(_, bytes)| bytes[..].try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// Puts a descriptor into the GDT.
    pub fn descriptor(&mut self, selector: u16, value: u64) {
        self.poke64(GDT + u64::from(selector & !7), value);
    }

    /// Puts a gate into the IDT, in the form the mode wants.
    pub fn gate(&mut self, vector: u8, value: u64) {
        if self.cpu.efer & efer::LMA == 0 {
            self.poke64(IDT + 8 * u64::from(vector), value);
        } else {
            self.poke64(IDT + 16 * u64::from(vector), value);
            self.poke64(IDT + 16 * u64::from(vector) + 8, 0);
        }
    }

    /// The entry that maps a page of the first 2 MiB (4 MiB in [`Guest::paged`]).
    pub fn page(&mut self, linear: u64, entry: u64) {
        let n = linear >> 12;
        if self.cpu.cr4 & cr4::PAE == 0 {
            self.poke32(PAGES + 0x1000 + 4 * n, entry as u32);
        } else {
            self.poke64(PAGES + 0x3000 + 8 * n, entry);
        }
    }

    /// Makes the pages of the first 2 MiB supervisor's, but for those of the program at CPL 3.
    pub fn supervisor_pages(&mut self, user_program: bool) {
        let bytes = if self.cpu.cr4 & cr4::PAE == 0 { 4 } else { 8 };
        let entry = |n: u64| (n << 12 | PAGE & !4).to_le_bytes();
        let entries: Vec<u8> =
            (0..SMALL_PAGES >> 12).flat_map(|n| entry(n).into_iter().take(bytes)).collect();
        self.poke(PAGES + if bytes == 4 { 0x1000 } else { 0x3000 }, &entries);
        for at in [CODE, STACK3 - 0x1000].into_iter().filter(|_| user_program) {
            self.page(at, at | PAGE);
        }
    }

    /// Words on top of the current stack, the first one on top.
    pub fn stack(&mut self, bytes: u64, words: &[u64]) {
        let mut sp = self.cpu.gpr[reg::RSP] - bytes * words.len() as u64;
        self.cpu.gpr[reg::RSP] = sp;
        for word in words {
            let base = if self.bits() == 64 { 0 } else { self.cpu.seg[SegmentName::Ss as usize].base };
            self.poke(base + sp, &word.to_le_bytes()[..bytes as usize]);
            sp += bytes;
        }
    }

    /// Assembles code at CS:RIP.
    ///
    /// # Panics
    /// The code does not assemble: it is a constant of the suite, and a test assembles all of it.
    pub fn code(&mut self, assemble: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>) {
        let cs = self.cpu.seg[SegmentName::Cs as usize];
        let base = if self.bits() == 64 { 0 } else { cs.base };
        self.starts = self.code_at(base, self.cpu.rip, self.bits(), assemble);
    }

    /// Assembles code at an offset from `base`; the offsets of its instructions.
    ///
    /// # Panics
    /// As [`Guest::code`].
    pub fn code_at(
        &mut self,
        base: u64,
        offset: u64,
        bits: u32,
        assemble: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>,
    ) -> Vec<u64> {
        let mut a = CodeAssembler::new(bits).expect("16, 32 or 64");
        assemble(&mut a).expect("operands of the suite's own code");
        let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
        let result = a.assemble_options(offset, options).expect("the suite's own code");
        self.poke(base.wrapping_add(offset), &result.inner.code_buffer);
        let ends = offset + result.inner.code_buffer.len() as u64;
        let starts = result.inner.new_instruction_offsets.iter().map(|n| offset + u64::from(*n));
        starts.chain([ends]).collect()
    }
}

/// Linear address of a vector's handler.
pub const fn handler(vector: u8) -> u64 {
    HANDLERS + 16 * vector as u64
}

/// Exceptions with an error code (Intel SDM Vol. 3A table 6-1).
pub const fn pushes_error(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17)
}
