//! Instructions that touch the system: segments, far transfers, gates, tasks, interrupts, control and model-specific
//! registers, ports.

mod clock;
mod control;
mod debug;
mod far;
mod flags;
mod frame;
mod gate;
mod hint;
mod identify;
pub mod interrupt;
mod iret;
mod lookup;
mod msr;
mod port;
mod segment;
mod syscall;
mod table;
mod task;
mod trap;
mod tss;

pub use flags::{pop_flags, virtual_flags_image};

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::memory::SS;
use super::op::{Faulted, Handler, Op, branch, complex, faulting, serializing};
use crate::vcpu::cr4;
use iced_x86::{Code, Mnemonic, OpKind, Register};

// ---- operands of several sizes ---------------------------------------------------------------------------------

/// Reads 2, 4 or 8 bytes.
fn load_sized(cpu: &mut Cpu, linear: u64, size: u64, seg: u8) -> Result<u64, Faulted> {
    match size {
        2 => cpu.read::<u16>(linear, seg).map(u64::from),
        4 => cpu.read::<u32>(linear, seg).map(u64::from),
        _ => cpu.read::<u64>(linear, seg),
    }
}

/// The word of 2, 4 or 8 bytes that is `depth` bytes above the top of the stack.
fn stack_word(cpu: &mut Cpu, depth: u64, size: u64) -> Result<u64, Faulted> {
    let sp = cpu.sp().wrapping_add(depth) & cpu.sp_mask;
    let linear = cpu.stack_linear(sp, size, false)?;
    load_sized(cpu, linear, size, SS)
}

/// Whether the operand that may be either is in memory (`c`, see [`lower`]).
fn is_memory(op: &Op) -> bool {
    op.c != 0
}

/// A 16-bit source operand 0.
fn source_word(cpu: &mut Cpu, op: &Op) -> Result<u16, Faulted> {
    if is_memory(op) { cpu.load::<u16>(op) } else { Ok(cpu.reg::<u16>(op.a)) }
}

/// Writes register operand 0 in its own width.
fn store_register(cpu: &mut Cpu, op: &Op, value: u64) -> Result<(), Faulted> {
    match op.size {
        2 => cpu.set_reg(op.a, value as u16),
        4 => cpu.set_reg(op.a, value as u32),
        _ => cpu.set_reg(op.a, value),
    }
    Ok(())
}

/// A selector to operand 0: 16 bits in memory, zero-extended in a register.
fn store_selector(cpu: &mut Cpu, op: &Op, selector: u16) -> Result<(), Faulted> {
    if is_memory(op) { cpu.store(op, selector) } else { store_register(cpu, op, u64::from(selector)) }
}

/// EDX:EAX.
fn edx_eax(cpu: &Cpu) -> u64 {
    u64::from(cpu.reg::<u32>(2)) << 32 | u64::from(cpu.reg::<u32>(0))
}

/// CR4.UMIP keeps system-table addresses from programs above CPL 0 (Intel SDM Vol. 3A 2.5).
fn check_umip(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.s.cr4 & cr4::UMIP != 0 && cpu.cpl != 0 { Err(cpu.gp(0)) } else { Ok(()) }
}

// ---- choosing handlers -----------------------------------------------------------------------------------------

fn ends(handler: Handler) -> Option<Lowered> {
    Some(Lowered::ends(handler))
}

fn straight(handler: Handler) -> Option<Lowered> {
    Some(Lowered::straight(handler))
}

/// MOV with segment, control and debug registers.
fn lower_mov(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    match d.instruction.code() {
        Code::Mov_rm16_Sreg | Code::Mov_r32m16_Sreg | Code::Mov_r64m16_Sreg => {
            straight(complex(segment::mov_to))
        }
        Code::Mov_Sreg_rm16 | Code::Mov_Sreg_r32m16 | Code::Mov_Sreg_r64m16 => {
            if d.instruction.op0_register() == Register::CS {
                return None; // #UD
            }
            ends(if d.memory(1) {
                serializing(segment::mov_from_mem)
            } else {
                serializing(segment::mov_from_reg)
            })
        }
        Code::Mov_r32_cr | Code::Mov_r64_cr => {
            matches!(op.b, 0 | 2 | 3 | 4 | 8).then(|| Lowered::ends(serializing(control::mov_from_cr)))
        }
        Code::Mov_cr_r32 | Code::Mov_cr_r64 => {
            matches!(op.a, 0 | 2 | 3 | 4 | 8).then(|| Lowered::ends(serializing(control::mov_to_cr)))
        }
        Code::Mov_r32_dr | Code::Mov_r64_dr => ends(serializing(debug::mov_from_dr)),
        Code::Mov_dr_r32 | Code::Mov_dr_r64 => ends(serializing(debug::mov_to_dr)),
        _ => None,
    }
}

/// PUSH and POP of segment registers.
fn lower_stack(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let i = d.instruction;
    if !i.op0_register().is_segment_register() {
        return None;
    }
    op.size = i.stack_pointer_increment().unsigned_abs() as u8;
    match i.mnemonic() {
        Mnemonic::Push => straight(complex(segment::push)),
        _ if i.op0_register() == Register::CS => None,
        _ => ends(serializing(segment::pop)),
    }
}

/// Operand size of a far transfer or return.
fn far_size(code: Code) -> u8 {
    match code {
        Code::Jmp_ptr1616 | Code::Jmp_m1616 | Code::Call_ptr1616 | Code::Call_m1616 => 2,
        Code::Retfw | Code::Retfw_imm16 | Code::Iretw => 2,
        Code::Jmp_m1664 | Code::Call_m1664 | Code::Retfq | Code::Retfq_imm16 | Code::Iretq => 8,
        _ => 4,
    }
}

/// JMP, CALL, RET and IRET that load CS.
fn lower_far(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let i = d.instruction;
    op.size = far_size(i.code());
    match i.op0_kind() {
        OpKind::FarBranch16 => op.imm = u64::from(i.far_branch16()),
        OpKind::FarBranch32 => op.imm = u64::from(i.far_branch32()),
        _ => {}
    }
    if matches!(i.op0_kind(), OpKind::FarBranch16 | OpKind::FarBranch32) && i.op_count() > 0 {
        op.disp = u64::from(i.far_branch_selector());
    }
    match i.code() {
        Code::Jmp_ptr1616 | Code::Jmp_ptr1632 => ends(serializing(far::jump_direct)),
        Code::Jmp_m1616 | Code::Jmp_m1632 | Code::Jmp_m1664 => ends(serializing(far::jump_indirect)),
        Code::Call_ptr1616 | Code::Call_ptr1632 => ends(serializing(far::call_direct)),
        Code::Call_m1616 | Code::Call_m1632 | Code::Call_m1664 => ends(serializing(far::call_indirect)),
        Code::Iretw | Code::Iretd | Code::Iretq => ends(serializing(iret::iret)),
        _ => ends(serializing(far::retf)),
    }
}

/// LDS, LES, LFS, LGS, LSS: operand size in `size`, segment in `sub`.
fn lower_load_far(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    op.size = d.size(0) as u8;
    op.sub = match d.instruction.mnemonic() {
        Mnemonic::Les => 0,
        Mnemonic::Lss => 2,
        Mnemonic::Lds => 3,
        Mnemonic::Lfs => 4,
        _ => 5,
    };
    ends(serializing(segment::load_far_pointer))
}

macro_rules! by_width {
    ($size:expr, $f:path) => {{
        use $f as f;
        match $size {
            1 => serializing(f::<u8>),
            2 => serializing(f::<u16>),
            _ => serializing(f::<u32>),
        }
    }};
}

/// IN, OUT, INS, OUTS.
fn lower_port(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let i = d.instruction;
    op.c = u8::from(i.op0_register() == Register::DX || i.op1_register() == Register::DX);
    op.sub = u8::from(i.has_rep_prefix() || i.has_repne_prefix());
    ends(match i.mnemonic() {
        Mnemonic::In => by_width!(d.size(0), port::port_in),
        Mnemonic::Out => by_width!(d.size(1), port::port_out),
        Mnemonic::Insb => serializing(port::ins::<u8>),
        Mnemonic::Insw => serializing(port::ins::<u16>),
        Mnemonic::Insd => serializing(port::ins::<u32>),
        Mnemonic::Outsb => serializing(port::outs::<u8>),
        Mnemonic::Outsw => serializing(port::outs::<u16>),
        _ => serializing(port::outs::<u32>),
    })
}

/// Instructions on selectors and system tables, with a register or memory operand (`c`) of size `size`.
fn lower_table(d: &Decoded<'_>) -> Option<Lowered> {
    match d.instruction.mnemonic() {
        Mnemonic::Lgdt => ends(serializing(table::lgdt)),
        Mnemonic::Lidt => ends(serializing(table::lidt)),
        Mnemonic::Sgdt => straight(complex(table::sgdt)),
        Mnemonic::Sidt => straight(complex(table::sidt)),
        Mnemonic::Lldt => ends(serializing(table::lldt)),
        Mnemonic::Ltr => ends(serializing(table::ltr)),
        Mnemonic::Sldt => straight(complex(table::sldt)),
        Mnemonic::Str => straight(complex(table::store_task)),
        Mnemonic::Lar => straight(complex(table::lar)),
        Mnemonic::Lsl => straight(complex(table::lsl)),
        Mnemonic::Verr => straight(complex(table::verr)),
        Mnemonic::Verw => straight(complex(table::verw)),
        Mnemonic::Arpl => straight(complex(table::arpl)),
        Mnemonic::Smsw => straight(complex(control::smsw)),
        Mnemonic::Lmsw => ends(serializing(control::lmsw)),
        _ => None,
    }
}

/// Size of operand 0, or 2 for the 24-bit forms of LGDT and LIDT.
fn table_size(d: &Decoded<'_>) -> u8 {
    match d.instruction.code() {
        Code::Lgdt_m1632_16 | Code::Lidt_m1632_16 => 2,
        Code::Lgdt_m1632 | Code::Lidt_m1632 => 4,
        _ if d.register(0) => d.size(0) as u8,
        _ => 2,
    }
}

/// Control, debug, model-specific and identification instructions.
fn lower_control(i: &iced_x86::Instruction) -> Option<Lowered> {
    ends(match i.mnemonic() {
        Mnemonic::Clts => serializing(control::clts),
        Mnemonic::Invlpg => serializing(control::invlpg),
        Mnemonic::Invpcid => serializing(control::invpcid),
        Mnemonic::Invd | Mnemonic::Wbinvd => serializing(control::invalidate_caches),
        Mnemonic::Xgetbv => serializing(control::xgetbv),
        Mnemonic::Xsetbv => serializing(control::xsetbv),
        Mnemonic::Rdmsr => serializing(msr::rdmsr),
        Mnemonic::Wrmsr => serializing(msr::wrmsr),
        Mnemonic::Rdtsc => serializing(clock::rdtsc),
        Mnemonic::Rdtscp => serializing(clock::rdtscp),
        Mnemonic::Rdpmc => serializing(msr::rdpmc),
        Mnemonic::Cpuid => serializing(identify::cpuid),
        Mnemonic::Rdpid => complex(clock::rdpid),
        Mnemonic::Rdrand | Mnemonic::Rdseed => complex(identify::random),
        _ => return None,
    })
}

/// Fast system calls and what goes with them.
fn lower_syscall(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    let i = d.instruction;
    op.size = match i.code() {
        Code::Sysretq | Code::Sysexitq => 8,
        _ if d.register(0) => d.size(0) as u8,
        _ => 4,
    };
    op.sub = if matches!(i.mnemonic(), Mnemonic::Rdfsbase | Mnemonic::Wrfsbase) { 4 } else { 5 };
    match i.mnemonic() {
        Mnemonic::Syscall => ends(serializing(syscall::syscall)),
        Mnemonic::Sysret | Mnemonic::Sysretq => ends(serializing(syscall::sysret)),
        Mnemonic::Sysenter => ends(serializing(syscall::sysenter)),
        Mnemonic::Sysexit | Mnemonic::Sysexitq => ends(serializing(syscall::sysexit)),
        Mnemonic::Swapgs => straight(faulting(syscall::swapgs)),
        Mnemonic::Rdfsbase | Mnemonic::Rdgsbase => straight(faulting(syscall::read_base)),
        _ => straight(faulting(syscall::write_base)),
    }
}

/// Software interrupts and waiting.
fn lower_trap(i: &iced_x86::Instruction) -> Option<Lowered> {
    match i.code() {
        Code::Bound_r16_m1616 => return straight(complex(trap::bound::<u16>)),
        Code::Bound_r32_m3232 => return straight(complex(trap::bound::<u32>)),
        _ => {}
    }
    ends(match i.mnemonic() {
        Mnemonic::Int => serializing(trap::int),
        Mnemonic::Int3 => serializing(trap::int3),
        Mnemonic::Into => serializing(trap::into),
        Mnemonic::Int1 => serializing(trap::int1),
        Mnemonic::Hlt => serializing(trap::hlt),
        Mnemonic::Monitor => serializing(trap::monitor),
        Mnemonic::Mwait => serializing(trap::mwait),
        _ => return None,
    })
}

/// Handlers of the system instructions.
pub fn lower(d: &Decoded<'_>, op: &mut Op) -> Option<Lowered> {
    use Mnemonic as M;
    let i = d.instruction;
    match i.mnemonic() {
        M::Mov => {
            op.c = u8::from(d.memory(0));
            op.size = if d.register(0) { d.size(0) as u8 } else { 2 };
            lower_mov(d, op)
        }
        M::Push | M::Pop => lower_stack(d, op),
        M::Jmp | M::Call | M::Retf | M::Iret | M::Iretd | M::Iretq => lower_far(d, op),
        M::Lds | M::Les | M::Lfs | M::Lgs | M::Lss => lower_load_far(d, op),
        M::In | M::Out | M::Insb | M::Insw | M::Insd | M::Outsb | M::Outsw | M::Outsd => lower_port(d, op),
        M::Lgdt
        | M::Lidt
        | M::Sgdt
        | M::Sidt
        | M::Lldt
        | M::Ltr
        | M::Sldt
        | M::Str
        | M::Smsw
        | M::Lmsw
        | M::Lar
        | M::Lsl
        | M::Verr
        | M::Verw
        | M::Arpl => {
            op.c = u8::from(d.memory(0) || d.memory(1));
            op.size = table_size(d);
            lower_table(d)
        }
        M::Syscall
        | M::Sysret
        | M::Sysretq
        | M::Sysenter
        | M::Sysexit
        | M::Sysexitq
        | M::Swapgs
        | M::Rdfsbase
        | M::Rdgsbase
        | M::Wrfsbase
        | M::Wrgsbase => lower_syscall(d, op),
        M::Cli => straight(faulting(flags::cli)),
        M::Sti => straight(branch(flags::sti_in_block)),
        M::Clac => straight(faulting(flags::set_ac::<false>)),
        M::Stac => straight(faulting(flags::set_ac::<true>)),
        M::Bound | M::Int | M::Int3 | M::Into | M::Int1 | M::Hlt | M::Monitor | M::Mwait => lower_trap(i),
        _ => {
            if d.register(0) {
                op.size = d.size(0) as u8;
            }
            lower_control(i).or_else(|| hint::lower(i))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;

    fn next(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    /// Opcodes of this family, where random bytes would rarely hit.
    const OPCODES: [&[u8]; 30] = [
        &[0x0F, 0x00],
        &[0x0F, 0x01],
        &[0x0F, 0x02],
        &[0x0F, 0x03],
        &[0x0F, 0x20],
        &[0x0F, 0x21],
        &[0x0F, 0x22],
        &[0x0F, 0x23],
        &[0x0F, 0x30],
        &[0x0F, 0x32],
        &[0x0F, 0xA2],
        &[0x0F, 0x34],
        &[0x0F, 0x35],
        &[0x0F, 0x05],
        &[0x0F, 0x07],
        &[0x0F, 0xB2],
        &[0x0F, 0xB4],
        &[0x8E],
        &[0x8C],
        &[0xCF],
        &[0xCB],
        &[0xCA],
        &[0xEA],
        &[0x9A],
        &[0xFF],
        &[0xCD],
        &[0xC5],
        &[0xF3, 0x6C],
        &[0x66, 0xCF],
        &[0x48, 0xCF],
    ];

    /// One machine with random registers and code, in one of five modes.
    fn random_bed(seed: &mut u64) -> Testbed {
        let mut bed = match next(seed) % 5 {
            0 => Testbed::real("386"),
            1 => Testbed::long(),
            _ => Testbed::protected("x86-64-v2"),
        };
        if next(seed).is_multiple_of(2) {
            bed.handlers(if next(seed).is_multiple_of(2) { 0xEE } else { 0x8E });
        }
        let selectors = [0, CODE0, DATA0, CODE3, DATA3, TASK, SPARE, SPARE | 3, 0xFFFF];
        match next(seed) % 4 {
            _ if bed.cpu.cr0 & 1 == 0 => {}
            0 => drop(bed.at_ring(3)),
            1 if bed.cpu.efer == 0 => drop(bed.at_v86(0x1000, next(seed) & 3)),
            _ => {}
        }
        for n in 0..16 {
            bed.cpu.gpr[n] = match next(seed) % 4 {
                0 => u64::from(selectors[(next(seed) % 9) as usize]),
                1 => next(seed) & 0xF_FFFF,
                2 => next(seed),
                _ => bed.cpu.gpr[n],
            };
        }
        for at in (0..0x20).step_by(8) {
            bed.poke64(GDT + u64::from(SPARE) + at, next(seed));
            bed.poke64(bed.cpu.gpr[4] & 0xF_FFFF, next(seed));
            bed.poke64(TSS + 0x60 + at, next(seed));
        }
        let start = bed.cpu.seg[1].base + bed.cpu.rip;
        for at in (0..64).step_by(8) {
            bed.poke64(start + at, next(seed));
        }
        bed.poke(start, OPCODES[(next(seed) % 30) as usize]);
        bed
    }

    #[test]
    fn random_system_code_does_not_panic() {
        let mut seed = 0x0123_4567_89AB_CDEF;
        for _ in 0..20_000 {
            random_bed(&mut seed).step(20);
        }
    }
}
