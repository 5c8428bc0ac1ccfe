//! New qcow2 images, and other sizes for old ones.

use super::chain;
use super::header::Header;
use crate::image::{Access, Format, Held, ImageError};
use imago::file::File as Storage;
use imago::format::PreallocateMode;
use imago::qcow2::Qcow2;
use imago::{FormatCreateBuilder, StorageOpenOptions};
use std::path::Path;

/// What a new image is based on.
#[derive(Clone, Debug)]
pub struct Base {
    pub name: String,
    pub format: Format,
}

/// Makes an image of an empty file.
pub fn create(held: &Held, bytes: u64, base: Option<Base>) -> Result<(), ImageError> {
    let failed = held.failed("write");
    let file = held.file.try_clone().map_err(&failed)?;
    let storage = Storage::from_open_file(file, StorageOpenOptions::new().write(true)).map_err(&failed)?;
    let mut builder = Qcow2::<Storage>::create_builder(storage).size(bytes);
    if let Some(Base { name, format }) = base {
        builder = builder.backing(name, format.to_string());
    }
    builder.create().map_err(failed)
}

/// Gives the disk of an image another size. What lies beyond a smaller one is gone.
pub fn resize(held: Held, bytes: u64, backing: Option<&Path>) -> Result<(), ImageError> {
    if Header::read(&held)?.snapshots != 0 {
        let why = "it has internal snapshots, which have sizes of their own".into();
        return Err(ImageError::Unsupported { name: held.name(), format: Format::Qcow2, why });
    }
    let failed = held.failed("write");
    let file = held.file.try_clone().map_err(&failed)?;
    let (mut access, _) = chain::open(held, Access::Write, backing)?;
    access.resize(bytes, PreallocateMode::None).map_err(&failed)?;
    access.flush().map_err(&failed)?;
    file.sync_all().map_err(failed)
}
