//! The command line of `posada conform`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use test_roms::conform::program::CodeSize;
use test_roms::conform::report;

pub const EXAMPLES: &str = "\
Examples:
  Compare the interpreter with this host's CPU for a minute:
    posada conform
  Only shifts, in 16-bit code, with the whole table:
    posada conform --family shift-rotate --size 16 --seconds 10 --report
  The table of docs/conformance.md:
    posada conform --seconds 600 --report --format markdown --output docs/conformance.md

Exit codes: 0 no disagreement; 2 bad input, or this host cannot be compared with; 8 something disagrees.";

#[derive(Args)]
pub struct Conform {
    /// The engine to judge
    #[arg(long, value_name = "NAME", default_value = "interpreter")]
    pub engine: String,
    /// Only these families; --list names them
    #[arg(long, value_name = "NAME")]
    pub family: Vec<String>,
    /// Only these forms, by iced-x86's names, for example Add_rm32_r32, or `sequence`
    #[arg(long, value_name = "NAME")]
    pub form: Vec<String>,
    /// Only code of these sizes
    #[arg(long, value_name = "BITS")]
    pub size: Vec<Size>,
    /// How long to go on
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub seconds: u64,
    /// Stop after this many vectors, if that comes first
    #[arg(long, value_name = "N")]
    pub vectors: Option<u64>,
    /// Where the random numbers start; the same seed makes the same vectors [default: the clock]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Only this round of each form: how a disagreement is seen again
    #[arg(long, value_name = "N", requires = "seed")]
    pub round: Option<u64>,
    /// Processes that work side by side [default: one for each of the host's CPUs]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Disagreements that are told in full; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub findings: usize,
    /// Write the whole table
    #[arg(long)]
    pub report: bool,
    /// How to write the table
    #[arg(long, value_name = "FORMAT", requires = "report", default_value = "text")]
    pub format: Format,
    /// Where to write the table [default: the terminal]
    #[arg(long, value_name = "FILE", requires = "report")]
    pub output: Option<PathBuf>,
    /// Check against vectors recorded from silicon instead of this host's CPU: the file, or the ones built in
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with_all = ["seconds", "seed", "report"])]
    pub recorded: Option<Option<PathBuf>>,
    /// Record a sample of vectors from this host's CPU into a file
    #[arg(long, value_name = "FILE", conflicts_with = "recorded")]
    pub record: Option<PathBuf>,
    /// Only the system-mode suite: small guests with what the manual says of them
    #[arg(long, conflicts_with_all = ["recorded", "record"])]
    pub system: bool,
    /// Who judges the system-mode suite: the engine against the manual, or the manual against KVM on this host
    #[arg(long, value_name = "ORACLE", requires = "system", default_value = "manual")]
    pub oracle: Oracle,
    /// List the families, with their forms here
    #[arg(long)]
    pub list: bool,
    /// Work on jobs from standard input
    #[arg(long, hide = true)]
    pub worker: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Oracle {
    Manual,
    Kvm,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Size {
    #[value(name = "16")]
    Bits16,
    #[value(name = "32")]
    Bits32,
    #[value(name = "64")]
    Bits64,
}

impl From<Size> for CodeSize {
    fn from(size: Size) -> Self {
        match size {
            Size::Bits16 => Self::Bits16,
            Size::Bits32 => Self::Bits32,
            Size::Bits64 => Self::Bits64,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Markdown,
    Json,
    Html,
}

impl From<Format> for report::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Markdown => Self::Markdown,
            Format::Json => Self::Json,
            Format::Html => Self::Html,
        }
    }
}
