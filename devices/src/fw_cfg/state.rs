//! Saved state of the firmware configuration device, version 1.
//!
//! The items are part of it: a saved machine resumes without the files it was started from.

use super::FwCfg;
use super::items::{Items, MAX_FILE_NAME};
use crate::bytes::Bytes;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};
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
