//! Saved state of the firmware configuration device, version 1.
//!
//! The items are part of it: a saved machine resumes without the files it was started from.

use super::FwCfg;
use super::items::{Items, MAX_FILE_NAME};
use emu_core::{RestoreError, Saved};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct StateV1 {
    names: Vec<String>,
    data: BTreeMap<u16, Bytes>,
    selector: u16,
    position: u64,
    dma_high: u32,
}

/// A byte string; a plain `Vec<u8>` would be saved as an array of numbers.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a byte string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        Ok(Bytes(bytes))
    }
}

pub(super) fn save(fw_cfg: &FwCfg) -> Saved {
    let FwCfg { items: Items { names, data }, selector, position, dma_high } = fw_cfg;
    let state = StateV1 {
        names: names.clone(),
        data: data.iter().map(|(key, data)| (*key, Bytes(data.clone()))).collect(),
        selector: *selector,
        position: *position as u64,
        dma_high: *dma_high,
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(fw_cfg: &mut FwCfg, saved: &Saved) -> Result<(), RestoreError> {
    let StateV1 { names, data, selector, position, dma_high } = saved.unpack(VERSION)?;
    if names.iter().any(|name| !name.is_ascii() || name.len() > MAX_FILE_NAME) {
        return Err(RestoreError::Value("fw_cfg file name"));
    }
    let data = data.into_iter().map(|(key, Bytes(data))| (key, data)).collect();
    let items = Items { names, data };
    let position = usize::try_from(position).unwrap_or(usize::MAX);
    if position > items.get(selector).len() {
        return Err(RestoreError::Value("fw_cfg position beyond the item"));
    }
    *fw_cfg = FwCfg { items, selector, position, dma_high };
    Ok(())
}
