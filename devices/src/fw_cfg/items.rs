//! What the device holds: items by key, and files by name.

use std::collections::BTreeMap;

/// The well-known keys. docs/specs/fw_cfg, "Data Items"; the boot keys as QEMU's x86 loaders use them.
pub mod key {
    pub const SIGNATURE: u16 = 0x00;
    pub const ID: u16 = 0x01;
    pub const UUID: u16 = 0x02;
    pub const RAM_SIZE: u16 = 0x03;
    pub const NO_GRAPHIC: u16 = 0x04;
    pub const CPUS: u16 = 0x05;
    pub const KERNEL_ADDRESS: u16 = 0x07;
    pub const KERNEL_SIZE: u16 = 0x08;
    pub const KERNEL_COMMAND_LINE: u16 = 0x09;
    pub const INITRD_ADDRESS: u16 = 0x0A;
    pub const INITRD_SIZE: u16 = 0x0B;
    pub const BOOT_DEVICE: u16 = 0x0C;
    pub const NUMA: u16 = 0x0D;
    pub const BOOT_MENU: u16 = 0x0E;
    pub const MAX_CPUS: u16 = 0x0F;
    pub const KERNEL_ENTRY: u16 = 0x10;
    pub const KERNEL_DATA: u16 = 0x11;
    pub const INITRD_DATA: u16 = 0x12;
    pub const COMMAND_LINE_ADDRESS: u16 = 0x13;
    pub const COMMAND_LINE_SIZE: u16 = 0x14;
    pub const COMMAND_LINE_DATA: u16 = 0x15;
    pub const SETUP_ADDRESS: u16 = 0x16;
    pub const SETUP_SIZE: u16 = 0x17;
    pub const SETUP_DATA: u16 = 0x18;
    pub const FILE_DIRECTORY: u16 = 0x19;
    /// The first key that names a file of the directory.
    pub const FILE_FIRST: u16 = 0x20;
    pub const ACPI_TABLES: u16 = 0x8000;
    pub const SMBIOS_ENTRIES: u16 = 0x8001;
    pub const IRQ0_OVERRIDE: u16 = 0x8002;
    pub const E820_TABLE: u16 = 0x8003;
    pub const HPET: u16 = 0x8004;
}

/// Bytes in a file's name in the directory, one of them the terminating zero.
const NAME_FIELD: usize = 56;
/// The longest name of a file.
pub const MAX_FILE_NAME: usize = NAME_FIELD - 1;
/// Interface version: the traditional and the DMA interface. docs/specs/fw_cfg, "Revision / feature bitmap".
const FEATURES: u32 = 0b11;
/// Bits of a key that select an item. Bit 14 once asked for write access, bit 15 is the architecture's own.
const KEY_MASK: u16 = 0xBFFF;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Items {
    /// The name of the file with key [`key::FILE_FIRST`] + index.
    pub(super) names: Vec<String>,
    pub(super) data: BTreeMap<u16, Vec<u8>>,
}

impl Items {
    pub(super) fn new() -> Self {
        let mut items = Self { names: Vec::new(), data: BTreeMap::new() };
        items.add(key::SIGNATURE, b"QEMU".to_vec());
        items.add(key::ID, FEATURES.to_le_bytes().to_vec());
        items.write_directory();
        items
    }

    pub(super) fn get(&self, key: u16) -> &[u8] {
        self.data.get(&(key & KEY_MASK)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn add(&mut self, key: u16, data: Vec<u8>) {
        self.data.insert(key & KEY_MASK, data);
    }

    pub(super) fn add_file(&mut self, name: &str, data: Vec<u8>) {
        let name: String = name.chars().filter(char::is_ascii).take(MAX_FILE_NAME).collect();
        let index = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.add(file_key(index), data);
        self.write_directory();
    }

    /// docs/specs/fw_cfg, "File Directory": count, then size, key, reserved and name of each, big-endian. The
    /// order is that of the names, because firmware finds the tables it deploys that way on every run.
    fn write_directory(&mut self) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|left, right| self.names[*left].cmp(&self.names[*right]));
        let mut directory = big_endian_length(order.len()).to_vec();
        for index in order {
            let key = file_key(index);
            directory.extend(big_endian_length(self.get(key).len()));
            directory.extend(key.to_be_bytes());
            directory.extend([0; 2]);
            let mut field = self.names[index].clone().into_bytes();
            field.resize(NAME_FIELD, 0);
            directory.extend(field);
        }
        self.add(key::FILE_DIRECTORY, directory);
    }
}

/// Files beyond the key space share the last key; the board adds a few dozen.
pub(super) fn file_key(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX).saturating_add(key::FILE_FIRST).min(0x3FFF)
}

fn big_endian_length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}
