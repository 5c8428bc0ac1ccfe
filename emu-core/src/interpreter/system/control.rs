//! Control registers: MOV CR, LMSW, SMSW, CLTS, INVLPG, INVPCID, XSETBV (Intel SDM Vol. 3A 2.5, 4.4.1, 4.10.4, 9.8.5).

use super::store_register;
use crate::interpreter::Cpu;
use crate::interpreter::memory::canonical;
use crate::interpreter::op::{Faulted, Op};
use crate::isa::cpuid::{self, component, feature};
use crate::isa::descriptor::system;
use crate::mmu::{PHYSICAL_BITS, Paging};
use crate::vcpu::{Segment, SegmentName, cr0, cr4, efer};

/// CR0 bits that exist from the 386 on.
const CR0_386: u64 = cr0::PE | cr0::MP | cr0::EM | cr0::TS | cr0::PG;
/// CR0 bits that came with the 486.
const CR0_486: u64 = cr0::NE | cr0::WP | cr0::AM | cr0::NW | cr0::CD;
/// The machine status word: what LMSW can set.
const MSW: u64 = cr0::PE | cr0::MP | cr0::EM | cr0::TS;
/// CR3 bit 63 of MOV: keep this PCID's translations.
const NO_FLUSH: u64 = 1 << 63;
/// PCID field of CR3.
const PCID: u64 = 0xFFF;
/// Address bits beyond the physical width.
const BEYOND: u64 = !((1 << PHYSICAL_BITS) - 1);

/// CR4 bits and the features that bring them.
const CR4_BITS: [(u64, feature::Feature); 16] = [
    (cr4::VME | cr4::PVI, feature::VME),
    (cr4::TSD, feature::TSC),
    (cr4::DE, feature::DE),
    (cr4::PSE, feature::PSE),
    (cr4::PAE, feature::PAE),
    (cr4::MCE, feature::MCE),
    (cr4::PGE, feature::PGE),
    (cr4::PCE, feature::PMC),
    (cr4::OSFXSR, feature::FXSR),
    (cr4::OSXMMEXCPT, feature::SSE),
    (cr4::UMIP, feature::UMIP),
    (cr4::FSGSBASE, feature::FSGSBASE),
    (cr4::PCIDE, feature::PCID),
    (cr4::OSXSAVE, feature::XSAVE),
    (cr4::SMEP, feature::SMEP),
    (cr4::SMAP, feature::SMAP),
];

/// CR4 bits this CPU model has.
fn cr4_mask(cpu: &Cpu) -> u64 {
    CR4_BITS.iter().filter(|(_, feature)| cpu.has(*feature)).fold(0, |mask, (bits, _)| mask | bits)
}

// ---- PAE page-directory-pointer registers ---------------------------------------------------------------------

/// The PDPTEs that go with `cr3`, if PAE paging is in use (Intel SDM Vol. 3A 4.4.1); a reserved bit in a present
/// one is #GP(0).
pub fn pdpte_for(cpu: &mut Cpu, cr3: u64) -> Result<[u64; 4], Faulted> {
    let (cr0, cr4) = (cpu.s.cr0, cpu.s.cr4);
    pdpte_under(cpu, cr0, cr3, cr4)
}

fn pdpte_under(cpu: &mut Cpu, cr0: u64, cr3: u64, cr4: u64) -> Result<[u64; 4], Faulted> {
    let pae = cr0 & cr0::PG != 0 && cr4 & cr4::PAE != 0 && cpu.s.efer & (efer::LMA | efer::LME) == 0;
    if !pae {
        return Ok(cpu.s.pdpte);
    }
    let bytes: [u8; 32] = cpu.read_gpa(cr3 & 0xFFFF_FFE0);
    let mut pdpte = [0u64; 4];
    for (entry, bytes) in pdpte.iter_mut().zip(bytes.chunks_exact(8)) {
        *entry = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        // P, PWT, PCD, three ignored bits and the address.
        if *entry & 1 != 0 && *entry & (BEYOND | 0x1E6) != 0 {
            return Err(cpu.gp(0));
        }
    }
    Ok(pdpte)
}

// ---- CR0 -------------------------------------------------------------------------------------------------------

/// Combinations of CR0 that are #GP(0) (Intel SDM Vol. 2, "MOV CR").
fn check_cr0(cpu: &mut Cpu, value: u64) -> Result<(), Faulted> {
    let paging_unprotected = value & (cr0::PG | cr0::PE) == cr0::PG;
    let not_write_through = value & (cr0::NW | cr0::CD) == cr0::NW;
    if paging_unprotected || not_write_through {
        return Err(cpu.gp(0));
    }
    let turned = (cpu.s.cr0 ^ value) & cr0::PG != 0;
    if turned && value & cr0::PG != 0 && cpu.s.efer & efer::LME != 0 {
        return check_activation(cpu);
    }
    let pcid = cpu.s.cr4 & cr4::PCIDE != 0;
    if turned && value & cr0::PG == 0 && (cpu.mode.long || pcid) {
        return Err(cpu.gp(0));
    }
    Ok(())
}

/// Entering long mode needs PAE, a code segment that is not yet 64-bit and no 16-bit TSS (Intel SDM Vol. 3A 9.8.5).
fn check_activation(cpu: &mut Cpu) -> Result<(), Faulted> {
    let long_code = cpu.segment(SegmentName::Cs).is(Segment::L);
    let narrow_tss = matches!(cpu.s.tr.kind(), system::TSS16 | system::TSS16_BUSY);
    if cpu.s.cr4 & cr4::PAE == 0 || long_code || narrow_tss {
        return Err(cpu.gp(0));
    }
    Ok(())
}

/// Sets CR0 with everything that follows from it.
pub fn set_cr0(cpu: &mut Cpu, value: u64) -> Result<(), Faulted> {
    let mask = if cpu.has(feature::I486) { CR0_386 | CR0_486 } else { CR0_386 };
    let value = value & mask | cr0::ET;
    let changed = cpu.s.cr0 ^ value;
    check_cr0(cpu, value)?;
    let old_pdpte = cpu.s.pdpte;
    if changed & (cr0::PG | cr0::CD | cr0::NW) != 0 {
        cpu.s.pdpte = pdpte_under(cpu, value, cpu.s.cr3, cpu.s.cr4)?;
    }
    cpu.s.cr0 = value;
    if changed & cr0::PG != 0 {
        let activate = value & cr0::PG != 0 && cpu.s.efer & efer::LME != 0;
        cpu.s.efer = cpu.s.efer & !efer::LMA | if activate { efer::LMA } else { 0 };
    }
    // Without paging, what is remembered of addresses does not hang on the mode: GRUB and iPXE change it twice for each
    // call of the BIOS.
    let paged = value & cr0::PG != 0;
    if changed & cr0::PG != 0 || (paged && changed & cr0::WP != 0) || cpu.s.pdpte != old_pdpte {
        cpu.flush_tlb(false);
        cpu.update_mode();
    } else if changed & (cr0::WP | cr0::PE) != 0 {
        cpu.paging = Paging::of(&cpu.s);
        cpu.update_mode();
    } else if changed & cr0::AM != 0 {
        cpu.update_bank();
    }
    cpu.update_fpu();
    Ok(())
}

// ---- CR3, CR4, CR8 ---------------------------------------------------------------------------------------------

fn set_cr3(cpu: &mut Cpu, value: u64) -> Result<(), Faulted> {
    let pcid = cpu.s.cr4 & cr4::PCIDE != 0;
    let keep = pcid && value & NO_FLUSH != 0;
    let value = if pcid { value & !NO_FLUSH } else { value };
    if value & BEYOND != 0 {
        return Err(cpu.gp(0));
    }
    cpu.s.pdpte = pdpte_for(cpu, value)?;
    cpu.s.cr3 = value;
    cpu.switch_space(keep);
    Ok(())
}

fn check_cr4(cpu: &mut Cpu, value: u64) -> Result<(), Faulted> {
    let old = cpu.s.cr4;
    let long = cpu.long_mode();
    let set = |bit: u64| old & bit == 0 && value & bit != 0;
    let reserved = value & !cr4_mask(cpu) != 0;
    let leaves_pae = long && value & cr4::PAE == 0;
    let bad_pcid = set(cr4::PCIDE) && (!long || cpu.s.cr3 & PCID != 0);
    if reserved || leaves_pae || bad_pcid { Err(cpu.gp(0)) } else { Ok(()) }
}

/// Bits of CR4 whose change forgets translations (Intel SDM Vol. 3A 4.10.4.1).
const CR4_PAGING: u64 = cr4::PSE | cr4::PAE | cr4::PGE | cr4::PCIDE | cr4::SMEP | cr4::SMAP;

fn set_cr4(cpu: &mut Cpu, value: u64) -> Result<(), Faulted> {
    check_cr4(cpu, value)?;
    let changed = cpu.s.cr4 ^ value;
    if changed & (cr4::PAE | cr4::PGE | cr4::PSE | cr4::SMEP) != 0 {
        cpu.s.pdpte = pdpte_under(cpu, cpu.s.cr0, cpu.s.cr3, value)?;
    }
    cpu.s.cr4 = value;
    if changed & CR4_PAGING != 0 {
        cpu.flush_tlb(false);
    }
    cpu.update_bank();
    cpu.update_fpu();
    Ok(())
}

fn set_cr8(cpu: &mut Cpu, value: u64) -> Result<(), Faulted> {
    if value > 15 {
        return Err(cpu.gp(0));
    }
    cpu.synced_bus().set_cr8(value as u8);
    Ok(())
}

// ---- instructions ----------------------------------------------------------------------------------------------

/// MOV CRn, r: `a` is the control register, `b` the source.
pub fn mov_to_cr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let value = if cpu.mode.long { cpu.reg::<u64>(op.b) } else { u64::from(cpu.reg::<u32>(op.b)) };
    match op.a {
        0 if value >> 32 != 0 => Err(cpu.gp(0)),
        0 => set_cr0(cpu, value),
        2 => {
            cpu.s.cr2 = value;
            Ok(())
        }
        3 => set_cr3(cpu, value),
        4 if cr4_mask(cpu) != 0 => set_cr4(cpu, value),
        8 => set_cr8(cpu, value),
        _ => Err(cpu.ud()),
    }
}

/// MOV r, CRn.
pub fn mov_from_cr(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let value = match op.b {
        0 => cpu.s.cr0,
        2 => cpu.s.cr2,
        3 => cpu.s.cr3,
        4 if cr4_mask(cpu) != 0 => cpu.s.cr4,
        8 => u64::from(cpu.synced_bus().cr8()),
        _ => return Err(cpu.ud()),
    };
    if cpu.mode.long {
        cpu.set_reg(op.a, value)
    } else {
        cpu.set_reg(op.a, value as u32)
    }
    Ok(())
}

/// LMSW: PE, MP, EM, TS; PE can be set but not cleared.
pub fn lmsw(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let source = u64::from(super::source_word(cpu, op)?);
    let keep = cpu.s.cr0 & cr0::PE;
    set_cr0(cpu, cpu.s.cr0 & !MSW | source & MSW | keep)
}

/// SMSW: the low word of CR0; a wider register gets as much of CR0 as fits.
pub fn smsw(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    super::check_umip(cpu)?;
    let value = cpu.s.cr0;
    if super::is_memory(op) { cpu.store(op, value as u16) } else { store_register(cpu, op, value) }
}

/// CLTS.
pub fn clts(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    cpu.s.cr0 &= !cr0::TS;
    cpu.update_fpu();
    Ok(())
}

/// INVLPG: the operand's address alone counts; one that is not canonical does nothing.
pub fn invlpg(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let linear = cpu.effective(op).wrapping_add(cpu.r.get(op.seg_slot)) & cpu.addr_mask;
    if !cpu.mode.long || canonical(linear) {
        cpu.flush_page(linear);
    }
    Ok(())
}

/// INVPCID (Intel SDM Vol. 2A).
pub fn invpcid(cpu: &mut Cpu, op: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()?;
    let kind = if cpu.mode.long { cpu.reg::<u64>(op.a) } else { u64::from(cpu.reg::<u32>(op.a)) };
    let descriptor = cpu.load::<u128>(op)?;
    let (pcid, linear) = (descriptor as u64, (descriptor >> 64) as u64);
    let enabled = cpu.s.cr4 & cr4::PCIDE != 0;
    let needs_pcid = kind < 2;
    let bad = kind > 3
        || pcid & !PCID != 0
        || (needs_pcid && !enabled && pcid != 0)
        || (kind == 0 && !canonical(linear));
    if bad {
        return Err(cpu.gp(0));
    }
    let current = if enabled { cpu.s.cr3 & PCID } else { 0 };
    match kind {
        0 if pcid == current => cpu.flush_page(linear),
        0 => cpu.forget_other_space(pcid, Some(linear)),
        1 if pcid == current => cpu.switch_space(false),
        1 => cpu.forget_other_space(pcid, None),
        2 => cpu.flush_tlb(false),
        _ => cpu.flush_tlb(true),
    }
    Ok(())
}

/// INVD and WBINVD: there are no caches.
pub fn invalidate_caches(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    cpu.require_ring_0()
}

/// XGETBV: XCR0, or with ECX = 1 what of it is in use.
pub fn xgetbv(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    check_xcr_enabled(cpu)?;
    let value = match cpu.reg::<u32>(1) {
        0 => cpu.s.xcr0,
        1 if cpu.has(feature::XGETBV_IN_USE) => cpu.s.xcr0 & cpu.components_in_use(),
        _ => return Err(cpu.gp(0)),
    };
    cpu.set_reg(0, value as u32);
    cpu.set_reg(2, (value >> 32) as u32);
    Ok(())
}

/// Whether XCR0 may hold `value`: x87 always, nothing unknown, AVX only with SSE (Intel SDM Vol. 2, "XSETBV").
fn valid_xcr0(cpu: &Cpu, value: u64) -> bool {
    let known = cpuid::xcr0_mask(&cpuid::model(cpu.s.model).features);
    value & component::X87 != 0
        && value & !known == 0
        && (value & component::AVX == 0 || value & component::SSE != 0)
}

/// XSETBV. The only register that can be set is XCR0.
pub fn xsetbv(cpu: &mut Cpu, _: &Op) -> Result<(), Faulted> {
    check_xcr_enabled(cpu)?;
    cpu.require_ring_0()?;
    let value = super::edx_eax(cpu);
    if cpu.reg::<u32>(1) != 0 || !valid_xcr0(cpu, value) {
        return Err(cpu.gp(0));
    }
    cpu.s.xcr0 = value;
    cpu.update_fpu();
    Ok(())
}

fn check_xcr_enabled(cpu: &mut Cpu) -> Result<(), Faulted> {
    if cpu.s.cr4 & cr4::OSXSAVE == 0 { Err(cpu.ud()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use crate::interpreter::testbed::*;
    use crate::isa::cpuid;
    use crate::vcpu::{cr0, cr4, efer, rflags};
    use iced_x86::code_asm::*;

    /// The vector that MOV CRn, EAX (or RAX) of `value` raises, if any.
    fn load(bed: &mut Testbed, n: u8, value: u64) -> Option<u64> {
        bed.handlers(0x8E);
        let before = bed.cpu.clone();
        bed.cpu.gpr[0] = value;
        bed.poke(CODE, &[0x0F, 0x22, 0xC0 | n << 3, 0xF4]);
        bed.step(100);
        let faulted = bed.cpu.rip != CODE + 4;
        let vector = (bed.cpu.rip - 1).wrapping_sub(HANDLERS) / 16;
        if faulted {
            let after = std::mem::replace(&mut bed.cpu, before);
            let now = (after.cr0, after.cr3, after.cr4, after.efer);
            assert_eq!(now, (bed.cpu.cr0, bed.cpu.cr3, bed.cpu.cr4, bed.cpu.efer));
        }
        faulted.then_some(vector)
    }

    #[test]
    fn combinations_of_cr0_that_fault() {
        let mut bed = Testbed::protected("pentium3");
        assert_eq!(load(&mut bed, 0, cr0::PG), Some(13));
        assert_eq!(load(&mut bed, 0, cr0::PE | cr0::NW), Some(13));
        assert_eq!(load(&mut bed, 0, cr0::PE | 0x0FFF_FFC0), None);
        assert_eq!(bed.cpu.cr0, cr0::PE | cr0::ET | cr0::WP | cr0::AM, "reserved bits are dropped");
    }

    #[test]
    fn the_386_knows_neither_wp_nor_cr4() {
        let mut bed = Testbed::protected("386");
        assert_eq!(load(&mut bed, 0, cr0::PE | cr0::WP | cr0::NE), None);
        assert_eq!(bed.cpu.cr0, cr0::PE | cr0::ET);
        let mut bed = Testbed::protected("386");
        assert_eq!(load(&mut bed, 4, 0), Some(6));
    }

    #[test]
    fn cr4_holds_what_the_model_has() {
        let mut bed = Testbed::protected("pentium");
        assert_eq!(load(&mut bed, 4, cr4::PAE), Some(13));
        assert_eq!(load(&mut bed, 4, cr4::PSE | cr4::VME), None);
        assert_eq!(load(&mut Testbed::long(), 4, 0), Some(13), "PAE stays while LMA is set");
        assert_eq!(load(&mut Testbed::long(), 4, cr4::PAE | cr4::PCIDE), None);
        let mut bed = Testbed::long();
        bed.cpu.cr3 |= 8;
        assert_eq!(load(&mut bed, 4, cr4::PAE | cr4::PCIDE), Some(13));
    }

    #[test]
    fn pae_loads_and_checks_its_directory_pointers() {
        let mut bed = Testbed::protected("pentium2");
        bed.poke64(PAGES, (PAGES + 0x1000) | 1);
        bed.poke64(PAGES + 8, 0x3); // bit 1 is reserved
        bed.poke64(PAGES + 0x1000, 0x83);
        bed.cpu.cr4 |= cr4::PAE;
        bed.cpu.cr3 = PAGES;
        assert_eq!(load(&mut bed, 0, cr0::PE | cr0::PG), Some(13));
        bed.poke64(PAGES + 8, 0x2);
        bed.at_ring(0);
        bed.cpu.activity = crate::vcpu::Activity::Running;
        assert_eq!(load(&mut bed, 0, cr0::PE | cr0::PG), None);
        assert_eq!(bed.cpu.pdpte, [(PAGES + 0x1000) | 1, 2, 0, 0]);
    }

    #[test]
    fn long_mode_starts_with_paging_and_ends_with_it() {
        let mut bed = Testbed::protected("x86-64-v2");
        bed.poke64(PAGES, (PAGES + 0x1000) | 7);
        bed.poke64(PAGES + 0x1000, 0x87);
        bed.cpu.efer = efer::LME;
        bed.cpu.cr3 = PAGES;
        assert_eq!(load(&mut bed, 0, cr0::PE | cr0::PG), Some(13), "without PAE");
        bed.cpu.cr4 |= cr4::PAE;
        assert_eq!(load(&mut bed, 0, cr0::PE | cr0::PG), None);
        assert_eq!(bed.cpu.efer, efer::LME | efer::LMA);
        bed.at_ring(0);
        bed.cpu.activity = crate::vcpu::Activity::Running;
        assert_eq!(load(&mut bed, 0, cr0::PE), None);
        assert_eq!(bed.cpu.efer, efer::LME);
        assert_eq!(load(&mut Testbed::long(), 0, cr0::PE), Some(13), "not from 64-bit code");
    }

    #[test]
    fn cr3_and_cr8_have_reserved_bits() {
        assert_eq!(load(&mut Testbed::long(), 3, 1 << 63 | PAGES), Some(13));
        let mut bed = Testbed::long();
        bed.cpu.cr4 |= cr4::PCIDE;
        assert_eq!(load(&mut bed, 3, 1 << 63 | PAGES | 5), None);
        assert_eq!(bed.cpu.cr3, PAGES | 5);
        let mut bed = Testbed::long();
        bed.cpu.gpr[0] = 9;
        bed.code(|a| a.mov(cr8, rax));
        bed.step(1);
        assert_eq!(bed.board.cr8, 9);
    }

    #[test]
    fn lmsw_cannot_leave_protected_mode() {
        let mut bed = Testbed::protected("386");
        bed.cpu.gpr[0] = 0xA;
        bed.code(|a| a.lmsw(ax));
        bed.step(1);
        assert_eq!(bed.cpu.cr0 & 0xF, 0xB);
    }

    #[test]
    fn control_registers_are_ring_0_s() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        bed.at_ring(3).code(|a| a.mov(rax, cr0));
        assert_eq!(bed.run_to_handler(), 13);
    }

    #[test]
    fn xcr0_keeps_x87() {
        let mut bed = Testbed::long();
        bed.handlers(0x8E);
        bed.cpu.cr4 |= cr4::OSXSAVE;
        (bed.cpu.gpr[0], bed.cpu.gpr[1], bed.cpu.gpr[2]) = (3, 0, 0);
        bed.code(|a| {
            a.xsetbv()?;
            a.xor(eax, eax)?;
            a.xgetbv()?;
            a.and(eax, 2)?;
            a.xsetbv()
        });
        assert_eq!(bed.run_to_handler(), 13);
        assert_eq!((bed.cpu.xcr0, bed.cpu.gpr[0]), (3, 2));
        assert_eq!(bed.cpu.rflags & rflags::RF, 0);
    }

    #[test]
    fn xcr0_takes_what_the_model_has() {
        // Model, value, whether it is valid: AVX needs SSE.
        let cases = [
            ("x86-64-v2", 7, false),
            ("x86-64-v3", 7, true),
            ("max", 7, true),
            ("max", 5, false),
            ("max", 15, false),
        ];
        for (model, value, valid) in cases {
            let mut bed = Testbed::long();
            bed.cpu.model = cpuid::by_name(model).expect("a model of the table");
            bed.handlers(0x8E);
            bed.cpu.cr4 |= cr4::OSXSAVE;
            (bed.cpu.gpr[0], bed.cpu.gpr[1], bed.cpu.gpr[2]) = (value, 0, 0);
            bed.code(|a| {
                a.xsetbv()?;
                a.ud2()
            });
            assert_eq!(bed.run_to_handler(), if valid { 6 } else { 13 }, "{model} {value}");
            assert_eq!(bed.cpu.xcr0, if valid { value } else { 1 });
        }
    }
}
