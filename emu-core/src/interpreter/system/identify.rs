//! CPUID, RDRAND, RDSEED (Intel SDM Vol. 2A "CPUID", Vol. 2B "RDRAND", "RDSEED").

use super::store_register;
use crate::interpreter::Cpu;
use crate::interpreter::op::{Faulted, Op};
use crate::isa::cpuid::{self, Live};
use crate::vcpu::{cr4, rflags};

/// IA32_APIC_BASE and its global enable.
const APIC_BASE: u32 = 0x1B;
const APIC_ENABLE: u64 = 1 << 11;

/// CPUID.
pub fn cpuid(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    let apic = cpu.synced_bus().msr_read(APIC_BASE).unwrap_or(0);
    let live = Live {
        osxsave: cpu.s.cr4 & cr4::OSXSAVE != 0,
        apic_enabled: apic & APIC_ENABLE != 0,
        long_code: cpu.mode.long,
        xcr0: cpu.s.xcr0,
    };
    let (leaf, subleaf) = (cpu.reg::<u32>(0), cpu.reg::<u32>(1));
    let [a, b, c, d] = cpuid::cpuid(cpuid::model(cpu.s.model), leaf, subleaf, live);
    for (register, value) in [(0, a), (3, b), (1, c), (2, d)] {
        cpu.set_reg(register, value);
    }
    Ok(())
}

/// The next number of the generator (xorshift64*): deterministic by design, so that runs can be repeated.
fn next(state: u64) -> (u64, u64) {
    let mut x = if state == 0 { 1 } else { state };
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    (x, x.wrapping_mul(0x2545_F491_4F6C_DD1D))
}

/// RDRAND and RDSEED.
pub fn random(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    let (state, value) = next(cpu.s.random);
    cpu.s.random = state;
    cpu.flags.known(rflags::CF);
    store_register(cpu, op, value)
}

#[cfg(test)]
mod tests {
    use super::next;
    use crate::interpreter::testbed::*;
    use iced_x86::code_asm::*;

    #[test]
    fn the_generator_never_sticks() {
        let (mut state, mut last) = (0, 0);
        for _ in 0..1000 {
            let (to, value) = next(state);
            assert!(to != 0 && to != state && value != last);
            (state, last) = (to, value);
        }
    }

    #[test]
    fn the_486_has_no_cpuid_and_the_pentium_does() {
        let mut bed = Testbed::protected("486");
        bed.handlers(0x8E);
        bed.code(|a| a.cpuid());
        assert_eq!(bed.run_to_handler(), 6);
        let mut bed = Testbed::protected("pentium");
        bed.cpu.gpr[0] = 1;
        bed.code(|a| a.cpuid());
        bed.step(1);
        assert_eq!((bed.cpu.gpr[0], bed.cpu.gpr[2]), (0x52C, 0x3BF));
    }

    #[test]
    fn random_numbers_repeat_from_the_same_state() {
        let draw = || {
            let mut bed = Testbed::long();
            bed.code(|a| {
                a.rdrand(rax)?;
                a.rdseed(ecx)
            });
            bed.step(2);
            (bed.cpu.gpr[0], bed.cpu.gpr[1], bed.cpu.rflags & 0x8D5)
        };
        assert_eq!(draw(), draw());
        assert_eq!(draw().2, 1);
    }
}
