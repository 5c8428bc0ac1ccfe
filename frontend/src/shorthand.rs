//! `posada FILE`: a PC in a window with this image in the drive that it fits.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// ISO 9660 (ECMA-119), 8.1: the identifier of the first volume descriptor, in block 16.
const ISO_AT: u64 = 16 * 2048 + 1;
const ISO: &[u8; 5] = b"CD001";

/// The arguments, spelled out if the first names a file; options of `posada run` may follow it.
pub fn expand(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let image = arguments.get(1).filter(|first| Path::new(first).is_file());
    if let Some(option) = image.map(|image| drive(Path::new(image))) {
        let spelled = ["run", "--display", "window", option];
        arguments.splice(1..1, spelled.map(OsString::from));
    }
    arguments
}

/// The option for the drive.
fn drive(image: &Path) -> &'static str {
    let mut identifier = [0; ISO.len()];
    let read = File::open(image).and_then(|file| file.read_exact_at(&mut identifier, ISO_AT));
    if read.is_ok() && identifier == *ISO {
        return "--cdrom";
    }
    let bytes = image.metadata().map_or(0, |about| about.len());
    if machine::is_diskette(bytes) { "--floppy" } else { "--disk" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_goes_where_it_fits() {
        let folder = tempfile::tempdir().unwrap();
        let expanded = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let arguments = ["posada".into(), path.into_os_string(), "-m".into(), "1G".into()];
            let expanded = expand(arguments.to_vec());
            assert_eq!(expanded[1..4], ["run", "--display", "window"]);
            assert_eq!(expanded[6..], ["-m", "1G"]);
            expanded[4].clone()
        };
        let mut disc = vec![0; 40 * 2048];
        disc[0x8001..0x8006].copy_from_slice(ISO);
        assert_eq!(expanded("a", &disc), "--cdrom");
        assert_eq!(expanded("b", &vec![0; 1_474_560]), "--floppy");
        assert_eq!(expanded("c", &[0; 512]), "--disk");
    }

    #[test]
    fn everything_else_stays() {
        let arguments = ["posada", "run", "--kernel", "k"].map(OsString::from).to_vec();
        assert_eq!(expand(arguments.clone()), arguments);
        assert_eq!(expand(vec!["posada".into()]), ["posada"]);
    }
}
