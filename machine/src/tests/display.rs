//! The display adapter on its board: its memory is guest memory, and goes where its BAR says.

use super::*;
use crate::Picture;

/// Where a PC started without firmware finds the adapter's BARs.
const FRAME_BUFFER: u64 = 0xE000_0000;
const REGISTERS: u64 = 0xFEBF_0000;

fn vbe_mode(machine: &mut Machine, width: u64, height: u64, bits: u64) {
    let board = machine.board_mut();
    for (index, value) in [(4, 0), (1, width), (2, height), (3, bits), (4, 0x41)] {
        board.port_write(0x1CE, Width::Word, index);
        board.port_write(0x1CF, Width::Word, value);
    }
}

fn config_write(machine: &mut Machine, register: u64, value: u64) {
    machine.board_mut().port_write(0xCF8, Width::Dword, 0x8000_1000 | register);
    machine.board_mut().port_write(0xCFC, Width::Dword, value);
}

#[test]
fn what_is_written_to_the_frame_buffer_is_on_the_screen() {
    let (mut machine, mut picture) = (machine(&[Halt]), Picture::new());
    vbe_mode(&mut machine, 1024, 768, 32);
    machine.draw(&mut picture);
    assert_eq!((picture.width, picture.height), (1024, 768));
    machine.memory().write(FRAME_BUFFER + 4 * (1024 * 700 + 5), &[1, 2, 3, 4]);
    assert_eq!(machine.draw(&mut picture).rows, 700..701);
    assert_eq!(picture.pixels[1024 * 700 + 5], 0x03_0201);
    assert_eq!(machine.board_mut().memory_read(REGISTERS + 0x500, Width::Word), 0xB0C5);
    assert_eq!(machine.board_mut().memory_read(REGISTERS, Width::Dword), 0xFFFF_FF00);
}

#[test]
fn the_frame_buffer_moves_with_its_bar() {
    let mut machine = machine(&[Halt]);
    machine.memory().write(FRAME_BUFFER, &[7]);
    config_write(&mut machine, 0x10, 0xD000_0000);
    assert_eq!(machine.memory().read_array(FRAME_BUFFER), [0xFF]);
    assert_eq!(machine.memory().read_array(0xD000_0000), [7]);
    // Nowhere, and while its size is asked for.
    for address in [0, 0xFFFF_FFFF] {
        config_write(&mut machine, 0x10, address);
        machine.memory().write(0x20_0000, &[9]);
        assert_eq!(machine.memory().read_array(0xD000_0000), [0xFF]);
        assert_eq!(machine.memory().read_array(0x20_0000), [9]);
    }
    config_write(&mut machine, 0x10, 0xF000_0000);
    config_write(&mut machine, 4, 0);
    assert_eq!(machine.memory().read_array(0xF000_0000), [0xFF], "memory space is off");
}

#[test]
fn a_restored_machine_shows_the_same_picture() {
    let mut machine = machine(&[Halt]);
    config_write(&mut machine, 0x10, 0xD000_0000);
    vbe_mode(&mut machine, 800, 600, 16);
    machine.memory().write(0xD000_0000 + 2 * 800 * 599, &[0x1F, 0xF8]);
    let (mut file, mut before, mut after) = (Vec::new(), Picture::new(), Picture::new());
    machine.save(&mut file).expect("a vector takes it");
    let config = config(TimeMode::Deterministic);
    let mut restored = Machine::restore(&mut &file[..], config, Box::new(Fake(&[Halt]))).expect("a machine");
    machine.draw(&mut before);
    restored.draw(&mut after);
    assert_eq!((after.width, after.height, after.pixels[800 * 599]), (800, 600, 0xFF_00FF));
    assert!(before.pixels == after.pixels);
    assert_eq!(restored.state_hash(), machine.state_hash());
    assert_eq!(restored.memory().read_array(0xD000_0000 + 2 * 800 * 599), [0x1F, 0xF8]);
}
