//! The command line of `posada image`.

use super::size::{self, NewSize};
use crate::image::{Chosen, Format};
use clap::{Args, Subcommand};
use std::path::PathBuf;

pub const EXAMPLES: &str = "\
Examples:
  posada image create disk.qcow2 20G
  posada image create --backing debian.qcow2 try.qcow2
  posada image convert appliance.vmdk disk.qcow2
  posada image check disk.qcow2
  posada image resize disk.qcow2 +10G

An image that is read may be followed by options, as with `posada run --disk`: FILE,format=raw or FILE,backing=FOLDER.

Exit codes: 0 done; 2 bad input, nothing was changed; 8 check found damage.";

#[derive(Subcommand)]
pub enum Command {
    /// Make a new image
    Create(Create),
    /// Tell what an image is
    Info(Info),
    /// Make a raw or qcow2 image of an image of any format
    Convert(Convert),
    /// Look whether an image is sound
    Check(Check),
    /// Give the disk of a raw or qcow2 image another size
    Resize(Resize),
}

#[derive(Args)]
pub struct Create {
    /// Format of the new image: raw or qcow2 [default: what the name ends in]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Image that the new one is based on: it holds what has not been written to the new one (qcow2)
    #[arg(long, value_name = "FILE")]
    pub backing: Option<Chosen>,
    /// The new image
    pub file: PathBuf,
    /// Size of the disk, for example 512M or 20G [default: that of the image it is based on]
    #[arg(value_parser = size::parse, required_unless_present = "backing")]
    pub size: Option<u64>,
}

#[derive(Args)]
pub struct Info {
    /// The image
    pub file: Chosen,
}

#[derive(Args)]
pub struct Convert {
    /// Format of the new image: raw or qcow2 [default: what its name ends in]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Do not show how far it is
    #[arg(long, short)]
    pub quiet: bool,
    /// The image that is read
    pub source: Chosen,
    /// The new image
    pub target: PathBuf,
}

#[derive(Args)]
pub struct Check {
    /// Do not show how far it is
    #[arg(long, short)]
    pub quiet: bool,
    /// The image
    pub file: Chosen,
}

#[derive(Args)]
pub struct Resize {
    /// Allow the disk to become smaller: what lies beyond its new end is gone
    #[arg(long)]
    pub shrink: bool,
    /// The image
    pub file: Chosen,
    /// The new size, for example 20G, or by how much it grows, for example +5G
    #[arg(value_parser = size::parse_new)]
    pub size: NewSize,
}
