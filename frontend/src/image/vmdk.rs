//! VMware disk images, read, by the crate `vmdk-core` ("Virtual Disk Format 5.0", VMware 2011): one sparse file, the
//! packed one of OVAs, and descriptors whose extents lie beside them. Snapshots, which are differences to another image,
//! are left out.

use super::reading::Reading;
use super::{Format, Held, ImageError, folder};
use machine::Disk;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use vmdk::VmdkReader;

/// The longest descriptor that is read.
const DESCRIPTOR: u64 = 64 << 10;
/// The library keeps every grain table it has read, four bytes for each grain: as many as it may keep.
const GRAINS: u64 = 64 << 20;
/// The parent of an image without one.
const NO_PARENT: u32 = u32::MAX;

pub fn open(held: Held) -> Result<Box<dyn Disk>, ImageError> {
    let name = held.name();
    let unsupported =
        |why: &str| ImageError::Unsupported { name: name.clone(), format: Format::Vmdk, why: why.into() };
    let damaged = |why: String| ImageError::Damaged { name: name.clone(), format: Format::Vmdk, why };
    if is_descriptor(&held)? {
        look_at_extents(&held)?;
    }
    let reader = VmdkReader::open_path(&held.path).map_err(|error| damaged(error.to_string()))?;
    let info = reader.info();
    if info.parent_cid != NO_PARENT {
        return Err(unsupported("it holds only the difference to another image"));
    }
    if info.grain_size_sectors != 0 && info.sector_count / info.grain_size_sectors > GRAINS {
        return Err(unsupported("it has more than 64 million grains"));
    }
    if info.sector_count == 0 {
        return Err(damaged("it describes no disk".into()));
    }
    Ok(Box::new(Reading::new(reader, info.virtual_disk_size, held.file)))
}

fn is_descriptor(held: &Held) -> Result<bool, ImageError> {
    let mut first = [0];
    held.file.read_exact_at(&mut first, 0).map_err(held.failed("read"))?;
    Ok(first == *b"#")
}

/// A descriptor names other files; they must be files in its folder.
fn look_at_extents(held: &Held) -> Result<(), ImageError> {
    let damaged = |why: String| ImageError::Damaged { name: held.name(), format: Format::Vmdk, why };
    if held.bytes > DESCRIPTOR {
        return Err(damaged("its descriptor is impossibly long".into()));
    }
    let extents = VmdkReader::extent_dependencies(&held.path).map_err(|error| damaged(error.to_string()))?;
    for extent in extents {
        let shown = extent.display().to_string();
        if !lies_in(&extent, folder(&held.path)) {
            return Err(damaged(format!("its extent {shown} is not a file in its folder")));
        }
    }
    Ok(())
}

fn lies_in(file: &Path, folder: &Path) -> bool {
    let (Ok(file), Ok(folder)) = (fs::canonicalize(file), fs::canonicalize(folder)) else { return false };
    file.is_file() && file.parent() == Some(&folder)
}
