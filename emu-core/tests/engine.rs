//! The engine contract: exact counts, allowances, stores to code, device accesses one by one, restartable faults.

mod flat;

use emu_core::engine::{Engine, Exit, Stop};
use emu_core::interpreter::Interpreter;
use emu_core::vcpu::{Segment, VcpuState, cr0};
use flat::FlatBus;

const CODE: u64 = 0x1000;

/// 32-bit flat protected mode at [`CODE`], without paging.
fn flat32() -> VcpuState {
    let mut cpu = VcpuState::at_reset(0, 0);
    cpu.cr0 |= cr0::PE;
    let flat = |rights| Segment { selector: 8, rights, limit: u32::MAX, base: 0 };
    cpu.seg = [flat(0xC093); 6];
    cpu.seg[1] = flat(0xC09B);
    cpu.rip = CODE;
    cpu.gpr[4] = 0x8000;
    cpu
}

struct Bench {
    bus: FlatBus,
    cpu: VcpuState,
    engine: Interpreter,
}

impl Bench {
    fn new(code: &[u8]) -> Self {
        let bus = FlatBus::new(1 << 20);
        bus.memory.write(CODE, code);
        Self { bus, cpu: flat32(), engine: Interpreter::new() }
    }

    fn run(&mut self, instructions: u64) -> Exit {
        self.bus.left = instructions;
        self.engine.run(&mut self.cpu, &mut self.bus, &Stop::default())
    }
}

#[test]
fn never_beyond_the_allowance() {
    // l: inc eax; inc ebx; jmp l
    for n in [1, 2, 3, 4, 63, 64, 65, 66, 200, 8191, 8192, 8193, 20_000] {
        let mut bench = Bench::new(&[0x40, 0x43, 0xEB, 0xFC]);
        assert_eq!(bench.run(n), Exit::Stopped);
        assert_eq!(bench.bus.retired, n);
        assert_eq!((bench.cpu.gpr[0], bench.cpu.gpr[3]), (n.div_ceil(3), (n + 1) / 3), "after {n}");
        assert_eq!(bench.cpu.rip, CODE + [0, 1, 2][(n % 3) as usize]);
    }
}

#[test]
fn a_store_to_the_next_instruction_is_seen() {
    // mov byte [CODE+8], 43h (turns inc eax into inc ebx); nop; inc eax; hlt-like loop
    let code = [0xC6, 0x05, 0x08, 0x10, 0, 0, 0x43, 0x90, 0x40, 0xEB, 0xFE];
    let mut bench = Bench::new(&code);
    bench.run(4);
    assert_eq!((bench.cpu.gpr[0], bench.cpu.gpr[3]), (0, 1));
    assert_eq!(bench.bus.retired, 4);
}

#[test]
fn a_loop_that_rewrites_itself_counts_right() {
    // l: inc byte [CODE+9]; mov eax, imm32 (its low byte is at CODE+7); jmp l
    let code = [0xFE, 0x05, 0x07, 0x10, 0, 0, 0xB8, 0, 0, 0, 0, 0xEB, 0xF3];
    let mut bench = Bench::new(&code);
    bench.run(3 * 100);
    assert_eq!(bench.cpu.gpr[0], 100);
}

#[test]
fn dma_into_code_is_seen_by_the_next_run() {
    let mut bench = Bench::new(&[0x40, 0xEB, 0xFD]); // l: inc eax; jmp l
    bench.run(20);
    bench.bus.memory.write(CODE, &[0x43]);
    bench.run(20);
    assert_eq!((bench.cpu.gpr[0], bench.cpu.gpr[3]), (10, 10));
}

#[test]
fn data_beside_code_in_one_page_is_a_plain_store() {
    // l: inc dword [CODE+800h]; jmp l
    let mut bench = Bench::new(&[0xFF, 0x05, 0, 0x18, 0, 0, 0xEB, 0xF8]);
    bench.run(2000);
    assert_eq!(bench.bus.memory.read_array::<4>(CODE + 0x800), 1000u32.to_le_bytes());
}

#[test]
fn an_instruction_across_pages_runs_and_can_be_rewritten() {
    // mov eax, 12345678h with its opcode as the last byte of a page; then jmp $
    let mut bench = Bench::new(&[]);
    bench.bus.memory.write(0x1FFF, &[0xB8, 0x78, 0x56, 0x34, 0x12, 0xEB, 0xFE]);
    bench.cpu.rip = 0x1FFF;
    bench.run(2);
    assert_eq!(bench.cpu.gpr[0], 0x1234_5678);
    bench.bus.memory.write(0x2000, &[0x11]);
    bench.cpu.rip = 0x1FFF;
    bench.run(1);
    assert_eq!(bench.cpu.gpr[0], 0x1234_5611);
}

#[test]
fn the_count_is_exact_at_every_device_access() {
    // inc eax x3; mov ebx,[0x200000] (beyond RAM: the bus); inc eax; jmp $
    let code = [0x40, 0x40, 0x40, 0x8B, 0x1D, 0, 0, 0x20, 0, 0x40, 0xEB, 0xFE];
    let mut bench = Bench::new(&code);
    bench.run(5);
    assert_eq!(bench.bus.accesses, [3], "three instructions had retired at the access");
    assert_eq!((bench.cpu.gpr[0], bench.cpu.gpr[3]), (4, 0xFFFF_FFFF));
}

#[test]
fn repeated_moves_copy_across_pages_and_overlap_as_bytes_do() {
    // cld; rep movsb; jmp $
    let mut bench = Bench::new(&[0xFC, 0xF3, 0xA4, 0xEB, 0xFE]);
    bench.bus.memory.write(0x2FFA, b"0123456789ABCDEF");
    (bench.cpu.gpr[6], bench.cpu.gpr[7], bench.cpu.gpr[1]) = (0x2FFA, 0x4FF5, 16);
    bench.run(2);
    assert_eq!(&bench.bus.memory.read_array::<16>(0x4FF5), b"0123456789ABCDEF");
    assert_eq!((bench.cpu.gpr[1], bench.cpu.gpr[6], bench.cpu.gpr[7]), (0, 0x300A, 0x5005));
    // Destination one above the source: the first byte fills the range.
    (bench.cpu.gpr[6], bench.cpu.gpr[7], bench.cpu.gpr[1]) = (0x2FFA, 0x2FFB, 10);
    bench.cpu.rip = CODE;
    bench.run(2);
    assert_eq!(&bench.bus.memory.read_array::<12>(0x2FFA), b"00000000000B");
}

#[test]
fn deep_runs_do_not_grow_the_host_stack() {
    // call f; jmp start; f: push eax; pop eax; mov [esi],eax; ret: many handler kinds, millions of times, on a
    // small stack.
    let code =
        [0xE8, 0x02, 0, 0, 0, 0xEB, 0xF9, 0x50, 0x58, 0x89, 0x06, 0x0F, 0xAF, 0xC3, 0xC1, 0xE0, 0x03, 0xC3];
    let run = move || {
        let mut bench = Bench::new(&code);
        bench.cpu.gpr[6] = 0x6000;
        bench.run(2_000_000);
        bench.bus.retired
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(run).expect("thread");
    assert_eq!(thread.join().expect("no overflow"), 2_000_000);
}
