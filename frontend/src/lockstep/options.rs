//! The command line of `posada lockstep`.

use crate::engines::EngineChoice;
use crate::options::Run;
use crate::quantity;
use clap::{Args, ValueEnum};
use std::str::FromStr;

pub const EXAMPLES: &str = "\
Examples:
  Boot a kernel under the translator and the interpreter, to the shell:
    posada lockstep --kernel vmlinuz --initrd initrd --append console=ttyS0 --until-text 'posada#'
  The first two hundred million instructions, looking more often:
    posada lockstep --kernel vmlinuz --initrd initrd --instructions 200M --every 10k

Takes what `posada run` takes. Time is deterministic; disk images are only read, what the guest writes is forgotten.

Exit codes: as `posada run`, and 8 if the engines differ.";

#[derive(Args)]
pub struct Lockstep {
    #[command(flatten)]
    pub compare: Compare,
    #[command(flatten)]
    pub run: Run,
}

/// What is compared.
#[derive(Args)]
#[command(next_help_heading = "Lockstep")]
pub struct Compare {
    /// The engine under test and the reference
    #[arg(long, value_name = "A,B", default_value = "jit,interpreter")]
    pub engines: Engines,
    /// Compare CPUs, counts and clocks after so many instructions
    #[arg(long, value_name = "N", default_value = "100k", value_parser = quantity::count)]
    pub every: u64,
    /// Compare chips and memory too after so many instructions, and keep the state to look closer from there
    #[arg(long, value_name = "N", default_value = "200M", value_parser = quantity::count)]
    pub memory_every: u64,
    /// End the run after about so many instructions
    #[arg(long, value_name = "N", value_parser = quantity::count)]
    pub instructions: Option<u64>,
    /// Compile on a thread of its own, as `run` does: what is found then may not be found again
    #[arg(long)]
    pub background: bool,
}

/// Two engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engines(pub [EngineChoice; 2]);

impl FromStr for Engines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = text.split(',').collect();
        let &[tested, reference] = &names[..] else {
            return Err("give two engines with a comma between them, as in jit,interpreter".into());
        };
        let choice = |name: &str| {
            EngineChoice::from_str(name, true)
                .map_err(|_| format!("there is no engine `{name}`; there are interpreter, auto and jit"))
        };
        Ok(Self([choice(tested)?, choice(reference)?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_engines() {
        assert_eq!("auto,jit".parse(), Ok(Engines([EngineChoice::Auto, EngineChoice::Jit])));
        assert!("jit".parse::<Engines>().is_err() && "jit,warp".parse::<Engines>().is_err());
    }
}
