//! An image as the command line names it: `FILE[,format=FORMAT][,readonly][,backing=FOLDER]`. A comma in the name of the
//! file is written twice.

use super::Format;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub path: PathBuf,
    /// What the user says it is; otherwise its content says it.
    pub format: Option<Format>,
    pub read_only: bool,
    /// A folder beside that of the image in which images may lie that it is based on.
    pub backing: Option<PathBuf>,
}

impl Chosen {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), format: None, read_only: false, backing: None }
    }
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What no name of a file can contain stands for its commas.
        let single = text.replace(",,", "\0");
        let mut parts = single.split(',').map(|part| part.replace('\0', ","));
        let path = parts.next().filter(|path| !path.is_empty()).ok_or("name the file of the image")?;
        let mut chosen = Self::new(Path::new(&path));
        for option in parts {
            chosen.set(&option)?;
        }
        Ok(chosen)
    }
}

impl Chosen {
    fn set(&mut self, option: &str) -> Result<(), String> {
        match option.split_once('=') {
            None if option == "readonly" => self.read_only = true,
            Some(("format", name)) => {
                let format = Format::from_str(name, false);
                let wrong =
                    |_| format!("there is no format `{name}`; there are raw, qcow2, vmdk, vdi, vhd and vhdx");
                self.format = Some(format.map_err(wrong)?);
            }
            Some(("backing", folder)) if !folder.is_empty() => self.backing = Some(folder.into()),
            _ => {
                return Err(format!(
                    "`{option}` is not an option of an image; there are format=FORMAT, readonly and backing=FOLDER \
                     (write a comma in the name of a file twice)"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_options() {
        let parse = |text: &str| text.parse::<Chosen>();
        assert_eq!(parse("a.img"), Ok(Chosen::new(Path::new("a.img"))));
        let all = parse("a,,b.img,format=qcow2,readonly,backing=/images").unwrap();
        let path = PathBuf::from("a,b.img");
        let backing = Some(PathBuf::from("/images"));
        assert_eq!(all, Chosen { path, format: Some(Format::Qcow2), read_only: true, backing });
        for wrong in ["", ",readonly", "a,fromat=raw", "a,format=floppy", "a,readonly=1", "a,backing="] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
