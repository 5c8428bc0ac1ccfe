use super::*;
use crate::bench::Bench;

type FwCfgBench = Bench<FwCfg>;

impl FwCfgBench {
    fn choose(&mut self, key: u16) -> &mut Self {
        self.write(Space::Port, 0, 0, Width::Word, key.into())
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.inb(1)).collect()
    }

    /// Runs a DMA command placed at 1000h and returns its control word afterwards.
    fn dma(&mut self, control: u32, length: u32, address: u64) -> u32 {
        let command = [&control.to_be_bytes()[..], &length.to_be_bytes(), &address.to_be_bytes()].concat();
        self.memory.write(0x1000, &command);
        self.write(Space::Port, 0, 8, Width::Dword, 0x1000u32.swap_bytes().into());
        u32::from_be_bytes(self.memory.read_array(0x1000))
    }
}

fn bench() -> FwCfgBench {
    let mut fw_cfg = FwCfg::new();
    fw_cfg.add_item(key::CPUS, vec![1, 0]);
    fw_cfg.add_file("etc/e820", vec![1, 2, 3]);
    fw_cfg.add_file("bootorder", vec![9; 5]);
    Bench::new(fw_cfg)
}

#[test]
fn signature_features_and_items_read_byte_by_byte() {
    let mut bench = bench();
    assert_eq!(bench.choose(key::SIGNATURE).take(5), b"QEMU\0");
    assert_eq!(bench.choose(key::ID).take(4), [3, 0, 0, 0]);
    assert_eq!(bench.choose(key::CPUS).take(3), [1, 0, 0]);
    assert_eq!(bench.choose(0x1234).take(2), [0, 0]);
}

#[test]
fn the_directory_is_sorted_and_big_endian() {
    let mut bench = bench();
    let directory = bench.choose(key::FILE_DIRECTORY).take(4 + 2 * 64);
    assert_eq!(directory[..4], [0, 0, 0, 2]);
    assert_eq!(directory[4..12], [0, 0, 0, 5, 0, 0x21, 0, 0]);
    assert_eq!(&directory[12..22], b"bootorder\0");
    assert_eq!(directory[68..76], [0, 0, 0, 3, 0, 0x20, 0, 0]);
    assert_eq!(&directory[76..85], b"etc/e820\0");
    bench.device.add_file("etc/e820", vec![7; 4]);
    assert_eq!(bench.choose(key::FILE_DIRECTORY).take(4), [0, 0, 0, 2]);
    assert_eq!(bench.choose(0x20).take(5), [7, 7, 7, 7, 0]);
}

#[test]
fn dma_selects_reads_skips_and_pads_with_zeros() {
    let mut bench = bench();
    assert_eq!(bench.read(Space::Port, 0, 4, Width::Dword), u64::from(u32::from_le_bytes(*b"QEMU")));
    assert_eq!(bench.read(Space::Port, 0, 8, Width::Dword), u64::from(u32::from_le_bytes(*b" CFG")));
    bench.memory.write(0x2000, &[0xEE; 8]);
    assert_eq!(bench.dma(0x0020_000A, 6, 0x2000), 0);
    assert_eq!(bench.memory.read_array(0x2000), [1, 2, 3, 0, 0, 0, 0xEE, 0xEE]);
    assert_eq!(bench.dma(0x0020_000C, 2, 0), 0);
    assert_eq!(bench.take(2), [3, 0]);
    assert_eq!(bench.dma(0x0020_0018, 1, 0x2000), 1, "items are read-only");
    assert_eq!(bench.dma(0x0004, u32::MAX, 0), 0);
}

#[test]
fn the_dma_address_has_two_halves() {
    let mut bench = bench();
    bench.write(Space::Port, 0, 4, Width::Dword, 1u32.swap_bytes().into());
    assert_eq!(bench.dma(0x0020_000A, 1, 0x2000), 0x0020_000A, "at 4 GiB + 1000h there is nothing");
    assert_eq!(bench.dma(0x0020_000A, 1, 0x2000), 0, "the high half was used up");
}

#[test]
fn every_access_survives_save_and_restore() {
    for value in [0, u64::MAX, 0x5555_5555, 0x19] {
        let mut bench = bench();
        for width in [Width::Byte, Width::Word, Width::Dword, Width::Qword] {
            for offset in 0..12 {
                bench.write(Space::Port, 0, offset, width, value);
                bench.read(Space::Port, 0, offset, width);
            }
        }
        bench.check_save_restore(FwCfg::new());
    }
}

#[test]
fn an_impossible_position_is_refused() {
    let mut bench = bench();
    bench.choose(0x20).take(3);
    let saved = bench.device.save();
    assert_eq!(bench.device.position, 3);
    bench.device.position = 4;
    assert!(FwCfg::new().restore(&bench.device.save()).is_err());
    assert!(FwCfg::new().restore(&saved).is_ok());
}
