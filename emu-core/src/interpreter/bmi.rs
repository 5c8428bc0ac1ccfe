//! BMI1, BMI2 and ADX: ANDN, BEXTR, BLSI, BLSMSK, BLSR, BZHI, MULX, PDEP, PEXT, RORX, SARX, SHLX, SHRX, ADCX, ADOX.
//!
//! All but the last two are VEX-encoded (Intel SDM Vol. 2, "Type 13 Class Exception Conditions"): #UD in real and V86
//! mode, no need of CR4.OSXSAVE or XCR0. TZCNT and LZCNT are in `bits`.

use super::Cpu;
use super::lower::{Decoded, Lowered};
use super::op::{Faulted, Handler, Op, plain, two_paths};
use super::path::{Fast, Path, Slow};
use super::word::Word;
use crate::isa::bits::{self, Bits};
use crate::isa::flags::parity;
use crate::vcpu::rflags;
use iced_x86::{EncodingKind, Mnemonic as M};

/// RDX and EDX: the factor that MULX does not name.
const DX: u8 = 2;

/// What an instruction does, given its register-or-memory operand.
trait Manipulation {
    /// Which operand that is.
    const RM: u32;
    fn apply<T: Word>(cpu: &mut Cpu, op: &Op, rm: T);
}

macro_rules! manipulations {
    ($($name:ident $rm:literal |$cpu:ident, $op:ident, $t:ident, $source:ident| $body:expr;)*) => {$(
        struct $name;
        impl Manipulation for $name {
            const RM: u32 = $rm;
            #[inline(always)]
            fn apply<$t: Word>($cpu: &mut Cpu, $op: &Op, rm: $t) {
                let $source = rm.zext();
                $body
            }
        }
    )*};
}

manipulations! {
    Andn   2 |cpu, op, T, b| flagged::<T>(cpu, op, bits::andn(cpu.reg::<T>(op.b).zext(), b));
    Bextr  1 |cpu, op, T, a| bextr::<T>(cpu, op, a);
    Blsi   1 |cpu, op, T, a| flagged::<T>(cpu, op, bits::blsi(a, T::BITS));
    Blsmsk 1 |cpu, op, T, a| flagged::<T>(cpu, op, bits::blsmsk(a, T::BITS));
    Blsr   1 |cpu, op, T, a| flagged::<T>(cpu, op, bits::blsr(a));
    Bzhi   1 |cpu, op, T, a| flagged::<T>(cpu, op, bits::bzhi(a, cpu.reg::<T>(op.c).zext(), T::BITS));
    Mulx   2 |cpu, op, T, b| mulx::<T>(cpu, op, b);
    Pdep   2 |cpu, op, T, b| cpu.set_reg(op.a, T::low(bits::pdep(cpu.reg::<T>(op.b).zext(), b)));
    Pext   2 |cpu, op, T, b| cpu.set_reg(op.a, T::low(bits::pext(cpu.reg::<T>(op.b).zext(), b)));
    Rorx   1 |cpu, op, T, a| cpu.set_reg(op.a, T::low(bits::rorx(a, op.imm, T::BITS)));
    Sarx   1 |cpu, op, T, a| cpu.set_reg(op.a, T::low(bits::sarx(a, cpu.reg::<T>(op.c).zext(), T::BITS)));
    Shlx   1 |cpu, op, T, a| cpu.set_reg(op.a, T::low(bits::shlx(a, cpu.reg::<T>(op.c).zext(), T::BITS)));
    Shrx   1 |cpu, op, T, a| cpu.set_reg(op.a, T::low(bits::shrx(a, cpu.reg::<T>(op.c).zext(), T::BITS)));
    Adcx   1 |cpu, op, T, b| add::<T>(cpu, op, b, rflags::CF);
    Adox   1 |cpu, op, T, b| add::<T>(cpu, op, b, rflags::OF);
}

/// ZF, SF and PF from the result, CF as it says, OF and AF clear. (PF and AF are undefined; so does AMD's Zen.)
#[inline(always)]
fn flagged<T: Word>(cpu: &mut Cpu, op: &Op, bits: Bits) {
    let r = T::low(bits.value);
    cpu.flags.result(r.sext(), if bits.cf { rflags::CF } else { 0 });
    cpu.set_reg(op.a, r);
}

/// ZF from the result, CF and OF clear. The others are undefined: AMD's Zen sets AF, clears SF and gives PF.
#[inline(always)]
fn bextr<T: Word>(cpu: &mut Cpu, op: &Op, a: u64) {
    let value = bits::bextr(a, cpu.reg::<T>(op.c).zext());
    let zf = if value == 0 { rflags::ZF } else { 0 };
    let pf = if parity(value) { rflags::PF } else { 0 };
    cpu.flags.known(zf | pf | rflags::AF);
    cpu.set_reg(op.a, T::low(value));
}

/// The high half is written last: it stays where both destinations are one register.
#[inline(always)]
fn mulx<T: Word>(cpu: &mut Cpu, op: &Op, b: u64) {
    let (high, low) = bits::mulx(cpu.reg::<T>(DX).zext(), b, T::BITS);
    cpu.set_reg(op.b, T::low(low));
    cpu.set_reg(op.a, T::low(high));
}

/// Addition with `flag` as carry in and carry out; all other flags stay.
#[inline(always)]
fn add<T: Word>(cpu: &mut Cpu, op: &Op, b: u64, flag: u64) {
    let status = cpu.flags.status();
    let sum = bits::add_with(cpu.reg::<T>(op.a).zext(), b, status & flag != 0, T::BITS);
    cpu.flags.known(status & !flag | if sum.cf { flag } else { 0 });
    cpu.set_reg(op.a, T::low(sum.value));
}

fn reg<O: Manipulation, T: Word>(cpu: &mut Cpu, op: &Op) {
    let rm = cpu.reg::<T>(if O::RM == 1 { op.b } else { op.c });
    O::apply::<T>(cpu, op, rm);
}

fn mem<O: Manipulation, T: Word, P: Path>(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let rm = P::load::<T>(cpu, op)?;
    O::apply::<T>(cpu, op, rm);
    Ok(())
}

fn sized<O: Manipulation>(d: &Decoded<'_>) -> Handler {
    match (d.size(0), d.memory(O::RM)) {
        (4, false) => plain(reg::<O, u32>),
        (4, true) => two_paths(mem::<O, u32, Fast>, mem::<O, u32, Slow>),
        (_, false) => plain(reg::<O, u64>),
        (_, true) => two_paths(mem::<O, u64, Fast>, mem::<O, u64, Slow>),
    }
}

/// Handlers of the bit-manipulation instructions.
pub fn lower(d: &Decoded<'_>) -> Option<Lowered> {
    let handler = match d.instruction.mnemonic() {
        M::Andn => sized::<Andn>(d),
        M::Bextr => sized::<Bextr>(d),
        M::Blsi => sized::<Blsi>(d),
        M::Blsmsk => sized::<Blsmsk>(d),
        M::Blsr => sized::<Blsr>(d),
        M::Bzhi => sized::<Bzhi>(d),
        M::Mulx => sized::<Mulx>(d),
        M::Pdep => sized::<Pdep>(d),
        M::Pext => sized::<Pext>(d),
        M::Rorx => sized::<Rorx>(d),
        M::Sarx => sized::<Sarx>(d),
        M::Shlx => sized::<Shlx>(d),
        M::Shrx => sized::<Shrx>(d),
        M::Adcx => sized::<Adcx>(d),
        M::Adox => sized::<Adox>(d),
        _ => return None,
    };
    let recognised = d.mode.vex || d.instruction.encoding() == EncodingKind::Legacy;
    recognised.then(|| Lowered::straight(handler))
}

#[cfg(test)]
mod tests {
    use crate::interpreter::exception::vector::UD;
    use crate::interpreter::testbed::{CODE, HANDLERS, Testbed};

    /// TZCNT EAX, ECX; LZCNT EAX, ECX; the same encodings without the features are BSF and BSR.
    const TZCNT: [u8; 4] = [0xF3, 0x0F, 0xBC, 0xC1];
    const LZCNT: [u8; 4] = [0xF3, 0x0F, 0xBD, 0xC1];
    /// ANDN EAX, ECX, EDX.
    const ANDN: [u8; 5] = [0xC4, 0xE2, 0x70, 0xF2, 0xC2];
    const ADCX: [u8; 5] = [0x66, 0x0F, 0x38, 0xF6, 0xC1];

    /// EAX after `code` in 32-bit protected mode with ECX = 100h and EDX = F0F0h; `None` for #UD.
    fn protected(model: &str, code: &[u8]) -> Option<u64> {
        let mut bed = Testbed::protected(model);
        bed.handlers(0x8E);
        bed.cpu.gpr[0] = 1;
        bed.cpu.gpr[1] = 0x100;
        bed.cpu.gpr[2] = 0xF0F0;
        let start = bed.cpu.rip;
        bed.poke(start, code);
        bed.step(1);
        (bed.cpu.rip == start + code.len() as u64).then_some(bed.cpu.gpr[0])
    }

    #[test]
    fn the_model_says_what_exists() {
        assert_eq!(protected("max", &TZCNT), Some(8));
        assert_eq!(protected("max", &LZCNT), Some(23));
        assert_eq!(protected("max", &ANDN), Some(0xF0F0 & !0x100));
        assert_eq!(protected("max", &ADCX), Some(0x101));
        assert_eq!(protected("x86-64-v2", &TZCNT), Some(8));
        assert_eq!(protected("x86-64-v2", &LZCNT), Some(8), "BSR");
        assert_eq!(protected("x86-64-v2", &ANDN), None);
        assert_eq!(protected("x86-64-v2", &ADCX), None);
    }

    /// W is ignored outside 64-bit mode; L, a wrong vvvv (BLSR's is the destination, RORX has none) and prefixes
    /// before VEX are #UD.
    #[test]
    fn malformed_prefixes_are_undefined() {
        let w1 = [0xC4, 0xE2, 0xF0, 0xF2, 0xC2];
        let l1 = [0xC4, 0xE2, 0x74, 0xF2, 0xC2];
        let rorx = [0xC4, 0xE3, 0x7B, 0xF0, 0xC1, 4];
        let rorx_vvvv = [0xC4, 0xE3, 0x73, 0xF0, 0xC1, 4];
        assert_eq!(protected("max", &w1), Some(0xF0F0));
        assert_eq!(protected("max", &l1), None);
        assert_eq!(protected("max", &rorx), Some(0x10));
        assert_eq!(protected("max", &rorx_vvvv), None);
        for prefix in [0x66, 0xF2, 0xF3, 0xF0] {
            assert_eq!(protected("max", &[&[prefix], &ANDN[..]].concat()), None, "{prefix:X}");
        }
    }

    #[test]
    fn vex_is_undefined_in_v86_mode() {
        let mut bed = Testbed::protected("max");
        bed.handlers(0x8E);
        bed.at_v86((CODE >> 4) as u16, 3);
        bed.poke(CODE, &ANDN);
        assert_eq!(bed.run_to_handler(), u64::from(UD));
    }

    #[test]
    fn vex_is_undefined_in_real_mode() {
        let mut bed = Testbed::real("max");
        bed.poke16(4 * u64::from(UD), HANDLERS as u16);
        bed.poke(CODE, &ANDN);
        bed.step(1);
        assert_eq!(bed.cpu.rip, HANDLERS, "the handler of #UD");
    }
}
