//! The two sides of the suite see the same world: a few programs whose results are known, on the host and under the
//! interpreter.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use emu_core::interpreter::Interpreter;
use emu_core::vcpu::X87;
use test_roms::conform::guest::Guest;
use test_roms::conform::layout::*;
use test_roms::conform::memory::Content;
use test_roms::conform::native::Host;
use test_roms::conform::program::{CodeSize, Program};
use test_roms::conform::state::{End, Outcome, Registers};

fn registers() -> Registers {
    let mut gpr = std::array::from_fn(|n| 0x0101_0101 * n as u64);
    gpr[4] = STACK + 0x800;
    gpr[6] = DATA + 0x10;
    Registers {
        gpr,
        rflags: 0,
        fs_base: FS_BASE,
        gs_base: GS_BASE,
        x87: X87::default(),
        mxcsr: 0x1F80,
        xmm: std::array::from_fn(|n| n as u128 * 3),
        ymm_high: std::array::from_fn(|n| n as u128 * 5),
    }
}

/// Both sides. The host's signals belong to one thread, so there is one test, of several programs.
struct Bench {
    host: Host,
    guest: Guest,
}

impl Bench {
    fn run(&mut self, size: CodeSize, code: &[u8], mut registers: Registers, check: impl Fn(&Outcome)) {
        if size == CodeSize::Bits16 {
            registers.gpr[4] -= WINDOW;
            registers.gpr[6] -= WINDOW;
        }
        let program = Program { size, offset: 0x20, code: code.to_vec(), seed: 1 };
        let content = Content::of(&program);
        for memory in [self.host.memory(), self.guest.memory()] {
            memory.set_code(&content.code);
            memory.set_fixed(&content.fixed);
            memory.set(&content.data, &content.stack);
        }
        check(&self.host.run(size, program.start(), program.end(), &registers));
        check(&self.guest.run(size, program.start(), program.end(), &registers));
    }
}

#[test]
fn host_and_guest_see_the_same_world() {
    let guest = Guest::new(Box::new(Interpreter::new())).expect("memory");
    let mut bench = Bench { host: Host::claim().expect("a host with AVX"), guest };
    an_addition_goes_through_in_every_code_size(&mut bench);
    a_load_beyond_the_data_is_a_page_fault_with_its_address(&mut bench);
    privileged_instructions_are_general_protection_faults(&mut bench);
    segments_of_the_ldt_are_there(&mut bench);
    vector_registers_come_and_go(&mut bench);
    endless_programs_are_given_up(&mut bench);
}

fn an_addition_goes_through_in_every_code_size(bench: &mut Bench) {
    for size in CodeSize::ALL {
        // add eax, ebx (in 16-bit code: add ax, bx)
        bench.run(size, &[0x01, 0xD8], registers(), |outcome| {
            assert_eq!(outcome.end, End::Through, "{size:?}");
            assert_eq!(outcome.registers.gpr[0] & 0xFFFF, 0x0303, "{size:?}");
        });
    }
}

fn a_load_beyond_the_data_is_a_page_fault_with_its_address(bench: &mut Bench) {
    // mov eax, [rsi]
    let mut wild = registers();
    wild.gpr[6] = DATA + DATA_BYTES as u64 - 2;
    let cr2 = Some(DATA + DATA_BYTES as u64);
    bench.run(CodeSize::Bits64, &[0x8B, 0x06], wild, |outcome| {
        assert_eq!(outcome.end, End::Exception { vector: 14, error: 4, rip: CODE + 0x20, cr2 });
    });
}

fn privileged_instructions_are_general_protection_faults(bench: &mut Bench) {
    for size in CodeSize::ALL {
        bench.run(size, &[0xF4], registers(), |outcome| {
            let rip = CODE + 0x20 - size.base();
            assert_eq!(outcome.end, End::Exception { vector: 13, error: 0, rip, cr2: None });
        });
    }
}

fn segments_of_the_ldt_are_there(bench: &mut Bench) {
    // mov eax, fs:[0]; in 16-bit code mov ax, fs:[0]
    let sixteen = [0x64, 0xA1, 0, 0];
    let wide = [0x64, 0xA1, 0, 0, 0, 0];
    let content = Content::of(&Program { size: CodeSize::Bits32, offset: 0, code: vec![], seed: 1 });
    let at = (FS_BASE - DATA) as usize;
    let low = u64::from(u16::from_le_bytes([content.data[at], content.data[at + 1]]));
    for (size, code) in [(CodeSize::Bits16, &sixteen[..]), (CodeSize::Bits32, &wide[..])] {
        bench.run(size, code, registers(), |outcome| {
            assert_eq!(outcome.end, End::Through, "{size:?}");
            assert_eq!(outcome.registers.gpr[0] & 0xFFFF, low, "{size:?}");
        });
    }
}

fn vector_registers_come_and_go(bench: &mut Bench) {
    // paddb xmm1, xmm2
    bench.run(CodeSize::Bits64, &[0x66, 0x0F, 0xFC, 0xCA], registers(), |outcome| {
        assert_eq!(outcome.registers.xmm[1], 9);
        assert_eq!(outcome.registers.ymm_high[1], 5);
    });
}

fn endless_programs_are_given_up(bench: &mut Bench) {
    // jmp $
    bench.run(CodeSize::Bits64, &[0xEB, 0xFE], registers(), |outcome| {
        assert!(matches!(outcome.end, End::Endless | End::Lost), "{:?}", outcome.end);
    });
}
