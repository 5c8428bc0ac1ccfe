//! The way into a program under test and back, as code: nothing of the compiler's may run between the two.
//!
//! The way back is entered by the signal handler alone: every program ends in an exception, the INT3 after its last
//! instruction if no other.

use super::control::{SCRATCH_TOP, address, gpr, selector, *};
use crate::conform::program::CodeSize;
use iced_x86::IcedError;
use iced_x86::code_asm::*;

const FLAGS_AT_REST: i32 = 0x202;
/// x87, SSE and AVX state.
const COMPONENTS: i32 = 7;

/// The trampolines' bytes, and where each starts.
pub struct Trampolines {
    pub code: Vec<u8>,
    /// `extern "sysv64" fn()` for 16-, 32- and 64-bit code.
    pub enter: [u64; 3],
    pub leave: u64,
}

impl Trampolines {
    pub fn assemble() -> Result<Self, IcedError> {
        let mut code = Vec::new();
        let mut place = |assemble: &dyn Fn(&mut CodeAssembler) -> Result<(), IcedError>| {
            let start = TRAMPOLINES + code.len() as u64;
            let mut a = CodeAssembler::new(64)?;
            assemble(&mut a)?;
            code.extend(a.assemble(start)?);
            Ok::<u64, IcedError>(start)
        };
        let enter = [
            place(&|a| enter(a, CodeSize::Bits16))?,
            place(&|a| enter(a, CodeSize::Bits32))?,
            place(&|a| enter(a, CodeSize::Bits64))?,
        ];
        let leave = place(&leave)?;
        Ok(Self { code, enter, leave })
    }
}

/// The general registers but RSP, in their encoding order.
const GENERAL: [(u64, AsmRegister64); 15] = [
    (0, rax),
    (1, rcx),
    (2, rdx),
    (3, rbx),
    (5, rbp),
    (6, rsi),
    (7, rdi),
    (8, r8),
    (9, r9),
    (10, r10),
    (11, r11),
    (12, r12),
    (13, r13),
    (14, r14),
    (15, r15),
];

const KEPT: [AsmRegister64; 6] = [rbx, rbp, r12, r13, r14, r15];

fn enter(a: &mut CodeAssembler, size: CodeSize) -> Result<(), IcedError> {
    for register in KEPT {
        a.push(register)?;
    }
    a.mov(qword_ptr(address!(host_rsp)), rsp)?;
    a.stmxcsr(dword_ptr(address!(host_mxcsr)))?;
    if size == CodeSize::Bits64 {
        a.mov(rax, qword_ptr(address!(fs_base)))?;
        a.mov(rcx, qword_ptr(address!(gs_base)))?;
        a.wrfsbase(rax)?;
        a.wrgsbase(rcx)?;
    } else {
        a.mov(eax, dword_ptr(selector(0)))?;
        a.mov(es, eax)?;
        a.mov(eax, dword_ptr(selector(2)))?;
        a.mov(ss, eax)?;
        a.mov(eax, dword_ptr(selector(3)))?;
        a.mov(ds, eax)?;
        a.mov(eax, dword_ptr(selector(4)))?;
        a.mov(fs, eax)?;
        a.mov(eax, dword_ptr(selector(5)))?;
        a.mov(gs, eax)?;
    }
    a.mov(eax, COMPONENTS)?;
    a.xor(edx, edx)?;
    a.xrstor64(ptr(address!(area)))?;
    a.mov(rsp, SCRATCH_TOP)?;
    a.push(qword_ptr(address!(rflags)))?;
    a.popfq()?;
    for (n, register) in GENERAL {
        a.mov(register, qword_ptr(gpr(n)))?;
    }
    a.mov(rsp, qword_ptr(gpr(4)))?;
    if size == CodeSize::Bits64 {
        a.jmp(qword_ptr(address!(target)))
    } else {
        a.jmp(fword_ptr(address!(target)))
    }
}

fn leave(a: &mut CodeAssembler) -> Result<(), IcedError> {
    for (n, register) in GENERAL {
        a.mov(qword_ptr(gpr(n)), register)?;
    }
    a.mov(qword_ptr(gpr(4)), rsp)?;
    a.mov(rsp, qword_ptr(address!(host_rsp)))?;
    a.push(FLAGS_AT_REST)?;
    a.popfq()?;
    a.mov(word_ptr(selector(0)), es)?;
    a.mov(word_ptr(selector(3)), ds)?;
    a.mov(word_ptr(selector(4)), fs)?;
    a.mov(word_ptr(selector(5)), gs)?;
    a.rdfsbase(rax)?;
    a.rdgsbase(rcx)?;
    a.mov(qword_ptr(address!(fs_base)), rax)?;
    a.mov(qword_ptr(address!(gs_base)), rcx)?;
    a.mov(eax, COMPONENTS)?;
    a.xor(edx, edx)?;
    a.xsave64(ptr(address!(area)))?;
    a.xor(eax, eax)?;
    a.mov(es, eax)?;
    a.mov(ds, eax)?;
    a.mov(fs, eax)?;
    a.mov(gs, eax)?;
    a.mov(rax, qword_ptr(address!(host_fs_base)))?;
    a.mov(rcx, qword_ptr(address!(host_gs_base)))?;
    a.wrfsbase(rax)?;
    a.wrgsbase(rcx)?;
    a.fninit()?;
    a.vzeroupper()?;
    a.ldmxcsr(dword_ptr(address!(host_mxcsr)))?;
    for register in KEPT.into_iter().rev() {
        a.pop(register)?;
    }
    a.ret()
}
