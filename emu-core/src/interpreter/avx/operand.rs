//! Operands of VEX-encoded instructions, and handlers made of a function and where its operands are.
//!
//! [`arrange`] gives every instruction the same shape: destination in `a`, first source in `b`, last source in `c` or
//! in memory, the register of an immediate byte (is4) in `sub`. The functions are passed as items or captureless
//! closures; each handler is compiled with its own inside, once for the fast path and every place of the last source,
//! and once for the complete one. Memory operands need no alignment (Intel SDM Vol. 2 2.4, VEX-encoded).

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, two_paths};
use crate::interpreter::path::{Fast, Path, Slow};
use crate::interpreter::sse::operand::{SimdPath, Unmasked};
use crate::interpreter::word::Scalar;
use iced_x86::OpKind;
use std::marker::PhantomData;

/// A YMM register: its low half, its high half.
pub type Ymm = [u128; 2];

/// [`Op::c`] where the last source is in memory.
const IN_MEMORY: u8 = u8::MAX;

/// Whether an operand is in memory.
pub fn in_memory(d: &Decoded<'_>) -> bool {
    (0..d.instruction.op_count()).any(|n| d.memory(n))
}

/// VEX.L: whether an operand has 256 bits.
pub fn is_wide(d: &Decoded<'_>) -> bool {
    (0..d.instruction.op_count()).any(|n| match d.instruction.op_kind(n) {
        OpKind::Register => d.instruction.op_register(n).is_ymm(),
        OpKind::Memory => d.instruction.memory_size().size() == 32,
        _ => false,
    })
}

/// See the module.
pub fn arrange(d: &Decoded<'_>, op: &mut Op) {
    if in_memory(d) && !d.register(2) {
        op.c = IN_MEMORY;
    } else if !d.register(2) {
        op.c = op.b;
    }
}

/// What AVX adds to a path: on an error of the fast one nothing has happened, the slow one has raised it.
pub trait AvxPath: SimdPath {
    fn avx_guard(cpu: &mut Cpu) -> Result<(), Faulted>;
    fn read_ymm(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<Ymm, Faulted>;
    fn write_ymm(cpu: &mut Cpu, linear: u64, value: Ymm, seg: u8) -> Result<(), Faulted>;

    /// A memory source of `BYTES` (16 at most), zero-extended.
    #[inline(always)]
    fn part<const BYTES: u32>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted> {
        match BYTES {
            1 => Self::load::<u8>(cpu, op).map(Scalar::to_wide),
            2 => Self::load::<u16>(cpu, op).map(Scalar::to_wide),
            4 => Self::load::<u32>(cpu, op).map(Scalar::to_wide),
            8 => Self::load::<u64>(cpu, op).map(Scalar::to_wide),
            _ => Self::load::<u128>(cpu, op),
        }
    }

    /// The linear address of a vector that must be aligned: else #GP(0) (Intel SDM Vol. 2, "Type 1 Class Exception
    /// Conditions").
    #[inline(always)]
    fn aligned_vector<V: Vector, const WRITE: bool>(cpu: &mut Cpu, op: &Op) -> Result<u64, Faulted> {
        if cpu.misaligned_in_segment(op, V::BYTES) {
            return Err(Self::misaligned(cpu));
        }
        let linear = Self::linear::<WRITE>(cpu, op, V::BYTES)?;
        if linear & (V::BYTES - 1) == 0 { Ok(linear) } else { Err(Self::misaligned(cpu)) }
    }
}

impl AvxPath for Fast {
    #[inline(always)]
    fn avx_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
        if cpu.avx_trap { Err(Faulted) } else { Ok(()) }
    }

    #[inline(always)]
    fn read_ymm(cpu: &mut Cpu, linear: u64, _: u8) -> Result<Ymm, Faulted> {
        cpu.probe_and_read_ymm(linear).ok_or(Faulted)
    }

    #[inline(always)]
    fn write_ymm(cpu: &mut Cpu, linear: u64, value: Ymm, _: u8) -> Result<(), Faulted> {
        cpu.probe_and_write_ymm(linear, value).ok_or(Faulted)
    }
}

impl AvxPath for Slow {
    fn avx_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
        cpu.avx_guard()
    }

    fn read_ymm(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<Ymm, Faulted> {
        cpu.read_ymm(linear, seg)
    }

    fn write_ymm(cpu: &mut Cpu, linear: u64, value: Ymm, seg: u8) -> Result<(), Faulted> {
        cpu.write_ymm(linear, value, seg)
    }
}

impl Cpu {
    #[inline(always)]
    pub fn ymm(&self, n: u8) -> Ymm {
        let n = (n & 15) as usize;
        [self.s.xmm[n], self.s.ymm_high[n]]
    }

    #[inline(always)]
    pub fn set_ymm(&mut self, n: u8, [low, high]: Ymm) {
        let n = (n & 15) as usize;
        (self.s.xmm[n], self.s.ymm_high[n]) = (low, high);
    }

    /// What VEX.128 does to its destination: the upper half is cleared.
    #[inline(always)]
    pub fn set_vex(&mut self, n: u8, value: u128) {
        self.set_ymm(n, [value, 0]);
    }
}

// ---- vectors of both widths ----------------------------------------------------------------------------------

/// An XMM or YMM register's worth.
pub trait Vector: Copy + 'static {
    const BYTES: u64;
    fn get(cpu: &Cpu, n: u8) -> Self;
    /// Also clears what lies beyond.
    fn set(self, cpu: &mut Cpu, n: u8);
    fn read<P: AvxPath>(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<Self, Faulted>;
    fn write<P: AvxPath>(self, cpu: &mut Cpu, linear: u64, seg: u8) -> Result<(), Faulted>;
    /// A 128-bit lane by its number.
    fn lane(self, n: u32) -> u128;
    /// `f` of each 128-bit lane's number and the lanes of both.
    fn zip(self, other: Self, f: impl FnMut(u32, u128, u128) -> u128) -> Self;

    #[inline(always)]
    fn load<P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<Self, Faulted> {
        let linear = P::linear::<false>(cpu, op, Self::BYTES)?;
        Self::read::<P>(cpu, linear, op.seg)
    }
}

impl Vector for u128 {
    const BYTES: u64 = 16;

    #[inline(always)]
    fn get(cpu: &Cpu, n: u8) -> Self {
        cpu.xmm(n)
    }

    #[inline(always)]
    fn set(self, cpu: &mut Cpu, n: u8) {
        cpu.set_vex(n, self);
    }

    #[inline(always)]
    fn read<P: AvxPath>(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<Self, Faulted> {
        <P as Path>::read(cpu, linear, seg)
    }

    #[inline(always)]
    fn write<P: AvxPath>(self, cpu: &mut Cpu, linear: u64, seg: u8) -> Result<(), Faulted> {
        <P as Path>::write(cpu, linear, self, seg)
    }

    #[inline(always)]
    fn lane(self, _: u32) -> u128 {
        self
    }

    #[inline(always)]
    fn zip(self, other: Self, mut f: impl FnMut(u32, u128, u128) -> u128) -> Self {
        f(0, self, other)
    }
}

impl Vector for Ymm {
    const BYTES: u64 = super::wide::BYTES;

    #[inline(always)]
    fn get(cpu: &Cpu, n: u8) -> Self {
        cpu.ymm(n)
    }

    #[inline(always)]
    fn set(self, cpu: &mut Cpu, n: u8) {
        cpu.set_ymm(n, self);
    }

    #[inline(always)]
    fn read<P: AvxPath>(cpu: &mut Cpu, linear: u64, seg: u8) -> Result<Self, Faulted> {
        P::read_ymm(cpu, linear, seg)
    }

    #[inline(always)]
    fn write<P: AvxPath>(self, cpu: &mut Cpu, linear: u64, seg: u8) -> Result<(), Faulted> {
        P::write_ymm(cpu, linear, self, seg)
    }

    #[inline(always)]
    fn lane(self, n: u32) -> u128 {
        self[(n & 1) as usize]
    }

    #[inline(always)]
    fn zip(self, other: Self, mut f: impl FnMut(u32, u128, u128) -> u128) -> Self {
        [f(0, self[0], other[0]), f(1, self[1], other[1])]
    }
}

// ---- the last source -----------------------------------------------------------------------------------------

/// What the last source is, wherever it is.
pub trait Source: Copy + 'static {
    type Value;
    fn register(cpu: &Cpu, n: u8) -> Self::Value;
    fn memory<P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<Self::Value, Faulted>;
}

/// An XMM register, of which the low part counts, or `BYTES` in memory (1, 2, 4, 8 or 16), zero-extended.
#[derive(Clone, Copy)]
pub struct Part<const BYTES: u32>;

/// A whole register or as much memory.
#[derive(Clone, Copy)]
pub struct Whole<V>(PhantomData<V>);

impl<const BYTES: u32> Source for Part<BYTES> {
    type Value = u128;

    #[inline(always)]
    fn register(cpu: &Cpu, n: u8) -> u128 {
        cpu.xmm(n)
    }

    #[inline(always)]
    fn memory<P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<u128, Faulted> {
        P::part::<BYTES>(cpu, op)
    }
}

impl<V: Vector> Source for Whole<V> {
    type Value = V;

    #[inline(always)]
    fn register(cpu: &Cpu, n: u8) -> V {
        V::get(cpu, n)
    }

    #[inline(always)]
    fn memory<P: AvxPath>(cpu: &mut Cpu, op: &Op) -> Result<V, Faulted> {
        V::load::<P>(cpu, op)
    }
}

/// The last source, by the complete path.
pub fn source<S: Source>(cpu: &mut Cpu, op: &Op) -> Result<S::Value, Faulted> {
    if op.c == IN_MEMORY { S::memory::<Slow>(cpu, op) } else { Ok(S::register(cpu, op.c)) }
}

#[inline(always)]
fn quickly<S: Source, const MEMORY: bool, F>(cpu: &mut Cpu, op: &Op, f: F) -> Result<(), Faulted>
where
    F: Fn(&mut Cpu, &Op, S::Value) -> Result<(), Unmasked>,
{
    Fast::avx_guard(cpu)?;
    let last = if MEMORY { S::memory::<Fast>(cpu, op)? } else { S::register(cpu, op.c) };
    f(cpu, op, last).map_err(|raised| Fast::unmasked(cpu, raised))
}

#[inline(always)]
fn completely<S: Source, F>(cpu: &mut Cpu, op: &Op, f: F) -> Result<(), Faulted>
where
    F: Fn(&mut Cpu, &Op, S::Value) -> Result<(), Unmasked>,
{
    cpu.avx_guard()?;
    let last = source::<S>(cpu, op)?;
    f(cpu, op, last).map_err(|raised| Slow::unmasked(cpu, raised))
}

/// What `fast` makes of the last source, or `slow` wherever `fast` gives up without a trace. Neither changes anything
/// before its last possible exception.
pub fn either<S, F, G>(d: &Decoded<'_>, fast: F, slow: G) -> Handler
where
    S: Source,
    F: Fn(&mut Cpu, &Op, S::Value) -> Result<(), Unmasked> + Copy,
    G: Fn(&mut Cpu, &Op, S::Value) -> Result<(), Unmasked> + Copy,
{
    if in_memory(d) {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| quickly::<S, true, F>(cpu, op, fast),
            move |cpu: &mut Cpu, op: &Op| completely::<S, G>(cpu, op, slow),
        )
    } else {
        two_paths(
            move |cpu: &mut Cpu, op: &Op| quickly::<S, false, F>(cpu, op, fast),
            move |cpu: &mut Cpu, op: &Op| completely::<S, G>(cpu, op, slow),
        )
    }
}

/// What `f` makes of the last source.
pub fn consuming<S, F>(d: &Decoded<'_>, f: F) -> Handler
where
    S: Source,
    F: Fn(&mut Cpu, &Op, S::Value) -> Result<(), Unmasked> + Copy,
{
    either::<S, F, F>(d, f, f)
}

// ---- one vector out of others --------------------------------------------------------------------------------

/// xmm1 = f(xmm2, xmm3/m), with a memory operand of `BYTES`.
pub fn sized<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128) -> u128 + Copy,
{
    consuming::<Part<BYTES>, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        cpu.set_vex(op.a, f(cpu.xmm(op.b), b));
        Ok(())
    })
}

/// xmm1 = f(xmm2, xmm3/m, imm8), with a memory operand of `BYTES`.
pub fn sized_imm<const BYTES: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u8) -> u128 + Copy,
{
    consuming::<Part<BYTES>, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        cpu.set_vex(op.a, f(cpu.xmm(op.b), b, op.imm as u8));
        Ok(())
    })
}

/// What is done with the last source at both widths.
pub trait Consumer: Copy + 'static {
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked>;
}

/// What `fast` makes of the last source, or `slow` where `fast` gives up, at the width of the instruction.
pub fn either_width<C: Consumer, D: Consumer>(d: &Decoded<'_>, fast: C, slow: D) -> Handler {
    if is_wide(d) {
        either::<Whole<Ymm>, _, _>(
            d,
            move |cpu: &mut Cpu, op: &Op, last| fast.consume::<Ymm>(cpu, op, last),
            move |cpu: &mut Cpu, op: &Op, last| slow.consume::<Ymm>(cpu, op, last),
        )
    } else {
        either::<Whole<u128>, _, _>(
            d,
            move |cpu: &mut Cpu, op: &Op, last| fast.consume::<u128>(cpu, op, last),
            move |cpu: &mut Cpu, op: &Op, last| slow.consume::<u128>(cpu, op, last),
        )
    }
}

#[derive(Clone, Copy)]
struct Lanes<F>(F);

impl<F: Fn(u128, u128) -> u128 + Copy + 'static> Consumer for Lanes<F> {
    #[inline(always)]
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked> {
        V::get(cpu, op.b).zip(last, |_, a, b| (self.0)(a, b)).set(cpu, op.a);
        Ok(())
    }
}

/// v1 = f(v2, v3/m), on each 128-bit lane.
pub fn lanes<F: Fn(u128, u128) -> u128 + Copy + 'static>(d: &Decoded<'_>, f: F) -> Handler {
    either_width(d, Lanes(f), Lanes(f))
}

#[derive(Clone, Copy)]
struct Steered<const SHIFT: u32, F>(F);

impl<const SHIFT: u32, F: Fn(u128, u128, u8) -> u128 + Copy + 'static> Consumer for Steered<SHIFT, F> {
    #[inline(always)]
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked> {
        let imm = op.imm as u8;
        V::get(cpu, op.b).zip(last, |lane, a, b| (self.0)(a, b, imm >> (SHIFT * lane))).set(cpu, op.a);
        Ok(())
    }
}

/// v1 = f(v2, v3/m, imm8), on each 128-bit lane; for the high one imm8 is shifted right by `SHIFT`.
pub fn lanes_imm<const SHIFT: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128, u8) -> u128 + Copy + 'static,
{
    either_width(d, Steered::<SHIFT, F>(f), Steered::<SHIFT, F>(f))
}

#[derive(Clone, Copy)]
struct Chosen<F>(F);

impl<F: Fn(u128, u128, u128) -> u128 + Copy + 'static> Consumer for Chosen<F> {
    #[inline(always)]
    fn consume<V: Vector>(self, cpu: &mut Cpu, op: &Op, last: V) -> Result<(), Unmasked> {
        let mask = V::get(cpu, op.sub);
        V::get(cpu, op.b).zip(last, |lane, a, b| (self.0)(a, b, mask.lane(lane))).set(cpu, op.a);
        Ok(())
    }
}

/// v1 = f(v2, v3/m, v4), on each 128-bit lane.
pub fn lanes4<F: Fn(u128, u128, u128) -> u128 + Copy + 'static>(d: &Decoded<'_>, f: F) -> Handler {
    either_width(d, Chosen(f), Chosen(f))
}

/// v1 = f(v2, count), on each 128-bit lane; the count is in xmm3/m128 or imm8.
pub fn shift<F: Fn(u128, u128) -> u128 + Copy + 'static>(d: &Decoded<'_>, f: F) -> Handler {
    if d.immediate(2) {
        return lanes_imm::<0, _>(d, move |a, _, imm| f(a, imm.into()));
    }
    if is_wide(d) {
        consuming::<Part<16>, _>(d, move |cpu: &mut Cpu, op: &Op, count| {
            let [low, high] = cpu.ymm(op.b);
            cpu.set_ymm(op.a, [f(low, count), f(high, count)]);
            Ok(())
        })
    } else {
        sized::<16, F>(d, f)
    }
}

/// v1 = f(xmm2/m), with a memory operand of `HALF` bytes for 128 bits and `ALL` for 256; the high lane is made from
/// the upper half of those.
pub fn widen<const HALF: u32, const ALL: u32, F>(d: &Decoded<'_>, f: F) -> Handler
where
    F: Fn(u128, u128) -> u128 + Copy,
{
    if is_wide(d) {
        consuming::<Part<ALL>, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
            cpu.set_ymm(op.a, [f(0, b), f(0, b >> (8 * HALF))]);
            Ok(())
        })
    } else {
        sized::<HALF, F>(d, f)
    }
}

/// ymm1 = f(ymm2, ymm3/m256, imm8), where lanes meet.
pub fn across<F: Fn(Ymm, Ymm, u8) -> Ymm + Copy>(d: &Decoded<'_>, f: F) -> Handler {
    consuming::<Whole<Ymm>, _>(d, move |cpu: &mut Cpu, op: &Op, b| {
        cpu.set_ymm(op.a, f(cpu.ymm(op.b), b, op.imm as u8));
        Ok(())
    })
}
