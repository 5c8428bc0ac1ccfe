//! A tree of Debian programs and all the libraries they need: run as they are on the host (`chroot`) and in a guest.

use crate::apt::Apt;
use crate::cache::Cache;
use crate::cpio::{Cpio, Kind};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The programs that `cargo xtask bench` runs.
#[rustfmt::skip]
const PACKAGES: [&str; 8] = ["gzip", "xz-utils", "zstd", "sqlite3", "perl-base", "python3.11-minimal", "openssl", "cpp-12"];

/// What a package needs to be installed, not to run.
const NOT_TO_RUN: [&str; 3] = ["dpkg", "install-info", "readline-common"];

/// Folders of the tree that no program of ours reads.
const UNREAD: [&str; 6] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/info",
    "usr/lib/x86_64-linux-gnu/gconv",
];

/// Written last into a finished tree: the packages in it.
const STAMP: &str = ".packages";

/// The tree, fetched and unpacked if that was not done before.
pub fn tree(cache: &Cache) -> Result<PathBuf> {
    let tree = cache.path("debian");
    let wanted = PACKAGES.join(" ");
    if !fs::read_to_string(tree.join(STAMP)).is_ok_and(|had| had == wanted) {
        if tree.exists() {
            fs::remove_dir_all(&tree).with_context(|| format!("removing {}", tree.display()))?;
        }
        unpack(cache, &tree).context("unpacking Debian's programs")?;
        fs::write(tree.join(STAMP), wanted)?;
    }
    Ok(tree)
}

fn unpack(cache: &Cache, tree: &Path) -> Result<()> {
    eprintln!("bench: reading the amd64 package index");
    let apt = Apt::open(&cache.path("apt"), "amd64", &PACKAGES)?;
    fs::create_dir_all(tree)?;
    for package in apt.closure(&PACKAGES, &NOT_TO_RUN)? {
        eprintln!("bench: fetching {package}");
        apt.unpack(&package, tree)?;
    }
    for folder in UNREAD.map(|folder| tree.join(folder)).into_iter().filter(|folder| folder.exists()) {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(tree.join("tmp"))?;
    Ok(())
}

/// Adds the tree to an archive as the folder `name`. `tmp` stays empty.
pub fn add(archive: &mut Cpio, name: &str, tree: &Path) -> Result<()> {
    archive.add(name, 0o755, &Kind::Folder);
    let mut entries = fs::read_dir(tree)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        let metadata = fs::symlink_metadata(&path)?;
        let permissions = metadata.permissions().mode() & 0o777;
        if metadata.is_symlink() {
            archive.add(&name, 0o777, &Kind::Link(&fs::read_link(&path)?.to_string_lossy()));
        } else if entry.file_name() == "tmp" {
            archive.add(&name, 0o777, &Kind::Folder);
        } else if metadata.is_dir() {
            add(archive, &name, &path)?;
        } else {
            archive.add(&name, permissions, &Kind::File(&fs::read(&path)?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Cpio, add};
    use std::fs;

    #[test]
    fn a_tree_becomes_an_archive_without_its_temporary_files() {
        let tree = std::env::temp_dir().join(format!("posada-tree-{}", std::process::id()));
        fs::create_dir_all(tree.join("tmp")).unwrap();
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::write(tree.join("bin/program"), "code").unwrap();
        fs::write(tree.join("tmp/left"), "rest").unwrap();
        std::os::unix::fs::symlink("program", tree.join("bin/link")).unwrap();
        let mut archive = Cpio::default();
        add(&mut archive, "debian", &tree).unwrap();
        let bytes = archive.finish();
        let has = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
        assert!(["debian/bin/program", "code", "debian/bin/link", "debian/tmp"].iter().all(|name| has(name)));
        assert!(!has("rest"));
        fs::remove_dir_all(tree).unwrap();
    }
}
