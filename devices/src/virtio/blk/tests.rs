use crate::disk::{Disk, DiskError, MemoryDisk, SECTOR};
use crate::virtio::VirtioPci;
use crate::virtio::guest::{
    Answer, BOTH, DATA, EVENT_IDX, Guest, HEADER, IN, INDIRECT, INDIRECT_DESC, Interface, NEEDS_RESET,
    Numbers, OUT, ROOM, STATUS, TABLE, numbered,
};
use emu_core::{Device, Level, Tick, Width};
use std::sync::{Arc, Mutex};

const FLUSH: u32 = 4;
const GET_ID: u32 = 8;
const DISCARD: u32 = 11;
const WRITE_ZEROES: u32 = 13;
const SECTORS: usize = 8192;

const FEATURE_FLUSH: u64 = 1 << 9;
const FEATURE_WCE: u64 = 1 << 11;
const FEATURE_DISCARD: u64 = 1 << 13;
const FEATURE_WRITE_ZEROES: u64 = 1 << 14;

fn disk() -> MemoryDisk {
    MemoryDisk::from_bytes(numbered(SECTORS))
}

/// A disk that notes what is asked of it.
#[derive(Clone)]
struct Watched {
    disk: MemoryDisk,
    log: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn new() -> Self {
        Self { disk: disk(), log: Arc::default() }
    }

    fn note(&self, what: String) {
        self.log.lock().expect("one thread").push(what);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().expect("one thread"))
    }
}

impl Disk for Watched {
    fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.note(format!("read {lba}+{}", into.len() / SECTOR));
        self.disk.read(lba, into)
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        self.note(format!("write {lba}+{}", from.len() / SECTOR));
        self.disk.write(lba, from)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.note("flush".into());
        Ok(())
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), DiskError> {
        self.note(format!("discard {lba}+{sectors}"));
        Ok(())
    }

    fn is_read_only(&self) -> bool {
        false
    }
}

fn range(sector: u64, sectors: u32, flags: u32) -> Vec<u8> {
    [&sector.to_le_bytes()[..], &sectors.to_le_bytes(), &flags.to_le_bytes()].concat()
}

#[test]
fn sectors_are_read_and_written_through_both_interfaces() {
    for interface in BOTH {
        let mut guest = Guest::ready(disk(), interface, FEATURE_FLUSH);
        let answer = guest.take(IN, 5, 3 * SECTOR);
        let expected = numbered(8)[5 * SECTOR..].to_vec();
        assert_eq!(answer, Answer { status: 0, data: expected, len: 3 * 512 + 1 });
        let answer = guest.give(OUT, 8191, &[7; SECTOR]);
        assert_eq!((answer.status, answer.len), (0, 1));
        assert_eq!(guest.take(IN, 8191, SECTOR).data, [7; SECTOR]);
        assert_eq!(guest.line(), Level::High);
        assert_eq!(guest.isr(), 1);
        assert_eq!(guest.line(), Level::Low);
    }
}

#[test]
fn configuration_tells_the_size_and_the_limits() {
    for interface in BOTH {
        let mut guest = Guest::found(disk(), interface);
        assert_eq!(guest.config(0, Width::Dword), SECTORS as u64);
        assert_eq!(guest.config(4, Width::Dword), 0);
        assert_eq!(guest.config(12, Width::Dword), 254, "seg_max");
        assert_eq!(guest.config(18, Width::Byte), 16, "heads");
        assert_eq!(guest.config(20, Width::Dword), 512, "blk_size");
        assert_eq!(guest.config(34, Width::Word), 1, "num_queues");
        assert_eq!(guest.config(36, Width::Dword), 8192, "max_discard_sectors");
        assert_eq!(guest.config(52, Width::Dword), 1, "max_write_zeroes_seg");
        assert_eq!(guest.config(60, Width::Dword), 0, "nothing behind it");
    }
}

#[test]
fn what_is_not_on_the_disk_is_an_error_and_moves_nothing() {
    let watched = Watched::new();
    let mut guest = Guest::ready(watched.clone(), Interface::Modern, FEATURE_FLUSH);
    for (sector, bytes) in
        [(8192, 512), (8191, 1024), (u64::MAX, 512), (u64::MAX - 1, 1024), (0, 511), (0, 513)]
    {
        let answer = guest.take(IN, sector, bytes);
        assert_eq!((answer.status, answer.len), (1, 0), "{bytes} bytes at {sector}");
        assert_eq!(guest.give(OUT, sector, &vec![1; bytes]).status, 1, "{bytes} bytes at {sector}");
    }
    assert_eq!(watched.taken(), [""; 0]);
    assert_eq!(guest.take(IN, 8192, 0), Answer { status: 0, data: vec![], len: 1 });
}

#[test]
fn a_damaged_sector_and_a_read_only_disk_are_errors() {
    let mut guest = Guest::ready(disk().with_bad_sector(300), Interface::Modern, FEATURE_FLUSH);
    let answer = guest.take(IN, 0, 512 * SECTOR);
    // The piece before the damaged one has arrived.
    assert_eq!((answer.status, answer.len), (1, 256 * 512));
    assert_eq!(guest.give(OUT, 300, &[0; SECTOR]).status, 1);

    let mut guest = Guest::ready(disk().read_only(), Interface::Modern, FEATURE_FLUSH | 1 << 5);
    assert_eq!(guest.features() & (1 << 5 | FEATURE_DISCARD | FEATURE_WRITE_ZEROES), 1 << 5);
    assert_eq!(guest.give(OUT, 0, &[0; SECTOR]).status, 1);
    assert_eq!(guest.take(IN, 0, SECTOR).status, 0);
}

#[test]
fn identity_fits_into_what_there_is() {
    let mut guest = Guest::ready(disk(), Interface::Modern, 0);
    let answer = guest.take(GET_ID, 0, 20);
    assert_eq!(answer, Answer { status: 0, data: b"virtio_blk0\0\0\0\0\0\0\0\0\0".to_vec(), len: 21 });
    assert_eq!(guest.take(GET_ID, 0, 4), Answer { status: 0, data: b"virt".to_vec(), len: 5 });
    let answer = guest.take(GET_ID, 0, 40);
    assert_eq!((answer.status, answer.len), (0, 20), "the status byte does not follow at once");
}

#[test]
fn types_that_do_not_exist_are_unsupported() {
    let mut guest = Guest::ready(disk(), Interface::Legacy, 0);
    for kind in [2, 3, 5, 6, 14, 15, 17, 0x8000_0000, u32::MAX] {
        assert_eq!(guest.take(kind, 0, SECTOR).status, 2, "type {kind}");
    }
}

#[test]
fn writes_are_safe_at_once_without_flush_and_later_with_it() {
    let mut legacy = Guest::ready(Watched::new(), Interface::Legacy, FEATURE_FLUSH);
    assert_eq!(legacy.config(32, Width::Byte), 1, "the queue is set up after the features");
    let writes = |features, writeback: Option<u64>| {
        let watched = Watched::new();
        let mut guest = Guest::ready(watched.clone(), Interface::Modern, features);
        if let Some(value) = writeback {
            guest.common(0x2020, Width::Byte, value);
        }
        assert_eq!(guest.give(OUT, 1, &[0; SECTOR]).status, 0);
        (watched.taken().len() - 1, guest.config(32, Width::Byte))
    };
    assert_eq!(writes(0, None), (1, 0));
    assert_eq!(writes(FEATURE_FLUSH, None), (0, 1));
    assert_eq!(writes(FEATURE_FLUSH, Some(0)), (0, 1), "not the driver's to choose");
    assert_eq!(writes(FEATURE_FLUSH | FEATURE_WCE, None), (0, 1));
    assert_eq!(writes(FEATURE_FLUSH | FEATURE_WCE, Some(0)), (1, 0));
    let watched = Watched::new();
    let mut guest = Guest::ready(watched.clone(), Interface::Modern, FEATURE_FLUSH);
    assert_eq!(guest.take(FLUSH, 0, 0).status, 0);
    assert_eq!(watched.taken(), ["flush"]);
}

#[test]
fn discard_and_write_zeroes_take_one_range() {
    let watched = Watched::new();
    let features = FEATURE_FLUSH | FEATURE_DISCARD | FEATURE_WRITE_ZEROES;
    let mut guest = Guest::ready(watched.clone(), Interface::Modern, features);
    assert_eq!(guest.give(DISCARD, 0, &range(16, 8, 0)).status, 0);
    assert_eq!(watched.taken(), ["discard 16+8"]);
    assert_eq!(guest.give(WRITE_ZEROES, 0, &range(100, 300, 1)).status, 0);
    assert_eq!(watched.taken(), ["write 100+256", "write 356+44"]);
    assert_eq!(
        guest.take(IN, 399, 2 * SECTOR).data,
        [vec![0; SECTOR], numbered(401)[400 * SECTOR..].to_vec()].concat()
    );
    watched.taken();
    for (kind, data, status) in [
        (DISCARD, range(8190, 3, 0), 1),
        (DISCARD, range(u64::MAX, 1, 0), 1),
        (DISCARD, range(0, 1, 1), 2),
        (WRITE_ZEROES, range(0, 1, 2), 2),
        (WRITE_ZEROES, range(0, 8193, 0), 1),
        (WRITE_ZEROES, [range(0, 1, 0), range(9, 1, 0)].concat(), 1),
        (WRITE_ZEROES, vec![0; 15], 1),
    ] {
        assert_eq!(guest.give(kind, 0, &data).status, status, "{kind} {data:?}");
    }
    assert_eq!(watched.taken(), [""; 0]);
    // Without the feature there is no such request.
    let mut guest = Guest::ready(watched.clone(), Interface::Modern, FEATURE_DISCARD);
    assert_eq!(guest.give(WRITE_ZEROES, 0, &range(0, 8, 0)).status, 2);
    let mut guest = Guest::ready(watched, Interface::Modern, FEATURE_WRITE_ZEROES);
    assert_eq!(guest.give(DISCARD, 0, &range(0, 8, 0)).status, 2);
}

#[test]
fn data_that_is_not_in_memory_is_an_error() {
    let mut guest = Guest::ready(disk(), Interface::Modern, FEATURE_FLUSH);
    for gpa in [0x10_0000, 0xF_FF00, 0xFEE0_0000, 1 << 40, u64::MAX - 512] {
        guest.header(IN, 0).chain(0, &[(HEADER, 16, false), (gpa, 512, true), (STATUS, 1, true)]);
        assert_eq!(guest.go((0, 0)).status, 1, "read to {gpa:#x}");
        guest.header(OUT, 0).chain(0, &[(HEADER, 16, false), (gpa, 512, false), (STATUS, 1, true)]);
        assert_eq!(guest.go((0, 0)).status, 1, "write from {gpa:#x}");
    }
    assert_eq!(guest.take(IN, 0, SECTOR).data, numbered(1), "nothing was written");
}

#[test]
fn a_long_request_is_cut_into_calls() {
    let watched = Watched::new();
    let mut guest = Guest::ready(watched.clone(), Interface::Modern, FEATURE_FLUSH | EVENT_IDX);
    let rows =
        [(HEADER, 16, false), (DATA, ROOM, true), (DATA, ROOM, true), (DATA, ROOM, true), (STATUS, 1, true)];
    guest.header(IN, 0).chain(0, &rows).offer(0).notify();
    assert_eq!(guest.used(), None);
    assert_eq!(watched.taken().len(), 16, "4096 sectors in a call");
    assert_eq!((guest.status_byte(), guest.line()), (0xEE, Level::Low));
    // Goes on in another machine.
    let saved = guest.bench.device.save();
    let mut fresh = VirtioPci::block("virtio_blk0", Box::new(watched.clone()));
    fresh.restore(&saved).expect("own state");
    assert_eq!(fresh.save(), saved);
    guest.bench.device = fresh;
    guest.bench.advance(Tick::MICROSECOND.times(20));
    assert_eq!(guest.used(), Some((0, 3 * ROOM + 1)));
    assert_eq!((guest.status_byte(), guest.line()), (0, Level::High));
    let mut last = [0; SECTOR];
    guest.bench.memory.read(DATA + u64::from(ROOM) - 512, &mut last);
    assert_eq!(last[..8], 5375u64.to_le_bytes());
}

#[test]
fn a_reset_forgets_a_request_under_way() {
    let mut guest = Guest::ready(disk(), Interface::Legacy, FEATURE_FLUSH);
    let rows =
        [(HEADER, 16, false), (DATA, ROOM, true), (DATA, ROOM, true), (DATA, ROOM, true), (STATUS, 1, true)];
    guest.header(IN, 0).chain(0, &rows).offer(0).notify();
    guest.set_up(FEATURE_FLUSH);
    guest.bench.advance(Tick::MILLISECOND);
    assert_eq!((guest.used(), guest.status_byte(), guest.line()), (None, 0xEE, Level::Low));
    assert_eq!(guest.take(IN, 9, SECTOR).status, 0);
}

#[test]
fn a_state_that_cannot_be_is_refused() {
    let small = VirtioPci::block("virtio_blk0", Box::new(MemoryDisk::zeroed(1)));
    let mut live = VirtioPci::block("virtio_blk0", Box::new(disk()));
    let before = live.save();
    assert!(live.restore(&small.save()).is_err(), "a disk of another size");
    assert_eq!(live.save(), before);
}

/// Requests of every kind, framed at random, against a model of the disk.
#[test]
fn any_framing_moves_the_same_bytes() {
    let mut numbers = Numbers(0x5EED_0001);
    for interface in BOTH {
        let mut model = numbered(SECTORS);
        let mut guest = Guest::ready(disk(), interface, FEATURE_FLUSH | INDIRECT_DESC | EVENT_IDX);
        for _ in 0..300 {
            let sectors = 1 + numbers.below(64) as usize;
            let first = numbers.below((SECTORS - sectors) as u64) as usize;
            let span = first * SECTOR..(first + sectors) * SECTOR;
            let out = numbers.below(2) == 1;
            let data: Vec<u8> = (0..sectors * SECTOR).map(|_| numbers.next() as u8).collect();
            if out {
                guest.bench.memory.write(DATA, &data);
                model[span.clone()].copy_from_slice(&data);
            }
            let mut rows = cut(&mut numbers, HEADER, 16, false);
            rows.extend(cut(&mut numbers, DATA, data.len() as u32, !out));
            rows.push((STATUS, 1, true));
            guest.header(if out { OUT } else { IN }, first as u64);
            if numbers.below(2) == 0 {
                guest.chain(0, &rows);
            } else {
                let len = 16 * rows.len() as u32;
                guest.chain_in(TABLE, 0, &rows).describe(0x1_0000, 0, TABLE, len, INDIRECT, 0);
            }
            let answer = guest.go((DATA, data.len()));
            assert_eq!(answer.status, 0);
            assert_eq!(answer.data, model[span]);
            assert_eq!(answer.len as usize, if out { 1 } else { data.len() + 1 });
        }
    }
}

/// Cuts a buffer into pieces, some of them empty.
fn cut(numbers: &mut Numbers, start: u64, len: u32, write: bool) -> Vec<(u64, u32, bool)> {
    let (mut rows, mut done) = (Vec::new(), 0);
    while done < len {
        let piece = match numbers.below(8) {
            0 => 0,
            1..4 => numbers.below(700) as u32,
            _ => len,
        };
        let piece = if rows.len() > 40 { len } else { piece }.min(len - done);
        rows.push((start + u64::from(done), piece, write));
        done += piece;
    }
    rows
}

#[test]
fn requests_without_header_or_status_break_the_device() {
    for interface in BOTH {
        for rows in [
            &[(HEADER, 16, false)][..],
            &[(HEADER, 15, false), (STATUS, 1, true)],
            &[(STATUS, 1, true)],
            &[(HEADER, 16, true), (STATUS, 1, true)],
            &[(HEADER, 16, false), (STATUS, 0, true)],
            &[(1 << 40, 16, false), (STATUS, 1, true)],
        ] {
            let mut guest = Guest::ready(disk(), interface, 0);
            guest.header(IN, 0).chain(0, rows).offer(0).notify();
            assert_eq!(guest.status() & NEEDS_RESET, NEEDS_RESET, "{rows:?}");
            assert_eq!((guest.used(), guest.isr()), (None, 2), "{rows:?}");
            guest.set_up(0);
            assert_eq!(guest.take(IN, 1, SECTOR).status, 0, "after a reset all is well");
        }
    }
}
