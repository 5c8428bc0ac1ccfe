//! Every format: the disk comes out as it went in, and no content of an image does harm.

use super::samples::{BYTES, Sample, all, content, descriptor, write_qcow2};
use super::*;
use machine::Disk;
use qcow2::Base;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn place(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The image of a sample, and what it needs beside it.
fn place_sample(folder: &TempDir, sample: &Sample) -> PathBuf {
    if let Some((name, bytes)) = &sample.beside {
        place(folder, name, bytes);
    }
    place(folder, "image", &sample.bytes)
}

fn whole(disk: &mut dyn Disk) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(disk.sectors() * SECTOR).unwrap()];
    disk.read(0, &mut bytes).unwrap();
    bytes
}

fn error(chosen: &Chosen, access: Access) -> String {
    open(chosen, access).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn the_same_disk_comes_out_of_every_format() {
    let folder = folder();
    for sample in all() {
        let chosen = Chosen::new(&place_sample(&folder, &sample));
        let Sample { name, format, .. } = sample;
        let mut opened = open(&chosen, Access::Read).unwrap();
        assert_eq!((opened.format, opened.disk.sectors()), (format, (BYTES / SECTOR_LEN) as u64), "{name}");
        assert!(whole(opened.disk.as_mut()) == content(), "{name}: another content");
        // In small pieces, and the end is the end.
        let mut piece = [0; 3 * SECTOR_LEN];
        opened.disk.read(116, &mut piece).unwrap();
        assert_eq!(piece[..], content()[116 * SECTOR_LEN..119 * SECTOR_LEN], "{name}");
        let last = opened.disk.sectors() - 1;
        assert!(
            opened.disk.read(last, &mut piece).is_err() && opened.disk.read(u64::MAX, &mut piece).is_err()
        );
        assert_eq!(opened.disk.write(0, &[0; SECTOR_LEN]), Err(DiskError::ReadOnly), "{name}");
        assert!(opened.disk.discard(0, 1).is_err(), "{name}");
    }
}

#[test]
fn an_image_is_only_written_to_when_it_is_certain_what_it_is() {
    let folder = folder();
    for sample in all() {
        let path = place_sample(&folder, &sample);
        let Sample { name, format, bytes, .. } = sample;
        let why = error(&Chosen::new(&path), Access::Write);
        match format {
            Format::Qcow2 => assert_eq!(why, "", "{name}"),
            // The sample starts as no disk does.
            Format::Raw => assert!(why.contains("format=raw"), "{name}: {why}"),
            _ => assert!(why.contains("only read"), "{name}: {why}"),
        }
        let read_only = Chosen { read_only: true, ..Chosen::new(&path) };
        assert_eq!(error(&read_only, Access::Write), "", "{name}");
        let raw = Chosen { format: Some(Format::Raw), ..Chosen::new(&path) };
        let as_raw = error(&raw, Access::Write);
        let why = if bytes.len() % SECTOR_LEN == 0 { "" } else { "multiple of 512" };
        assert!(as_raw.contains(why) && as_raw.is_empty() == why.is_empty(), "{name}: {as_raw}");
    }
    let packed = place(&folder, "packed", &[&b"\x1F\x8B\x08"[..], &[0; 509]].concat());
    assert!(error(&Chosen::new(&packed), Access::Read).contains("gzip"));
}

#[test]
fn what_is_not_an_image_is_refused() {
    let folder = folder();
    let odd = place(&folder, "odd", &[0; 700]);
    assert!(error(&Chosen::new(&odd), Access::Write).contains("multiple of 512"));
    assert!(error(&Chosen::new(&place(&folder, "empty", &[])), Access::Write).contains("multiple of 512"));
    assert!(error(&Chosen::new(folder.path()), Access::Write).contains("not a file"));
    assert!(error(&Chosen::new(&folder.path().join("missing")), Access::Write).contains("missing"));
    for format in [Format::Qcow2, Format::Vmdk, Format::Vdi, Format::Vhd, Format::Vhdx] {
        let other = Chosen { format: Some(format), ..Chosen::new(&odd) };
        assert!(error(&other, Access::Read).contains("odd"), "{format}");
    }
}

#[test]
fn one_image_serves_one_writer_or_many_readers() {
    let folder = folder();
    let chosen = Chosen::new(&place(&folder, "disk", &[0; 512]));
    let writer = open(&chosen, Access::Write).unwrap();
    assert!(
        error(&chosen, Access::Write).contains("in use") && error(&chosen, Access::Read).contains("in use")
    );
    drop(writer);
    let _readers = [open(&chosen, Access::Read).unwrap(), open(&chosen, Access::Read).unwrap()];
    assert!(error(&chosen, Access::Write).contains("in use"));
}

/// A new qcow2 image on another.
fn based(folder: &TempDir, name: &str, on: &str, format: Format) -> Chosen {
    let path = place(folder, name, &[]);
    let base = Base { name: on.into(), format };
    qcow2::create(&Held::open(&path, Access::Write).unwrap(), BYTES as u64, Some(base)).unwrap();
    Chosen::new(&path)
}

#[test]
fn qcow2_reads_what_was_written_and_its_base_stays_as_it_is() {
    let folder = folder();
    let base = place(&folder, "base", &content());
    let middle = based(&folder, "middle", "base", Format::Raw);
    let top = based(&folder, "top", "middle", Format::Qcow2);
    let mut expected = content();
    let mut opened = open(&top, Access::Write).unwrap();
    assert_eq!(opened.layers, [top.path.clone(), middle.path.clone(), base.clone()]);
    for (lba, len) in [(1, 1), (100, 400), ((BYTES / SECTOR_LEN) as u64 - 1, 1)] {
        let new = vec![0x5A; len * SECTOR_LEN];
        opened.disk.write(lba, &new).unwrap();
        expected[usize::try_from(lba).unwrap() * SECTOR_LEN..][..new.len()].copy_from_slice(&new);
    }
    assert!(whole(opened.disk.as_mut()) == expected);
    // While it is open, nobody may write to what it is based on.
    assert!(
        error(&Chosen { format: Some(Format::Raw), ..Chosen::new(&base) }, Access::Write).contains("in use")
    );
    opened.disk.flush().unwrap();
    drop(opened);
    assert!(whole(open(&top, Access::Read).unwrap().disk.as_mut()) == expected);
    assert!(whole(open(&middle, Access::Read).unwrap().disk.as_mut()) == content());
    assert!(fs::read(&base).unwrap() == content());
    let held = Held::open(&top.path, Access::Read).unwrap();
    assert_eq!(qcow2::check(&held, |_, _| true).unwrap(), qcow2::Findings::default());
}

#[test]
fn discarded_sectors_of_qcow2_are_given_back() {
    let folder = folder();
    let path = place(&folder, "disk", &[]);
    write_qcow2(&path, &content());
    let mut disk = open(&Chosen::new(&path), Access::Write).unwrap().disk;
    let before = disk.sectors();
    disk.discard(0, before).unwrap();
    assert!(whole(disk.as_mut()).iter().all(|byte| *byte == 0));
    assert!(disk.discard(before, 1).is_err());
    drop(disk);
    let held = Held::open(&path, Access::Read).unwrap();
    assert_eq!(qcow2::check(&held, |_, _| true).unwrap(), qcow2::Findings::default());
}

#[test]
fn a_qcow2_image_that_was_cut_is_an_error() {
    let folder = folder();
    let path = place(&folder, "disk", &[]);
    write_qcow2(&path, &content());
    let mut disk = open(&Chosen::new(&path), Access::Write).unwrap().disk;
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let mut sector = [0; SECTOR_LEN];
    assert!(disk.read(0, &mut sector).is_err() && disk.write(0, &sector).is_err() && disk.flush().is_err());
}

#[test]
fn backing_images_lead_nowhere_else() {
    let (inside, outside) = (folder(), folder());
    let secret = place(&outside, "secret", &content());
    let name = secret.to_str().unwrap();
    let mut thief = based(&inside, "thief", name, Format::Raw);
    assert!(error(&thief, Access::Read).contains("outside of its folder"));
    thief.backing = Some(outside.path().to_owned());
    assert_eq!(error(&thief, Access::Read), "");
    let up = format!("../{}/secret", outside.path().file_name().unwrap().to_str().unwrap());
    assert!(error(&based(&inside, "up", &up, Format::Raw), Access::Read).contains("outside of its folder"));
    std::os::unix::fs::symlink(&secret, inside.path().join("link")).unwrap();
    assert!(
        error(&based(&inside, "linked", "link", Format::Raw), Access::Read).contains("outside of its folder")
    );
    assert!(error(&based(&inside, "alone", "missing", Format::Raw), Access::Read).contains("missing"));
    assert!(error(&based(&inside, "odd", "thief", Format::Vmdk), Access::Read).contains("raw and qcow2"));
}

#[test]
fn backing_images_end_somewhere() {
    let folder = folder();
    based(&folder, "one", "other", Format::Qcow2);
    let other = based(&folder, "other", "one", Format::Qcow2);
    assert!(error(&other, Access::Read).contains("based on itself"));
    let own = based(&folder, "own", "own", Format::Qcow2);
    assert!(error(&own, Access::Write).contains("in use") || error(&own, Access::Read).contains("itself"));
    place(&folder, "0", &content());
    for n in 1..=18 {
        let format = if n == 1 { Format::Raw } else { Format::Qcow2 };
        let image = based(&folder, &n.to_string(), &(n - 1).to_string(), format);
        assert_eq!(error(&image, Access::Read).contains("more than 16"), n > 16, "{n}");
    }
}

#[test]
fn extents_of_a_vmdk_are_files_beside_it() {
    let folder = folder();
    let describe = |extent: &str| Chosen::new(&place(&folder, "disk.vmdk", descriptor(extent).as_bytes()));
    place(&folder, "disk-flat.vmdk", &content());
    let mut disk = open(&describe("disk-flat.vmdk"), Access::Read).unwrap().disk;
    assert!(whole(disk.as_mut()) == content());
    for elsewhere in ["/etc/passwd", "../disk-flat.vmdk", "missing.vmdk", "/dev/zero"] {
        assert!(!error(&describe(elsewhere), Access::Read).is_empty(), "{elsewhere}");
    }
}

/// SplitMix64 (Steele, Lea and Flood).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    /// Changes what matters: bytes near the start or the end, or where something other than zero stands.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        if self.below(8) == 0 {
            bytes.truncate(self.below(bytes.len()));
        }
        for _ in 0..=self.below(4) {
            if bytes.len() < 16 {
                return;
            }
            let near = match self.below(4) {
                0 => self.below(bytes.len().min(128)),
                1 => self.below(bytes.len().min(2048)),
                2 => bytes.len() - 1 - self.below(bytes.len().min(512)),
                _ => self.below(bytes.len()),
            };
            let at = (near..bytes.len()).take(1 << 20).find(|at| bytes[*at] != 0).unwrap_or(near);
            let values = [0, 1, 0x7F, 0x80, 0xFF, self.below(256).to_le_bytes()[0]];
            let value = values[self.below(values.len())];
            let len = [1, 1, 4, 8][self.below(4)].min(bytes.len() - at);
            bytes[at..at + len].fill(value);
        }
    }
}

/// Everything that may be done with an image, on one that is damaged.
fn use_damaged(path: &Path, format: Format, random: &mut Random) -> bool {
    let chosen = Chosen { format: Some(format), ..Chosen::new(path) };
    if let Ok(held) = Held::open(path, Access::Read)
        && format == Format::Qcow2
    {
        let _what_it_finds = qcow2::check(&held, |_, _| true);
    }
    let writing = open(&chosen, Access::Write);
    let Ok(mut opened) = writing.or_else(|_| open(&chosen, Access::Read)) else { return false };
    let disk = opened.disk.as_mut();
    let sectors = disk.sectors();
    let mut bytes = vec![0; 40 * SECTOR_LEN];
    for _ in 0..24 {
        let near =
            [0, 110, 1400, sectors.saturating_sub(41), random.below(usize::MAX) as u64 % sectors.max(1)];
        let lba = near[random.below(near.len())];
        let len = SECTOR_LEN * (1 + random.below(40));
        // Whether it works is not the question.
        let _worked = match random.below(8) {
            0 => disk.write(lba, &bytes[..len]),
            1 => disk.discard(lba, 200),
            2 => disk.flush(),
            _ => disk.read(lba, &mut bytes[..len]),
        };
    }
    true
}

/// Damages an image of each kind for so many rounds, or for as long as `cargo xtask fuzz` says. An image that does harm
/// stays where it is.
#[test]
fn no_damage_does_harm() {
    // Whoever allocates more than this comes to an end.
    let limit = Rlimit { current: Some(3 << 30), maximum: Some(3 << 30) };
    setrlimit(Resource::As, limit).unwrap();
    let mut folder = folder();
    folder.disable_cleanup(true);
    let seconds = std::env::var(SECONDS).ok().map(|text| text.parse().expect("a number of seconds"));
    let span = seconds.map(Duration::from_secs);
    let seed = span.map_or(SEED, |_| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    println!("images: seed {seed}; what does harm is in {}", folder.path().display());
    let samples = all();
    for sample in &samples {
        let span = span.map(|span| span / u32::try_from(samples.len()).unwrap());
        damage_one(&folder, sample, &mut Random(seed), span);
    }
    folder.disable_cleanup(false);
}

fn damage_one(folder: &TempDir, sample: &Sample, random: &mut Random, span: Option<Duration>) {
    let Sample { name, format, bytes, repair, .. } = sample;
    let path = place_sample(folder, sample);
    let (start, mut rounds, mut opened) = (Instant::now(), 0, 0);
    while span.map_or(rounds < ROUNDS, |span| start.elapsed() < span) {
        let mut damaged = bytes.clone();
        random.damage(&mut damaged);
        if random.below(2) == 0 {
            repair(&mut damaged);
        }
        fs::write(&path, &damaged).unwrap();
        opened += usize::from(use_damaged(&path, *format, random));
        rounds += 1;
    }
    println!("images: {name}: {opened} of {rounds} opened");
    assert!((1..rounds).contains(&opened) || *format == Format::Raw, "{name}: {opened} of {rounds} opened");
}

/// Damaged images of each kind.
const ROUNDS: usize = 60;
const SEED: u64 = 5;
/// `cargo xtask fuzz` sets it.
const SECONDS: &str = "POSADA_FUZZ_SECONDS";

/// A file that is cut while the guest uses it: an error or the data as they were, and nothing else.
#[test]
fn an_image_that_shrinks_gives_no_other_data() {
    let folder = folder();
    for sample in all() {
        let path = place_sample(&folder, &sample);
        for access in [Access::Read, Access::Write] {
            fs::write(&path, &sample.bytes).unwrap();
            let chosen = Chosen { format: Some(sample.format), ..Chosen::new(&path) };
            let Ok(mut opened) = open(&chosen, access) else { continue };
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_len(sample.bytes.len() as u64 / 3).unwrap();
            for (lba, expected) in (0..).zip(content().chunks(SECTOR_LEN)) {
                let mut sector = [0; SECTOR_LEN];
                let read = opened.disk.read(lba, &mut sector);
                assert!(read.is_err() || sector == expected, "{}: sector {lba}", sample.name);
                let last = expected[0] != 0 && read.is_ok() && access == Access::Write;
                assert!(!last || opened.disk.write(lba, expected).is_err(), "{}: {lba}", sample.name);
            }
        }
    }
}

/// A file that is removed is there until the last one who uses it has gone.
#[test]
fn an_image_that_vanishes_serves_its_guest_to_the_end() {
    let folder = folder();
    for sample in all() {
        let path = place_sample(&folder, &sample);
        let mut opened = open(&Chosen::new(&path), Access::Read).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(whole(opened.disk.as_mut()) == content(), "{}", sample.name);
    }
}
