//! FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XSAVEC, XRSTOR (Intel SDM Vol. 1 10.5 and chapter 13).
//!
//! Components are x87 (bit 0), SSE (bit 1) and AVX (bit 2, the upper halves of the YMM registers). x87 and SSE count
//! as always in use, AVX as long as a bit of it is set: what a guest sees of the init optimisation follows from the
//! state alone. The modified optimisation is a permission that is not used. XSAVES and XRSTORS are not offered.

use crate::interpreter::Cpu;
use crate::interpreter::lower::Decoded;
use crate::interpreter::op::{Faulted, Handler, Op, complex};
use crate::isa::cpuid::{AVX_BYTES, XSAVE_BYTES, component};
use crate::isa::simd::mxcsr;
use crate::vcpu::{F80, X87, cr0, cr4};
use iced_x86::Mnemonic as M;

const KNOWN: u64 = component::X87 | component::SSE | component::AVX;
/// XCOMP_BV bit 63: the area is in compacted form.
const COMPACTED: u64 = 1 << 63;

// Offsets in the area; all are multiples of eight.
const MXCSR: usize = 24;
const REGISTERS: usize = 32;
const XMM: usize = 160;
const LEGACY: usize = 416;
const XSTATE_BV: u64 = 512;
const XCOMP_BV: u64 = 520;
/// The same in the standard and the compacted form: no other component comes before it.
const YMM_HIGH: u64 = XSAVE_BYTES as u64;
/// The legacy region and the XSAVE header, as far as they are accessed or probed.
const FXSAVE_SIZE: u64 = 512;
const HEADER_SIZE: u64 = 64;

const ES_AND_BUSY: u16 = 0x8080;

type Legacy = [u8; LEGACY];

pub fn pick(d: &Decoded<'_>, op: &mut Op) -> Option<Handler> {
    let mnemonic = d.instruction.mnemonic();
    let handler = match mnemonic {
        M::Fxsave | M::Fxsave64 => complex(fxsave),
        M::Fxrstor | M::Fxrstor64 => complex(fxrstor),
        M::Xsave | M::Xsave64 => complex(xsave),
        M::Xsaveopt | M::Xsaveopt64 => complex(xsaveopt),
        M::Xsavec | M::Xsavec64 => complex(xsavec),
        M::Xrstor | M::Xrstor64 => complex(xrstor),
        _ => return None,
    };
    // REX.W: 64-bit instruction and data pointers.
    op.sub = matches!(
        mnemonic,
        M::Fxsave64 | M::Fxrstor64 | M::Xsave64 | M::Xsaveopt64 | M::Xsavec64 | M::Xrstor64
    )
    .into();
    Some(handler)
}

// ---- the image of the legacy region --------------------------------------------------------------------------

fn get<const N: usize>(image: &Legacy, at: usize) -> [u8; N] {
    std::array::from_fn(|i| image[at + i])
}

fn put(image: &mut Legacy, at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Fills in the x87 part (Intel SDM Vol. 1 table 10-2): ST0 first, tags abridged to "not empty" in physical order.
fn put_x87(image: &mut Legacy, x87: &X87, wide: bool) {
    put(image, 0, &x87.control.to_le_bytes());
    put(image, 2, &x87.status.to_le_bytes());
    put(image, 4, &[!x87.empty, 0]);
    put(image, 6, &(x87.opcode & 0x7FF).to_le_bytes());
    put(image, 8, &pointer(x87.ip, x87.cs, wide));
    put(image, 16, &pointer(x87.dp, x87.ds, wide));
    for i in 0..8 {
        let register = x87.r[(usize::from(x87.top()) + i) & 7];
        put(image, REGISTERS + 16 * i, &register.significand.to_le_bytes());
        put(image, REGISTERS + 16 * i + 8, &register.exponent.to_le_bytes());
    }
}

fn pointer(offset: u64, selector: u16, wide: bool) -> [u8; 8] {
    let narrow = u64::from(offset as u32) | u64::from(selector) << 32;
    if wide { offset } else { narrow }.to_le_bytes()
}

fn get_pointer(image: &Legacy, at: usize, wide: bool) -> (u64, u16) {
    let raw = u64::from_le_bytes(get(image, at));
    if wide { (raw, 0) } else { (raw & 0xFFFF_FFFF, (raw >> 32) as u16) }
}

/// The error summary follows from flags and masks, whatever the image says.
fn get_x87(image: &Legacy, wide: bool) -> X87 {
    let control = u16::from_le_bytes(get(image, 0)) & 0x1F3F | 0x0040;
    let mut status = u16::from_le_bytes(get(image, 2)) & !ES_AND_BUSY;
    if status & !control & 0x3F != 0 {
        status |= ES_AND_BUSY;
    }
    let (ip, cs) = get_pointer(image, 8, wide);
    let (dp, ds) = get_pointer(image, 16, wide);
    let opcode = u16::from_le_bytes(get(image, 6)) & 0x7FF;
    let mut x87 = X87 { r: [F80::default(); 8], control, status, empty: !image[4], opcode, ip, cs, dp, ds };
    for i in 0..8 {
        let at = REGISTERS + 16 * i;
        x87.r[(usize::from(x87.top()) + i) & 7] = F80 {
            significand: u64::from_le_bytes(get(image, at)),
            exponent: u16::from_le_bytes(get(image, at + 8)),
        };
    }
    x87
}

fn put_mxcsr(image: &mut Legacy, value: u32) {
    put(image, MXCSR, &value.to_le_bytes());
    put(image, MXCSR + 4, &mxcsr::WRITABLE.to_le_bytes());
}

fn put_xmm(image: &mut Legacy, xmm: &[u128]) {
    for (i, register) in xmm.iter().enumerate() {
        put(image, XMM + 16 * i, &register.to_le_bytes());
    }
}

// ---- memory --------------------------------------------------------------------------------------------------

/// Registers that the current mode can name.
fn xmm_count(cpu: &Cpu) -> usize {
    if cpu.mode.long { 16 } else { 8 }
}

/// The area's linear address; `align` is a power of two.
fn locate<const WRITE: bool>(cpu: &mut Cpu, op: &Op, size: u64, align: u64) -> Result<u64, Faulted> {
    let linear = cpu.linear::<WRITE>(op, size)?;
    if linear & (align - 1) != 0 {
        return Err(cpu.gp(0));
    }
    Ok(linear)
}

/// Writes `image[from..to]`. The caller has probed the area.
fn write(cpu: &mut Cpu, op: &Op, area: u64, image: &Legacy, from: usize, to: usize) -> Result<(), Faulted> {
    for at in (from..to).step_by(8) {
        let value = u64::from_le_bytes(get(image, at));
        cpu.write(area.wrapping_add(at as u64) & cpu.addr_mask, value, op.seg)?;
    }
    Ok(())
}

fn read(cpu: &mut Cpu, op: &Op, area: u64) -> Result<Legacy, Faulted> {
    let mut image = [0; LEGACY];
    for at in (0..LEGACY).step_by(8) {
        let value = read_u64(cpu, op, area, at as u64)?;
        put(&mut image, at, &value.to_le_bytes());
    }
    Ok(image)
}

fn read_u64(cpu: &mut Cpu, op: &Op, area: u64, at: u64) -> Result<u64, Faulted> {
    cpu.read(area.wrapping_add(at) & cpu.addr_mask, op.seg)
}

fn write_u64(cpu: &mut Cpu, op: &Op, area: u64, at: u64, value: u64) -> Result<(), Faulted> {
    cpu.write(area.wrapping_add(at) & cpu.addr_mask, value, op.seg)
}

// ---- FXSAVE --------------------------------------------------------------------------------------------------

fn fx_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.s.cr0 & (cr0::EM | cr0::TS) != 0 { Err(cpu.nm()) } else { Ok(()) }
}

fn fxsave(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    fx_guard(cpu)?;
    let area = locate::<true>(cpu, op, FXSAVE_SIZE, 16)?;
    cpu.probe_write(area, FXSAVE_SIZE, op.seg)?;
    store_legacy(cpu, op, area, component::X87 | component::SSE)
}

/// The parts of the legacy region that belong to `components`.
fn store_legacy(cpu: &mut Cpu, op: &Op, area: u64, components: u64) -> Result<(), Faulted> {
    let mut image = [0; LEGACY];
    let count = xmm_count(cpu);
    put_x87(&mut image, &cpu.s.x87, op.sub != 0);
    put_mxcsr(&mut image, cpu.s.mxcsr);
    put_xmm(&mut image, &cpu.s.xmm[..count]);
    if components & component::X87 != 0 {
        write(cpu, op, area, &image, 0, MXCSR)?;
        write(cpu, op, area, &image, REGISTERS, XMM)?;
    }
    if components & component::SSE != 0 {
        write(cpu, op, area, &image, MXCSR, REGISTERS)?;
        write(cpu, op, area, &image, XMM, XMM + 16 * count)?;
    }
    Ok(())
}

fn fxrstor(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    fx_guard(cpu)?;
    let area = locate::<false>(cpu, op, FXSAVE_SIZE, 16)?;
    cpu.probe_read(area, FXSAVE_SIZE, op.seg)?; // with the part that software may use
    let image = read(cpu, op, area)?;
    let mxcsr = checked_mxcsr(cpu, &image)?;
    cpu.s.mxcsr = mxcsr;
    load_xmm(cpu, &image);
    cpu.s.x87 = get_x87(&image, op.sub != 0);
    cpu.update_fpu();
    Ok(())
}

fn checked_mxcsr(cpu: &mut Cpu, image: &Legacy) -> Result<u32, Faulted> {
    let value = u32::from_le_bytes(get(image, MXCSR));
    if value & !mxcsr::WRITABLE != 0 { Err(cpu.gp(0)) } else { Ok(value) }
}

fn load_xmm(cpu: &mut Cpu, image: &Legacy) {
    for i in 0..xmm_count(cpu) {
        cpu.s.xmm[i] = u128::from_le_bytes(get(image, XMM + 16 * i));
    }
}

// ---- XSAVE ---------------------------------------------------------------------------------------------------

fn xsave_guard(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.s.cr4 & cr4::OSXSAVE == 0 {
        return Err(cpu.ud());
    }
    if cpu.s.cr0 & cr0::TS != 0 { Err(cpu.nm()) } else { Ok(()) }
}

/// The requested-feature bitmap: EDX:EAX as far as XCR0 enables it.
fn requested(cpu: &Cpu) -> u64 {
    let (low, high) = (cpu.reg::<u32>(0), cpu.reg::<u32>(2));
    (u64::from(high) << 32 | u64::from(low)) & cpu.s.xcr0 & KNOWN
}

impl Cpu {
    /// XINUSE (Intel SDM Vol. 1 13.6): what is not in its initial configuration, by its value alone, so that engines
    /// agree. As on AMD's parts, pointers do not count, nor does MXCSR.
    pub fn components_in_use(&self) -> u64 {
        let x87 = &self.s.x87;
        let pointers =
            X87 { opcode: x87.opcode, ip: x87.ip, cs: x87.cs, dp: x87.dp, ds: x87.ds, ..X87::default() };
        [
            (component::X87, *x87 != pointers),
            (component::SSE, self.s.xmm.iter().any(|register| *register != 0)),
            (component::AVX, self.s.ymm_high.iter().any(|half| *half != 0)),
        ]
        .into_iter()
        .fold(0, |all, (component, used)| if used { all | component } else { all })
    }
}

fn bytes(components: u64) -> u64 {
    FXSAVE_SIZE + HEADER_SIZE + if components & component::AVX != 0 { u64::from(AVX_BYTES) } else { 0 }
}

/// The area, in which everything that belongs to `components` can be written.
fn locate_probed(cpu: &mut Cpu, op: &Op, components: u64) -> Result<u64, Faulted> {
    let area = locate::<true>(cpu, op, bytes(components), 64)?;
    cpu.probe_write(area, FXSAVE_SIZE, op.seg)?;
    let rest = bytes(components) - FXSAVE_SIZE;
    cpu.probe_write(area.wrapping_add(XSTATE_BV) & cpu.addr_mask, rest, op.seg)?;
    Ok(area)
}

/// Where half of an upper half lies.
fn ymm_offset(register: usize, half: u64) -> u64 {
    YMM_HIGH + 16 * register as u64 + 8 * half
}

fn store_avx(cpu: &mut Cpu, op: &Op, area: u64, components: u64) -> Result<(), Faulted> {
    if components & component::AVX == 0 {
        return Ok(());
    }
    for n in 0..xmm_count(cpu) {
        let value = cpu.s.ymm_high[n];
        write_u64(cpu, op, area, ymm_offset(n, 0), value as u64)?;
        write_u64(cpu, op, area, ymm_offset(n, 1), (value >> 64) as u64)?;
    }
    Ok(())
}

/// MXCSR belongs to AVX as well in the standard form (Intel SDM Vol. 1 13.7).
fn store_mxcsr(cpu: &mut Cpu, op: &Op, area: u64, components: u64) -> Result<(), Faulted> {
    if components & component::AVX == 0 {
        return Ok(());
    }
    let value = u64::from(cpu.s.mxcsr) | u64::from(mxcsr::WRITABLE) << 32;
    write_u64(cpu, op, area, MXCSR as u64, value)
}

/// XSAVE writes all that is asked for, in use or not.
fn xsave(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    standard(cpu, op, |_, requested| requested)
}

/// XSAVEOPT leaves out what is not in use.
fn xsaveopt(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    standard(cpu, op, |cpu, requested| requested & cpu.components_in_use())
}

fn standard(cpu: &mut Cpu, op: &Op, chosen: impl Fn(&Cpu, u64) -> u64) -> Result<(), Faulted> {
    xsave_guard(cpu)?;
    let requested = requested(cpu);
    let area = locate_probed(cpu, op, requested)?;
    let components = chosen(cpu, requested);
    let before = read_u64(cpu, op, area, XSTATE_BV)?;
    store_legacy(cpu, op, area, components)?;
    store_mxcsr(cpu, op, area, requested)?;
    store_avx(cpu, op, area, components)?;
    write_u64(cpu, op, area, XSTATE_BV, before & !requested | requested & cpu.components_in_use())
}

fn xsavec(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    xsave_guard(cpu)?;
    let requested = requested(cpu);
    let area = locate_probed(cpu, op, requested)?;
    let components = requested & cpu.components_in_use();
    store_legacy(cpu, op, area, components)?;
    store_avx(cpu, op, area, components)?;
    write_u64(cpu, op, area, XSTATE_BV, components)?;
    write_u64(cpu, op, area, XCOMP_BV, requested | COMPACTED)
}

/// What XRSTOR's header asks for: XSTATE_BV, and whether the form is compacted.
fn read_header(cpu: &mut Cpu, op: &Op, area: u64) -> Result<(u64, bool), Faulted> {
    let mut header = [0; 8];
    for (i, word) in header.iter_mut().enumerate() {
        *word = read_u64(cpu, op, area, XSTATE_BV + 8 * i as u64)?;
    }
    let [state, compaction, reserved @ ..] = header;
    let compacted = compaction & COMPACTED != 0;
    // Intel SDM Vol. 1 13.8.1 and 13.8.2.
    let valid = if compacted {
        let present = compaction & !COMPACTED;
        present & !cpu.s.xcr0 == 0 && state & !present == 0 && reserved == [0; 6]
    } else {
        state & !cpu.s.xcr0 == 0 && compaction == 0 && reserved[0] == 0
    };
    if valid { Ok((state, compacted)) } else { Err(cpu.gp(0)) }
}

/// The upper halves in the area; zeros where the component is absent.
fn read_avx(cpu: &mut Cpu, op: &Op, area: u64, present: u64) -> Result<[u128; 16], Faulted> {
    let mut image = [0; 16];
    if present & component::AVX == 0 {
        return Ok(image);
    }
    for (n, value) in image.iter_mut().enumerate().take(xmm_count(cpu)) {
        let low = read_u64(cpu, op, area, ymm_offset(n, 0))?;
        let high = read_u64(cpu, op, area, ymm_offset(n, 1))?;
        *value = u128::from(high) << 64 | u128::from(low);
    }
    Ok(image)
}

/// MXCSR as XRSTOR leaves it. In the standard form it is always loaded, with SSE and with AVX; in the compacted form
/// it is part of SSE.
fn restored_mxcsr(cpu: &mut Cpu, image: &Legacy, form: Form) -> Result<u32, Faulted> {
    let Form { requested, present, compacted } = form;
    let owners = if compacted { component::SSE } else { component::SSE | component::AVX };
    if requested & owners == 0 {
        Ok(cpu.s.mxcsr)
    } else if compacted && present & component::SSE == 0 {
        Ok(mxcsr::INITIAL)
    } else {
        checked_mxcsr(cpu, image)
    }
}

/// What XRSTOR is to do.
#[derive(Clone, Copy)]
struct Form {
    requested: u64,
    /// Of these, what the area holds.
    present: u64,
    compacted: bool,
}

/// Components that are requested but not in XSTATE_BV take their initial state.
fn xrstor(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    xsave_guard(cpu)?;
    let components = requested(cpu);
    let area = locate::<false>(cpu, op, bytes(0), 64)?;
    let (state, compacted) = read_header(cpu, op, area)?;
    let present = components & state;
    locate::<false>(cpu, op, bytes(present), 64)?; // what is absent need not be inside the segment
    let image = read(cpu, op, area)?;
    let avx = read_avx(cpu, op, area, present)?;
    cpu.s.mxcsr = restored_mxcsr(cpu, &image, Form { requested: components, present, compacted })?;
    if components & component::AVX != 0 {
        let count = xmm_count(cpu);
        cpu.s.ymm_high[..count].copy_from_slice(&avx[..count]);
    }
    if components & component::SSE != 0 {
        let absent = present & component::SSE == 0;
        load_xmm(cpu, if absent { &[0; LEGACY] } else { &image });
    }
    if components & component::X87 != 0 {
        let absent = present & component::X87 == 0;
        cpu.s.x87 = if absent { X87::default() } else { get_x87(&image, op.sub != 0) };
        cpu.update_fpu();
    }
    Ok(())
}
