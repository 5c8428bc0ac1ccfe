//! Saved state of the controller, the keyboard and the mouse.

use super::registers::CommandByte;
use super::{Expect, I8042, Source};
use crate::ps2_keyboard::{Keyboard, KeyboardV1};
use crate::ps2_mouse::{Mouse, MouseV1};
use emu_core::{RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct I8042V1 {
    keyboard: KeyboardV1,
    mouse: MouseV1,
    ram: [u8; 32],
    command_byte: u8,
    a20: bool,
    command_written: bool,
    expect: ExpectV1,
    output: u8,
    output_source: Option<SourceV1>,
    answer: Option<(u8, SourceV1)>,
    release: bool,
    arrives: Option<Tick>,
}

#[derive(Serialize, Deserialize)]
enum SourceV1 {
    Keyboard,
    Mouse,
}

#[derive(Serialize, Deserialize)]
enum ExpectV1 {
    Keyboard,
    Ram(u8),
    OutputPort,
    OutputBuffer(SourceV1),
    Mouse,
}

impl From<Source> for SourceV1 {
    fn from(source: Source) -> Self {
        match source {
            Source::Keyboard => Self::Keyboard,
            Source::Mouse => Self::Mouse,
        }
    }
}

impl From<SourceV1> for Source {
    fn from(source: SourceV1) -> Self {
        match source {
            SourceV1::Keyboard => Self::Keyboard,
            SourceV1::Mouse => Self::Mouse,
        }
    }
}

impl From<Expect> for ExpectV1 {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Keyboard => Self::Keyboard,
            Expect::Ram(n) => Self::Ram(n),
            Expect::OutputPort => Self::OutputPort,
            Expect::OutputBuffer(source) => Self::OutputBuffer(source.into()),
            Expect::Mouse => Self::Mouse,
        }
    }
}

impl From<ExpectV1> for Expect {
    fn from(expect: ExpectV1) -> Self {
        match expect {
            ExpectV1::Keyboard => Self::Keyboard,
            ExpectV1::Ram(n) => Self::Ram(n),
            ExpectV1::OutputPort => Self::OutputPort,
            ExpectV1::OutputBuffer(source) => Self::OutputBuffer(source.into()),
            ExpectV1::Mouse => Self::Mouse,
        }
    }
}

pub(super) fn save(chip: &I8042) -> Saved {
    let I8042 {
        keyboard,
        mouse,
        ram,
        command_byte,
        a20,
        command_written,
        expect,
        output,
        output_source,
        answer,
        release,
        arrives,
    } = chip;
    let state = I8042V1 {
        keyboard: keyboard.save(),
        mouse: mouse.save(),
        ram: *ram,
        command_byte: command_byte.into_bits(),
        a20: *a20,
        command_written: *command_written,
        expect: (*expect).into(),
        output: *output,
        output_source: output_source.map(Into::into),
        answer: answer.map(|(byte, source)| (byte, source.into())),
        release: *release,
        arrives: *arrives,
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(saved: &Saved) -> Result<I8042, RestoreError> {
    let I8042V1 {
        keyboard,
        mouse,
        ram,
        command_byte,
        a20,
        command_written,
        expect,
        output,
        output_source,
        answer,
        release,
        arrives,
    } = saved.unpack(VERSION)?;
    if matches!(expect, ExpectV1::Ram(32..)) {
        return Err(RestoreError::Value("8042 RAM address"));
    }
    Ok(I8042 {
        keyboard: Keyboard::restored(keyboard)?,
        mouse: Mouse::restored(mouse)?,
        ram,
        command_byte: CommandByte::from_bits(command_byte),
        a20,
        command_written,
        expect: expect.into(),
        output,
        output_source: output_source.map(Into::into),
        answer: answer.map(|(byte, source)| (byte, source.into())),
        release,
        arrives,
    })
}
