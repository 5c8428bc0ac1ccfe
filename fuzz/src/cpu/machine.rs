//! A guest: descriptor tables, page tables, exception handlers that step over what faulted, code, and registers.

use super::board::RAM;
use crate::input::Input;
use emu_core::isa::cpuid::{DEFAULT, MODELS};
use emu_core::vcpu::{Segment, TableRegister, cr0, cr4, efer, rflags};
use emu_core::{Attention, VcpuState};

/// The modes a guest can start in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Real,
    Protected16,
    Protected32,
    Protected32User,
    Virtual86,
    Paged32,
    Paged32User,
    Pae,
    Compatibility,
    Long,
    LongUser,
}

const MODES: [Mode; 11] = [
    Mode::Real,
    Mode::Protected16,
    Mode::Protected32,
    Mode::Protected32User,
    Mode::Virtual86,
    Mode::Paged32,
    Mode::Paged32User,
    Mode::Pae,
    Mode::Compatibility,
    Mode::Long,
    Mode::LongUser,
];

impl Mode {
    fn is_long(self) -> bool {
        matches!(self, Self::Compatibility | Self::Long | Self::LongUser)
    }

    fn is_16_bit(self) -> bool {
        matches!(self, Self::Real | Self::Protected16 | Self::Virtual86)
    }

    fn is_paged(self) -> bool {
        self.is_long() || matches!(self, Self::Paged32 | Self::Paged32User | Self::Pae)
    }

    fn is_user(self) -> bool {
        matches!(self, Self::Protected32User | Self::Paged32User | Self::LongUser)
    }
}

/// Something from outside, once so many instructions have retired.
pub(super) struct Event {
    pub(super) at: u64,
    /// A bit of [`Attention`].
    pub(super) signal: u32,
    pub(super) vector: u8,
}

pub(super) struct Guest {
    mode: Mode,
    pub(super) state: VcpuState,
    pub(super) memory: Vec<u8>,
    pub(super) events: Vec<Event>,
    pub(super) salt: u64,
}

// Places in RAM.
const GDT: u64 = 0x1000;
const IDT: u64 = 0x2000;
const TSS: u64 = 0x3000;
const PML4: u64 = 0x4000;
const PDPT: u64 = 0x5000;
const DIRECTORY_64: u64 = 0x6000;
const TABLE_64: u64 = 0x7000;
const DIRECTORY_32: u64 = 0x8000;
const TABLE_32: u64 = 0x9000;
const PAE_PDPT: u64 = 0xA000;
const HANDLERS: u64 = 0xF000;
const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const STACK: u64 = 0x3_8000;
const KERNEL_STACK: u64 = 0x3_F000;

// Selectors.
const CODE_32: u16 = 0x08;
const DATA_32: u16 = 0x10;
const CODE_64: u16 = 0x18;
const CODE_16: u16 = 0x20;
const DATA_16: u16 = 0x28;
const CODE_32_USER: u16 = 0x33;
const DATA_USER: u16 = 0x3B;
const CODE_64_USER: u16 = 0x43;
const TASK: u16 = 0x48;
const DESCRIPTORS: usize = 32;

/// One row a descriptor, from selector 0 on; what follows them is from the input.
const GDT_ROWS: [u64; 19] = [
    0,
    0x00CF_9B00_0000_FFFF,                       // 08: code 32
    0x00CF_9300_0000_FFFF,                       // 10: data
    0x00AF_9B00_0000_FFFF,                       // 18: code 64
    0x0000_9B00_0000_FFFF,                       // 20: code 16
    0x0000_9300_0000_FFFF,                       // 28: data, 64 KiB
    0x00CF_FB00_0000_FFFF,                       // 30: code 32, DPL 3
    0x00CF_F300_0000_FFFF,                       // 38: data, DPL 3
    0x00AF_FB00_0000_FFFF,                       // 40: code 64, DPL 3
    0x0000_8B00_0000_01FF | TSS << 16,           // 48: the busy TSS
    0,                                           //     upper half in long mode
    0x0000_8200_0000_00FF | GDT << 16,           // 58: an LDT that is the GDT
    0x0000_EC00_0008_0000 | HANDLERS,            // 60: call gate, DPL 3
    0,                                           //     upper half in long mode
    0x00C0_9700_0000_0010,                       // 70: data, expand-down
    0x00CF_9F00_0000_FFFF,                       // 78: conforming code
    0x0000_E500_0048_0000,                       // 80: task gate
    0x0000_8900_0000_01FF | (TSS + 0x200) << 16, // 88: an available TSS
    0x0000_8100_0000_01FF | (TSS + 0x400) << 16, // 90: an available 16-bit TSS
];

/// Exception handlers by width: without and with an error code. Each steps over one byte of what faulted.
const HANDLER_16: &[u8] = &[0x55, 0x89, 0xE5, 0xFF, 0x46, 0x02, 0x5D, 0xCF];
const HANDLER_32: [&[u8]; 2] =
    [&[0x83, 0x04, 0x24, 0x01, 0xCF], &[0x83, 0xC4, 0x04, 0x83, 0x04, 0x24, 0x01, 0xCF]];
const HANDLER_64: [&[u8]; 2] = [
    &[0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xCF],
    &[0x48, 0x83, 0xC4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xCF],
];

fn handler_place(wide: bool, error_code: bool) -> u64 {
    HANDLERS + 0x40 + 0x40 * u64::from(wide) + 0x20 * u64::from(error_code)
}

/// Intel SDM Vol. 3A table 6-1.
fn has_error_code(vector: u64) -> bool {
    matches!(vector, 8 | 10..=14 | 17)
}

/// RAM under construction.
struct Ram(Vec<u8>);

impl Ram {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        let at = at as usize % RAM;
        let end = (at + bytes.len()).min(RAM);
        self.0[at..end].copy_from_slice(&bytes[..end - at]);
    }

    fn put_u64(&mut self, at: u64, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    fn put_u32(&mut self, at: u64, value: u64) {
        self.put(at, &value.to_le_bytes()[..4]);
    }

    fn descriptors(&mut self, input: &mut Input<'_>) {
        for (n, row) in GDT_ROWS.into_iter().enumerate() {
            self.put_u64(GDT + 8 * n as u64, row);
        }
        for n in GDT_ROWS.len()..DESCRIPTORS {
            self.put_u64(GDT + 8 * n as u64, input.u64());
        }
        // ESP0 and SS0, or RSP0; the I/O permission bitmap follows the TSS.
        self.put_u32(TSS + 4, KERNEL_STACK);
        self.put_u64(TSS + 4 + 8 * u64::from(input.bool()), KERNEL_STACK);
        self.put_u32(TSS + 8, DATA_32.into());
        self.put_u32(TSS + 0x64, 0x0068_0000);
    }

    fn handlers(&mut self) {
        self.put(HANDLERS, HANDLER_16);
        for error_code in [false, true] {
            self.put(handler_place(false, error_code), HANDLER_32[usize::from(error_code)]);
            self.put(handler_place(true, error_code), HANDLER_64[usize::from(error_code)]);
        }
    }

    /// Vectors of the kind that the mode has. Some gates are trap gates, some may be used by CPL 3.
    fn vectors(&mut self, mode: Mode, input: &mut Input<'_>) {
        let kinds = input.u64();
        for vector in 0..256 {
            let kind =
                0x8E00 | ((kinds >> (vector & 31) & 1) << 8) | ((kinds >> ((vector & 31) | 32) & 1) * 0x6000);
            if mode == Mode::Real {
                self.put_u32(4 * vector, HANDLERS);
            } else if mode.is_long() {
                let to = handler_place(true, has_error_code(vector));
                self.put_u64(IDT + 16 * vector, to | u64::from(CODE_64) << 16 | kind << 32);
            } else {
                let to = handler_place(false, has_error_code(vector));
                self.put_u64(IDT + 8 * vector, to | u64::from(CODE_32) << 16 | kind << 32);
            }
        }
    }

    /// RAM where it is, present, writable, for the user; some pages otherwise.
    fn page_tables(&mut self, input: &mut Input<'_>) {
        const PAGE: u64 = 7;
        self.put_u64(PML4, PDPT | PAGE);
        self.put_u64(PML4 + 256 * 8, PDPT | PAGE);
        self.put_u64(PDPT, DIRECTORY_64 | PAGE);
        self.put_u64(PAE_PDPT, DIRECTORY_64 | 1);
        self.put_u64(DIRECTORY_64, TABLE_64 | PAGE);
        self.put_u64(DIRECTORY_64 + 8, 0x87);
        self.put_u32(DIRECTORY_32, TABLE_32 | PAGE);
        self.put_u32(DIRECTORY_32 + 4, 0x87);
        for page in 0..RAM as u64 >> 12 {
            self.put_u64(TABLE_64 + 8 * page, page << 12 | PAGE);
            self.put_u32(TABLE_32 + 4 * page, page << 12 | PAGE);
        }
        for _ in 0..input.u8() & 3 {
            let page = input.below(RAM as u64 >> 12);
            let flags = input.u64() & 0x8000_0000_0000_01FF;
            self.put_u64(TABLE_64 + 8 * page, page << 12 | flags);
            self.put_u32(TABLE_32 + 4 * page, page << 12 | flags);
        }
    }
}

impl Guest {
    pub(super) fn new(input: &mut Input<'_>) -> Self {
        let mode = input.pick(&MODES);
        let mut ram = Ram(vec![0; RAM]);
        ram.descriptors(input);
        ram.handlers();
        ram.vectors(mode, input);
        if mode.is_paged() {
            ram.page_tables(input);
        }
        for _ in 0..input.u8() & 3 {
            ram.put_u64(input.below(CODE), input.u64());
        }
        let mut state = state(mode, input);
        let events = events(input);
        let salt = input.u64();
        let start = if input.bool() { 0 } else { 0xFF0 + u64::from(input.u8() & 0xF) };
        state.rip = CODE + start - state.seg[1].base;
        let code = input.bytes(usize::MAX);
        // Half of the guests go on with the same code again, half are a loop.
        let repeated: Vec<u8> = match salt >> 32 & 1 {
            _ if code.is_empty() => Vec::new(),
            0 => code.iter().copied().cycle().take(0x3000).collect(),
            _ => [code, &jump_back(code.len(), mode.is_16_bit())].concat(),
        };
        ram.put(CODE + start, &repeated);
        Self { mode, state, memory: ram.0, events, salt }
    }

    pub(super) fn is_paged(&self) -> bool {
        self.mode.is_paged()
    }
}

/// JMP to what lies `bytes` before it.
fn jump_back(bytes: usize, short: bool) -> Vec<u8> {
    let opcode = 0xE9;
    let distance = (bytes + if short { 3 } else { 5 }) as i32;
    let distance = distance.wrapping_neg().to_le_bytes();
    [&[opcode], &distance[..if short { 2 } else { 4 }]].concat()
}

fn events(input: &mut Input<'_>) -> Vec<Event> {
    let mut at = 0;
    let mut event = |input: &mut Input<'_>| {
        at += u64::from(input.u8());
        let signal = if input.u8() & 7 == 0 { Attention::NMI } else { Attention::INTR };
        Event { at, signal, vector: input.u8() }
    };
    let count = input.u8() & 7;
    (0..count).map(|_| event(input)).collect()
}

fn segment(selector: u16) -> Segment {
    let row = GDT_ROWS[usize::from(selector >> 3)];
    Segment::from_descriptor(selector, (row & 0xFFFF_FFFF) as u32, (row >> 32) as u32)
}

fn state(mode: Mode, input: &mut Input<'_>) -> VcpuState {
    let any = input.below(MODELS.len() as u64) as u8;
    // Below the default no model has all of paging and long mode.
    let model = if mode.is_paged() { any.max(DEFAULT) } else { any };
    let mut s = VcpuState::at_reset(model, MODELS[usize::from(model)].signature);
    s.gpr = std::array::from_fn(|_| register(mode, input));
    s.gpr[4] = STACK;
    s.rflags = rflags::FIXED | (u64::from(input.u16()) & (rflags::STATUS | rflags::DF | rflags::IF));
    if input.u8() == 0 {
        s.rflags |= rflags::TF;
    }
    s.cr0 = cr0::ET | cr0::NE | if input.u8() & 7 == 0 { cr0::TS } else { 0 };
    s.cr4 = if any >= DEFAULT { cr4::OSFXSR | cr4::OSXMMEXCPT } else { 0 };
    s.x87.control = 0x037F;
    s.xmm = std::array::from_fn(|_| u128::from(input.magnitude()) << 64 | u128::from(input.magnitude()));
    set_mode(&mut s, mode);
    if mode != Mode::Real {
        s.gdtr = TableRegister { base: GDT, limit: 8 * DESCRIPTORS as u16 - 1 };
        s.idtr = TableRegister { base: IDT, limit: if mode.is_long() { 0xFFF } else { 0x7FF } };
        s.tr = segment(TASK);
    }
    if mode.is_user() && input.bool() {
        s.rflags |= rflags::IOPL;
    }
    s
}

/// A register: mostly something that could be an address, sometimes any number.
fn register(mode: Mode, input: &mut Input<'_>) -> u64 {
    let place = match input.u8() & 7 {
        0 => u64::from(input.u8()),
        1 => CODE + u64::from(input.u16() & 0x1FFF),
        2 => DATA + 0xFF8 + u64::from(input.u8() & 0xF),
        3 => RAM as u64 - u64::from(input.u8() & 0x1F),
        4 | 5 => DATA + u64::from(input.u16() & 0x3FFF),
        _ => input.magnitude(),
    };
    if mode.is_long() { place } else { place & 0xFFFF_FFFF }
}

fn set_mode(s: &mut VcpuState, mode: Mode) {
    let (code, data) = match mode {
        Mode::Real => {
            s.seg = [0x2000, 0x1000, 0x3000, 0x2000, 0x2800, 0].map(Segment::real);
            s.gpr[4] = 0x8000;
            s.idtr = TableRegister { base: 0, limit: 0x3FF };
            return;
        }
        Mode::Virtual86 => {
            s.seg = [0x2000, 0x1000, 0x3000, 0x2000, 0x2800, 0]
                .map(|selector| Segment { rights: 0x00F3, ..Segment::real(selector) });
            s.gpr[4] = 0x8000;
            s.rflags |= rflags::VM;
            s.cr0 |= cr0::PE;
            return;
        }
        Mode::Protected16 => (CODE_16, DATA_16),
        Mode::Protected32 | Mode::Paged32 | Mode::Pae | Mode::Compatibility => (CODE_32, DATA_32),
        Mode::Protected32User | Mode::Paged32User => (CODE_32_USER, DATA_USER),
        Mode::Long => (CODE_64, DATA_32),
        Mode::LongUser => (CODE_64_USER, DATA_USER),
    };
    s.seg = [segment(data); 6];
    s.seg[1] = segment(code);
    if mode == Mode::Protected16 {
        // 16-bit code at CODE, its data at DATA.
        s.seg[1].base = CODE;
        for data in [0, 2, 3] {
            s.seg[data].base = DATA;
        }
        s.gpr[4] = STACK - DATA;
    }
    s.cr0 |= cr0::PE;
    if mode.is_paged() {
        s.cr0 |= cr0::PG | cr0::WP;
        s.cr3 = if mode.is_long() { PML4 } else { DIRECTORY_32 };
        s.cr4 |= cr4::PSE;
    }
    if mode == Mode::Pae {
        s.cr3 = PAE_PDPT;
        s.pdpte[0] = DIRECTORY_64 | 1;
        s.cr4 |= cr4::PAE;
    }
    if mode.is_long() {
        s.cr4 |= cr4::PAE | cr4::FSGSBASE;
        s.efer = efer::SCE | efer::LME | efer::LMA | efer::NXE;
        s.star = u64::from(CODE_32) << 32 | 0x30 << 48;
        s.lstar = handler_place(true, false);
        s.kernel_gs_base = DATA;
    }
    s.sysenter_cs = CODE_32.into();
    (s.sysenter_esp, s.sysenter_eip) = (KERNEL_STACK, handler_place(mode.is_long(), false));
}
