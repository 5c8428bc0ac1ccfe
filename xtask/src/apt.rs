//! Debian packages of any architecture, fetched with a private apt state: the host's package database, its
//! architectures and its installed packages are neither needed nor changed, and root is not required.

use crate::cache::verify;
use crate::command::{self, output};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Apt {
    root: PathBuf,
    architecture: &'static str,
}

/// One line of `apt-get download --print-uris`.
struct Download {
    file: String,
    sha256: String,
}

impl Apt {
    /// A private apt under `root` that has read the package index of one architecture and knows all of `packages`.
    pub fn open(root: &Path, architecture: &'static str, packages: &[&str]) -> Result<Self> {
        require_tools()?;
        let apt = Self { root: root.join(architecture), architecture };
        apt.update(packages);
        match packages.iter().find(|package| !apt.knows(package)) {
            None => Ok(apt),
            Some(package) => bail!(
                "apt knows no package {package} for {architecture}: is the network reachable, and do the sources in /etc/apt name Debian 12?"
            ),
        }
    }

    /// The package itself, or for an empty package that only names another one (`linux-image-686`), that one.
    pub fn resolve(&self, package: &str, prefix: &str) -> Result<String> {
        let depends = output(self.command("apt-cache").args(["depends", "--important", package]))?;
        let named = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(named.into_iter().find(|name| name.starts_with(prefix)).unwrap_or(package).to_owned())
    }

    /// `packages` and all that they depend on, directly or not, without those of `except` and what only they need.
    pub fn closure(&self, packages: &[&str], except: &[&str]) -> Result<BTreeSet<String>> {
        let mut closure = BTreeSet::new();
        let mut waiting: Vec<String> = packages.iter().map(|&package| package.to_owned()).collect();
        while let Some(package) = waiting.pop() {
            if except.contains(&package.as_str()) || !closure.insert(package.clone()) {
                continue;
            }
            let depends = output(self.command("apt-cache").args(["depends", "--important", &package]))?;
            waiting.extend(parse_depends(&depends));
        }
        Ok(closure)
    }

    /// Fetches a package (or finds it from last time), checks it, and unpacks it into `folder`.
    pub fn unpack(&self, package: &str, folder: &Path) -> Result<()> {
        let debs = self.root.join("debs");
        fs::create_dir_all(&debs)?;
        let uris = output(self.command("apt-get").args(["download", "--print-uris", package]))?;
        let download = parse_uri(&uris)
            .with_context(|| format!("apt does not say where {package} is: `{}`", uris.trim()))?;
        let deb = debs.join(&download.file);
        if verify(&deb, &download.sha256).is_err() {
            let _ = fs::remove_file(&deb);
            output(self.command("apt-get").args(["download", package]).current_dir(&debs))?;
            verify(&deb, &download.sha256)?;
        }
        output(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(folder))?;
        Ok(())
    }

    /// What the configured sources consist of, each package index in this format (see apt-get(8)).
    pub fn index_targets(&self, format: &str) -> Result<String> {
        output(self.command("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]))
    }

    /// Reads the package index. A mirror in the middle of a push serves a broken index of one suite for some
    /// minutes: that only matters if one of `packages` is then unknown.
    fn update(&self, packages: &[&str]) {
        for folder in ["state/lists/partial", "cache/archives/partial"] {
            let _ = fs::create_dir_all(self.root.join(folder));
        }
        for _ in 0..3 {
            let Err(error) = output(self.command("apt-get").arg("update")) else { return };
            if self.knows_all(packages) {
                return;
            }
            eprintln!("setup: {error:#}");
        }
    }

    fn knows_all(&self, packages: &[&str]) -> bool {
        packages.iter().all(|package| self.knows(package))
    }

    fn knows(&self, package: &str) -> bool {
        output(self.command("apt-cache").args(["show", package])).is_ok()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut option = |key: &str, value: &str| {
            command.arg("-o").arg(format!("{key}={value}"));
        };
        option("APT::Architecture", self.architecture);
        option("APT::Architectures::", self.architecture);
        option("APT::Sandbox::User", "");
        option("Acquire::Languages", "none");
        option("Dir::State", &self.root.join("state").to_string_lossy());
        option("Dir::State::status", "/dev/null");
        option("Dir::Cache", &self.root.join("cache").to_string_lossy());
        command.arg("-qq");
        command
    }
}

fn require_tools() -> Result<()> {
    match ["apt-get", "apt-cache", "dpkg-deb"].iter().find(|tool| command::find(tool).is_none()) {
        None => Ok(()),
        Some(tool) => bail!(
            "there is no {tool} here: the guests come from Debian packages, so set up on Debian or Ubuntu, \
             or copy a finished folder of guests to this machine and name it in POSADA_CACHE"
        ),
    }
}

fn parse_uri(line: &str) -> Option<Download> {
    let mut words = line.split_whitespace();
    let (_uri, file, _size, hash) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(Download { file: file.to_owned(), sha256: hash.strip_prefix("SHA256:")?.to_owned() })
}

/// The packages named by `apt-cache depends`; of alternatives (the lines with `|`) the last.
fn parse_depends(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let names = lines.filter_map(|line| line.strip_prefix("Depends: ").or(line.strip_prefix("PreDepends: ")));
    names.filter(|name| !name.starts_with('<')).map(str::to_owned).collect()
}

/// The path below `folder` of the only file that fits `pattern`: the end of its path, or with a `*` at the end the
/// beginning of its name.
pub fn find(folder: &Path, pattern: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    collect(folder, pattern, &mut found)?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        _ => bail!("expected one file {pattern} in the package, found {}", found.len()),
    }
}

fn collect(folder: &Path, pattern: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let fits = match pattern.strip_suffix('*') {
            Some(beginning) => entry.file_name().to_string_lossy().starts_with(beginning),
            None => path.ends_with(pattern),
        };
        if entry.file_type()?.is_dir() {
            collect(&path, pattern, found)?;
        } else if fits {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{parse_depends, parse_uri};

    #[test]
    fn print_uris_line() {
        let line =
            "'http://mirror.example/debian/pool/x_1%2b1_amd64.deb' x_1+1_amd64.deb 928188 SHA256:3d3f\n";
        let download = parse_uri(line).unwrap();
        assert_eq!((download.file.as_str(), download.sha256.as_str()), ("x_1+1_amd64.deb", "3d3f"));
        assert!(parse_uri("").is_none());
    }

    #[test]
    fn depends_lines() {
        let text = "gzip\n  PreDepends: libc6\n |Depends: dpkg\n  Depends: install-info\n  Depends: <awk>\n    mawk\n";
        assert_eq!(parse_depends(text), ["libc6", "install-info"]);
    }
}
