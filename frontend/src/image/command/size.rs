//! Sizes of disks as a person writes them.

/// A new size for a disk that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewSize {
    Is(u64),
    Grows(u64),
}

/// A size in bytes: a whole number with K, M, G or T (powers of 1024), optionally followed by B or iB. A number alone is
/// refused: some programs would count bytes, others MiB.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not the size of a disk; write for example 512M or 20G");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    match number.checked_mul(1 << shift) {
        Some(0) => Err("a disk is not empty".into()),
        // Files end below 2^63 bytes.
        Some(bytes) if bytes <= i64::MAX.unsigned_abs() => Ok(bytes),
        _ => Err(format!("`{text}` is more than a disk can hold")),
    }
}

pub fn parse_new(text: &str) -> Result<NewSize, String> {
    match text.strip_prefix('+') {
        Some(more) => parse(more).map(NewSize::Grows),
        None => parse(text).map(NewSize::Is),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(
            (parse("20G"), parse("512MiB"), parse("64k")),
            (Ok(20 << 30), Ok(512 << 20), Ok(64 << 10))
        );
        assert_eq!(
            (parse_new("+1G"), parse_new("1T")),
            (Ok(NewSize::Grows(1 << 30)), Ok(NewSize::Is(1 << 40)))
        );
        for wrong in ["", "0G", "20", "G", "-1G", "1.5G", "99999999T", "99999999999999999999G"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
