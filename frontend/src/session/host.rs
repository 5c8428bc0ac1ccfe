//! What the machine asks of the host: bytes to send, bytes to log; and the look-out for a kernel that panics.

use crate::files;
use crate::options::Run;
use crate::script::Script;
use crate::serial::Cable;
use crate::watch::Watch;
use anyhow::Result;
use emu_core::{HostRequest, Tick};
use machine::Machine;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};

pub(super) struct HostSide {
    pub(super) cable: Cable,
    debug: Option<File>,
    trace: Option<BufWriter<File>>,
    panic: Watch,
    halt: Watch,
    /// The kernel has said that it panics, and not started again since.
    pub(super) panic_seen: bool,
    /// When the kernel said that it stays halted after a panic.
    pub(super) panicked_at: Option<Tick>,
    resets: u64,
}

impl HostSide {
    pub(super) fn open(options: &Run, cable: Cable) -> Result<Self> {
        let create =
            |what, path: &Option<_>| path.as_deref().map(|path| files::create(what, path)).transpose();
        Ok(Self {
            cable,
            debug: create("debug log", &options.console.debugcon)?,
            trace: create("trace", &options.state.trace)?.map(BufWriter::new),
            // Linux, kernel/panic.c, panic(): the second line comes only if the kernel does not reboot by itself.
            panic: Watch::new("Kernel panic - not syncing"),
            halt: Watch::new("---[ end Kernel panic"),
            panic_seen: false,
            panicked_at: None,
            resets: 0,
        })
    }

    /// Carries out what the machine has asked for since the last turn.
    pub(super) fn answer(
        &mut self,
        requests: VecDeque<HostRequest>,
        machine: &mut Machine,
        script: Option<&mut Script>,
    ) {
        let (mut serial, mut debug) = (Vec::new(), Vec::new());
        for request in requests {
            match request {
                HostRequest::Serial { port: 0, byte } => serial.push(byte),
                HostRequest::Debug(byte) => debug.push(byte),
                // Nothing is plugged into the other serial ports; the speaker has no cone yet; an exit ends the run.
                HostRequest::Serial { .. } | HostRequest::Speaker(_) | HostRequest::Exit(_) => {}
            }
        }
        if !serial.is_empty() {
            self.cable.send(&serial);
            self.look_out(&serial, machine.now());
            if let Some(script) = script {
                script.heard(&serial);
            }
        }
        if let Some(file) = &mut self.debug {
            let _ = file.write_all(&debug);
        }
        if let Some(file) = &mut self.trace {
            for record in machine.take_trace() {
                let _ = writeln!(file, "{record}");
            }
        }
    }

    /// If the guest has been reset since the last call, it starts with a clean slate: what panicked is gone.
    pub(super) fn follow_resets(&mut self, machine: &Machine) {
        if machine.resets() != self.resets {
            self.resets = machine.resets();
            (self.panic_seen, self.panicked_at) = (false, None);
        }
    }

    fn look_out(&mut self, serial: &[u8], now: Tick) {
        self.panic_seen |= self.panic.take(serial).is_some();
        if self.halt.take(serial).is_some() {
            self.panicked_at = Some(now);
        }
    }
}
