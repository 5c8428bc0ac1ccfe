//! A qcow2 image and the images it is based on, one below the other.
//!
//! The name of a backing image is text inside an image, so it must not lead anywhere: it is looked for relative to the
//! image that names it, and must lie in the folder of that image or below, or in the folder that the user has allowed.
//! Its format is the one that the image says, or else the one that its content settles.

use super::header::{Backing, Header, damaged};
use crate::image::probe::{self, Content};
use crate::image::{Access, Format, Held, ImageError, folder};
use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder, StorageOpenOptions};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Images below an image.
const MOST: usize = 16;

struct Layer {
    held: Held,
    format: Format,
}

/// Opens an image, and read-only all it is based on.
pub fn open(
    top: Held,
    access: Access,
    allowed: Option<&Path>,
) -> Result<(FormatAccess<Storage>, Vec<PathBuf>), ImageError> {
    let layers = layers(top, allowed)?;
    let paths = layers.iter().map(|layer| layer.held.path.clone()).collect();
    let last = layers.len() - 1;
    let mut below = None;
    // From the lowest up; the image itself comes last.
    for (n, Layer { held, format }) in layers.into_iter().rev().enumerate() {
        let write = n == last && access == Access::Write;
        let damaged = |error: io::Error| damaged(&held, &error.to_string());
        let file = held.file.try_clone().map_err(held.failed("open"))?;
        let storage =
            Storage::from_open_file(file, StorageOpenOptions::new().write(write)).map_err(damaged)?;
        below = Some(match format {
            Format::Qcow2 => {
                let builder = Qcow2::<Storage>::builder(storage).write(write).backing(below).data_file(None);
                FormatAccess::new(builder.open(DenyImplicitOpenGate::default()).map_err(damaged)?)
            }
            _ => FormatAccess::new(Raw::open_image(storage, false).map_err(damaged)?),
        });
    }
    Ok((below.expect("the image itself is one of the layers"), paths))
}

/// The images from the top down.
fn layers(top: Held, allowed: Option<&Path>) -> Result<Vec<Layer>, ImageError> {
    let name = top.name();
    let mut seen = vec![identity(&top)?];
    let mut layers = vec![Layer { held: top, format: Format::Qcow2 }];
    while let Some(Layer { held, format: Format::Qcow2 }) = layers.last() {
        let Some(backing) = Header::read(held)?.backing else { break };
        let layer = below(held, &backing, allowed)?;
        let identity = identity(&layer.held)?;
        if seen.contains(&identity) {
            return Err(ImageError::Loop { name });
        }
        if seen.len() > MOST {
            return Err(ImageError::Deep { name, most: MOST });
        }
        seen.push(identity);
        layers.push(layer);
    }
    Ok(layers)
}

/// What a file is, by whatever name.
fn identity(held: &Held) -> Result<(u64, u64), ImageError> {
    let about = held.file.metadata().map_err(held.failed("look at"))?;
    Ok((about.dev(), about.ino()))
}

fn below(above: &Held, backing: &Backing, allowed: Option<&Path>) -> Result<Layer, ImageError> {
    let path = folder(&above.path).join(&backing.name);
    let failed = |source| ImageError::Failed { what: "open", name: path.display().to_string(), source };
    let real = fs::canonicalize(&path).map_err(failed)?;
    let inside = |folder: &Path| fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder));
    if !inside(folder(&above.path)) && !allowed.is_some_and(inside) {
        return Err(ImageError::Outside { name: above.name(), backing: backing.name.clone() });
    }
    let held = Held::open(&path, Access::Read)?;
    let format = format(&held, backing.format.as_deref())?;
    Ok(Layer { held, format })
}

fn format(held: &Held, said: Option<&str>) -> Result<Format, ImageError> {
    let content = || probe::content(&held.file, held.bytes).map_err(held.failed("read"));
    let unsupported =
        |format, why: &str| ImageError::Unsupported { name: held.name(), format, why: why.into() };
    match said {
        Some("raw") => Ok(Format::Raw),
        Some("qcow2") => Ok(Format::Qcow2),
        Some(_) => Err(unsupported(Format::Qcow2, "other images can only be based on raw and qcow2 ones")),
        None => match content()? {
            Content::Is(format @ (Format::Raw | Format::Qcow2)) => Ok(format),
            Content::Is(format) => {
                Err(unsupported(format, "other images can only be based on raw and qcow2 ones"))
            }
            Content::Foreign(_) | Content::Unknown => Err(ImageError::Unrecognised { name: held.name() }),
        },
    }
}
