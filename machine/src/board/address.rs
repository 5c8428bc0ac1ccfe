//! Address decoding: which region of which device answers a port or a memory address.

use super::Socket;
use super::wiring::{Decode, Region};

/// A region in its place.
#[derive(Clone, Copy, Debug)]
struct Window {
    socket: Socket,
    region: u8,
    decode: Decode,
    base: Option<u64>,
    len: u64,
}

/// What answers at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) socket: Socket,
    pub(crate) region: u8,
    pub(crate) offset: u64,
    /// Bytes from here to the end of the region.
    pub(crate) left: u64,
}

const PORTS: usize = 0x1_0000;
const NOBODY: u8 = u8::MAX;

/// All regions. Where two overlap, the earlier row of the wiring table wins.
#[derive(Debug)]
pub(crate) struct AddressMap {
    windows: Vec<Window>,
    /// For each port the index of its window, or [`NOBODY`].
    ports: Box<[u8]>,
    /// Windows in memory, by base.
    memory: Vec<u8>,
}

impl AddressMap {
    pub(crate) fn new(regions: &[Region], socket: impl Fn(&str) -> Option<Socket>) -> Self {
        let windows: Vec<Window> = regions
            .iter()
            .filter_map(|&Region { device, region, decode, base, len }| {
                Some(Window { socket: socket(device)?, region, decode, base, len })
            })
            .collect();
        assert!(windows.len() < usize::from(NOBODY), "a wiring table has fewer than 255 regions");
        let mut map = Self { windows, ports: vec![NOBODY; PORTS].into(), memory: Vec::new() };
        map.index();
        map
    }

    /// Rebuilds both indexes. The last one written wins, so the table is walked backwards.
    fn index(&mut self) {
        self.ports.fill(NOBODY);
        self.memory.clear();
        for (number, window) in (0..NOBODY).zip(&self.windows).rev() {
            let Some(base) = window.base else { continue };
            match window.decode {
                Decode::Port => {
                    let clamp = |at: u64| usize::try_from(at).unwrap_or(PORTS).min(PORTS);
                    self.ports[clamp(base)..clamp(base.saturating_add(window.len))].fill(number);
                }
                Decode::Memory => self.memory.push(number),
                Decode::FrameBuffer => {}
            }
        }
        self.memory.reverse();
    }

    fn hit(&self, number: u8, at: u64) -> Option<Hit> {
        let window = self.windows[usize::from(number)];
        let offset = at.checked_sub(window.base?)?;
        (offset < window.len).then(|| Hit {
            socket: window.socket,
            region: window.region,
            offset,
            left: window.len - offset,
        })
    }

    pub(crate) fn port(&self, port: u64) -> Option<Hit> {
        let number = *self.ports.get(usize::try_from(port).ok()?)?;
        if number == NOBODY { None } else { self.hit(number, port) }
    }

    pub(crate) fn memory(&self, gpa: u64) -> Option<Hit> {
        self.memory.iter().find_map(|&number| self.hit(number, gpa))
    }

    /// Moves a region; says how it is decoded if it was elsewhere before. A region that the wiring table does not
    /// have stays nowhere.
    pub(crate) fn move_to(&mut self, socket: Socket, region: u8, base: Option<u64>) -> Option<Decode> {
        let window = self.windows.iter_mut().find(|w| w.socket == socket && w.region == region);
        let window = window.filter(|window| window.base != base)?;
        window.base = base;
        let decode = window.decode;
        self.index();
        Some(decode)
    }

    /// Where the frame buffer is.
    pub(crate) fn frame_buffer(&self) -> Option<u64> {
        self.windows.iter().find(|window| window.decode == Decode::FrameBuffer)?.base
    }

    /// The bases of all regions, in table order.
    pub(crate) fn save(&self) -> Vec<Option<u64>> {
        self.windows.iter().map(|window| window.base).collect()
    }

    /// `false`, and unchanged, if there are not exactly as many bases as regions.
    pub(crate) fn restore(&mut self, bases: &[Option<u64>]) -> bool {
        if bases.len() != self.windows.len() {
            return false;
        }
        for (window, base) in self.windows.iter_mut().zip(bases) {
            window.base = *base;
        }
        self.index();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> AddressMap {
        let row = |region, decode, base, len| Region { device: "chip", region, decode, base, len };
        let rows = [
            row(0, Decode::Port, Some(0x3F6), 1),
            row(1, Decode::Port, Some(0x3F0), 8),
            row(2, Decode::Port, None, 64),
            row(3, Decode::Memory, Some(0xFEC0_0000), 0x1000),
        ];
        AddressMap::new(&rows, |name| (name == "chip").then_some(Socket(5)))
    }

    #[test]
    fn the_earlier_row_wins_an_overlap() {
        let map = map();
        assert_eq!(map.port(0x3F6).map(|hit| (hit.region, hit.offset)), Some((0, 0)));
        assert_eq!(map.port(0x3F7).map(|hit| (hit.region, hit.offset, hit.left)), Some((1, 7, 1)));
        assert_eq!(map.port(0x3F8), None);
        assert_eq!(map.port(0x1_0000), None);
    }

    #[test]
    fn a_window_moves_and_vanishes() {
        let mut map = map();
        map.move_to(Socket(5), 2, Some(0x600));
        assert_eq!(map.port(0x608).map(|hit| (hit.region, hit.offset)), Some((2, 8)));
        map.move_to(Socket(5), 2, Some(0xFFF0));
        assert_eq!(map.port(0x608), None);
        assert_eq!(map.port(0xFFFF).map(|hit| hit.offset), Some(15));
        map.move_to(Socket(5), 2, None);
        assert_eq!(map.port(0xFFFF), None);
    }

    #[test]
    fn memory_windows_end() {
        let map = map();
        assert_eq!(map.memory(0xFEC0_0FFF).map(|hit| hit.left), Some(1));
        assert_eq!(map.memory(0xFEC0_1000), None);
        assert_eq!(map.memory(0xFEBF_FFFF), None);
    }
}
