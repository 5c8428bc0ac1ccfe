//! Whole programs of Debian, each with a fixed amount of single-threaded work from standard input to standard output.
//!
//! They run inside their own tree (`cargo xtask bench` unpacks it), so that the same binaries and libraries run on the
//! host and in every guest.

mod cpu_time;
mod source;
mod text;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

pub struct Program {
    pub name: &'static str,
    /// Absolute path and arguments.
    command: &'static [&'static str],
    input: fn() -> Vec<u8>,
}

/// The 2048-bit prime of RFC 3526, 3. Testing it is what RSA and Diffie-Hellman spend their
/// time on: modular exponentiation.
const PRIME_2048: &str = concat!(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD",
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F",
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510",
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF"
);

/// Key and initialisation vector of AES-128.
const KEY: &str = "000102030405060708090a0b0c0d0e0f";

#[rustfmt::skip]
pub const PROGRAMS: [Program; 10] = [
    Program { name: "gzip",    command: &["/bin/gzip", "-n", "-c"],                                          input: || text::text(8 << 20) },
    Program { name: "xz",      command: &["/usr/bin/xz", "-T1", "-c"],                                       input: || text::text(3 << 18) },
    Program { name: "zstd",    command: &["/usr/bin/zstd", "--single-thread", "-q", "-12", "-c"],            input: || text::text(5 << 19) },
    Program { name: "sqlite3", command: &["/usr/bin/sqlite3", ":memory:"],                                   input: || include_bytes!("work.sql").to_vec() },
    Program { name: "perl",    command: &["/usr/bin/perl", "-"],                                             input: || include_bytes!("work.pl").to_vec() },
    Program { name: "python3", command: &["/usr/bin/python3.11", "-S", "-"],                                 input: || include_bytes!("work.py").to_vec() },
    Program { name: "sha256",  command: &["/usr/bin/openssl", "dgst", "-sha256", "-r"],                      input: || text::text(4 << 20).repeat(20) },
    Program { name: "aes",     command: &["/usr/bin/openssl", "enc", "-aes-128-cbc", "-K", KEY, "-iv", KEY], input: || text::text(4 << 20).repeat(18) },
    Program { name: "prime",   command: &["/usr/bin/openssl", "prime", "-hex", PRIME_2048, PRIME_2048],      input: Vec::new },
    Program { name: "cc1",     command: &["/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-fpreprocessed", "-O2", "-o", "-", "-"], input: || source::source(25) },
];

/// The same libcrypto code paths on every CPU: those of QEMU's `qemu64`, the CPU without SSSE3, SSE4, AVX, AES and
/// PCLMUL instructions (OPENSSL_ia32cap(3)).
const OPENSSL_CPU: &str = "~0x5ED81A0200000000:0";

const ENVIRONMENT: [(&str, &str); 6] = [
    ("HOME", "/tmp"),
    ("PATH", "/usr/bin:/bin"),
    ("LC_ALL", "C"),
    ("PERL_HASH_SEED", "0"),
    ("PYTHONHASHSEED", "0"),
    ("OPENSSL_ia32cap", OPENSSL_CPU),
];

const INPUT: &str = "/tmp/input";
const OUTPUT: &str = "/tmp/output";

/// Runs the named programs of the tree in `root`, or all.
pub fn run(root: &Path, names: &[String]) -> Result<(), String> {
    let named = |program: &Program| names.is_empty() || names.iter().any(|name| name == program.name);
    if let Some(unknown) = names.iter().find(|name| PROGRAMS.iter().all(|program| program.name != **name)) {
        return Err(format!("there is no program {unknown}"));
    }
    std::os::unix::fs::chroot(root)
        .and_then(|()| std::env::set_current_dir("/"))
        .map_err(|error| format!("cannot make {} the root directory: {error}", root.display()))?;
    PROGRAMS.iter().filter(|program| named(program)).try_for_each(measure)
}

fn measure(program: &Program) -> Result<(), String> {
    let Program { name, command: words, input } = program;
    let failed = |error: io::Error| format!("{name}: {error}");
    fs::write(INPUT, input()).map_err(failed)?;
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear().envs(ENVIRONMENT);
    command.stdin(File::open(INPUT).map_err(failed)?).stdout(File::create(OUTPUT).map_err(failed)?);
    crate::begin(name);
    let before = cpu_time::of_children();
    let status = command.status().map_err(failed)?;
    let nanoseconds = cpu_time::of_children() - before;
    crate::done(name);
    if !status.success() {
        return Err(format!("{name} failed ({status})"));
    }
    crate::end(name, 1, nanoseconds, checksum(&fs::read(OUTPUT).map_err(failed)?));
    Ok(())
}

/// FNV-1a (Fowler, Noll, Vo), 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn checksum_of_the_known_answer() {
        // The FNV reference test vectors.
        assert_eq!(super::checksum(b"foobar"), 0x8594_4171_F739_67E8);
    }
}
