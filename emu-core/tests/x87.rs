//! x87 instructions against the host CPU: the same bytes run natively and in a guest, at the same addresses, from the
//! same FRSTOR image; the FSAVE images, memory, AX and flags after them must be equal.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;

use emu_core::engine::{Engine, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::vcpu::VcpuState;
use flat::{FlatBus, long_mode_state};
use iced_x86::{Decoder, DecoderOptions, Formatter, Mnemonic, NasmFormatter};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One page for code and data, at this address in both worlds: FIP and FDP come out equal.
const PAGE: u64 = 0x20_0000;
const DATA: usize = 0x800;
/// Offsets from DATA.
const IMAGE_IN: usize = 0x100;
const IMAGE_OUT: usize = 0x180;
const FLAGS: usize = 0x200;
const AX: usize = 0x208;
const IMAGE: usize = 108;
const STATUS: u64 = 0x8D5;

/// One test at a time has the page.
static PAGE_OWNER: Mutex<()> = Mutex::new(());

struct Native {
    page: *mut u8,
    _owner: MutexGuard<'static, ()>,
}

impl Native {
    fn new() -> Self {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let owner = PAGE_OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: a fresh private mapping; NOREPLACE keeps it from hitting another one.
        let page = unsafe {
            mmap_anonymous(
                PAGE as *mut _,
                4096,
                ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC,
                MapFlags::PRIVATE | MapFlags::FIXED_NOREPLACE,
            )
        }
        .expect("memory");
        Self { page: page.cast(), _owner: owner }
    }

    /// Runs the page with `data`; it ends with RET.
    fn run(&self, code: &[u8], data: &mut [u8]) {
        assert!(code.len() < DATA);
        // SAFETY: the page is ours; the code saves what the ABI asks for and touches only the page and the x87.
        unsafe {
            std::ptr::copy_nonoverlapping(code.as_ptr(), self.page, code.len());
            std::ptr::copy_nonoverlapping(data.as_ptr(), self.page.add(DATA), data.len());
            let f: extern "C" fn() = std::mem::transmute(self.page);
            f();
            std::ptr::copy_nonoverlapping(self.page.add(DATA), data.as_mut_ptr(), data.len());
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; nothing refers to it any more.
        unsafe { rustix::mm::munmap(self.page.cast(), 4096) }.expect("our own mapping");
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    fn significand(&mut self) -> u64 {
        const INTEGER: u64 = 1 << 63;
        match self.below(6) {
            0 => INTEGER,
            1 => u64::MAX,
            2 => INTEGER | 1,
            3 => INTEGER | self.next() & 0xFFFF_FF00_0000_0000,
            _ => self.next() | INTEGER,
        }
    }

    fn f80(&mut self) -> [u8; 10] {
        const INTEGER: u64 = 1 << 63;
        let sign = (self.next() as u16) & 0x8000;
        let (exponent, significand) = match self.below(20) {
            0 | 1 => (0, 0),
            2 => (0x7FFF, INTEGER),
            3 => (0x7FFF, INTEGER | self.next()),
            4 => (0, self.next() >> (1 + self.below(63))),
            5 => (0, self.significand()),
            6 => (self.next() as u16 & 0x7FFF, self.next() & !INTEGER),
            7 => (1 + self.below(80) as u16, self.significand()),
            8 => (0x7FFE - self.below(80) as u16, self.significand()),
            9 => (self.next() as u16 & 0x7FFF, self.significand()),
            10 | 11 => (0x3FFF, INTEGER),
            12 => (0x3BFE + self.below(60) as u16, self.significand()),
            13 => (0x43FE, self.significand()),
            _ => (0x3FFF - 40 + self.below(110) as u16, self.significand()),
        };
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&significand.to_le_bytes());
        bytes[8..].copy_from_slice(&(exponent | sign).to_le_bytes());
        bytes
    }

    /// Something of each memory format in each eight bytes.
    fn memory(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let exponent = 0x3FF - 40 + self.below(100);
            let value = match self.below(10) {
                0 => 0,
                1 => 1 << 63,
                2 => 0x7FF0_0000_0000_0000 | self.next() & 0x800F_FFFF_FFFF_FFFF,
                3 => self.next() & 0x800F_FFFF_FFFF_FFFF,
                4 => self.next() & 0xFFFF_FFFF_807F_FFFF,
                5 => (self.next() & 0xFFFF_FFFF_807F_FFFF) | 0x7F80_0000,
                6 => (self.next() as i64 >> self.below(64)) as u64,
                7 => exponent << 52 | self.next() & 0x800F_FFFF_FFFF_FFFF,
                8 => (self.next() & 0xFFFF_FFFF_807F_FFFF) | (0x7F - 20 + self.below(40)) << 23,
                _ => self.next(),
            };
            chunk.copy_from_slice(&value.to_le_bytes()[..chunk.len()]);
        }
    }

    /// An FRSTOR image. Pending exceptions only where `pending`.
    fn image(&mut self, masks: u16, pending: bool) -> [u8; IMAGE] {
        let mut image = [0; IMAGE];
        let precision = [0, 2, 3, 3, 1][self.below(5) as usize] << 8;
        let control = (self.next() as u16 & 0x1C00) | precision | masks | 0x40;
        let mut status = self.next() as u16 & 0x7F7F;
        if !pending {
            status &= !0x3F | masks;
        }
        if self.below(2) == 0 {
            status &= !0x3F;
        }
        let tags = match self.below(4) {
            0 => 0,
            1 => (0..8).fold(0, |tags, n| tags | [0, 3][self.below(2) as usize] << (2 * n)),
            _ => (0..8).fold(0, |tags, n| tags | if self.below(8) == 0 { 3 } else { 0 } << (2 * n)),
        };
        // ST(7) free most of the time, so that pushes succeed.
        let last = (status >> 11).wrapping_sub(1) & 7;
        let tags: u16 = if self.below(3) != 0 { tags | 3 << (2 * last) } else { tags };
        image[0..2].copy_from_slice(&control.to_le_bytes());
        image[4..6].copy_from_slice(&status.to_le_bytes());
        image[8..10].copy_from_slice(&tags.to_le_bytes());
        for n in 0..8 {
            image[28 + 10 * n..38 + 10 * n].copy_from_slice(&self.f80());
        }
        image
    }
}

/// The mnemonic of a valid encoding.
fn mnemonic(bytes: &[u8]) -> Option<Mnemonic> {
    let mut padded = bytes.to_vec();
    padded.extend([0x90; 8]);
    let i = Decoder::with_ip(64, &padded, 0, DecoderOptions::NONE).decode();
    (!i.is_invalid() && i.len() == bytes.len()).then(|| i.mnemonic())
}

fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    let i = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    NasmFormatter::new().format(&i, &mut text);
    format!("{text} ({bytes:02X?})")
}

/// A random x87 instruction; memory operands are at RDI + 0 to 78h.
fn encoding(random: &mut Random) -> (Vec<u8>, Mnemonic) {
    loop {
        let opcode = 0xD8 | random.below(8) as u8;
        let bytes = if random.below(5) < 3 {
            vec![opcode, 0xC0 | random.below(64) as u8]
        } else {
            let memory = vec![opcode, 0x47 | (random.below(8) << 3) as u8, random.below(16) as u8 * 8];
            if random.below(4) == 0 { [vec![0x66], memory].concat() } else { memory }
        };
        if let Some(mnemonic) = mnemonic(&bytes) {
            return (bytes, mnemonic);
        }
    }
}

/// Does not check for pending exceptions.
fn waits_not(m: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(m, Fnstcw | Fnstsw | Fnstenv | Fnsave | Fnclex | Fninit | Fneni | Fndisi | Fnsetpm)
}

/// May unmask exceptions or load pending ones: only last.
fn loads_control(m: Mnemonic) -> bool {
    matches!(m, Mnemonic::Fldenv | Mnemonic::Frstor | Mnemonic::Fldcw)
}

fn compares_to_flags(m: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(m, Fcomi | Fcomip | Fucomi | Fucomip)
}

fn stores_status(m: Mnemonic) -> bool {
    matches!(m, Mnemonic::Fnstsw | Mnemonic::Fnstenv | Mnemonic::Fnsave)
}

/// `op [rdi + disp32]`.
fn at_data(opcode: u8, reg: u8, offset: usize) -> Vec<u8> {
    let mut bytes = vec![opcode, 0x80 | reg << 3 | 7];
    bytes.extend((offset as u32).to_le_bytes());
    bytes
}

/// The whole page, and where the guest starts and stops.
struct Program {
    code: Vec<u8>,
    start: usize,
    count: u64,
}

fn program(body: &[Vec<u8>]) -> Program {
    // push rbx; push rdi; mov rdi, DATA; push [rdi + FLAGS]; popfq; xor-free load of eax
    let mut code = vec![0x53, 0x57, 0x48, 0xBF];
    code.extend((PAGE + DATA as u64).to_le_bytes());
    code.extend(at_data(0xFF, 6, FLAGS));
    code.push(0x9D);
    code.extend(at_data(0x8B, 0, AX));
    let start = code.len();
    code.extend(at_data(0xDD, 4, IMAGE_IN)); // frstor
    body.iter().for_each(|bytes| code.extend(bytes));
    code.extend(at_data(0xDD, 6, IMAGE_OUT)); // fnsave
    code.extend(at_data(0x89, 0, AX));
    code.push(0x9C);
    code.extend(at_data(0x8F, 0, FLAGS));
    code.extend([0xDB, 0xE3, 0xFC, 0x5F, 0x5B, 0xC3]);
    Program { code, start, count: body.len() as u64 + 2 }
}

struct Pair {
    native: Native,
    bus: FlatBus,
    engine: Interpreter,
    base: VcpuState,
}

impl Pair {
    fn new() -> Self {
        let bus = FlatBus::new(4 << 20);
        let mut base = long_mode_state(&bus.memory);
        let (cs, ds): (u16, u16);
        // SAFETY: reads two selectors.
        unsafe { std::arch::asm!("mov {0:x}, cs", "mov {1:x}, ds", out(reg) cs, out(reg) ds) };
        base.seg[1].selector = cs;
        base.seg[3].selector = ds;
        base.gpr[7] = PAGE + DATA as u64;
        Self { native: Native::new(), bus, engine: Interpreter::new(), base }
    }

    /// What differs, if anything. A host's task switch may lose FIP, FDP and their selectors (AMD64 Architecture
    /// Programmer's Manual Vol. 2 11.4.4, "FXSAVE"), so a difference must show more than once.
    fn difference(&mut self, body: &[Vec<u8>], before: &[u8]) -> Option<String> {
        const TRIES: usize = 4;
        let mut found = None;
        for _ in 0..TRIES {
            let (native, ours) = self.run(body, before);
            found = difference(body, before, &native, &ours);
            found.as_ref()?;
        }
        found
    }

    /// Runs in both; the two data areas afterwards, with AX and flags in their slots.
    fn run(&mut self, body: &[Vec<u8>], data: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let program = program(body);
        let mut native = data.to_vec();
        self.native.run(&program.code, &mut native);
        self.bus.memory.write(PAGE, &program.code);
        self.bus.memory.write(PAGE + DATA as u64, data);
        let mut state = self.base.clone();
        let slot = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| data[at + n]));
        state.rip = PAGE + program.start as u64;
        state.rflags = slot(FLAGS) & STATUS | 2;
        state.gpr[0] = slot(AX) & 0xFFFF_FFFF;
        self.bus.left = 1 << 40;
        self.engine.run(&mut state, &mut self.bus, &Stop { at: None, after: Some(program.count) });
        let mut ours = vec![0; data.len()];
        self.bus.memory.read(PAGE + DATA as u64, &mut ours);
        ours[AX..AX + 4].copy_from_slice(&(state.gpr[0] as u32).to_le_bytes());
        let flags = native[FLAGS..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        native[FLAGS..FLAGS + 8].copy_from_slice(&(flags & STATUS).to_le_bytes());
        ours[FLAGS..FLAGS + 8].copy_from_slice(&(state.rflags & STATUS).to_le_bytes());
        mask_differences(body, &mut native, &mut ours);
        (native, ours)
    }
}

/// Where hosts are free to differ from us.
fn mask_differences(body: &[Vec<u8>], native: &mut [u8], ours: &mut [u8]) {
    const C1_HIGH: u8 = 0x02;
    const PENDING: u8 = 0x80;
    // The SDM has FCOMI clear C1 and leave the flags alone after an unmasked IE; AMD processors do neither.
    if body.iter().any(|bytes| mnemonic(bytes).is_some_and(compares_to_flags)) {
        native[IMAGE_OUT + 5] &= !C1_HIGH;
        ours[IMAGE_OUT + 5] &= !C1_HIGH;
        if native[IMAGE_OUT + 4] & PENDING != 0 {
            ours[FLAGS..FLAGS + 8].copy_from_slice(&native[FLAGS..FLAGS + 8]);
        }
    }
}

fn words(image: &[u8]) -> String {
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| image[at + n]));
    let mut text = format!("CW {:04X} SW {:04X} TW {:04X}", word(0) as u16, word(4) as u16, word(8) as u16);
    text += &format!(" IP {:X} {:X} DP {:X} {:X}", word(12), word(16), word(20), word(24));
    for n in 0..8 {
        let at = 28 + 10 * n;
        let significand = u64::from_le_bytes(std::array::from_fn(|n| image[at + n]));
        text += &format!("\n  ST{n} {:02X}{:02X}:{significand:016X}", image[at + 9], image[at + 8]);
    }
    text
}

/// What differs, if anything does.
fn difference(body: &[Vec<u8>], before: &[u8], native: &[u8], ours: &[u8]) -> Option<String> {
    if native == ours {
        return None;
    }
    let listing: Vec<String> = body.iter().map(|bytes| text(bytes)).collect();
    let images = |data: &[u8]| words(&data[IMAGE_OUT..IMAGE_OUT + IMAGE]);
    let mut report = format!(
        "{}\nbefore {}\nnative {}\nours   {}\n",
        listing.join("; "),
        words(&before[IMAGE_IN..IMAGE_IN + IMAGE]),
        images(native),
        images(ours),
    );
    for at in (0..0x100).chain(FLAGS..AX + 4).filter(|at| native[*at] != ours[*at]) {
        report +=
            &format!("[{at:X}] before {:02X} native {:02X} ours {:02X}; ", before[at], native[at], ours[at]);
    }
    Some(report)
}

fn data(random: &mut Random, masks: u16, pending: bool) -> Vec<u8> {
    let mut data = vec![0; 0x210];
    random.memory(&mut data[..0x100]);
    data[IMAGE_IN..IMAGE_IN + IMAGE].copy_from_slice(&random.image(masks, pending));
    data[FLAGS..FLAGS + 8].copy_from_slice(&(random.next() & STATUS | 2).to_le_bytes());
    data[AX..AX + 4].copy_from_slice(&(random.next() as u32).to_le_bytes());
    data
}

/// Eighteen digits where FBLD reads: others are undefined.
fn make_decimal(random: &mut Random, bytes: &[u8], data: &mut [u8]) {
    let at = usize::from(bytes[bytes.len() - 1]);
    for byte in &mut data[at..at + 9] {
        *byte = (random.below(10) << 4 | random.below(10)) as u8;
    }
}

/// Differences by mnemonic, the first of each in full.
#[derive(Default)]
struct Report {
    first: BTreeMap<String, (u32, String)>,
    compared: u32,
}

impl Report {
    fn add(&mut self, m: Mnemonic, difference: Option<String>) {
        self.compared += 1;
        if let Some(text) = difference {
            self.first.entry(format!("{m:?}")).or_insert((0, text)).0 += 1;
        }
    }

    fn finish(self) {
        for (m, (count, text)) in &self.first {
            println!("== {m}: {count} times\n{text}\n");
        }
        let summary: Vec<String> = self.first.iter().map(|(m, (count, _))| format!("{m} {count}")).collect();
        assert!(summary.is_empty(), "of {}: {}", self.compared, summary.join(", "));
    }
}

#[test]
fn single_instructions_agree_with_the_host() {
    let mut pair = Pair::new();
    let mut random = Random(0x8087_8087_8087_8087);
    let mut report = Report::default();
    for _ in 0..400_000 {
        let (bytes, m) = encoding(&mut random);
        let masks = if random.below(3) == 0 { random.next() as u16 & 0x3F } else { 0x3F };
        let pending = waits_not(m) && random.below(2) == 0;
        let mut before = data(&mut random, masks, pending);
        if m == Mnemonic::Fbld {
            make_decimal(&mut random, &bytes, &mut before);
        }
        let body = [bytes];
        report.add(m, pair.difference(&body, &before));
    }
    report.finish();
}

/// Up to twelve instructions that cannot unmask an exception. Where C1 may differ from the host's after FCOMI, nothing
/// stores it but the last FSAVE.
fn sequence(random: &mut Random) -> Vec<Vec<u8>> {
    let mut body = Vec::new();
    let (mut c1_differs, count) = (false, 1 + random.below(12) as usize);
    while body.len() < count {
        let (bytes, m) = encoding(random);
        if loads_control(m) || m == Mnemonic::Fbld || (c1_differs && stores_status(m)) {
            continue;
        }
        c1_differs |= compares_to_flags(m);
        body.push(bytes);
    }
    body
}

#[test]
fn sequences_agree_with_the_host() {
    let mut pair = Pair::new();
    let mut random = Random(0x0387_0387_0387_0387);
    for _ in 0..100_000 {
        let body = sequence(&mut random);
        let before = data(&mut random, 0x3F, false);
        if let Some(text) = pair.difference(&body, &before) {
            panic!("{text}");
        }
    }
}
