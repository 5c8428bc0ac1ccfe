//! PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2), bus 0 only.

use super::Socket;
use super::wiring::Function;
use emu_core::Width;

/// CONFIG_ADDRESS; only a full dword access reaches it.
pub(crate) const CONFIG_ADDRESS: u16 = 0xCF8;
/// CONFIG_DATA, four bytes.
pub(crate) const CONFIG_DATA: u16 = 0xCFC;

const ENABLE: u32 = 1 << 31;

/// The address latch, and who sits where on bus 0.
#[derive(Debug)]
pub(crate) struct Pci {
    functions: Vec<(u8, Socket)>,
    address: u32,
}

/// Where a cycle at CONFIG_DATA goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cycle {
    /// Register `register` of a function.
    Config { socket: Socket, register: u8 },
    /// No such function: master abort, reads give ones.
    Abort,
    /// The mechanism is not enabled: an ordinary I/O cycle.
    Io,
}

impl Pci {
    pub(crate) fn new(functions: &[Function], socket: impl Fn(&str) -> Option<Socket>) -> Self {
        let place = |f: &Function| Some(((f.device << 3) | (f.function & 7), socket(f.name)?));
        Self { functions: functions.iter().filter_map(place).collect(), address: 0 }
    }

    pub(crate) fn address(&self) -> u32 {
        self.address
    }

    /// Bits 30-24 and 1-0 are reserved and read as zero.
    pub(crate) fn set_address(&mut self, address: u32) {
        self.address = address & 0x80FF_FFFC;
    }

    /// Whether an access of this port and width is one to CONFIG_ADDRESS.
    pub(crate) fn is_address(port: u16, width: Width) -> bool {
        port == CONFIG_ADDRESS && width == Width::Dword
    }

    /// What an access to a byte lane of CONFIG_DATA means now.
    pub(crate) fn cycle(&self, lane: u8) -> Cycle {
        let [register, devfn, bus, _] = self.address.to_le_bytes();
        if self.address & ENABLE == 0 {
            return Cycle::Io;
        }
        let function = self.functions.iter().find(|(at, _)| bus == 0 && *at == devfn);
        function.map_or(Cycle::Abort, |&(_, socket)| Cycle::Config { socket, register: register | lane })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_reach_their_function() {
        let functions = [Function { device: 1, function: 3, name: "pm" }];
        let mut pci = Pci::new(&functions, |_| Some(Socket(4)));
        assert_eq!(pci.cycle(0), Cycle::Io);
        pci.set_address(0x8000_0B43);
        assert_eq!(pci.address(), 0x8000_0B40);
        assert_eq!(pci.cycle(2), Cycle::Config { socket: Socket(4), register: 0x42 });
        pci.set_address(0x8000_0A40);
        assert_eq!(pci.cycle(0), Cycle::Abort);
        pci.set_address(0x8001_0B40);
        assert_eq!(pci.cycle(0), Cycle::Abort, "no bus 1");
    }
}
