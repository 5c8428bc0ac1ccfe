//! Saved state of the controller, the keyboard and the mouse.

use super::registers::{CommandByte, Half};
use super::{Expect, I8042, Source};
use crate::ps2_keyboard::{Keyboard, KeyboardV1};
use crate::ps2_mouse::{Mouse, MouseV1, MouseV2};
use emu_core::{RestoreError, Saved, Tick};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 2;

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

/// Knows [`MouseV2`] and polling.
#[derive(Serialize, Deserialize)]
struct I8042V2 {
    keyboard: KeyboardV1,
    mouse: MouseV2,
    ram: [u8; 32],
    command_byte: u8,
    a20: bool,
    polled: Option<HalfV2>,
    command_written: bool,
    expect: ExpectV1,
    output: u8,
    output_source: Option<SourceV1>,
    answer: Option<(u8, SourceV1)>,
    release: bool,
    arrives: Option<Tick>,
}

#[derive(Serialize, Deserialize)]
enum HalfV2 {
    Low,
    High,
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

impl From<I8042V1> for I8042V2 {
    fn from(state: I8042V1) -> Self {
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
        } = state;
        Self {
            keyboard,
            mouse: mouse.into(),
            ram,
            command_byte,
            a20,
            polled: None,
            command_written,
            expect,
            output,
            output_source,
            answer,
            release,
            arrives,
        }
    }
}

impl From<Half> for HalfV2 {
    fn from(half: Half) -> Self {
        match half {
            Half::Low => Self::Low,
            Half::High => Self::High,
        }
    }
}

impl From<HalfV2> for Half {
    fn from(half: HalfV2) -> Self {
        match half {
            HalfV2::Low => Self::Low,
            HalfV2::High => Self::High,
        }
    }
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
        polled,
        command_written,
        expect,
        output,
        output_source,
        answer,
        release,
        arrives,
    } = chip;
    let state = I8042V2 {
        keyboard: keyboard.save(),
        mouse: mouse.save(),
        ram: *ram,
        command_byte: command_byte.into_bits(),
        a20: *a20,
        polled: polled.map(Into::into),
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

fn unpack(saved: &Saved) -> Result<I8042V2, RestoreError> {
    match saved.version {
        1 => saved.unpack::<I8042V1>(1).map(Into::into),
        _ => saved.unpack(VERSION),
    }
}

pub(super) fn restore(saved: &Saved) -> Result<I8042, RestoreError> {
    let I8042V2 {
        keyboard,
        mouse,
        ram,
        command_byte,
        a20,
        polled,
        command_written,
        expect,
        output,
        output_source,
        answer,
        release,
        arrives,
    } = unpack(saved)?;
    if matches!(expect, ExpectV1::Ram(32..)) {
        return Err(RestoreError::Value("8042 RAM address"));
    }
    Ok(I8042 {
        keyboard: Keyboard::restored(keyboard)?,
        mouse: Mouse::restored(mouse)?,
        ram,
        command_byte: CommandByte::from_bits(command_byte),
        a20,
        polled: polled.map(Into::into),
        command_written,
        expect: expect.into(),
        output,
        output_source: output_source.map(Into::into),
        answer: answer.map(|(byte, source)| (byte, source.into())),
        release,
        arrives,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use emu_core::{Device, HostEvent};

    /// What version 1 saved of a controller: the same but for what it did not know.
    fn version_1(chip: &I8042, clicked: bool) -> Saved {
        let I8042V2 {
            keyboard,
            mouse,
            ram,
            command_byte,
            a20,
            polled: _,
            command_written,
            expect,
            output,
            output_source,
            answer,
            release,
            arrives,
        } = save(chip).unpack(VERSION).expect("own state");
        let mouse = mouse.into_version_1(clicked);
        let state = I8042V1 {
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
        };
        Saved::pack(1, &state)
    }

    #[test]
    fn version_1_restores() {
        let mut bench = crate::bench::Bench::new(I8042::new());
        bench.host(HostEvent::Key { code: 0x1E, pressed: true });
        let old = version_1(&bench.device, false);
        let before = bench.device.save();
        bench.device = I8042::new();
        bench.device.restore(&old).expect("version 1");
        assert_eq!(bench.device.save(), before);
        bench.device.restore(&version_1(&I8042::new(), true)).expect("version 1");
        assert_eq!(bench.device.mouse.ready_at(Tick::ZERO), None, "not streaming");
        assert!(bench.device.restore(&Saved { version: 3, ..old }).is_err());
    }
}
