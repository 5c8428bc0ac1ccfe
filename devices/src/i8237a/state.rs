//! Saved state of the pair, version 1.

use super::I8237aPair;
use super::channel::Channel;
use super::controller::{Command, Controller};
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ControllerV1 {
    channels: [Channel; 4],
    command: u8,
    terminal_count: u8,
    request: u8,
    mask: u8,
    dreq: u8,
    byte_pointer: bool,
    temporary: u8,
    first: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairV1 {
    controllers: [ControllerV1; 2],
    pages: [u8; 16],
}

impl From<&Controller> for ControllerV1 {
    fn from(live: &Controller) -> Self {
        let Controller {
            channels,
            command,
            terminal_count,
            request,
            mask,
            dreq,
            byte_pointer,
            temporary,
            first,
        } = *live;
        let command = command.into_bits();
        Self { channels, command, terminal_count, request, mask, dreq, byte_pointer, temporary, first }
    }
}

impl TryFrom<ControllerV1> for Controller {
    type Error = RestoreError;

    fn try_from(saved: ControllerV1) -> Result<Self, RestoreError> {
        let ControllerV1 {
            channels,
            command,
            terminal_count,
            request,
            mask,
            dreq,
            byte_pointer,
            temporary,
            first,
        } = saved;
        if (terminal_count | request | mask | dreq) > 0xF {
            return Err(RestoreError::Value("i8237a: a bit for a channel above 3"));
        }
        if first > 3 {
            return Err(RestoreError::Value("i8237a: highest priority for a channel above 3"));
        }
        let command = Command::from_bits(command);
        Ok(Self { channels, command, terminal_count, request, mask, dreq, byte_pointer, temporary, first })
    }
}

pub(super) fn save(live: &I8237aPair) -> Saved {
    let I8237aPair { controllers: [first, second], pages } = live;
    Saved::pack(VERSION, &PairV1 { controllers: [first.into(), second.into()], pages: *pages })
}

pub(super) fn restore(saved: &Saved) -> Result<I8237aPair, RestoreError> {
    let PairV1 { controllers: [first, second], pages } = saved.unpack(VERSION)?;
    Ok(I8237aPair { controllers: [first.try_into()?, second.try_into()?], pages })
}
