//! Operands of MMX and SSE instructions, and handlers made of a pure function and where its operands are.
//!
//! The functions are passed as items or captureless closures, so that each handler is compiled with its own inside,
//! twice: see `path`.

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex, two_paths};
use crate::interpreter::path::{Fast, Path, Slow};
use crate::interpreter::word::Scalar;
use crate::isa::simd::mxcsr;
use crate::vcpu::{cr0, cr4};

/// SIMD exceptions of which at least one is unmasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmasked(u32);

impl Unmasked {
    /// Nothing is known yet: how a function says on the fast path that the slow one must run.
    pub const UNDECIDED: Self = Self(0);
}

/// What SSE and MMX add to a path: on an error of the fast one nothing has happened, the slow one has raised it.
pub trait SimdPath: Path {
    fn sse_guard(cpu: &mut Cpu) -> Result<(), Faulted>;
    fn mmx_guard(cpu: &mut Cpu) -> Result<(), Faulted>;
    fn misaligned(cpu: &mut Cpu) -> Faulted;
    fn unmasked(cpu: &mut Cpu, raised: Unmasked) -> Faulted;

    /// The linear address of the 128-bit memory operand, which must be aligned: else #GP(0) (Intel SDM Vol. 2,
    /// "Type 4 Class Exception Conditions", legacy SSE).
    #[inline(always)]
    fn aligned<const WRITE: bool>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
        if cpu.misaligned_in_segment(op, 16) {
            return Err(Self::misaligned(cpu));
        }
        let linear = Self::linear::<WRITE>(cpu, op, 16)?;
        if linear & 15 == 0 { Ok(linear) } else { Err(Self::misaligned(cpu)) }
    }

    /// A memory source of `BYTES`, zero-extended; 16 bytes must be aligned.
    #[inline(always)]
    fn source<const BYTES: u32>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted> {
        match BYTES {
            2 => Self::load::<u16>(cpu, op).map(Scalar::to_wide),
            4 => Self::load::<u32>(cpu, op).map(Scalar::to_wide),
            8 => Self::load::<u64>(cpu, op).map(Scalar::to_wide),
            _ => {
                let linear = Self::aligned::<false>(cpu, op)?;
                Self::read(cpu, linear, op.seg)
            }
        }
    }
}

impl SimdPath for Fast {
    #[inline(always)]
    fn sse_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
        if cpu.sse_trap { Err(Faulted) } else { Ok(()) }
    }

    #[inline(always)]
    fn mmx_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
        if cpu.fpu_trap { Err(Faulted) } else { Ok(()) }
    }

    #[inline(always)]
    fn misaligned(_: &mut Cpu) -> Faulted {
        Faulted
    }

    #[inline(always)]
    fn unmasked(_: &mut Cpu, _: Unmasked) -> Faulted {
        Faulted
    }
}

impl SimdPath for Slow {
    fn sse_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
        cpu.sse_guard()
    }

    fn mmx_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
        cpu.mmx_guard()
    }

    fn misaligned(cpu: &mut Cpu) -> Faulted {
        cpu.gp(0)
    }

    fn unmasked(cpu: &mut Cpu, raised: Unmasked) -> Faulted {
        cpu.simd_exception(raised)
    }
}

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

    /// Whether the memory operand is not aligned to `bytes`, where that counts before the segment's limit does: silicon
    /// looks at the address first.
    #[inline(always)]
    pub fn misaligned_in_segment(&self, op: &Op, bytes: u64) -> bool {
        let linear = || self.r.get(op.seg_slot).wrapping_add(self.effective(op));
        !op.flat && !self.mode.long && linear() & (bytes - 1) != 0
    }

    // ---- MMX -------------------------------------------------------------------------------------------------

    /// To be called first by every MMX instruction: #UD with CR0.EM, #NM with CR0.TS, #MF if an x87 exception is
    /// pending (Intel SDM Vol. 3A 12.1; CR0.NE: see `x87`).
    #[inline(always)]
    pub fn mmx_guard(&mut self) -> Result<(), Faulted> {
        if self.fpu_trap { Err(self.mmx_blocked()) } else { Ok(()) }
    }

    #[cold]
    fn mmx_blocked(&mut self) -> Faulted {
        if self.s.cr0 & cr0::EM != 0 {
            self.ud()
        } else if self.s.cr0 & cr0::TS != 0 {
            self.nm()
        } else {
            self.mf()
        }
    }

    /// For SSE instructions that use MMX registers: #MF if an x87 exception is pending.
    pub fn pending_guard(&mut self) -> Result<(), Faulted> {
        if self.s.x87.status & 0x80 != 0 { Err(self.mf()) } else { Ok(()) }
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

    /// Sets the sticky flags, unless one of the exceptions is unmasked.
    #[inline(always)]
    pub fn accept(&mut self, raised: u32) -> Result<(), Unmasked> {
        if mxcsr::unmasked(self.s.mxcsr, raised) != 0 {
            return Err(Unmasked(raised));
        }
        self.s.mxcsr |= mxcsr::sticky(raised);
        Ok(())
    }

    /// Sets the sticky flags and raises #XM, or #UD without CR4.OSXMMEXCPT.
    #[cold]
    fn simd_exception(&mut self, Unmasked(raised): Unmasked) -> Faulted {
        let (Ok(flags) | Err(flags)) = mxcsr::settle(self.s.mxcsr, raised);
        self.s.mxcsr = flags;
        if self.s.cr4 & cr4::OSXMMEXCPT != 0 { self.xm() } else { self.ud() }
    }
}

// ---- sources -------------------------------------------------------------------------------------------------

/// Where operand 1 is.
trait Source: Copy + 'static {
    fn get<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted>;
}

#[derive(Clone, Copy)]
struct Memory<const BYTES: u32>;

/// 16 bytes of memory, aligned or not.
#[derive(Clone, Copy)]
struct Anywhere;

#[derive(Clone, Copy)]
struct Xmm;

#[derive(Clone, Copy)]
struct Mm;

impl<const BYTES: u32> Source for Memory<BYTES> {
    #[inline(always)]
    fn get<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted> {
        P::source::<BYTES>(cpu, op)
    }
}

impl Source for Anywhere {
    #[inline(always)]
    fn get<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted> {
        P::load::<u128>(cpu, op)
    }
}

impl Source for Xmm {
    #[inline(always)]
    fn get<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted> {
        Ok(cpu.xmm(op.b))
    }
}

impl Source for Mm {
    #[inline(always)]
    fn get<P: SimdPath>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted> {
        Ok(cpu.mm(op.b).into())
    }
}

// ---- XMM registers -------------------------------------------------------------------------------------------

#[inline(always)]
fn consume<P: SimdPath, S: Source, F>(cpu: &mut Cpu, op: &Op, f: F) -> Result<(), Faulted>
where
    F: Fn(&mut Cpu, &Op, u128) -> Result<(), Unmasked>,
{
    P::sse_guard(cpu)?;
    let b = S::get::<P>(cpu, op)?;
    f(cpu, op, b).map_err(|raised| P::unmasked(cpu, raised))
}

/// What `f` makes of xmm2/m, with a memory operand of `BYTES`. It changes nothing before its last possible exception.
pub fn consuming<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(&mut Cpu, &Op, u128) -> Result<(), Unmasked> + Copy,
{
    consuming_from::<Memory<BYTES>, F>(d, f)
}

/// xmm1 = f(cpu, op, xmm2/m128), with a memory operand that need not be aligned.
pub fn unaligned<F: Fn(&Cpu, &Op, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    consuming_from::<Anywhere, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        cpu.set_xmm(op.a, f(cpu, op, b));
        Ok(())
    })
}

fn consuming_from<M: Source, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(&mut Cpu, &Op, u128) -> Result<(), Unmasked> + Copy,
{
    if d.memory(1) {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| consume::<Fast, M, F>(cpu, op, f),
            move |cpu: &mut Cpu, op: &Op| consume::<Slow, M, F>(cpu, op, f),
        )
    } else {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| consume::<Fast, Xmm, F>(cpu, op, f),
            move |cpu: &mut Cpu, op: &Op| consume::<Slow, Xmm, F>(cpu, op, f),
        )
    }
}

/// xmm1 = f(xmm1, xmm2/m), with a memory operand of `BYTES`.
pub fn sized<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128) -> u128 + Copy,
{
    consuming::<BYTES, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        cpu.set_xmm(op.a, f(cpu.xmm(op.a), b));
        Ok(())
    })
}

/// xmm1 = f(xmm1, xmm2/m128).
pub fn xmm<F: Fn(u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    sized::<16, F>(d, f)
}

/// xmm1 = f(xmm1, xmm2/m128, XMM0).
pub fn xmm0<F: Fn(u128, u128, u128) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    consuming::<16, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        cpu.set_xmm(op.a, f(cpu.xmm(op.a), b, cpu.xmm(0)));
        Ok(())
    })
}

/// xmm1 = f(xmm1, xmm2/m128, imm8).
pub fn xmm_imm<F: Fn(u128, u128, u8) -> u128 + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    consuming::<16, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        cpu.set_xmm(op.a, f(cpu.xmm(op.a), b, op.imm as u8));
        Ok(())
    })
}

// ---- MMX registers -------------------------------------------------------------------------------------------

#[inline(always)]
fn apply_mmx<P: SimdPath, S: Source, F>(cpu: &mut Cpu, op: &Op, f: F) -> Result<(), Faulted>
where
    F: Fn(u64, u64, u8) -> u64,
{
    P::mmx_guard(cpu)?;
    let b = S::get::<P>(cpu, op)? as u64;
    cpu.enter_mmx();
    cpu.set_mm(op.a, f(cpu.mm(op.a), b, op.imm as u8));
    Ok(())
}

/// mm1 = f(mm1, mm2/m, imm8), with a memory operand of `BYTES`.
pub fn mmx_imm<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u64, u64, u8) -> u64 + Copy,
{
    if d.memory(1) {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| apply_mmx::<Fast, Memory<BYTES>, F>(cpu, op, f),
            move |cpu: &mut Cpu, op: &Op| apply_mmx::<Slow, Memory<BYTES>, F>(cpu, op, f),
        )
    } else {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| apply_mmx::<Fast, Mm, F>(cpu, op, f),
            move |cpu: &mut Cpu, op: &Op| apply_mmx::<Slow, Mm, F>(cpu, op, f),
        )
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
        (true, false) => consuming::<16, _>(d, move |cpu: &mut Cpu, op: &Op, _| {
            cpu.set_xmm(op.a, f(cpu.xmm(op.a), op.imm.into()));
            Ok(())
        }),
        (true, true) => mmx_imm::<8, _>(d, move |a, _, imm| f(a.into(), imm.into()) as u64),
    }
}

// ---- floating point ------------------------------------------------------------------------------------------

/// xmm1 = f(xmm1, xmm2/m, imm8, MXCSR), with a memory operand of `BYTES`.
pub fn float_imm<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u8, u32) -> (u128, u32) + Copy,
{
    consuming::<BYTES, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        let (value, raised) = f(cpu.xmm(op.a), b, op.imm as u8, cpu.s.mxcsr);
        cpu.accept(raised)?;
        cpu.set_xmm(op.a, value);
        Ok(())
    })
}

/// xmm1 = f(xmm1, xmm2/m, MXCSR), with a memory operand of `BYTES`.
pub fn float<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    float_imm::<BYTES, _>(d, move |a, b, _, mxcsr| f(a, b, mxcsr))
}

/// The same for a function that runs on the host's SSE unit: not in tail position, because it uses the stack.
pub fn on_host<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    if d.memory(1) {
        complex(move |cpu: &mut Cpu, op: &Op| exactly::<Memory<BYTES>, F>(cpu, op, f))
    } else {
        complex(move |cpu: &mut Cpu, op: &Op| exactly::<Xmm, F>(cpu, op, f))
    }
}

#[inline(always)]
fn exactly<S: Source, F>(cpu: &mut Cpu, op: &Op, f: F) -> Result<(), Faulted>
where
    F: Fn(u128, u128, u32) -> (u128, u32),
{
    consume::<Slow, S, _>(cpu, op, |cpu: &mut Cpu, op: &Op, b| {
        let (value, raised) = f(cpu.xmm(op.a), b, cpu.s.mxcsr);
        cpu.accept(raised)?;
        cpu.set_xmm(op.a, value);
        Ok(())
    })
}

/// `native` gives the result where MXCSR is [`mxcsr::ordinary`] and the operation cannot change it.
#[inline(always)]
fn natively<S: Source, N>(cpu: &mut Cpu, op: &Op, native: N) -> Result<(), Faulted>
where
    N: Fn(u128, u128) -> Option<u128>,
{
    Fast::sse_guard(cpu)?;
    let b = S::get::<Fast>(cpu, op)?;
    if !mxcsr::ordinary(cpu.s.mxcsr) {
        return Err(Faulted);
    }
    let value = native(cpu.xmm(op.a), b).ok_or(Faulted)?;
    cpu.set_xmm(op.a, value);
    Ok(())
}

/// xmm1 = xmm1 op xmm2/m, with a memory operand of `BYTES`: `native` on ordinary numbers, `exact` on all.
pub fn arithmetic<const BYTES: u32, N, E>(d: &Decoded<'_>, native: N, exact: E) -> Handler
where
    N: Fn(u128, u128) -> Option<u128> + Copy,
    E: Fn(u128, u128, u32) -> (u128, u32) + Copy,
{
    if d.memory(1) {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| natively::<Memory<BYTES>, N>(cpu, op, native),
            move |cpu: &mut Cpu, op: &Op| exactly::<Memory<BYTES>, E>(cpu, op, exact),
        )
    } else {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| natively::<Xmm, N>(cpu, op, native),
            move |cpu: &mut Cpu, op: &Op| exactly::<Xmm, E>(cpu, op, exact),
        )
    }
}
