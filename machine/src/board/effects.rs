//! Carrying out what devices did to the world.

use super::{Board, Notice, Socket};
use crate::board::queue::Deadline;
use crate::board::wiring::Decode;
use emu_core::{
    Access, Attention, BusFault, CpuSignal, Effect, HostRequest, Level, Pin, Power, Space, Width,
};
use std::sync::atomic::Ordering;

/// More effects than this from one call are a chip and a guest chasing each other by DMA.
const MAX_EFFECTS: u32 = 1 << 16;

/// The longest transfer one grant can ask for: a whole 16-bit channel (8237A, word count of 65 536 words).
const MAX_DMA: u32 = 0x2_0000;

/// A granted DMA request, see [`Effect::Dma`].
#[derive(Clone, Copy)]
struct Grant {
    channel: u8,
    gpa: u64,
    len: u32,
    to_memory: bool,
    down: bool,
}

impl Board {
    /// Empties the work queue.
    pub(super) fn carry_out(&mut self) {
        let mut done = 0;
        while let Some((socket, effect)) = self.work.pop_front() {
            done += 1;
            if done > MAX_EFFECTS && matches!(effect, Effect::Dma { .. }) {
                self.trace.note(self.time, Notice::Runaway);
                continue;
            }
            self.carry_out_one(socket, effect);
        }
    }

    fn carry_out_one(&mut self, socket: Socket, effect: Effect) {
        match effect {
            Effect::Arm { timer, at } => self.queue.arm(Deadline { at, socket, timer }),
            Effect::Disarm { timer } => self.queue.disarm(socket, timer),
            Effect::Line { pin, level } => self.drive(socket, pin, level),
            Effect::Message { address, data } => self.message(address, data),
            Effect::Dma { channel, gpa, len, to_memory, down } => {
                self.dma(socket, Grant { channel, gpa, len, to_memory, down });
            }
            Effect::Eoi { vector } => self.eoi(vector),
            Effect::Cpu(signal) => self.signal(signal),
            Effect::Window { region, base } => {
                if self.addresses.move_to(socket, region, base) == Some(Decode::FrameBuffer) {
                    self.frame_buffer.place(&self.memory, base);
                    self.stop_engine();
                }
            }
            Effect::Shadow { start, len, read_ram, write_ram } => {
                self.shadow.set(&self.memory, start, len, read_ram, write_ram);
                self.stop_engine();
            }
            Effect::Host(request) => self.request(request),
            Effect::Power(power) => self.power(power),
        }
    }

    fn drive(&mut self, socket: Socket, pin: Pin, level: Level) {
        for (feels, level) in self.nets.drive(socket, pin, level) {
            self.feel(feels, level);
        }
    }

    /// An interrupt message reaches the local APIC; any other address is a memory write
    /// (Intel SDM Vol. 3A 11.11.1, "Message Address Register Format").
    fn message(&mut self, address: u64, data: u32) {
        match self.local_apic {
            Some(apic) if address >> 20 == 0xFEE => {
                let at = Access {
                    space: Space::Message,
                    region: 0,
                    offset: address & 0xF_FFFF,
                    width: Width::Dword,
                };
                let _an_apic_takes_messages = self.device_write(apic, at, data.into());
            }
            _ => self.memory.write(address, &data.to_le_bytes()),
        }
    }

    fn eoi(&mut self, vector: u8) {
        for n in 0..self.io_apics.len() {
            let at = Access { space: Space::Eoi, region: 0, offset: 0, width: Width::Byte };
            let _not_every_io_apic_cares = self.device_write(self.io_apics[n], at, vector.into());
        }
    }

    /// Moves the bytes of a grant and tells the DMA controller how many there were.
    fn dma(&mut self, controller: Socket, grant: Grant) {
        let requester = self.nets.driver(controller, Pin(grant.channel));
        let done = requester.map_or(0, |device| self.transfer(device, grant));
        let at = Access { space: Space::Dma, region: grant.channel, offset: 0, width: Width::Dword };
        let _the_controller_asked = self.device_write(controller, at, done.into());
    }

    fn transfer(&mut self, device: Socket, grant: Grant) -> u32 {
        let len = grant.len.min(MAX_DMA);
        for n in 0..len {
            let by = u64::from(n);
            let gpa = if grant.down { grant.gpa.wrapping_sub(by) } else { grant.gpa.wrapping_add(by) };
            if self.transfer_byte(device, grant, gpa, n + 1 == len).is_err() {
                return n;
            }
        }
        len
    }

    fn transfer_byte(
        &mut self,
        device: Socket,
        grant: Grant,
        gpa: u64,
        terminal_count: bool,
    ) -> Result<(), BusFault> {
        let offset = u64::from(terminal_count);
        let at = Access { space: Space::Dma, region: grant.channel, offset, width: Width::Byte };
        if grant.to_memory {
            let byte = self.device_read(device, at)?;
            self.memory.write(gpa, &byte.to_le_bytes()[..1]);
            Ok(())
        } else {
            let [byte] = self.memory.read_array(gpa);
            self.device_write(device, at, byte.into())
        }
    }

    fn signal(&mut self, signal: CpuSignal) {
        match signal {
            CpuSignal::Nmi => {
                self.attention.fetch_or(Attention::NMI, Ordering::AcqRel);
            }
            CpuSignal::Init => {
                self.signals.init = true;
                self.stop_engine();
            }
            // The bootstrap processor never waits for a start-up IPI (Intel SDM Vol. 3A 9.4.1). No engine here has
            // system-management mode, and no chip of this board asks for it.
            CpuSignal::Sipi(_) | CpuSignal::Smi => self.trace.note(self.time, Notice::Ignored(signal)),
        }
    }

    fn request(&mut self, request: HostRequest) {
        match request {
            HostRequest::Exit(code) => {
                self.signals.exit.get_or_insert(code);
                self.stop_engine();
            }
            HostRequest::Serial { .. } | HostRequest::Debug(_) | HostRequest::Speaker(_) => {
                self.requests.push_back(request);
                if self.requests_full() {
                    self.stop_engine();
                }
            }
        }
    }

    /// The strongest request wins: off, then platform reset, then processor reset.
    fn power(&mut self, power: Power) {
        self.trace.note(self.time, Notice::Power(power));
        let rank = |power| match power {
            Power::CpuReset => 0,
            Power::Reset => 1,
            Power::Off => 2,
        };
        if self.signals.power.is_none_or(|pending| rank(pending) < rank(power)) {
            self.signals.power = Some(power);
        }
        self.stop_engine();
    }
}
