//! `cargo xtask`: the habits of this workspace.

mod apt;
mod bench;
mod cache;
mod check;
mod command;
mod cpio;
mod crash;
mod debian;
mod demo;
mod fuzz;
mod guest;
mod initramfs;
mod packages;
mod screen;
mod setup;
mod soak;
mod test;
mod tour;

use anyhow::Result;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  demo                boot a Debian kernel to its shell, here in the terminal (sets up and builds what it needs)
  test [FILTER...]    run every test, boots of real guests included (sets up what it needs)
  setup [--refresh]   fetch the guests (Debian packages) into target/guests, or the folder named by POSADA_CACHE
  guest [NAME]        make a guest that takes more than a package: Debian on a disk, boot media; alone it lists them
  check               format, lints, arrows between crates, documentation, licences
  bench [boots|kernels|programs|disk|screen] [--only NAME] [--engine NAME]
                      compare with QEMU's TCG and with the bare host; all of it is written into README.md, a part
                      is only printed. NAME is an architecture, a kernel or a program, and may be given again
  soak [MINUTES]      run ever new code under --engine jit and watch Posada's memory (default 60)
  crash [--count N] [--disk ide|virtio] [--format raw|qcow2] [--seed N]
                      kill Posada while Debian writes to its disk, and look what is left (default 50 times)
  tour                Debian in the window as a person uses it, on a screen that nobody sees
  fuzz [SECONDS]      run each fuzz target for so long (default 60)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => setup::setup(false),
        ["setup", "--refresh"] => setup::setup(true),
        ["demo"] => demo::demo(),
        ["test", filter @ ..] => test::test(filter),
        ["guest", names @ ..] => guest::guest(names),
        ["check"] => check::check(),
        ["bench", selection @ ..] => bench::bench(selection),
        ["soak"] => soak::soak("60"),
        ["soak", minutes] => soak::soak(minutes),
        ["crash", options @ ..] => crash::crash(options),
        ["tour"] => tour::tour(),
        ["fuzz"] => fuzz::fuzz("60"),
        ["fuzz", seconds] => fuzz::fuzz(seconds),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => anyhow::bail!("unknown command `{}`; `cargo xtask help` lists them", words.join(" ")),
    }
}
