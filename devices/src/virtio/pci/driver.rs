//! What a driver does: features, status, the queue, in the modern and in the legacy interface.

use super::msix::{NO_VECTOR, VECTORS};
use super::registers::{Common, Half, Legacy};
use super::{Registers, Status, VirtioPci};
use crate::bits::{low8, low16, low32};
use crate::virtio::feature;
use crate::virtio::queue::{Queue, Rules, SIZE_MAX};
use emu_core::{BusFault, Cx, Width};

/// The transport's own features.
const TRANSPORT: u64 = feature::INDIRECT_DESC | feature::EVENT_IDX | feature::VERSION_1;
/// VIRTIO 6.3: offered through the legacy interface only. It has no room for VERSION_1.
const TRANSPORT_LEGACY: u64 = feature::INDIRECT_DESC | feature::EVENT_IDX | feature::ANY_LAYOUT;

/// The table entry a driver chose, or what says that it cannot be. VIRTIO 4.1.5.1.2.
fn vector(value: u64) -> u16 {
    Some(low16(value)).filter(|vector| *vector < VECTORS).unwrap_or(NO_VECTOR)
}

fn half(value: u64, half: Half) -> u32 {
    match half {
        Half::Low => low32(value),
        Half::High => low32(value >> 32),
    }
}

fn set_half(value: &mut u64, half: Half, to: u64) {
    match half {
        Half::Low => *value = *value >> 32 << 32 | to & 0xFFFF_FFFF,
        Half::High => *value = *value & 0xFFFF_FFFF | to << 32,
    }
}

impl VirtioPci {
    fn offered(&self) -> u64 {
        self.function.features() | TRANSPORT
    }

    fn offered_legacy(&self) -> u64 {
        self.function.features() | TRANSPORT_LEGACY
    }

    /// The selected 32 bits of the features.
    fn window(features: u64, select: u32) -> u32 {
        match select {
            0 => low32(features),
            1 => low32(features >> 32),
            _ => 0,
        }
    }

    fn write_features(&mut self, value: u64) {
        let Registers { status, driver_feature_select, driver_features, .. } = &mut self.registers;
        // VIRTIO 3.1.1: features are settled with FEATURES_OK.
        if status.features_ok() {
            return;
        }
        match driver_feature_select {
            0 => set_half(driver_features, Half::Low, value),
            1 => set_half(driver_features, Half::High, value),
            _ => {}
        }
    }

    /// The features take effect.
    fn settle(&mut self) {
        let features = self.registers.driver_features;
        self.registers.queue.rules = Rules {
            indirect: features & feature::INDIRECT_DESC != 0,
            event_idx: features & feature::EVENT_IDX != 0,
        };
        self.function.negotiated(features);
    }

    /// VIRTIO 2.1 and 3.1. Only a reset takes DEVICE_NEEDS_RESET and FEATURES_OK back.
    fn write_status(&mut self, value: u64, cx: &mut Cx<'_>) {
        let old = self.registers.status;
        let mut new = Status::from_bits(low8(value));
        if new == Status::new() {
            return self.device_reset(cx);
        }
        let features = self.registers.driver_features;
        let agreed = features & feature::VERSION_1 != 0 && features & !self.offered() == 0;
        new.set_features_ok(old.features_ok() || new.features_ok() && agreed);
        new.set_needs_reset(old.needs_reset());
        self.registers.status = new;
        if new.features_ok() && !old.features_ok() {
            self.settle();
        }
        if new.driver_ok() && !old.driver_ok() {
            self.serve(cx);
        }
    }

    /// The queue, if it is the one that is selected.
    fn selected(&mut self) -> Option<&mut Queue> {
        (self.registers.queue_select == 0).then_some(&mut self.registers.queue)
    }

    /// One that the driver may still set up. VIRTIO 4.1.4.3.2: not once it is enabled.
    fn open(&mut self) -> Option<&mut Queue> {
        self.selected().filter(|queue| !queue.enabled)
    }

    pub(super) fn read_common(&mut self, offset: u64, width: Width) -> Result<u64, BusFault> {
        let offered = self.offered();
        let is_there = self.registers.queue_select == 0;
        let Registers { queue, .. } = &self.registers;
        let of_queue = |value: u32| if is_there { value } else { 0 };
        let value = match Common::decode(offset, width).ok_or(BusFault)? {
            Common::DeviceFeatureSelect => self.registers.device_feature_select,
            Common::DeviceFeature => Self::window(offered, self.registers.device_feature_select),
            Common::DriverFeatureSelect => self.registers.driver_feature_select,
            Common::DriverFeature => {
                Self::window(self.registers.driver_features, self.registers.driver_feature_select)
            }
            Common::ConfigMsixVector => self.registers.config_vector.into(),
            Common::NumQueues => 1,
            Common::DeviceStatus => self.registers.status.into_bits().into(),
            // What the driver cannot write does not change.
            Common::ConfigGeneration => 0,
            Common::QueueSelect => self.registers.queue_select.into(),
            Common::QueueSize => of_queue(queue.size.into()),
            Common::QueueMsixVector => {
                if is_there {
                    self.registers.queue_vector.into()
                } else {
                    NO_VECTOR.into()
                }
            }
            Common::QueueEnable => of_queue(queue.enabled.into()),
            Common::QueueNotifyOff => 0,
            Common::QueueDesc(part) => of_queue(half(queue.areas.descriptors, part)),
            Common::QueueDriver(part) => of_queue(half(queue.areas.driver, part)),
            Common::QueueDevice(part) => of_queue(half(queue.areas.device, part)),
        };
        Ok(value.into())
    }

    pub(super) fn write_common(
        &mut self,
        offset: u64,
        width: Width,
        value: u64,
        cx: &mut Cx<'_>,
    ) -> Result<(), BusFault> {
        match Common::decode(offset, width).ok_or(BusFault)? {
            Common::DeviceFeatureSelect => self.registers.device_feature_select = low32(value),
            Common::DriverFeatureSelect => self.registers.driver_feature_select = low32(value),
            Common::DriverFeature => self.write_features(value),
            Common::ConfigMsixVector => self.registers.config_vector = vector(value),
            Common::DeviceStatus => self.write_status(value, cx),
            Common::QueueSelect => self.registers.queue_select = low16(value),
            Common::QueueMsixVector => self.write_queue_vector(value),
            Common::QueueSize => self.set_up(|queue| queue.set_size(low16(value))),
            Common::QueueEnable => self.set_up(|queue| queue.enabled = low16(value) == 1),
            Common::QueueDesc(part) => {
                self.set_up(|queue| set_half(&mut queue.areas.descriptors, part, value))
            }
            Common::QueueDriver(part) => self.set_up(|queue| set_half(&mut queue.areas.driver, part, value)),
            Common::QueueDevice(part) => self.set_up(|queue| set_half(&mut queue.areas.device, part, value)),
            Common::DeviceFeature | Common::NumQueues | Common::ConfigGeneration | Common::QueueNotifyOff => {
            }
        }
        Ok(())
    }

    fn set_up(&mut self, change: impl FnOnce(&mut Queue)) {
        if let Some(queue) = self.open() {
            change(queue);
        }
    }

    fn write_queue_vector(&mut self, value: u64) {
        if self.registers.queue_select == 0 {
            self.registers.queue_vector = vector(value);
        }
    }

    pub(super) fn read_legacy(&mut self, register: Legacy, width: Width) -> u64 {
        let is_there = self.registers.queue_select == 0;
        match register {
            Legacy::DeviceFeatures => low32(self.offered_legacy()).into(),
            Legacy::DriverFeatures => low32(self.registers.driver_features).into(),
            Legacy::QueueAddress if is_there => self.registers.queue.legacy_page().into(),
            Legacy::QueueSize if is_there => SIZE_MAX.into(),
            Legacy::QueueMsixVector if is_there => self.registers.queue_vector.into(),
            Legacy::QueueAddress | Legacy::QueueSize => 0,
            Legacy::QueueMsixVector => NO_VECTOR.into(),
            Legacy::QueueSelect => self.registers.queue_select.into(),
            Legacy::QueueNotify => 0,
            Legacy::DeviceStatus => self.registers.status.into_bits().into(),
            Legacy::IsrStatus => self.take_isr().into(),
            Legacy::ConfigMsixVector => self.registers.config_vector.into(),
            Legacy::Device(offset) => self.read_device(offset, width),
        }
    }

    pub(super) fn write_legacy(&mut self, register: Legacy, width: Width, value: u64, cx: &mut Cx<'_>) {
        match register {
            Legacy::DriverFeatures => {
                self.registers.driver_features = value & self.offered_legacy() & 0xFFFF_FFFF;
                self.settle();
            }
            Legacy::QueueAddress => {
                if let Some(queue) = self.selected() {
                    queue.set_legacy_page(low32(value));
                    self.function.forget();
                }
            }
            Legacy::QueueSelect => self.registers.queue_select = low16(value),
            Legacy::QueueNotify if low16(value) == 0 => self.serve(cx),
            Legacy::DeviceStatus => self.write_status(value, cx),
            Legacy::ConfigMsixVector => self.registers.config_vector = vector(value),
            Legacy::QueueMsixVector => self.write_queue_vector(value),
            Legacy::Device(offset) => self.write_device(offset, width, value),
            Legacy::QueueNotify | Legacy::DeviceFeatures | Legacy::QueueSize | Legacy::IsrStatus => {}
        }
    }

    /// Bytes of the device's configuration; zeros behind it.
    pub(super) fn read_device(&self, offset: usize, width: Width) -> u64 {
        let config = self.function.config();
        let bytes = config.iter().skip(offset).take(width as usize);
        bytes.rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    pub(super) fn write_device(&mut self, offset: usize, width: Width, value: u64) {
        for (at, byte) in (offset..).zip(value.to_le_bytes()).take(width as usize) {
            self.function.write_config(at, byte);
        }
    }
}
