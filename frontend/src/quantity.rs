//! Amounts as a person writes them: memory sizes, spans of guest time, points in wall-clock time.

use emu_core::Tick;

/// A size in bytes: a whole number with K, M, G or T (powers of 1024), optionally followed by B or iB. A bare number
/// counts MiB, as in other emulators.
pub fn memory_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a memory size; write for example 512M or 2G");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" | "M" => 20,
        "K" => 10,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("`{text}` is more memory than a PC can address"))
}

/// A count: a whole number, optionally with k, M or G (powers of 1000).
pub fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a count; write for example 5000, 100k or 20M");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let each: u64 = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(each).ok_or_else(wrong)
}

/// A span of guest time: a number with ms, s or min; a bare number counts seconds.
pub fn span(text: &str) -> Result<Tick, String> {
    let wrong = || format!("`{text}` is not a span of time; write for example 500ms, 5s or 2min");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let each = match unit {
        "us" => Tick::MICROSECOND,
        "ms" => Tick::MILLISECOND,
        "" | "s" => Tick::SECOND,
        "min" => Tick::SECOND.times(60),
        _ => return Err(wrong()),
    };
    Ok(each.times(number))
}

/// Seconds since 1970-01-01 00:00 UTC, from `2026-11-23`, `2026-11-23T22:43:00` (UTC) or a number of seconds.
pub fn wall_clock(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a date; write for example 2026-11-23T22:43:00 (UTC)");
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(seconds);
    }
    let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap_or((text, "00:00:00"));
    let [year, month, day] = numbers(date, '-').ok_or_else(wrong)?;
    let [hour, minute, second] = numbers(time, ':').ok_or_else(wrong)?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    if !in_range {
        return Err(wrong());
    }
    Ok(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse().ok());
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let leap_days_before = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let years = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1
}

/// A size in bytes as a person reads it.
pub fn shown_size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 30 && b % (1 << 30) == 0 => format!("{} GiB", b >> 30),
        b if b >= 1 << 20 => format!("{} MiB", b >> 20),
        b => format!("{} KiB", b >> 10),
    }
}

/// A large count as a person reads it.
pub fn shown_count(count: u64) -> String {
    match count {
        0..1_000_000 => count.to_string(),
        1_000_000..10_000_000_000 => format!("{} million", count / 1_000_000),
        _ => format!("{} billion", count / 1_000_000_000),
    }
}

/// A span or point of guest time in seconds, for a person.
pub fn seconds(time: Tick) -> String {
    let milliseconds = time.as_nanos() / 1_000_000;
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_sizes() {
        assert_eq!(memory_size("512M"), Ok(512 << 20));
        assert_eq!(memory_size("1g"), Ok(1 << 30));
        assert_eq!(memory_size("2GiB"), Ok(2 << 30));
        assert_eq!(memory_size("64"), Ok(64 << 20));
        assert_eq!(memory_size("640K"), Ok(640 << 10));
        for wrong in ["", "M", "-1M", "1.5G", "1X", "99999999999999999999", "99999999T"] {
            assert!(memory_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!((count("5"), count("100k"), count("20M")), (Ok(5), Ok(100_000), Ok(20_000_000)));
        for wrong in ["", "k", "-1", "1.5M", "99999999999G", "5 M"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans() {
        assert_eq!(span("5s"), Ok(Tick::SECOND.times(5)));
        assert_eq!(span("250ms"), Ok(Tick::MILLISECOND.times(250)));
        assert_eq!(span("2"), Ok(Tick::SECOND.times(2)));
        assert!(span("5 parsecs").is_err() && span("").is_err() && span("s").is_err());
    }

    #[test]
    fn dates() {
        assert_eq!(wall_clock("1970-01-01"), Ok(0));
        assert_eq!(wall_clock("2000-03-01T00:00:00Z"), Ok(951_868_800));
        assert_eq!(wall_clock("2026-11-23T22:43:00"), Ok(1_795_473_780));
        assert_eq!(wall_clock("86400"), Ok(86_400));
        for wrong in ["2026-13-01", "2026-02-29", "yesterday", "2026-01-01T25:00:00", "2026-01"] {
            assert!(wall_clock(wrong).is_err(), "{wrong}");
        }
    }
}
