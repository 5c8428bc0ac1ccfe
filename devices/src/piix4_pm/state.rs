//! Saved state of the PIIX4 power management, version 1.

use super::Piix4Pm;
use super::registers::{GPOREG_WRITABLE, PCNTRL_WRITABLE, PmControl, event};
use emu_core::{RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    config: Vec<u8>,
    status: u16,
    enable: u16,
    control: u16,
    overflows_seen: u64,
    gp_enable: u16,
    processor_control: u32,
    global_enable: u16,
    global_control: u32,
    device_control: u32,
    gp_output: u32,
    apm_control: u8,
    apm_status: u8,
    armed: Option<Tick>,
}

pub(super) fn save(pm: &Piix4Pm) -> Saved {
    let Piix4Pm {
        config,
        status,
        enable,
        control,
        overflows_seen,
        gp_enable,
        processor_control,
        global_enable,
        global_control,
        device_control,
        gp_output,
        apm_control,
        apm_status,
        armed,
    } = pm;
    Saved::pack(
        VERSION,
        &StateV1 {
            config: config.save(),
            status: *status,
            enable: *enable,
            control: control.into_bits(),
            overflows_seen: *overflows_seen,
            gp_enable: *gp_enable,
            processor_control: *processor_control,
            global_enable: *global_enable,
            global_control: *global_control,
            device_control: *device_control,
            gp_output: *gp_output,
            apm_control: *apm_control,
            apm_status: *apm_status,
            armed: *armed,
        },
    )
}

pub(super) fn restore(pm: &mut Piix4Pm, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 {
        config,
        status,
        enable,
        control,
        overflows_seen,
        gp_enable,
        processor_control,
        global_enable,
        global_control,
        device_control,
        gp_output,
        apm_control,
        apm_status,
        armed,
    } = saved.unpack(VERSION)?;
    let events_are_known = status & !(event::ALL & !event::TIMER) == 0 && enable & !event::ALL == 0;
    let control_is_legal =
        control & !PmControl::WRITABLE == 0 && !PmControl::from_bits(control).suspend_enable();
    if !events_are_known || !control_is_legal {
        return Err(RestoreError::Value("PIIX4 power-management event or control register"));
    }
    if processor_control & !PCNTRL_WRITABLE != 0 || gp_output & !GPOREG_WRITABLE != 0 {
        return Err(RestoreError::Value("PIIX4 power-management register with reserved bits"));
    }
    *pm = Piix4Pm {
        config: pm.config.restored(&config)?,
        status,
        enable,
        control: PmControl::from_bits(control),
        overflows_seen,
        gp_enable,
        processor_control,
        global_enable,
        global_control,
        device_control,
        gp_output,
        apm_control,
        apm_status,
        armed,
    };
    Ok(())
}
