//! A0000h-BFFFFh, and the VBE registers behind their ports: who of planes and video memory answers.

use super::Vga;
use super::vbe::{Layout, Register, VIDEO_MEMORY, Vbe};
use crate::bits::{low8, low16};
use emu_core::{Access, BusFault, Cx, MemoryMap};

/// The bank of a VBE mode with packed pixels appears in the first 64 KiB.
const BANK: u64 = 0x1_0000;

/// The ports of region 2: 1CEh and 1CFh.
const INDEX: u64 = 0;
const DATA: u64 = 1;

impl Vga {
    /// The offset in video memory, if a bank of it appears in the window.
    fn banked(&self, offset: u64) -> Option<u64> {
        let packed = self.vbe.is_enabled() && self.vbe.layout() != Layout::Planes;
        packed.then(|| (self.vbe.bank_start() + offset % BANK) % VIDEO_MEMORY)
    }

    pub(super) fn read_window(&mut self, at: Access, memory: &MemoryMap) -> u64 {
        let mut value = 0;
        for index in 0..at.width.bytes() {
            let offset = at.offset.wrapping_add(index);
            let byte = match self.banked(offset) {
                Some(place) if offset < BANK => {
                    let mut byte = [0];
                    memory.block(self.video_memory).read(place, &mut byte);
                    byte[0]
                }
                Some(_) => 0xFF,
                None => self.read_memory(offset).unwrap_or(0xFF),
            };
            value |= u64::from(byte) << (8 * index);
        }
        value
    }

    pub(super) fn write_window(&mut self, at: Access, value: u64, memory: &MemoryMap) {
        for index in 0..at.width.bytes() {
            let (offset, byte) = (at.offset.wrapping_add(index), low8(value >> (8 * index)));
            match self.banked(offset) {
                Some(place) if offset < BANK => memory.fill_block(self.video_memory, place, &[byte]),
                Some(_) => {}
                None => self.write_memory(offset, byte),
            }
        }
    }

    pub(super) fn read_vbe_port(&mut self, at: Access) -> Result<u64, BusFault> {
        match at.offset {
            INDEX => Ok(self.vbe.index.into()),
            DATA => Ok(Vbe::register(self.vbe.index).map_or(0, |register| self.vbe.read(register)).into()),
            _ => Err(BusFault),
        }
    }

    pub(super) fn write_vbe_port(&mut self, at: Access, value: u64, cx: &Cx<'_>) -> Result<(), BusFault> {
        match (at.offset, Vbe::register(self.vbe.index)) {
            (INDEX, _) => self.vbe.index = low16(value),
            (DATA, Some(register)) => self.write_vbe(register, low16(value), cx.memory()),
            (DATA, None) => {}
            _ => return Err(BusFault),
        }
        Ok(())
    }

    pub(super) fn write_vbe(&mut self, register: Register, value: u16, memory: &MemoryMap) {
        self.writes.count();
        if self.vbe.write(register, value) {
            match self.vbe.layout() {
                Layout::Planes => self.memory.clear(),
                Layout::Linear(_) => self.clear_video_memory(memory),
            }
        }
    }

    /// Only what anybody has ever touched is not zero already.
    fn clear_video_memory(&self, memory: &MemoryMap) {
        const ZEROS: [u8; 4096] = [0; 4096];
        for page in memory.block(self.video_memory).touched_pages() {
            memory.fill_block(self.video_memory, page * ZEROS.len() as u64, &ZEROS);
        }
    }
}
