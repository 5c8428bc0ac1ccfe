//! Why an image cannot be used, in a sentence that says what to do.

use super::Format;
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("cannot {what} the disk image {name}")]
    Failed { what: &'static str, name: String, source: io::Error },
    #[error("{name} is not a file, so it cannot be a disk image")]
    NotAFile { name: String },
    #[error("{name} is {bytes} bytes long; a raw disk image is a multiple of 512 bytes")]
    Length { name: String, bytes: u64 },
    #[error("the disk image {name} is in use by another machine")]
    InUse { name: String },
    #[error(
        "the content of {name} does not tell what it is; if it is a raw disk image, say {name},format=raw, or use it with readonly"
    )]
    Unrecognised { name: String },
    #[error(
        "{name} is {what}, not a disk image that Posada knows; if it is a raw one all the same, say {name},format=raw"
    )]
    Foreign { name: String, what: &'static str },
    #[error(
        "{format} images are only read: use {name} with readonly or --snapshot, or make another of it with `posada image convert`"
    )]
    OnlyRead { name: String, format: Format },
    #[error("{name} is no sound {format} image: {why}")]
    Damaged { name: String, format: Format, why: String },
    #[error("{name} is a {format} image of a kind that Posada does not know: {why}")]
    Unsupported { name: String, format: Format, why: String },
    #[error(
        "{name} is based on {backing}, which lies outside of its folder; if that is meant, allow it with backing=FOLDER"
    )]
    Outside { name: String, backing: String },
    #[error("{name} is based on itself")]
    Loop { name: String },
    #[error("{name} is based on more than {most} other images")]
    Deep { name: String, most: usize },
    #[error("interrupted")]
    Interrupted,
    #[error("{name} exists; posada does not overwrite images")]
    Exists { name: String },
}
