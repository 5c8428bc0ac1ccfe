//! Saved state of the local APIC, version 1.

use super::priority::Vectors;
use super::registers::{ApicBase, Entry, Icr, Lvt, Svr};
use super::timer::Timer;
use super::{Features, Lapic};
use emu_core::{Level, RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    id: u8,
    x2apic: bool,
    tsc_deadline: bool,
    base: u64,
    xapic_id: u8,
    tpr: u8,
    ldr: u8,
    dfr: u8,
    svr: u32,
    isr: Vectors,
    tmr: Vectors,
    irr: Vectors,
    esr: u8,
    errors: u8,
    icr: u32,
    icr_destination: u32,
    lvt: [u32; 6],
    timer: Timer,
    armed: Option<Tick>,
    lint: [bool; 2],
    ext_int: bool,
}

pub(super) fn save(lapic: &Lapic) -> Saved {
    let Lapic {
        id,
        features: Features { x2apic, tsc_deadline },
        base,
        xapic_id,
        tpr,
        ldr,
        dfr,
        svr,
        isr,
        tmr,
        irr,
        esr,
        errors,
        icr,
        icr_destination,
        lvt,
        timer,
        armed,
        lint,
        ext_int,
    } = lapic;
    Saved::pack(
        VERSION,
        &StateV1 {
            id: *id,
            x2apic: *x2apic,
            tsc_deadline: *tsc_deadline,
            base: base.into_bits(),
            xapic_id: *xapic_id,
            tpr: *tpr,
            ldr: *ldr,
            dfr: *dfr,
            svr: svr.into_bits(),
            isr: *isr,
            tmr: *tmr,
            irr: *irr,
            esr: *esr,
            errors: *errors,
            icr: icr.into_bits(),
            icr_destination: *icr_destination,
            lvt: lvt.map(Lvt::into_bits),
            timer: timer.clone(),
            armed: *armed,
            lint: lint.map(Level::is_high),
            ext_int: *ext_int,
        },
    )
}

pub(super) fn restore(lapic: &mut Lapic, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 {
        id,
        x2apic,
        tsc_deadline,
        base,
        xapic_id,
        tpr,
        ldr,
        dfr,
        svr,
        isr,
        tmr,
        irr,
        esr,
        errors,
        icr,
        icr_destination,
        lvt,
        timer,
        armed,
        lint,
        ext_int,
    } = saved.unpack(VERSION)?;
    if (id, Features { x2apic, tsc_deadline }) != (lapic.id, lapic.features) {
        return Err(RestoreError::Value("local APIC of another CPU model"));
    }
    check(base, dfr, svr, icr, &lvt, &timer)?;
    *lapic = Lapic {
        id,
        features: lapic.features,
        base: ApicBase::from_bits(base),
        xapic_id,
        tpr,
        ldr,
        dfr,
        svr: Svr::from_bits(svr),
        isr,
        tmr,
        irr,
        esr,
        errors,
        icr: Icr::from_bits(icr),
        icr_destination,
        lvt: lvt.map(Lvt::from_bits),
        timer,
        armed,
        lint: lint.map(Level::from),
        ext_int,
    };
    Ok(())
}

fn check(base: u64, dfr: u8, svr: u32, icr: u32, lvt: &[u32; 6], timer: &Timer) -> Result<(), RestoreError> {
    let base_is_legal = base & !ApicBase::WRITABLE == 0 && {
        let base = ApicBase::from_bits(base);
        base.enabled() || !base.extd()
    };
    /// Bit 14, remote IRR, is set by the chip.
    const REMOTE_IRR: u32 = 1 << 14;
    let lvt_is_legal =
        Entry::ALL.iter().all(|entry| lvt[entry.index()] & !(entry.writable() | REMOTE_IRR) == 0);
    if !base_is_legal {
        Err(RestoreError::Value("IA32_APIC_BASE"))
    } else if dfr > 0xF || svr & !Svr::WRITABLE != 0 || icr & !Icr::WRITABLE != 0 {
        Err(RestoreError::Value("local APIC register with reserved bits"))
    } else if !lvt_is_legal || u32::from(timer.divide) & !Timer::DIVIDE_WRITABLE != 0 {
        Err(RestoreError::Value("local APIC vector table or timer"))
    } else {
        Ok(())
    }
}
