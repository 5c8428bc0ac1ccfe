//! Saved state of the UART. What the host has sent and the guest has not received yet belongs to it.

use super::Ns16550a;
use super::receiver::{FIFO, QUEUE, Receiver};
use super::registers::{Ier, Lcr, Mcr, Msr};
use emu_core::{RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct UartV1 {
    ier: u8,
    lcr: u8,
    mcr: u8,
    scr: u8,
    divisor: u16,
    receiver: ReceiverV1,
    overrun: bool,
    thre_pending: bool,
    modem_inputs: u8,
    modem_deltas: u8,
}

#[derive(Serialize, Deserialize)]
struct ReceiverV1 {
    queue: Vec<u8>,
    fifo: bool,
    trigger: u8,
    data: Vec<u8>,
    rbr: u8,
    arrives: Option<Tick>,
    active: Tick,
    times_out: Option<Tick>,
    timed_out: bool,
}

pub(super) fn save(uart: &Ns16550a) -> Saved {
    let Ns16550a {
        port: _, // wiring
        ier,
        lcr,
        mcr,
        scr,
        divisor,
        receiver,
        overrun,
        thre_pending,
        modem_inputs,
        modem_deltas,
    } = uart;
    let state = UartV1 {
        ier: ier.into_bits(),
        lcr: lcr.into_bits(),
        mcr: mcr.into_bits(),
        scr: *scr,
        divisor: *divisor,
        receiver: save_receiver(receiver),
        overrun: *overrun,
        thre_pending: *thre_pending,
        modem_inputs: modem_inputs.into_bits(),
        modem_deltas: modem_deltas.into_bits(),
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(port: u8, saved: &Saved) -> Result<Ns16550a, RestoreError> {
    let UartV1 { ier, lcr, mcr, scr, divisor, receiver, overrun, thre_pending, modem_inputs, modem_deltas } =
        saved.unpack(VERSION)?;
    if ier & 0xF0 != 0 || mcr & 0xE0 != 0 || modem_inputs & 0x0F != 0 || modem_deltas & 0xF0 != 0 {
        return Err(RestoreError::Value("16550A register bit that does not exist"));
    }
    Ok(Ns16550a {
        port,
        ier: Ier::from_bits(ier),
        lcr: Lcr::from_bits(lcr),
        mcr: Mcr::from_bits(mcr),
        scr,
        divisor,
        receiver: restore_receiver(receiver)?,
        overrun,
        thre_pending,
        modem_inputs: Msr::from_bits(modem_inputs),
        modem_deltas: Msr::from_bits(modem_deltas),
    })
}

fn save_receiver(receiver: &Receiver) -> ReceiverV1 {
    let Receiver { queue, fifo, trigger, data, rbr, arrives, active, times_out, timed_out } = receiver;
    ReceiverV1 {
        queue: queue.iter().copied().collect(),
        fifo: *fifo,
        trigger: *trigger,
        data: data.iter().copied().collect(),
        rbr: *rbr,
        arrives: *arrives,
        active: *active,
        times_out: *times_out,
        timed_out: *timed_out,
    }
}

fn restore_receiver(state: ReceiverV1) -> Result<Receiver, RestoreError> {
    let ReceiverV1 { queue, fifo, trigger, data, rbr, arrives, active, times_out, timed_out } = state;
    if queue.len() > QUEUE || data.len() > if fifo { FIFO } else { 1 } {
        return Err(RestoreError::Value("more bytes than the 16550A has room for"));
    }
    if ![1, 4, 8, 14].contains(&trigger) {
        return Err(RestoreError::Value("16550A trigger level"));
    }
    Ok(Receiver {
        queue: queue.into(),
        fifo,
        trigger,
        data: data.into(),
        rbr,
        arrives,
        active,
        times_out,
        timed_out,
    })
}
