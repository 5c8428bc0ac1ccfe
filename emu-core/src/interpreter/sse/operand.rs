//! Operands of MMX and SSE instructions, and handlers made of a pure function and where its operands are.
//!
//! The functions are passed as items or captureless closures, so that each handler is compiled with its own inside.

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, faulting};
use crate::interpreter::word::Scalar;
use crate::isa::simd::float::{Format, natively};
use crate::isa::simd::mxcsr;
use crate::vcpu::{cr0, cr4};

impl Cpu {
    #[inline(always)]
    pub fn xmm(&self, n: u8) -> u128 {
        self.s.xmm[(n & 15) as usize]
    }

    #[inline(always)]
    pub fn set_xmm(&mut self, n: u8, value: u128) {
        self.s.xmm[(n & 15) as usize] = value;
    }

    /// Replaces the low bits only.
    #[inline(always)]
    pub fn merge_xmm<T: Scalar>(&mut self, n: u8, value: T) {
        let mask = u128::MAX >> (128 - 8 * T::SIZE);
        self.set_xmm(n, self.xmm(n) & !mask | value.to_wide());
    }

    /// The 128-bit memory operand, which must be aligned: else #GP(0) (Intel SDM Vol. 2, table 2-21, type 4).
    #[inline(always)]
    pub fn load_aligned(&mut self, op: &Op) -> Result<u128, Faulted> {
        let linear = self.linear::<false>(op, 16)?;
        if linear & 15 != 0 {
            return Err(self.gp(0));
        }
        self.read(linear, op.seg)
    }

    #[inline(always)]
    pub fn store_aligned(&mut self, op: &Op, value: u128) -> Result<(), Faulted> {
        let linear = self.linear::<true>(op, 16)?;
        if linear & 15 != 0 {
            return Err(self.gp(0));
        }
        self.write(linear, value, op.seg)
    }

    /// A memory source of `BYTES`, zero-extended; 16 bytes must be aligned.
    #[inline(always)]
    pub fn source<const BYTES: u32>(&mut self, op: &Op) -> Result<u128, Faulted> {
        match BYTES {
            2 => self.load::<u16>(op).map(Scalar::to_wide),
            4 => self.load::<u32>(op).map(Scalar::to_wide),
            8 => self.load::<u64>(op).map(Scalar::to_wide),
            _ => self.load_aligned(op),
        }
    }

    // ---- MMX -------------------------------------------------------------------------------------------------

    /// To be called first by every MMX instruction: #UD with CR0.EM, #NM with CR0.TS, #MF if an x87 exception is
    /// pending (Intel SDM Vol. 3A 12.1).
    #[inline(always)]
    pub fn mmx_guard(&mut self) -> Result<(), Faulted> {
        if self.fpu_trap { self.mmx_blocked() } else { Ok(()) }
    }

    #[cold]
    fn mmx_blocked(&mut self) -> Result<(), Faulted> {
        if self.s.cr0 & cr0::EM != 0 {
            return Err(self.ud());
        }
        if self.s.cr0 & cr0::TS != 0 {
            return Err(self.nm());
        }
        self.pending_guard()
    }

    /// #MF if an unmasked x87 exception is pending and is reported that way.
    #[inline(always)]
    pub fn pending_guard(&mut self) -> Result<(), Faulted> {
        if self.s.x87.status & 0x80 != 0 && self.s.cr0 & cr0::NE != 0 { Err(self.mf()) } else { Ok(()) }
    }

    /// What every MMX instruction but EMMS does to the x87 state: TOP = 0, all registers valid (Intel SDM Vol. 3A
    /// 12.2).
    #[inline(always)]
    pub fn enter_mmx(&mut self) {
        self.s.x87.set_top(0);
        self.s.x87.empty = 0;
    }

    #[inline(always)]
    pub fn mm(&self, n: u8) -> u64 {
        self.s.x87.r[(n & 7) as usize].significand
    }

    /// Also sets sign and exponent to ones.
    #[inline(always)]
    pub fn set_mm(&mut self, n: u8, value: u64) {
        let register = &mut self.s.x87.r[(n & 7) as usize];
        register.significand = value;
        register.exponent = 0xFFFF;
    }

    // ---- exceptions ------------------------------------------------------------------------------------------

    /// Sets the sticky flags, or raises #XM (#UD without CR4.OSXMMEXCPT) if one of them is unmasked.
    #[inline(always)]
    pub fn settle_simd(&mut self, raised: u32) -> Result<(), Faulted> {
        if mxcsr::unmasked(self.s.mxcsr, raised) != 0 {
            return Err(self.simd_exception(raised));
        }
        self.s.mxcsr |= raised;
        Ok(())
    }

    #[cold]
    fn simd_exception(&mut self, raised: u32) -> Faulted {
        let (Ok(flags) | Err(flags)) = mxcsr::settle(self.s.mxcsr, raised);
        self.s.mxcsr = flags;
        if self.s.cr4 & cr4::OSXMMEXCPT != 0 { self.xm() } else { self.ud() }
    }
}

// ---- XMM registers -------------------------------------------------------------------------------------------

/// xmm1 = f(xmm1, xmm2/m), with a memory operand of `BYTES`.
pub fn sized<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128) -> u128 + Copy,
{
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.source::<BYTES>(op)?;
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), b));
            Ok(())
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), cpu.xmm(op.b)));
            Ok(())
        })
    }
}

/// xmm1 = f(xmm1, xmm2/m128).
pub fn xmm<F: Fn(u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    sized::<16, F>(d, f)
}

/// xmm1 = f(xmm1, xmm2/m128, XMM0).
pub fn xmm0<F: Fn(u128, u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.load_aligned(op)?;
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), b, cpu.xmm(0)));
            Ok(())
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), cpu.xmm(op.b), cpu.xmm(0)));
            Ok(())
        })
    }
}

/// xmm1 = f(xmm1, xmm2/m128, imm8).
pub fn xmm_imm<F: Fn(u128, u128, u8) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.load_aligned(op)?;
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), b, op.imm as u8));
            Ok(())
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), cpu.xmm(op.b), op.imm as u8));
            Ok(())
        })
    }
}

// ---- MMX registers -------------------------------------------------------------------------------------------

/// mm1 = f(mm1, mm2/m), with a memory operand of `BYTES`; `imm` goes to `f` too.
pub fn mmx_imm<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u64, u64, u8) -> u64 + Copy,
{
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.mmx_guard()?;
            let b = cpu.source::<BYTES>(op)? as u64;
            cpu.enter_mmx();
            cpu.set_mm(op.a, f(cpu.mm(op.a), b, op.imm as u8));
            Ok(())
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.mmx_guard()?;
            cpu.enter_mmx();
            cpu.set_mm(op.a, f(cpu.mm(op.a), cpu.mm(op.b), op.imm as u8));
            Ok(())
        })
    }
}

/// mm1 = f(mm1, mm2/m64).
pub fn mmx<F: Fn(u64, u64) -> u64 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    mmx_imm::<8, _>(d, move |a, b, _| f(a, b))
}

/// Whether the instruction is the MMX form.
fn is_mmx(d: &Decoded<'_>) -> bool {
    d.instruction.op0_register().is_mm()
}

/// Both forms of a function that works lane by lane.
pub fn lanewise<F: Fn(u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    if is_mmx(d) { mmx(d, move |a, b| f(a.into(), b.into()) as u64) } else { xmm(d, f) }
}

/// Both forms of a function whose low half is made from its first operand and its high half from the second.
pub fn pairwise<F: Fn(u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    if is_mmx(d) { mmx(d, move |a, b| f(u128::from(b) << 64 | u128::from(a), 0) as u64) } else { xmm(d, f) }
}

/// Both forms of an unpack of low halves: the MMX form reads 32 bits.
pub fn unpack_low<F: Fn(u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    if is_mmx(d) { mmx_imm::<4, _>(d, move |a, b, _| f(a.into(), b.into()) as u64) } else { xmm(d, f) }
}

/// Both forms of an unpack of high halves; `low` is the unpack of low halves, whose upper half is the MMX result.
pub fn unpack_high<F, L>(d: &Decoded<'_>, f: F, low: L) -> Handler
where
    F: Fn(u128, u128) -> u128 + Copy,
    L: Fn(u128, u128) -> u128 + Copy,
{
    if is_mmx(d) { mmx(d, move |a, b| (low(a.into(), b.into()) >> 64) as u64) } else { xmm(d, f) }
}

/// All forms of a packed shift: the count in a register, in memory, or immediate.
pub fn shift<F: Fn(u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    match (d.immediate(1), is_mmx(d)) {
        (false, _) => lanewise(d, f),
        (true, false) => faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), op.imm.into()));
            Ok(())
        }),
        (true, true) => faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.mmx_guard()?;
            cpu.enter_mmx();
            cpu.set_mm(op.a, f(cpu.mm(op.a).into(), op.imm.into()) as u64);
            Ok(())
        }),
    }
}

// ---- floating point ------------------------------------------------------------------------------------------

/// xmm1 = f(xmm1, b, MXCSR), out of line: `f` may use the stack.
#[inline(never)]
fn compute<F>(cpu: &mut Cpu, register: u8, b: u128, f: F) -> Result<(), Faulted>
where
    F: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    let (value, raised) = f(cpu.xmm(register), b, cpu.s.mxcsr);
    cpu.settle_simd(raised)?;
    cpu.set_xmm(register, value);
    Ok(())
}

/// xmm1 = f(xmm1, xmm2/m, MXCSR), with a memory operand of `BYTES`.
pub fn float<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.source::<BYTES>(op)?;
            compute(cpu, op.a, b, f)
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            compute(cpu, op.a, cpu.xmm(op.b), f)
        })
    }
}

/// xmm1 = f(xmm1, xmm2/m, imm8, MXCSR), with a memory operand of `BYTES`.
pub fn float_imm<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u8, u32) -> (u128, u32) + Copy,
{
    let compute = move |cpu: &mut Cpu, op: &Op, b: u128| {
        let (value, raised) = f(cpu.xmm(op.a), b, op.imm as u8, cpu.s.mxcsr);
        cpu.settle_simd(raised)?;
        cpu.set_xmm(op.a, value);
        Ok(())
    };
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = cpu.source::<BYTES>(op)?;
            compute(cpu, op, b)
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            compute(cpu, op, cpu.xmm(op.b))
        })
    }
}

/// The native path where it applies (see [`mxcsr::ordinary`]), else the exact one.
#[inline(always)]
fn either<T: Format, const LANES: u32, const UNARY: bool, N, E>(
    cpu: &mut Cpu,
    register: u8,
    b: u128,
    native: N,
    exact: E,
) -> Result<(), Faulted>
where
    N: Fn(T::Native, T::Native) -> T::Native,
    E: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    if mxcsr::ordinary(cpu.s.mxcsr)
        && let Some(value) = natively::<T, LANES, UNARY>(cpu.xmm(register), b, native)
    {
        cpu.set_xmm(register, value);
        return Ok(());
    }
    compute(cpu, register, b, exact)
}

/// Arithmetic on `LANES` lanes of `T`: `native` is the operation on ordinary numbers, `exact` on all.
pub fn arithmetic<T: Format, const LANES: u32, const UNARY: bool, N, E>(
    d: &Decoded<'_>,
    native: N,
    exact: E,
) -> Handler
where
    N: Fn(T::Native, T::Native) -> T::Native + Copy,
    E: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    if d.memory(1) {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            let b = match LANES * T::BITS {
                32 => cpu.source::<4>(op)?,
                64 => cpu.source::<8>(op)?,
                _ => cpu.source::<16>(op)?,
            };
            either::<T, LANES, UNARY, N, E>(cpu, op.a, b, native, exact)
        })
    } else {
        faulting(move |cpu: &mut Cpu, op: &Op| {
            cpu.sse_guard()?;
            either::<T, LANES, UNARY, N, E>(cpu, op.a, cpu.xmm(op.b), native, exact)
        })
    }
}
