//! VHDX images of Hyper-V, read, by the crate `vhdx-core` ([MS-VHDX]). Differencing images are left out, and images with
//! a log that was never replayed: they must first be opened by a program that may write to them.

use super::reading::Reading;
use super::{Format, Held, ImageError};
use machine::Disk;
use std::os::unix::fs::FileExt;
use vhdx::header::{self, VhdxHeader};
use vhdx::region::{self, RegionTable};
use vhdx::{Backing, VhdxReader};

/// Headers and region tables lie in the first MiB ([MS-VHDX] 2.2).
const HEADERS: usize = 1 << 20;
/// The longest table that is read: with blocks of 2 MiB a disk of 16 TiB.
const LONGEST: u32 = 64 << 20;

pub fn open(held: Held) -> Result<Box<dyn Disk>, ImageError> {
    look(&held)?;
    let file = held.file.try_clone().map_err(held.failed("open"))?;
    let reader = VhdxReader::from_backing(Backing::File(file), None).map_err(damaged(&held))?;
    if reader.logical_sector_size() != 512 {
        let why = "its sectors are not of 512 bytes".into();
        return Err(ImageError::Unsupported { name: held.name(), format: Format::Vhdx, why });
    }
    let bytes = reader.virtual_disk_size();
    Ok(Box::new(Reading::new(reader, bytes, held.file)))
}

fn damaged<E: ToString>(held: &Held) -> impl Fn(E) -> ImageError + use<E> {
    let name = held.name();
    move |why| ImageError::Damaged { name: name.clone(), format: Format::Vhdx, why: why.to_string() }
}

/// The library reads what the headers name, however long: looks at the lengths first.
fn look(held: &Held) -> Result<(), ImageError> {
    if held.bytes < HEADERS as u64 {
        return Err(damaged(held)("it is too short"));
    }
    let mut start = vec![0; HEADERS];
    held.file.read_exact_at(&mut start, 0).map_err(held.failed("read"))?;
    let VhdxHeader { log_guid, log_length, .. } =
        header::parse_active_header(&start).map_err(damaged(held))?;
    if log_guid != [0; 16] && log_length != 0 {
        let why = "its log has changes that must be replayed first: open it once with what wrote it".into();
        return Err(ImageError::Unsupported { name: held.name(), format: Format::Vhdx, why });
    }
    for at in [header::REGION_TABLE1_OFFSET, header::REGION_TABLE2_OFFSET] {
        let at = usize::try_from(at).unwrap_or(HEADERS);
        let Ok(RegionTable { bat, metadata }) = region::parse_region_table(&start, at, held.bytes) else {
            continue;
        };
        if bat.length > LONGEST || metadata.length > LONGEST {
            return Err(damaged(held)("its tables are impossibly long"));
        }
    }
    Ok(())
}
