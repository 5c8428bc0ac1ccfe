//! Integer instructions against the host CPU: random register forms in 64-bit code, results and defined flags.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code)] // runs generated code natively

mod flat;

use emu_core::engine::{Engine, Stop};
use emu_core::interpreter::Interpreter;
use flat::{FlatBus, long_mode_state};
use iced_x86::{
    Decoder, DecoderOptions, Formatter, Instruction, InstructionInfoFactory, NasmFormatter, OpAccess,
};

const STATUS: u64 = 0x8D5;
const SLOTS: usize = 0x800;

/// A page of executable memory: code at the start, register slots from [`SLOTS`].
struct Native {
    page: *mut u8,
}

impl Native {
    fn new() -> Self {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        // SAFETY: a fresh private mapping.
        let page = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                4096,
                ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC,
                MapFlags::PRIVATE,
            )
        }
        .expect("memory");
        Self { page: page.cast() }
    }

    /// Runs one instruction that touches general registers other than RSP and status flags only.
    fn run(&self, bytes: &[u8], gpr: &mut [u64; 16], flags: &mut u64) {
        let mut code: Vec<u8> = vec![0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57];
        let rip_slot = |code: &mut Vec<u8>, opcode: &[u8], reg: u8, slot: usize| {
            code.extend_from_slice(opcode);
            code.push(reg << 3 | 5);
            let next = code.len() + 4;
            code.extend_from_slice(&((SLOTS + slot * 8) as i32 - next as i32).to_le_bytes());
        };
        rip_slot(&mut code, &[0xFF], 6, 16); // push [flags]
        code.push(0x9D); // popfq
        for r in (0..16u8).filter(|r| *r != 4) {
            rip_slot(&mut code, &[0x48 | (r >> 3) << 2, 0x8B], r & 7, r as usize);
        }
        code.extend_from_slice(bytes);
        for r in (0..16u8).filter(|r| *r != 4) {
            rip_slot(&mut code, &[0x48 | (r >> 3) << 2, 0x89], r & 7, r as usize);
        }
        code.push(0x9C); // pushfq
        rip_slot(&mut code, &[0x8F], 0, 16); // pop [flags]
        code.extend_from_slice(&[0xFC, 0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3]);
        assert!(code.len() < SLOTS);
        // SAFETY: the page is ours and large enough; the code saves and restores what the ABI asks for, and the
        // instruction under test touches registers only.
        unsafe {
            std::ptr::copy_nonoverlapping(code.as_ptr(), self.page, code.len());
            let slots = self.page.add(SLOTS).cast::<u64>();
            for (n, value) in gpr.iter().enumerate() {
                slots.add(n).write(*value);
            }
            slots.add(16).write(*flags & STATUS | 2);
            let f: extern "C" fn() = std::mem::transmute(self.page);
            f();
            for (n, value) in gpr.iter_mut().enumerate() {
                *value = slots.add(n).read();
            }
            *flags = slots.add(16).read();
        }
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

    /// Edge values as often as random ones.
    fn value(&mut self) -> u64 {
        const EDGES: [u64; 12] = [
            0,
            1,
            2,
            0x7F,
            0x80,
            0xFF,
            0x7FFF,
            0x8000,
            0x7FFF_FFFF,
            0x8000_0000,
            0x7FFF_FFFF_FFFF_FFFF,
            0x8000_0000_0000_0000,
        ];
        match self.below(4) {
            0 => EDGES[self.below(12) as usize],
            1 => EDGES[self.below(12) as usize].wrapping_neg(),
            2 => self.next() >> self.below(64),
            _ => self.next(),
        }
    }
}

/// A random register-form encoding of an integer instruction.
fn encoding(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    if random.below(4) == 0 {
        bytes.push(0x66);
    }
    if random.below(4) != 0 {
        bytes.push(0x40 | random.below(16) as u8);
    }
    let one: [u8; 18] = [
        0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0xD0, 0xD1, 0xD2, 0xD3, 0xF6, 0xF7, 0xFE, 0x98, 0x99,
        0x63,
    ];
    let two: [u8; 22] = [
        0xA3, 0xAB, 0xB3, 0xBB, 0xA5, 0xAD, 0xAF, 0xB0, 0xB1, 0xB6, 0xB7, 0xBE, 0xBF, 0xC0, 0xC1, 0xBC, 0xBD,
        0xA4, 0xAC, 0xBA, 0xC8, 0xB8,
    ];
    match random.below(8) {
        0..=2 => bytes.push((random.below(8) << 3) as u8 | random.below(6) as u8),
        3 | 4 => bytes.push(one[random.below(18) as usize]),
        5 => bytes.extend([[0x69, 0x6B, 0x80, 0x81, 0x83, 0xC0, 0xC1, 0xFF][random.below(8) as usize]]),
        6 => bytes.extend([0x0F, 0x40 | random.below(16) as u8 | (random.below(2) as u8 * 0xD0)]),
        _ => bytes.extend([0x0F, two[random.below(22) as usize]]),
    }
    bytes.push(0xC0 | random.below(64) as u8);
    bytes.extend((0..4).map(|_| random.next() as u8));
    bytes
}

fn usable(i: &Instruction, factory: &mut InstructionInfoFactory) -> bool {
    use iced_x86::{FlowControl, Mnemonic, Register};
    if i.is_invalid() || i.flow_control() != FlowControl::Next || i.is_stack_instruction() {
        return false;
    }
    if matches!(i.mnemonic(), Mnemonic::Lahf | Mnemonic::Popf | Mnemonic::Lzcnt | Mnemonic::Tzcnt) {
        return false;
    }
    let info = factory.info(i);
    let registers_ok = info.used_registers().iter().all(|r| {
        let full = r.register().full_register();
        full.is_gpr64() && full != Register::RSP || r.access() == OpAccess::None
    });
    registers_ok && info.used_memory().is_empty()
}

#[test]
fn integer_instructions_agree_with_the_host() {
    let native = Native::new();
    let mut bus = FlatBus::new(1 << 20);
    let mut engine = Interpreter::new();
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut factory = InstructionInfoFactory::new();
    let base = long_mode_state(&bus.memory);
    let mut compared = 0;
    while compared < 300_000 {
        let bytes = encoding(&mut random);
        let i = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).decode();
        if !usable(&i, &mut factory) {
            continue;
        }
        let bytes = &bytes[..i.len()];
        let mut ours = base.clone();
        ours.gpr = std::array::from_fn(|_| random.value());
        ours.gpr[4] = 0x8000;
        ours.rflags = random.next() & STATUS | 2;
        let before = ours.clone();
        bus.memory.write(0x1_0000, bytes);
        ours.rip = 0x1_0000;
        bus.left = 1 << 40;
        engine.run(&mut ours, &mut bus, &Stop { at: None, after: Some(1) });
        if ours.rip != 0x1_0000 + i.len() as u64 {
            continue; // #DE: the host would kill us
        }
        let (mut gpr, mut flags) = (before.gpr, before.rflags);
        native.run(bytes, &mut gpr, &mut flags);
        gpr[4] = ours.gpr[4];
        let undefined = u64::from(i.rflags_undefined());
        let double16 = matches!(i.mnemonic(), iced_x86::Mnemonic::Shld | iced_x86::Mnemonic::Shrd);
        let double16 = double16 && i.op0_register().is_gpr16();
        // 16-bit double shifts by more than 16: all flags are undefined.
        let defined = if double16 { 0 } else { STATUS & !iced_to_rflags(undefined) };
        let mut text = String::new();
        NasmFormatter::new().format(&i, &mut text);
        assert_eq!(ours.gpr, gpr, "{text} {bytes:02X?} from {:X?}", before.gpr);
        assert_eq!(
            ours.rflags & defined,
            flags & defined,
            "flags of {text} {bytes:02X?} from {:X?} flags {:X}",
            before.gpr,
            before.rflags
        );
        compared += 1;
    }
}

/// iced-x86's flag bits as RFLAGS bits.
fn iced_to_rflags(bits: u64) -> u64 {
    use iced_x86::RflagsBits as R;
    [(R::CF, 0), (R::PF, 2), (R::AF, 4), (R::ZF, 6), (R::SF, 7), (R::OF, 11)]
        .into_iter()
        .filter(|(bit, _)| bits & u64::from(*bit) != 0)
        .fold(0, |flags, (_, position)| flags | 1 << position)
}
