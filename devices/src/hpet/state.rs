//! Saved state of the HPET, version 1.

use super::comparator::{Comparator, Counter, TimerConfig};
use super::{General, Hpet, LEGACY, TIMERS};
use emu_core::{RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    general: u64,
    status: u8,
    counter: Counter,
    timers: [TimerV1; TIMERS],
    driven: u32,
}

#[derive(Serialize, Deserialize)]
struct TimerV1 {
    config: u64,
    comparator: u64,
    period: u64,
    next_match: Option<Tick>,
    armed: Option<Tick>,
    edge_high: bool,
}

impl From<&Comparator> for TimerV1 {
    fn from(timer: &Comparator) -> Self {
        let Comparator { config, comparator, period, next_match, armed, edge_high } = *timer;
        Self { config: config.into_bits(), comparator, period, next_match, armed, edge_high }
    }
}

impl TryFrom<TimerV1> for Comparator {
    type Error = RestoreError;

    fn try_from(timer: TimerV1) -> Result<Self, RestoreError> {
        let TimerV1 { config, comparator, period, next_match, armed, edge_high } = timer;
        if config & !TimerConfig::WRITABLE != 0 {
            return Err(RestoreError::Value("HPET timer configuration with reserved bits"));
        }
        let config = TimerConfig::from_bits(config);
        let timer = Self { config, comparator, period, next_match, armed, edge_high };
        if (comparator | period) & !timer.modulus_mask() != 0 {
            return Err(RestoreError::Value("HPET comparator wider than its timer"));
        }
        Ok(timer)
    }
}

pub(super) fn save(hpet: &Hpet) -> Saved {
    let Hpet { general, status, counter, timers, driven } = hpet;
    let state = StateV1 {
        general: general.into_bits(),
        status: *status,
        counter: counter.clone(),
        timers: timers.each_ref().map(TimerV1::from),
        driven: *driven,
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(hpet: &mut Hpet, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 { general, status, counter, timers, driven } = saved.unpack(VERSION)?;
    let general_is_legal = general & !General::WRITABLE == 0;
    if !general_is_legal || General::from_bits(general).enabled() != counter.is_running() {
        return Err(RestoreError::Value("HPET general configuration"));
    }
    if status >> TIMERS != 0 || driven >> (LEGACY.0 + 1) != 0 {
        return Err(RestoreError::Value("HPET status or outputs"));
    }
    let [timer_0, timer_1, timer_2] = timers;
    let timers = [timer_0.try_into()?, timer_1.try_into()?, timer_2.try_into()?];
    *hpet = Hpet { general: General::from_bits(general), status, counter, timers, driven };
    Ok(())
}
