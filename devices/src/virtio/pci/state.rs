//! Saved state of the transport, version 1, with that of its function inside.

use super::msix::{Msix, NO_VECTOR, VECTORS};
use super::{Isr, Registers, Status, VirtioPci};
use crate::bytes::Bytes;
use crate::virtio::queue::Queue;
use emu_core::{RestoreError, Saved};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PciV1 {
    config: Bytes,
    msix: Msix,
    status: u8,
    isr: u8,
    device_feature_select: u32,
    driver_feature_select: u32,
    driver_features: u64,
    queue_select: u16,
    config_vector: u16,
    queue_vector: u16,
    queue: Queue,
    line: bool,
    function: Saved,
}

pub(super) fn save(live: &VirtioPci) -> Saved {
    let VirtioPci {
        name: _, // given by the board
        function,
        config,
        msix,
        registers,
        line,
    } = live;
    let Registers {
        status,
        isr,
        device_feature_select,
        driver_feature_select,
        driver_features,
        queue_select,
        config_vector,
        queue_vector,
        queue,
    } = registers;
    let state = PciV1 {
        config: Bytes(config.save()),
        msix: msix.clone(),
        status: status.into_bits(),
        isr: isr.into_bits(),
        device_feature_select: *device_feature_select,
        driver_feature_select: *driver_feature_select,
        driver_features: *driver_features,
        queue_select: *queue_select,
        config_vector: *config_vector,
        queue_vector: *queue_vector,
        queue: queue.clone(),
        line: *line,
        function: function.save(),
    };
    Saved::pack(VERSION, &state)
}

pub(super) fn restore(live: &mut VirtioPci, saved: &Saved) -> Result<(), RestoreError> {
    let PciV1 {
        config,
        msix,
        status,
        isr,
        device_feature_select,
        driver_feature_select,
        driver_features,
        queue_select,
        config_vector,
        queue_vector,
        queue,
        line,
        function,
    } = saved.unpack(VERSION)?;
    let config = live.config.restored(&config.0)?;
    let is_vector = |vector: u16| vector < VECTORS || vector == NO_VECTOR;
    if isr & !3 != 0 || !is_vector(config_vector) || !is_vector(queue_vector) || !queue.is_possible() {
        return Err(RestoreError::Value("virtio_pci: a register value that cannot be"));
    }
    live.function.restore(&function)?;
    (live.config, live.msix, live.line) = (config, msix, line);
    live.registers = Registers {
        status: Status::from_bits(status),
        isr: Isr::from_bits(isr),
        device_feature_select,
        driver_feature_select,
        driver_features,
        queue_select,
        config_vector,
        queue_vector,
        queue,
    };
    Ok(())
}
