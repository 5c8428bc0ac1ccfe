//! The registers of both interfaces by name: VIRTIO 4.1.4.3 (common configuration) and 4.1.4.10 (legacy).

use emu_core::Width;

/// Half of a 64-bit address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Low,
    High,
}

/// Fields of `struct virtio_pci_common_cfg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Common {
    DeviceFeatureSelect,
    DeviceFeature,
    DriverFeatureSelect,
    DriverFeature,
    ConfigMsixVector,
    NumQueues,
    DeviceStatus,
    ConfigGeneration,
    QueueSelect,
    QueueSize,
    QueueMsixVector,
    QueueEnable,
    QueueNotifyOff,
    QueueDesc(Half),
    QueueDriver(Half),
    QueueDevice(Half),
}

impl Common {
    /// VIRTIO 4.1.3.1: a driver uses the natural width, and two dwords for 64 bits.
    pub(super) fn decode(offset: u64, width: Width) -> Option<Self> {
        Some(match (offset, width) {
            (0x00, Width::Dword) => Self::DeviceFeatureSelect,
            (0x04, Width::Dword) => Self::DeviceFeature,
            (0x08, Width::Dword) => Self::DriverFeatureSelect,
            (0x0C, Width::Dword) => Self::DriverFeature,
            (0x10, Width::Word) => Self::ConfigMsixVector,
            (0x12, Width::Word) => Self::NumQueues,
            (0x14, Width::Byte) => Self::DeviceStatus,
            (0x15, Width::Byte) => Self::ConfigGeneration,
            (0x16, Width::Word) => Self::QueueSelect,
            (0x18, Width::Word) => Self::QueueSize,
            (0x1A, Width::Word) => Self::QueueMsixVector,
            (0x1C, Width::Word) => Self::QueueEnable,
            (0x1E, Width::Word) => Self::QueueNotifyOff,
            (0x20, Width::Dword) => Self::QueueDesc(Half::Low),
            (0x24, Width::Dword) => Self::QueueDesc(Half::High),
            (0x28, Width::Dword) => Self::QueueDriver(Half::Low),
            (0x2C, Width::Dword) => Self::QueueDriver(Half::High),
            (0x30, Width::Dword) => Self::QueueDevice(Half::Low),
            (0x34, Width::Dword) => Self::QueueDevice(Half::High),
            _ => return None,
        })
    }
}

/// The legacy interface. What follows the last register is the device's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Legacy {
    DeviceFeatures,
    DriverFeatures,
    QueueAddress,
    QueueSize,
    QueueSelect,
    QueueNotify,
    DeviceStatus,
    IsrStatus,
    ConfigMsixVector,
    QueueMsixVector,
    /// A byte of the device's configuration and those beside it.
    Device(usize),
}

impl Legacy {
    /// The two vector registers are there only while MSI-X is enabled.
    pub(super) fn decode(offset: u64, width: Width, msix: bool) -> Option<Self> {
        let device = if msix { 0x18 } else { 0x14 };
        Some(match (offset, width) {
            (0x00, Width::Dword) => Self::DeviceFeatures,
            (0x04, Width::Dword) => Self::DriverFeatures,
            (0x08, Width::Dword) => Self::QueueAddress,
            (0x0C, Width::Word) => Self::QueueSize,
            (0x0E, Width::Word) => Self::QueueSelect,
            (0x10, Width::Word) => Self::QueueNotify,
            (0x12, Width::Byte) => Self::DeviceStatus,
            (0x13, Width::Byte) => Self::IsrStatus,
            (0x14, Width::Word) if msix => Self::ConfigMsixVector,
            (0x16, Width::Word) if msix => Self::QueueMsixVector,
            _ => Self::Device(usize::try_from(offset.checked_sub(device)?).ok()?),
        })
    }
}
