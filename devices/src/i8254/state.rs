//! Saved state of the timer chip.

use super::I8254;
use super::control::{Address, Control, Rw};
use super::counter::{Counter, Load};
use super::element::Element;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct I8254V1 {
    counters: [CounterV1; 3],
    port61: u8,
    speaker: bool,
}

#[derive(Serialize, Deserialize)]
struct CounterV1 {
    gate: bool,
    control: u8,
    cr: u16,
    cr_whole: bool,
    load: Option<LoadV1>,
    element: Option<ElementV1>,
    stopped_at: u16,
    null_count: bool,
    write_msb: bool,
    read_msb: bool,
    ol: Option<u16>,
    status_latch: Option<u8>,
}

#[derive(Serialize, Deserialize)]
struct LoadV1 {
    at: Option<u64>,
    low_half: bool,
}

#[derive(Serialize, Deserialize)]
struct ElementV1 {
    start: i64,
    count: u32,
    held: Option<i64>,
    low_half: bool,
}

pub(super) fn save(chip: &I8254) -> Saved {
    let I8254 { counters, port61, speaker } = chip;
    let state =
        I8254V1 { counters: counters.each_ref().map(save_counter), port61: *port61, speaker: *speaker };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(saved: &Saved) -> Result<I8254, RestoreError> {
    let I8254V1 { counters: [c0, c1, c2], port61, speaker } = saved.unpack(VERSION)?;
    if port61 & 0xF0 != 0 {
        return Err(RestoreError::Value("port 61h has only four bits"));
    }
    let counters = [restore_counter(c0)?, restore_counter(c1)?, restore_counter(c2)?];
    Ok(I8254 { counters, port61, speaker })
}

fn save_counter(counter: &Counter) -> CounterV1 {
    let &Counter {
        gate,
        control,
        cr,
        cr_whole,
        load,
        element,
        stopped_at,
        null_count,
        write_msb,
        read_msb,
        ol,
        status_latch,
    } = counter;
    CounterV1 {
        gate,
        control: control.into_bits(),
        cr,
        cr_whole,
        load: load.map(|Load { at, low_half }| LoadV1 { at, low_half }),
        element: element.map(|Element { start, count, held, low_half }| ElementV1 {
            start,
            count,
            held,
            low_half,
        }),
        stopped_at,
        null_count,
        write_msb,
        read_msb,
        ol,
        status_latch,
    }
}

fn restore_counter(state: CounterV1) -> Result<Counter, RestoreError> {
    let CounterV1 {
        gate,
        control,
        cr,
        cr_whole,
        load,
        element,
        stopped_at,
        null_count,
        write_msb,
        read_msb,
        ol,
        status_latch,
    } = state;
    let control = Control::from_bits(control);
    if control.rw() == Rw::Latch || control.address() != Address::Counter(0) {
        return Err(RestoreError::Value("8254 control word"));
    }
    if element.as_ref().is_some_and(|element| !(1..=0x1_0000).contains(&element.count)) {
        return Err(RestoreError::Value("8254 count"));
    }
    Ok(Counter {
        gate,
        control,
        cr,
        cr_whole,
        load: load.map(|LoadV1 { at, low_half }| Load { at, low_half }),
        element: element.map(|ElementV1 { start, count, held, low_half }| Element {
            start,
            count,
            held,
            low_half,
        }),
        stopped_at,
        null_count,
        write_msb,
        read_msb,
        ol,
        status_latch,
    })
}
