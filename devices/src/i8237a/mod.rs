//! Two 8237A DMA controllers as the PC/AT wires them, with the page registers of ports 80h-8Fh.
//!
//! Follows Intel "8237A High Performance Programmable DMA Controller" and 82371SB (PIIX3), "DMA Controller
//! Registers". A granted transfer is carried out by the board ([`Cx::dma`]), which tells the count back.
//!
//! Departures, on purpose:
//! - a transfer takes no time, so demand, single and block mode are alike;
//! - channels 0-3 work even where nobody has put channel 4 into cascade mode: a kernel started without firmware
//!   never does it;
//! - a transfer that would wrap around inside its 64 Ki page ends at the end of the page. Memory outside the page is
//!   never touched.

mod channel;
mod controller;
mod state;
#[cfg(test)]
mod tests;

use channel::TransferType;
use controller::{After, Controller, Register};
use emu_core::{Access, BusFault, Cx, Device, Level, Pin, Reset, RestoreError, Saved, Space};

/// Offsets of the page registers of channels 0-7 from port 80h (IBM PC/AT Technical Reference, "DMA Page
/// Registers"). Channel 4 cascades; its page drives the address in a refresh.
const PAGE_OF: [usize; 8] = [7, 3, 1, 2, 0xF, 0xB, 9, 0xA];

/// Where nothing answers: verify cycles "write" here. Above every physical address (SDM Vol. 3A 4.1.4).
const NOWHERE: u64 = 1 << 52;

/// The pair of controllers. Inputs: DREQ0-7 = `Pin(0)`..`Pin(7)`.
#[derive(Debug)]
pub struct I8237aPair {
    controllers: [Controller; 2],
    /// Ports 80h-8Fh. Those without a channel are plain latches; 80h shows POST codes.
    pages: [u8; 16],
}

impl Default for I8237aPair {
    fn default() -> Self {
        Self::new()
    }
}

impl I8237aPair {
    pub fn new() -> Self {
        Self { controllers: [Controller::RESET; 2], pages: [0; 16] }
    }

    /// Bytes in one transfer of a controller: the second one counts words.
    fn unit(which: usize) -> u32 {
        1 << which
    }

    /// The guest-physical address that a channel's current address stands for.
    fn gpa(&self, which: usize, channel: usize) -> u64 {
        let page = u64::from(self.pages[PAGE_OF[which * 4 + channel]]);
        let address = u64::from(self.controllers[which].channels[channel].current_address);
        if which == 0 { page << 16 | address } else { (page & !1) << 16 | address << 1 }
    }

    /// Gives the bus to every ready channel of `channels` (a bit mask), highest priority first.
    fn serve(&mut self, which: usize, channels: u8, cx: &mut Cx<'_>) {
        for channel in self.controllers[which].priority() {
            if channels & (1 << channel) != 0 && self.controllers[which].is_ready(channel) {
                self.grant(which, channel, cx);
            }
        }
    }

    fn grant(&mut self, which: usize, channel: usize, cx: &mut Cx<'_>) {
        let registers = &self.controllers[which].channels[channel];
        let mode = registers.mode();
        let len = registers.units_left().min(registers.units_in_page()) * Self::unit(which);
        let gpa = self.gpa(which, channel);
        let number = (which * 4 + channel) as u8;
        match mode.transfer() {
            TransferType::Verify => cx.dma(number, NOWHERE, len, true, false),
            TransferType::Write => cx.dma(number, gpa, len, true, mode.decrement()),
            TransferType::Read => cx.dma(number, gpa, len, false, mode.decrement()),
            TransferType::Illegal => {}
        }
    }

    fn software_request(&mut self, which: usize, channel: usize, cx: &mut Cx<'_>) {
        let controller = &self.controllers[which];
        if controller.command.controller_disable() {
            return;
        }
        // 8237A, "Memory-to-Memory": started by a software request for channel 0.
        if which == 0 && channel == 0 && controller.command.memory_to_memory() {
            self.copy(cx);
        } else if !controller.is_ready(channel) {
            self.transfer_with_nobody(which, channel, cx);
        }
    }

    /// Memory-to-memory transfer of the first controller: channel 0 reads, channel 1 writes and counts.
    fn copy(&mut self, cx: &mut Cx<'_>) {
        let hold = self.controllers[0].command.channel_0_address_hold();
        for _ in 0..self.controllers[0].channels[1].units_left() {
            let [byte] = cx.memory().read_array(self.gpa(0, 0));
            cx.memory().write(self.gpa(0, 1), &[byte]);
            self.controllers[0].temporary = byte;
            if !hold && self.controllers[0].channels[0].count(1) {
                self.controllers[0].channels[0].reload();
            }
            if self.controllers[0].channels[1].count(1) {
                self.controllers[0].end_of_process(1);
            }
        }
        self.controllers[0].request &= !1;
    }

    /// A software request with no device behind it runs to terminal count; the data bus floats.
    fn transfer_with_nobody(&mut self, which: usize, channel: usize, cx: &mut Cx<'_>) {
        let writes = self.controllers[which].channels[channel].mode().transfer() == TransferType::Write;
        for _ in 0..self.controllers[which].channels[channel].units_left() {
            if writes {
                cx.memory().write(self.gpa(which, channel), &[0xFF, 0xFF][..=which]);
            }
            self.controllers[which].transferred(channel, 1);
        }
    }

    fn read_port(&mut self, at: Access) -> Result<u8, BusFault> {
        match at.region {
            0 => Ok(self.controllers[0].read(Register::decode(at.offset))),
            1 => Ok(self.controllers[1].read(Register::decode(at.offset >> 1))),
            2 => Ok(self.pages[at.offset as usize & 0xF]),
            _ => Err(BusFault),
        }
    }

    fn write_port(&mut self, at: Access, value: u8, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        let (which, code) = match at.region {
            0 => (0, at.offset),
            1 => (1, at.offset >> 1),
            2 => {
                self.pages[at.offset as usize & 0xF] = value;
                return Ok(());
            }
            _ => return Err(BusFault),
        };
        match self.controllers[which].write(Register::decode(code), value) {
            After::Nothing => {}
            After::Serve => self.serve(which, 0xF, cx),
            After::SoftwareRequest(channel) => self.software_request(which, channel, cx),
        }
        Ok(())
    }
}

impl Device for I8237aPair {
    fn name(&self) -> &'static str {
        "i8237a"
    }

    fn reset(&mut self, _how: Reset, _cx: &mut Cx<'_>) {
        let Self { controllers, pages } = self;
        for controller in controllers {
            *controller = Controller { dreq: controller.dreq, ..Controller::RESET };
        }
        *pages = [0; 16];
    }

    fn read(&mut self, at: Access, _cx: &mut Cx<'_>) -> Result<u64, BusFault> {
        if at.space == Space::Port { self.read_port(at).map(u64::from) } else { Err(BusFault) }
    }

    fn write(&mut self, at: Access, value: u64, cx: &mut Cx<'_>) -> Result<(), BusFault> {
        match at.space {
            Space::Port => self.write_port(at, value as u8, cx),
            // The board has carried out a grant and tells how many bytes it moved.
            Space::Dma if at.region < 8 => {
                let (which, channel) = (usize::from(at.region >> 2), usize::from(at.region & 3));
                let units = u32::try_from(value).unwrap_or(u32::MAX) / Self::unit(which);
                self.controllers[which].transferred(channel, units);
                Ok(())
            }
            Space::Dma
            | Space::Memory
            | Space::Config
            | Space::Msr
            | Space::IntAck
            | Space::Message
            | Space::Eoi => Err(BusFault),
        }
    }

    fn pin(&mut self, pin: Pin, level: Level, cx: &mut Cx<'_>) {
        let Pin(number @ 0..8) = pin else { return };
        let (which, bit) = (usize::from(number >> 2), 1 << (number & 3));
        let controller = &mut self.controllers[which];
        let before = controller.dreq;
        controller.dreq = if level.is_high() { before | bit } else { before & !bit };
        if controller.dreq != before {
            self.serve(which, bit, cx);
        }
    }

    fn save(&self) -> Saved {
        state::save(self)
    }

    fn restore(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        *self = state::restore(saved)?;
        Ok(())
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
