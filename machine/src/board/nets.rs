//! Lines between chips: which output drives which input, wired-OR, with gates.

use super::Socket;
use super::wiring::{End, Wire};
use emu_core::{Level, Pin};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who feels a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feels {
    Pin(Socket, Pin),
    /// The interrupt request of the CPU.
    Intr,
    /// The A20 gate: high lets bit 20 through.
    A20,
}

#[derive(Debug)]
struct Sink {
    feels: Feels,
    /// How many of its wires are high: the line is high while this is not zero (wired-OR).
    high: u32,
}

#[derive(Debug)]
struct Connection {
    from: usize,
    to: usize,
    /// The wire conducts only while this output has this level.
    gate: Option<(usize, Level)>,
    /// The level it puts on its sink now.
    high: bool,
}

#[derive(Debug)]
struct Output {
    socket: Socket,
    pin: Pin,
    level: Level,
    /// Connections that this output drives or gates.
    touches: Vec<usize>,
}

/// All lines of a board.
#[derive(Debug, Default)]
pub(crate) struct Nets {
    by_pin: BTreeMap<(u8, Pin), usize>,
    outputs: Vec<Output>,
    connections: Vec<Connection>,
    sinks: Vec<Sink>,
}

/// An output that is high, as it is saved. All others are low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedHigh {
    socket: u8,
    pin: u8,
}

impl Nets {
    /// All lines low. Wires that name a device which `socket` does not know are left out: a model without
    /// that chip has no such wire.
    pub(crate) fn new(wires: &[Wire], socket: impl Fn(&str) -> Option<Socket>) -> Self {
        let mut nets = Self::default();
        for wire in wires {
            let feels = match wire.to {
                End::Pin(name, pin) => socket(name).map(|socket| Feels::Pin(socket, pin)),
                End::Intr => Some(Feels::Intr),
                End::A20 => Some(Feels::A20),
            };
            let (Some(from), Some(feels)) = (socket(wire.from.0), feels) else { continue };
            let gate = wire.when.and_then(|(name, pin, level)| Some((socket(name)?, pin, level)));
            let from = nets.output(from, wire.from.1);
            let to = nets.sink(feels);
            let gate = gate.map(|(socket, pin, level)| (nets.output(socket, pin), level));
            let connection = nets.connections.len();
            nets.outputs[from].touches.push(connection);
            if let Some((gate, _)) = gate {
                nets.outputs[gate].touches.push(connection);
            }
            nets.connections.push(Connection { from, to, gate, high: false });
        }
        nets
    }

    fn output(&mut self, socket: Socket, pin: Pin) -> usize {
        *self.by_pin.entry((socket.0, pin)).or_insert_with(|| {
            self.outputs.push(Output { socket, pin, level: Level::Low, touches: Vec::new() });
            self.outputs.len() - 1
        })
    }

    fn sink(&mut self, feels: Feels) -> usize {
        self.sinks.iter().position(|sink| sink.feels == feels).unwrap_or_else(|| {
            self.sinks.push(Sink { feels, high: 0 });
            self.sinks.len() - 1
        })
    }

    /// A device drives one of its pins. Gives the changes that others feel, in wiring order.
    pub(crate) fn drive(&mut self, socket: Socket, pin: Pin, level: Level) -> Vec<(Feels, Level)> {
        let Some(&output) = self.by_pin.get(&(socket.0, pin)) else { return Vec::new() };
        if self.outputs[output].level == level {
            return Vec::new();
        }
        self.outputs[output].level = level;
        let touched = std::mem::take(&mut self.outputs[output].touches);
        let changes = touched.iter().filter_map(|&connection| self.settle(connection)).collect();
        self.outputs[output].touches = touched;
        changes
    }

    /// Recomputes one connection; a change that its sink feels is returned.
    fn settle(&mut self, connection: usize) -> Option<(Feels, Level)> {
        let Connection { from, to, gate, high } = &mut self.connections[connection];
        let conducts = gate.is_none_or(|(output, level)| self.outputs[output].level == level);
        let now = conducts && self.outputs[*from].level.is_high();
        if now == *high {
            return None;
        }
        *high = now;
        let sink = &mut self.sinks[*to];
        let before = sink.high;
        sink.high = if now { before + 1 } else { before - 1 };
        ((before == 0) != (sink.high == 0)).then(|| (sink.feels, Level::from(now)))
    }

    /// Every line with its level.
    pub(crate) fn levels(&self) -> impl Iterator<Item = (Feels, Level)> + '_ {
        self.sinks.iter().map(|sink| (sink.feels, Level::from(sink.high > 0)))
    }

    pub(crate) fn level(&self, feels: Feels) -> Option<Level> {
        self.levels().find(|&(other, _)| other == feels).map(|(_, level)| level)
    }

    /// The device that drives the pin `(socket, pin)` high now.
    pub(crate) fn driver(&self, socket: Socket, pin: Pin) -> Option<Socket> {
        let to = self.sinks.iter().position(|sink| sink.feels == Feels::Pin(socket, pin))?;
        let connection = self.connections.iter().find(|c| c.to == to && c.high)?;
        Some(self.outputs[connection.from].socket)
    }

    pub(crate) fn save(&self) -> Vec<SavedHigh> {
        self.outputs
            .iter()
            .filter(|output| output.level.is_high())
            .map(|output| SavedHigh { socket: output.socket.0, pin: output.pin.0 })
            .collect()
    }

    /// Takes saved levels over without making an edge; `false` (and unchanged) if a pin is not wired here.
    pub(crate) fn restore(&mut self, saved: &[SavedHigh]) -> bool {
        let find = |high: &SavedHigh| self.by_pin.get(&(high.socket, Pin(high.pin))).copied();
        let Some(high) = saved.iter().map(find).collect::<Option<Vec<_>>>() else { return false };
        for output in &mut self.outputs {
            output.level = Level::Low;
        }
        for output in high {
            self.outputs[output].level = Level::High;
        }
        for connection in 0..self.connections.len() {
            let _no_edge = self.settle(connection);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: (&str, Pin) = ("a", Pin(0));
    const B: (&str, Pin) = ("b", Pin(0));
    const SINK: End = End::Pin("c", Pin(7));
    const FELT: Feels = Feels::Pin(Socket(2), Pin(7));

    fn socket(name: &str) -> Option<Socket> {
        ["a", "b", "c"].iter().position(|known| *known == name).map(|n| Socket(n as u8))
    }

    fn wire(from: (&'static str, Pin), to: End) -> Wire {
        Wire { from, to, when: None }
    }

    #[test]
    fn several_drivers_are_wired_or() {
        let mut nets = Nets::new(&[wire(A, SINK), wire(B, SINK)], socket);
        assert_eq!(nets.drive(Socket(0), Pin(0), Level::High), [(FELT, Level::High)]);
        assert_eq!(nets.drive(Socket(1), Pin(0), Level::High), []);
        assert_eq!(nets.drive(Socket(0), Pin(0), Level::Low), []);
        assert_eq!(nets.drive(Socket(1), Pin(0), Level::Low), [(FELT, Level::Low)]);
        assert_eq!(nets.drive(Socket(1), Pin(0), Level::Low), []);
    }

    #[test]
    fn one_output_fans_out_in_wiring_order() {
        let mut nets = Nets::new(&[wire(A, SINK), wire(A, End::Intr)], socket);
        let high = Level::High;
        assert_eq!(nets.drive(Socket(0), Pin(0), high), [(FELT, high), (Feels::Intr, high)]);
    }

    #[test]
    fn a_gate_cuts_and_joins_a_wire() {
        let gated = Wire { from: A, to: SINK, when: Some(("b", Pin(0), Level::Low)) };
        let mut nets = Nets::new(&[gated], socket);
        assert_eq!(nets.drive(Socket(0), Pin(0), Level::High), [(FELT, Level::High)]);
        assert_eq!(nets.drive(Socket(1), Pin(0), Level::High), [(FELT, Level::Low)]);
        assert_eq!(nets.drive(Socket(1), Pin(0), Level::Low), [(FELT, Level::High)]);
    }

    #[test]
    fn wires_to_absent_chips_are_left_out() {
        let mut nets = Nets::new(&[wire(A, End::Pin("absent", Pin(0)))], socket);
        assert_eq!(nets.drive(Socket(0), Pin(0), Level::High), []);
    }

    #[test]
    fn restore_keeps_levels_without_edges() {
        let wires = [wire(A, SINK), wire(B, SINK)];
        let mut nets = Nets::new(&wires, socket);
        nets.drive(Socket(0), Pin(0), Level::High);
        let saved = nets.save();
        let mut back = Nets::new(&wires, socket);
        assert!(back.restore(&saved));
        assert_eq!(back.save(), saved);
        assert_eq!(back.level(FELT), Some(Level::High));
        assert_eq!(back.drive(Socket(0), Pin(0), Level::Low), [(FELT, Level::Low)]);
        assert!(!back.restore(&[SavedHigh { socket: 9, pin: 0 }]));
    }
}
