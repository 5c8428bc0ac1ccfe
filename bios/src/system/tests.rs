//! The image: that it assembles, where things are, and that tables add up.

use super::image::code;
use super::{Acpi, AddressRange, BootDevice, Configuration, Cpu, RomError, rom};

pub(super) fn configuration() -> Configuration {
    let range = |start, len, kind| AddressRange { start, len, kind };
    Configuration {
        low_end: 64 << 20,
        high: 0,
        memory_map: vec![
            range(0, 0x9_FC00, 1),
            range(0x9_FC00, 0x400, 2),
            range(0xF_0000, 0x1_0000, 2),
            range(1 << 20, (63 << 20) - 0x1_0000, 1),
        ],
        cpu: Cpu { name: "test".into(), signature: 0x663, features: 0x200, apic: true },
        acpi: Some(Acpi { address: 0x3FF_0000, tables: vec![0x5A; 100], rsdp: b"RSD PTR test".to_vec() }),
        pirq: [10, 10, 11, 11],
        pm_base: 0x600,
        video: vec![0x55, 0xAA, 64],
        boot_order: vec![BootDevice::Diskette, BootDevice::Disk],
        boot_menu: false,
    }
}

fn find(image: &[u8], anchor: &[u8]) -> usize {
    (0x1_0000..image.len())
        .step_by(16)
        .find(|at| image[*at..].starts_with(anchor))
        .unwrap_or_else(|| panic!("no {anchor:?} on a paragraph"))
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

#[test]
fn the_reset_vector_jumps_into_segment_f000() {
    let image = rom(&configuration()).expect("an image");
    assert_eq!(image.len(), 0x2_0000);
    let post = u16::try_from(code().symbols["post"]).expect("an offset").to_le_bytes();
    assert_eq!(image[0x1_FFF0..0x1_FFF5], [0xEA, post[0], post[1], 0x00, 0xF0]);
    assert_eq!(image[0x1_FFFE], 0xFC);
}

#[test]
fn old_entry_points_are_where_ibm_had_them() {
    let image = rom(&configuration()).expect("an image");
    for (at, name) in [(0xE6F2, "int19"), (0xE82E, "int16"), (0xF859, "int15"), (0xFE6E, "int1a")] {
        assert_eq!(image[0x1_0000 + at], 0xE9, "a near jump to {name}");
        let displacement = i16::from_le_bytes([image[0x1_0001 + at], image[0x1_0002 + at]]);
        let target = i64::from(displacement.wrapping_add_unsigned(at as u16 + 3) as u16);
        assert_eq!(target, code().symbols[name]);
    }
}

#[test]
fn tables_are_on_paragraphs_and_add_up() {
    let image = rom(&configuration()).expect("an image");
    for (anchor, len) in [(&b"_32_"[..], 16), (b"_SM_", 31), (b"_MP_", 16), (b"$PIR", 528)] {
        let at = find(&image, anchor);
        assert_eq!(sum(&image[at..at + len]), 0, "{anchor:?}");
    }
    let pointer = find(&image, b"_MP_");
    let field = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes"));
    let table = field(pointer + 4) as usize - 0xE_0000;
    assert_eq!(&image[table..table + 4], b"PCMP");
    let len = usize::from(u16::from_le_bytes([image[table + 4], image[table + 5]]));
    assert_eq!(sum(&image[table..table + len]), 0);
    find(&image, b"RSD PTR ");
}

#[test]
fn smbios_structures_end_with_type_127() {
    let image = rom(&configuration()).expect("an image");
    let entry = find(&image, b"_SM_");
    let word = |at: usize| usize::from(u16::from_le_bytes([image[at], image[at + 1]]));
    let start = u32::from_le_bytes(image[entry + 0x18..entry + 0x1C].try_into().expect("four")) as usize;
    let mut rest = &image[start - 0xE_0000..start - 0xE_0000 + word(entry + 0x16)];
    let mut kinds = Vec::new();
    while !rest.is_empty() {
        kinds.push(rest[0]);
        let strings = &rest[usize::from(rest[1])..];
        let end = strings.windows(2).position(|pair| pair == [0, 0]).expect("two zeros") + 2;
        rest = &strings[end..];
    }
    assert_eq!(kinds, [0, 1, 3, 4, 16, 17, 19, 32, 127]);
    assert_eq!(kinds.len(), word(entry + 0x1C));
}

#[test]
fn memory_sizes_follow_the_map() {
    let configuration = configuration();
    assert_eq!(configuration.e801(), [15 << 10, ((48 << 20) - 0x1_0000) / 0x1_0000].map(|n| n as u16));
    assert_eq!(configuration.extended_kib(), 63 * 1024 - 64);
}

#[test]
fn a_video_bios_that_does_not_fit_is_refused() {
    let configuration = Configuration { video: vec![0; 0x1_0001], ..configuration() };
    assert_eq!(rom(&configuration), Err(RomError::Video(0x1_0001)));
}
