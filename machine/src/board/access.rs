//! Splitting accesses into the pieces that regions take, and floating what nobody answers.

use super::address::Hit;
use super::pci::{CONFIG_DATA, Cycle, Pci};
use super::{Board, Notice, Socket};
use emu_core::{Access, BusFault, Space, Width};

/// Which address space an access of the CPU is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Port,
    Memory,
}

impl Side {
    fn space(self) -> Space {
        match self {
            Self::Port => Space::Port,
            Self::Memory => Space::Memory,
        }
    }
}

/// Who answers the next piece of an access.
enum Answer {
    Chip {
        socket: Socket,
        at: Access,
    },
    ConfigAddress,
    /// A PCI master abort: ones, and nothing to note.
    Ones(Width),
    Nobody,
}

impl Answer {
    fn width(&self) -> Width {
        match self {
            Self::Chip { at, .. } => at.width,
            Self::ConfigAddress => Width::Dword,
            Self::Ones(width) => *width,
            Self::Nobody => Width::Byte,
        }
    }
}

/// The largest access that fits into `left` bytes and is no wider than `widest`.
fn fit(left: u64, widest: Width) -> Width {
    [Width::Qword, Width::Dword, Width::Word]
        .into_iter()
        .find(|width| *width <= widest && width.bytes() <= left)
        .unwrap_or(Width::Byte)
}

impl Board {
    /// Reads in ascending pieces; what nobody answers floats.
    pub(super) fn read_at(&mut self, side: Side, address: u64, width: Width) -> u64 {
        let (mut value, mut done, mut floats) = (0, 0, false);
        while done < width.bytes() {
            let answer = self.answer(side, address.wrapping_add(done), width.bytes() - done);
            let piece = answer.width();
            let part = self.read_piece(&answer).unwrap_or_else(|BusFault| {
                floats = true;
                u64::MAX
            });
            value |= (part & piece.mask()) << (8 * done);
            done += piece.bytes();
        }
        if floats {
            self.floats(side, address, width, None);
        }
        value
    }

    /// Writes in ascending pieces; what nobody answers is lost.
    pub(super) fn write_at(&mut self, side: Side, address: u64, width: Width, value: u64) {
        let (mut done, mut floats) = (0, false);
        while done < width.bytes() {
            let answer = self.answer(side, address.wrapping_add(done), width.bytes() - done);
            let piece = answer.width();
            let part = (value >> (8 * done)) & piece.mask();
            floats |= self.write_piece(&answer, part).is_err();
            done += piece.bytes();
        }
        if floats {
            self.floats(side, address, width, Some(value & width.mask()));
        }
    }

    fn floats(&mut self, side: Side, address: u64, width: Width, written: Option<u64>) {
        self.trace.note(self.time, Notice::Float { space: side.space(), address, width, written });
    }

    fn read_piece(&mut self, answer: &Answer) -> Result<u64, BusFault> {
        match *answer {
            Answer::Chip { socket, at } => self.device_read(socket, at),
            Answer::ConfigAddress => Ok(self.pci.address().into()),
            Answer::Ones(width) => Ok(width.mask()),
            Answer::Nobody => Err(BusFault),
        }
    }

    fn write_piece(&mut self, answer: &Answer, value: u64) -> Result<(), BusFault> {
        match *answer {
            Answer::Chip { socket, at } => self.device_write(socket, at, value),
            Answer::ConfigAddress => {
                self.pci.set_address(u32::try_from(value).expect("a dword piece"));
                Ok(())
            }
            Answer::Ones(_) => Ok(()),
            Answer::Nobody => Err(BusFault),
        }
    }

    /// Who answers at `address`, for as many of the `left` bytes as it takes in one piece.
    fn answer(&self, side: Side, address: u64, left: u64) -> Answer {
        match side {
            Side::Port => self.answer_port(address, left),
            Side::Memory => self.region(Space::Memory, self.addresses.memory(address), left),
        }
    }

    fn answer_port(&self, address: u64, left: u64) -> Answer {
        let Ok(port) = u16::try_from(address) else { return Answer::Nobody };
        if Pci::is_address(port, fit(left, Width::Dword)) {
            return Answer::ConfigAddress;
        }
        if (CONFIG_DATA..CONFIG_DATA + 4).contains(&port) {
            let lane = u8::try_from(port - CONFIG_DATA).expect("one of four lanes");
            let width = fit(left.min(4 - u64::from(lane)), Width::Dword);
            match self.pci.cycle(lane) {
                Cycle::Config { socket, register } => {
                    let at = Access { space: Space::Config, region: 0, offset: register.into(), width };
                    return Answer::Chip { socket, at };
                }
                Cycle::Abort => return Answer::Ones(width),
                Cycle::Io => {}
            }
        }
        self.region(Space::Port, self.addresses.port(address), left)
    }

    fn region(&self, space: Space, hit: Option<Hit>, left: u64) -> Answer {
        let Some(hit) = hit else { return Answer::Nobody };
        let widest = self.devices[usize::from(hit.socket.0)].widest(hit.region);
        let width = fit(left.min(hit.left), widest);
        Answer::Chip {
            socket: hit.socket,
            at: Access { space, region: hit.region, offset: hit.offset, width },
        }
    }
}
