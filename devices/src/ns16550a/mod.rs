//! NS16550A (PC16550D) UART, as a PC's serial port wires it: OUT2 gates the interrupt, 1.8432 MHz clock.
//!
//! Follows National Semiconductor PC16550D data sheet (June 1995). The far end is always there: CTS, DSR and DCD are
//! on. A byte written to THR is sent at once, so that a console does not slow its guest down; reception runs at the
//! programmed speed, one character time per byte, and takes from the host only what has room. Left out: line errors
//! other than overrun in loopback (the host's bytes arrive intact), and DMA mode's RXRDY/TXRDY pins, which the PC does
//! not connect.

mod receiver;
mod registers;
mod state;
#[cfg(test)]
mod tests;

use emu_core::{
    Access, BusFault, Cx, Device, HostEvent, HostRequest, Pin, Reset, RestoreError, Saved, Space, Tick,
    TimerId,
};
use receiver::Receiver;
use registers::{Fcr, Ier, Iir, Lcr, Lsr, Mcr, Msr};

/// INTR gated by OUT2, to IRQ4 (COM1) or IRQ3.
pub const IRQ: Pin = Pin(0);

/// The next character has been received.
const CHARACTER: TimerId = TimerId(0);
/// Four character times have passed without one ("FIFO Interrupt Mode Operation").
const TIMEOUT: TimerId = TimerId(1);

/// One bit at divisor 1: 1/115 200 s.
const BIT: Tick = Tick(546_875);

/// One UART.
#[derive(Debug)]
pub struct Ns16550a {
    /// Wiring: which serial port of the host's this is.
    port: u8,

    ier: Ier,
    lcr: Lcr,
    mcr: Mcr,
    scr: u8,
    divisor: u16,
    receiver: Receiver,
    overrun: bool,
    /// The transmitter-empty interrupt is pending: THR has become empty, or ETBEI was set while it was.
    thre_pending: bool,
    /// Modem inputs as last seen, to find their changes, and the changes (MSR bits 0-3).
    modem_inputs: Msr,
    modem_deltas: Msr,
}

/// What an access names ("Table I, UART Register Addresses").
#[derive(Clone, Copy)]
enum Register {
    /// RBR when read, THR when written.
    Data,
    Ier,
    /// IIR when read, FCR when written.
    IirFcr,
    Lcr,
    Mcr,
    Lsr,
    Msr,
    Scr,
    Dll,
    Dlm,
}

impl Ns16550a {
    /// `port` is 0 for COM1.
    pub fn new(port: u8) -> Self {
        Self {
            port,
            ier: Ier::new(),
            lcr: Lcr::new(),
            mcr: Mcr::new(),
            scr: 0,
            // Not defined by a reset; this is what a PC's firmware leaves (9600 baud).
            divisor: 12,
            receiver: Receiver::default(),
            overrun: false,
            thre_pending: false,
            modem_inputs: Msr::CONNECTED,
            modem_deltas: Msr::new(),
        }
    }

    /// How many more bytes the host may send ([`HostEvent::Serial`]) before some are lost.
    pub fn host_room(&self) -> usize {
        self.receiver.room()
    }

    fn decode(&self, at: Access) -> Option<Register> {
        if at.space != Space::Port || at.region != 0 {
            return None;
        }
        Some(match (at.offset, self.lcr.dlab()) {
            (0, false) => Register::Data,
            (0, true) => Register::Dll,
            (1, false) => Register::Ier,
            (1, true) => Register::Dlm,
            (2, _) => Register::IirFcr,
            (3, _) => Register::Lcr,
            (4, _) => Register::Mcr,
            (5, _) => Register::Lsr,
            (6, _) => Register::Msr,
            (7, _) => Register::Scr,
            _ => return None,
        })
    }

    /// Time of one character on the line: start, data, parity and stop bits. Divisor 0 counts as the largest.
    fn character(&self) -> Tick {
        let divisor = if self.divisor == 0 { 0x1_0000 } else { u64::from(self.divisor) };
        BIT.times(divisor * self.lcr.bits_per_character())
    }

    /// The highest-priority interrupt pending ("Table IV, Interrupt Control Functions").
    fn interrupt(&self) -> Iir {
        let ier = self.ier;
        if ier.elsi() && self.overrun {
            Iir::LineStatus
        } else if ier.erbfi() && self.receiver.reached_trigger() {
            Iir::ReceivedData
        } else if ier.erbfi() && self.receiver.timed_out() {
            Iir::CharacterTimeout
        } else if ier.etbei() && self.thre_pending {
            Iir::TransmitterEmpty
        } else if ier.edssi() && self.modem_deltas.any_delta() {
            Iir::ModemStatus
        } else {
            Iir::None
        }
    }

    fn drive_irq(&self, cx: &mut Cx<'_>) {
        // In loopback the OUT2 pin is inactive, whatever MCR says ("Bit 4: Local Loopback").
        let gate = self.mcr.out2() && !self.mcr.loopback();
        cx.drive(IRQ, (gate && self.interrupt() != Iir::None).into());
    }

    fn settle(&mut self, cx: &mut Cx<'_>) {
        self.drive_irq(cx);
        self.receiver.arm(!self.mcr.loopback(), self.character(), cx);
    }

    /// The modem inputs: in loopback they are the modem outputs.
    fn update_modem_inputs(&mut self) {
        let inputs = if self.mcr.loopback() { Msr::looped(self.mcr) } else { Msr::CONNECTED };
        self.modem_deltas = self.modem_deltas.with_changes(self.modem_inputs, inputs);
        self.modem_inputs = inputs;
    }

    fn read_iir(&mut self) -> u8 {
        let iir = self.interrupt();
        // "Reset: reading the IIR register (if source of interrupt) or writing into the THR."
        if iir == Iir::TransmitterEmpty {
            self.thre_pending = false;
        }
        iir.code() | if self.receiver.fifo() { 0xC0 } else { 0 }
    }

    fn read_lsr(&mut self) -> u8 {
        Lsr::new()
            .with_dr(self.receiver.has_data())
            .with_oe(std::mem::take(&mut self.overrun))
            .with_thre(true)
            .with_temt(true)
            .into_bits()
    }

    fn write_fcr(&mut self, fcr: Fcr) {
        if fcr.fifo_enable() != self.receiver.fifo() {
            self.receiver.set_fifo(fcr.fifo_enable());
        }
        // "Bit 0 must be a 1 when other FCR bits are written to or they will not be programmed."
        if fcr.fifo_enable() {
            self.receiver.set_trigger(fcr.trigger());
            if fcr.rcvr_fifo_reset() {
                self.receiver.clear();
            }
        }
    }

    fn write_ier(&mut self, ier: Ier) {
        // Enabling the interrupt while THR is empty raises it at once; drivers test for this.
        if ier.etbei() && !self.ier.etbei() {
            self.thre_pending = true;
        }
        self.ier = ier;
    }

    fn transmit(&mut self, byte: u8, cx: &mut Cx<'_>) {
        // Writing THR takes the interrupt back for a moment: an edge-triggered input needs to see it.
        self.thre_pending = false;
        self.drive_irq(cx);
        if self.mcr.loopback() {
            self.overrun |= !self.receiver.receive(byte);
            self.receiver.restart_timeout(cx.now());
        } else {
            cx.host(HostRequest::Serial { port: self.port, byte });
        }
        self.thre_pending = true;
    }
}

impl Device for Ns16550a {
    fn name(&self) -> &'static str {
        "ns16550a"
    }

    /// "Table II, UART Reset Configuration". The host's end keeps what has not been received.
    fn reset(&mut self, _how: Reset, cx: &mut Cx<'_>) {
        let receiver = self.receiver.after_reset(cx);
        *self = Self { receiver, ..Self::new(self.port) };
        self.settle(cx);
    }

    fn read(&mut self, at: Access, cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        let value = match self.decode(at).ok_or(BusFault)? {
            Register::Data => self.receiver.read(cx.now()),
            Register::Ier => self.ier.into_bits(),
            Register::IirFcr => self.read_iir(),
            Register::Lcr => self.lcr.into_bits(),
            Register::Mcr => self.mcr.into_bits(),
            Register::Lsr => self.read_lsr(),
            Register::Msr => {
                self.modem_inputs.into_bits() | std::mem::take(&mut self.modem_deltas).into_bits()
            }
            Register::Scr => self.scr,
            Register::Dll => self.divisor.to_le_bytes()[0],
            Register::Dlm => self.divisor.to_le_bytes()[1],
        };
        self.settle(cx);
        Ok(value.into())
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let [value, ..] = value.to_le_bytes();
        match self.decode(at).ok_or(BusFault)? {
            Register::Data => self.transmit(value, cx),
            Register::Ier => self.write_ier(Ier::from_bits(value & 0x0F)),
            Register::IirFcr => self.write_fcr(Fcr::from_bits(value)),
            Register::Lcr => self.lcr = Lcr::from_bits(value),
            Register::Mcr => {
                self.mcr = Mcr::from_bits(value & 0x1F);
                self.update_modem_inputs();
            }
            Register::Lsr | Register::Msr => {} // factory testing and read-only bits
            Register::Scr => self.scr = value,
            Register::Dll => self.divisor = self.divisor & 0xFF00 | u16::from(value),
            Register::Dlm => self.divisor = self.divisor & 0x00FF | u16::from(value) << 8,
        }
        self.settle(cx);
        Ok(())
    }

    fn deadline(&mut self, timer: TimerId, cx: &mut Cx<'_>) {
        match timer {
            CHARACTER => self.receiver.character_arrives(cx.now()),
            _ => self.receiver.time_out(),
        }
        self.settle(cx);
    }

    fn host(&mut self, event: HostEvent, cx: &mut Cx<'_>) {
        match event {
            HostEvent::Serial(byte) => self.receiver.queue(byte),
            HostEvent::Key { .. }
            | HostEvent::Mouse { .. }
            | HostEvent::PowerButton
            | HostEvent::WallClock(_)
            | HostEvent::DiskReady(_) => return,
        }
        self.settle(cx);
    }

    fn save(&self) -> Saved {
        state::save(self)
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        *self = state::restore(self.port, saved)?;
        Ok(())
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
