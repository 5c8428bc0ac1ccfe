//! One number for the whole state of a machine.

use super::ram;
use crate::machine::Machine;
use emu_core::Bus;
use sha2::{Digest, Sha256};

impl Machine {
    /// SHA-256 over everything that a saved machine holds: CPU, board, chips and memory. Two machines with the same
    /// hash go on alike.
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        let mut state = Vec::new();
        let parts = (&self.cpu, self.board.save(), self.board.save_devices());
        ciborium::into_writer(&parts, &mut state).expect("plain data into a vector");
        part(&state);
        for block in &self.blocks {
            ram::for_each_page(Bus::memory(&self.board), *block, |number, bytes| {
                part(&number.to_le_bytes());
                part(bytes);
                Ok(())
            })
            .expect("nothing here fails");
        }
        hash.finalize().into()
    }
}
