//! What is expected of a call: a row of a table.

use crate::bench::{BUFFER, Bios, Run, Step};
use emu_core::HostEvent;

/// General registers, and segments that calls take pointers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
    pub esi: u32,
    pub edi: u32,
    pub ebp: u32,
    pub ds: u16,
    pub es: u16,
}

/// What is not said is of no meaning, but a service must not change it.
impl Default for Registers {
    fn default() -> Self {
        Self {
            eax: 0xA0A0_0000,
            ebx: 0xB0B0_0000,
            ecx: 0xC0C0_0000,
            edx: 0xD0D0_0000,
            esi: 0x5151_5151,
            edi: 0xD1D1_D1D1,
            ebp: 0xBEBE_BEBE,
            ds: BUFFER,
            es: BUFFER,
        }
    }
}

impl Registers {
    pub fn general(&self) -> [u32; 7] {
        [self.eax, self.ebx, self.ecx, self.edx, self.esi, self.edi, self.ebp]
    }

    fn all(&self) -> [u32; 9] {
        let [a, b, c, d, s, t, p] = self.general();
        [a, b, c, d, s, t, p, self.ds.into(), self.es.into()]
    }
}

const NAMES: [&str; 9] = ["EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "DS", "ES"];

/// What a call came back with.
pub struct Answer {
    registers: Registers,
    flags: u16,
    sp: u16,
}

impl Answer {
    pub fn from_bytes(bytes: [u8; 36]) -> Self {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let dword = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
        let [eax, ebx, ecx, edx, esi, edi, ebp] = std::array::from_fn(|n| dword(4 * n));
        let registers = Registers { eax, ebx, ecx, edx, esi, edi, ebp, ds: word(28), es: word(30) };
        Self { registers, flags: word(32), sp: word(34) }
    }
}

#[derive(Clone, Debug)]
pub enum Expect {
    /// These bits of a register.
    Bits { register: usize, mask: u32, value: u32 },
    /// A register may have any value, but for what is said of it later.
    Any(usize),
    /// Flags by mask, set or clear.
    Flag(u16, bool),
    /// Memory at a linear address, at the end of the script.
    Memory(u32, Vec<u8>),
}

macro_rules! registers {
    ($($name:ident = $register:expr, $mask:expr, $shift:expr, $type:ty;)*) => {
        $(pub fn $name(value: $type) -> Expect {
            Expect::Bits { register: $register, mask: $mask, value: u32::from(value) << $shift }
        })*
    };
}

registers! {
    ax = 0, 0xFFFF, 0, u16;
    al = 0, 0xFF, 0, u8;
    ah = 0, 0xFF00, 8, u8;
    eax = 0, u32::MAX, 0, u32;
    bx = 1, 0xFFFF, 0, u16;
    bl = 1, 0xFF, 0, u8;
    bh = 1, 0xFF00, 8, u8;
    ebx = 1, u32::MAX, 0, u32;
    cx = 2, 0xFFFF, 0, u16;
    cl = 2, 0xFF, 0, u8;
    ch = 2, 0xFF00, 8, u8;
    ecx = 2, u32::MAX, 0, u32;
    dx = 3, 0xFFFF, 0, u16;
    dl = 3, 0xFF, 0, u8;
    dh = 3, 0xFF00, 8, u8;
    edx = 3, u32::MAX, 0, u32;
    di = 5, 0xFFFF, 0, u16;
    edi = 5, u32::MAX, 0, u32;
    es = 8, 0xFFFF, 0, u16;
}

pub const AX: Expect = Expect::Any(0);
pub const BX: Expect = Expect::Any(1);
pub const CX: Expect = Expect::Any(2);
pub const DX: Expect = Expect::Any(3);
pub const DI: Expect = Expect::Any(5);
pub const BP: Expect = Expect::Any(6);
pub const ES: Expect = Expect::Any(8);
pub const CARRY: Expect = Expect::Flag(1, true);
pub const GOOD: Expect = Expect::Flag(1, false);
pub const ZERO: Expect = Expect::Flag(0x40, true);
pub const NOT_ZERO: Expect = Expect::Flag(0x40, false);

/// Memory at an offset in the scripts' segment.
pub fn buffer(at: u16, bytes: &[u8]) -> Expect {
    memory(u32::from(BUFFER) * 16 + u32::from(at), bytes)
}

pub fn memory(address: u32, bytes: &[u8]) -> Expect {
    Expect::Memory(address, bytes.to_vec())
}

/// A row: a step, and what comes of it.
pub struct Row {
    name: String,
    step: Step,
    posada: Vec<Expect>,
    /// Where SeaBIOS does another thing, and why.
    seabios: Option<(&'static str, Vec<Expect>)>,
}

/// An interrupt with registers that are not the usual ones.
pub fn call(
    name: impl Into<String>,
    interrupt: u8,
    registers: Registers,
    posada: impl Into<Vec<Expect>>,
) -> Row {
    Row { name: name.into(), step: Step::Call { interrupt, registers }, posada: posada.into(), seabios: None }
}

/// An interrupt with AX alone.
pub fn int(name: impl Into<String>, interrupt: u8, ax: u16, posada: impl Into<Vec<Expect>>) -> Row {
    call(name, interrupt, with(ax, 0, 0, 0), posada)
}

/// Registers with AX, BX, CX and DX.
pub fn with(ax: u16, bx: u16, cx: u16, dx: u16) -> Registers {
    let usual = Registers::default();
    Registers {
        eax: usual.eax | u32::from(ax),
        ebx: usual.ebx | u32::from(bx),
        ecx: usual.ecx | u32::from(cx),
        edx: usual.edx | u32::from(dx),
        ..usual
    }
}

pub fn put(at: u16, bytes: impl Into<Vec<u8>>) -> Row {
    let step = Step::Put(at, bytes.into());
    Row { name: String::new(), step, posada: Vec::new(), seabios: None }
}

pub fn host(event: HostEvent) -> Row {
    Row { name: String::new(), step: Step::Host(event), posada: Vec::new(), seabios: None }
}

impl Row {
    /// SeaBIOS does this instead, for a reason.
    pub fn seabios(mut self, reason: &'static str, expected: impl Into<Vec<Expect>>) -> Self {
        self.seabios = Some((reason, expected.into()));
        self
    }

    fn expected(&self, bios: Bios) -> &[Expect] {
        match (&self.seabios, bios) {
            (Some((_, expected)), Bios::SeaBios) => expected,
            _ => &self.posada,
        }
    }

    /// What is not as expected, in words.
    fn wrong(&self, run: &Run, step: usize, bios: Bios) -> Vec<String> {
        let Step::Call { registers, .. } = &self.step else { return Vec::new() };
        let answer = run.answer(step);
        let mut wanted = registers.all().map(|value| (value, u32::MAX));
        let mut wrong = Vec::new();
        for expect in self.expected(bios) {
            match expect {
                Expect::Bits { register, mask, value } => {
                    let (all, known) = wanted[*register];
                    wanted[*register] = (all & !mask | value, known | mask);
                }
                Expect::Any(register) => wanted[*register].1 = 0,
                Expect::Flag(flag, set) if (answer.flags & flag != 0) != *set => {
                    wrong.push(format!("flags {:04x}", answer.flags));
                }
                Expect::Flag(..) => {}
                Expect::Memory(address, bytes) => {
                    let there = run.bytes(*address, bytes.len());
                    if there != *bytes {
                        wrong.push(format!("{address:#x}: {there:02x?}, not {bytes:02x?}"));
                    }
                }
            }
        }
        let pairs = wanted.into_iter().zip(answer.registers.all()).zip(NAMES);
        wrong.extend(
            pairs
                .filter(|(((value, mask), got), _)| (value ^ got) & mask != 0)
                .map(|(((value, _), got), name)| format!("{name} {got:x}, not {value:x}")),
        );
        if answer.sp != 0x7C00 {
            wrong.push(format!("SP {:x}", answer.sp));
        }
        wrong
    }
}

/// The script of a table.
pub fn steps(rows: &[Row]) -> Vec<Step> {
    rows.iter().map(|row| row.step.clone()).collect()
}

/// All rows that are not as expected.
pub fn wrong(rows: &[Row], run: &Run, bios: Bios) -> String {
    let all = rows.iter().enumerate().map(|(n, row)| (row, row.wrong(run, n, bios)));
    let wrong = all.filter(|(_, wrong)| !wrong.is_empty());
    wrong.map(|(row, wrong)| format!("{bios:?}: {}: {}\n", row.name, wrong.join("; "))).collect()
}
