//! The time and calendar registers, and the arithmetic of the update cycle.

const SECONDS_PER_DAY: u64 = 86_400;
/// Days of 100 years in which every fourth is a leap year: the chip knows no century.
const DAYS_PER_100_YEARS: u64 = 36_525;
const DAYS_PER_4_YEARS: u64 = 1461;
/// Days of 400 years of the Gregorian calendar.
const DAYS_PER_400_YEARS: i64 = 146_097;

/// Addresses ("Figure 6, Address Map").
const SECONDS: usize = 0;
const MINUTES: usize = 2;
const HOURS: usize = 4;
const WEEKDAY: usize = 6;
const DAY: usize = 7;
const MONTH: usize = 8;
const YEAR: usize = 9;
const SECONDS_ALARM: usize = 1;
const MINUTES_ALARM: usize = 3;
const HOURS_ALARM: usize = 5;

const PM: u8 = 0x80;

/// How register B says that numbers are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) binary: bool,
    pub(super) h24: bool,
}

/// Two decimal digits in BCD; `n` is at most 99.
pub(super) fn to_bcd(n: u8) -> u8 {
    ((n / 10 % 10) << 4) | (n % 10)
}

impl Format {
    /// `None` for a byte that is no number in this format.
    fn number(self, byte: u8) -> Option<u8> {
        match (self.binary, byte >> 4, byte & 0xF) {
            (true, _, _) => Some(byte),
            (false, tens @ 0..=9, ones @ 0..=9) => Some(tens * 10 + ones),
            (false, _, _) => None,
        }
    }

    fn byte(self, number: u8) -> u8 {
        if self.binary { number } else { to_bcd(number) }
    }

    /// Hour 0 to 23; `None` for a byte that is no hour.
    fn hour(self, byte: u8) -> Option<u8> {
        if self.h24 {
            return self.number(byte).filter(|hour| *hour < 24);
        }
        let hour = self.number(byte & !PM).filter(|hour| (1..=12).contains(hour))?;
        Some(hour % 12 + if byte & PM != 0 { 12 } else { 0 })
    }

    fn hour_byte(self, hour: u8) -> u8 {
        if self.h24 {
            return self.byte(hour);
        }
        let pm = if hour >= 12 { PM } else { 0 };
        pm | self.byte(if hour.is_multiple_of(12) { 12 } else { hour % 12 })
    }
}

/// A moment, every field in its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) second: u8,
    pub(super) minute: u8,
    pub(super) hour: u8,
    /// 1 is Sunday. Counted apart from the date, as the chip does.
    pub(super) weekday: u8,
    pub(super) day: u8,
    pub(super) month: u8,
    pub(super) year: u8,
}

fn days_in_month(month: u8, leap: bool) -> u8 {
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Splits a day of a year, counted from 0, into month and day.
fn month_and_day(mut day_of_year: u64, leap: bool) -> (u8, u8) {
    for month in 1..=12 {
        let length = days_in_month(month, leap);
        match u8::try_from(day_of_year) {
            Ok(day) if day < length => return (month, day + 1),
            _ => day_of_year = day_of_year.saturating_sub(length.into()),
        }
    }
    (12, 31)
}

impl Calendar {
    /// Reads the registers. A value that no clock shows counts as the nearest one that it could.
    pub(super) fn decode(format: Format, ram: &[u8]) -> Self {
        let field =
            |index: usize, low: u8, high: u8| format.number(ram[index]).unwrap_or(high).clamp(low, high);
        let year = field(YEAR, 0, 99);
        let month = field(MONTH, 1, 12);
        Self {
            second: field(SECONDS, 0, 59),
            minute: field(MINUTES, 0, 59),
            hour: format.hour(ram[HOURS]).unwrap_or(23),
            weekday: field(WEEKDAY, 1, 7),
            day: field(DAY, 1, days_in_month(month, year.is_multiple_of(4))),
            month,
            year,
        }
    }

    pub(super) fn encode(&self, format: Format, ram: &mut [u8]) {
        let Self { second, minute, hour, weekday, day, month, year } = *self;
        ram[SECONDS] = format.byte(second);
        ram[MINUTES] = format.byte(minute);
        ram[HOURS] = format.hour_byte(hour);
        ram[WEEKDAY] = format.byte(weekday);
        ram[DAY] = format.byte(day);
        ram[MONTH] = format.byte(month);
        ram[YEAR] = format.byte(year);
    }

    fn second_of_day(&self) -> u64 {
        (u64::from(self.hour) * 60 + u64::from(self.minute)) * 60 + u64::from(self.second)
    }

    fn set_second_of_day(&mut self, second: u64) {
        let part = |n: u64| u8::try_from(n).unwrap_or(0);
        self.second = part(second % 60);
        self.minute = part(second / 60 % 60);
        self.hour = part(second / 3600 % 24);
    }

    /// Days since the year 00 began.
    fn day_number(&self) -> u64 {
        let leap = self.year.is_multiple_of(4);
        let months: u64 = (1..self.month).map(|month| u64::from(days_in_month(month, leap))).sum();
        let year = u64::from(self.year);
        year * 365 + year.div_ceil(4) + months + u64::from(self.day) - 1
    }

    fn set_day_number(&mut self, number: u64) {
        let (cycle, day) = (number / DAYS_PER_4_YEARS, number % DAYS_PER_4_YEARS);
        let (year, day_of_year) =
            if day < 366 { (0, day) } else { ((day - 366) / 365 + 1, (day - 366) % 365) };
        self.year = u8::try_from(cycle * 4 + year).unwrap_or(0);
        (self.month, self.day) = month_and_day(day_of_year, year == 0);
    }

    /// What `seconds` update cycles make of the time.
    pub(super) fn advance(&mut self, seconds: u64) {
        let total = self.second_of_day().saturating_add(seconds);
        let days = total / SECONDS_PER_DAY;
        self.set_second_of_day(total % SECONDS_PER_DAY);
        if days == 0 {
            return;
        }
        self.weekday = u8::try_from((u64::from(self.weekday) - 1 + days) % 7 + 1).unwrap_or(1);
        self.set_day_number((self.day_number() + days) % DAYS_PER_100_YEARS);
    }

    /// How many update cycles until the alarm matches, 1 to 86 400; `None` if it never does.
    pub(super) fn until_alarm(&self, format: Format, ram: &[u8]) -> Option<u32> {
        let alarm = Alarm::decode(format, ram)?;
        let now = self.second_of_day();
        let mut second = now + 1;
        while second <= now + SECONDS_PER_DAY {
            second = match alarm.next_candidate(second) {
                None => return u32::try_from(second - now).ok(),
                Some(next) => next,
            };
        }
        None
    }

    /// The calendar and the century of a time in seconds since 1970-01-01 00:00.
    pub(super) fn from_unix(unix: i64) -> (Self, u8) {
        let day_seconds = i64::try_from(SECONDS_PER_DAY).unwrap_or(i64::MAX);
        let days = unix.div_euclid(day_seconds);
        // 2000-03-01 would be handier for arithmetic; 2000-01-01 (day 10 957) needs no shift of months.
        let (eras, mut day) =
            ((days - 10_957).div_euclid(DAYS_PER_400_YEARS), (days - 10_957).rem_euclid(DAYS_PER_400_YEARS));
        let mut year = 0i64;
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        loop {
            let length = if is_leap(year) { 366 } else { 365 };
            if day < length {
                break;
            }
            day -= length;
            year += 1;
        }
        let (month, day) = month_and_day(u64::try_from(day).unwrap_or(0), is_leap(year));
        let part = |n: i64| u8::try_from(n).unwrap_or(0);
        let mut calendar = Self {
            second: 0,
            minute: 0,
            hour: 0,
            weekday: part((days + 4).rem_euclid(7) + 1), // 1970-01-01 was a Thursday
            day,
            month,
            year: part(year % 100),
        };
        calendar.set_second_of_day(u64::try_from(unix.rem_euclid(day_seconds)).unwrap_or(0));
        (calendar, part((20 + eras * 4 + year / 100).rem_euclid(100)))
    }
}

/// The alarm bytes; `None` is "don't care" (any byte from C0h to FFh).
struct Alarm {
    second: Option<u64>,
    minute: Option<u64>,
    hour: Option<u64>,
}

impl Alarm {
    /// `None` if a byte is no time of day, so that the alarm can never match.
    fn decode(format: Format, ram: &[u8]) -> Option<Self> {
        let sixtieth = |byte: u8| format.number(byte).filter(|n| *n < 60);
        let field = |byte: u8, number: Option<u8>| match byte {
            0xC0..=0xFF => Some(None),
            _ => number.map(|n| Some(u64::from(n))),
        };
        let [second, minute, hour] = [ram[SECONDS_ALARM], ram[MINUTES_ALARM], ram[HOURS_ALARM]];
        Some(Self {
            second: field(second, sixtieth(second))?,
            minute: field(minute, sixtieth(minute))?,
            hour: field(hour, format.hour(hour))?,
        })
    }

    /// `None` if the alarm matches at this second (counted from some midnight), else the next worth a look.
    fn next_candidate(&self, second: u64) -> Option<u64> {
        if self.hour.is_some_and(|hour| hour != second / 3600 % 24) {
            Some((second / 3600 + 1) * 3600)
        } else if self.minute.is_some_and(|minute| minute != second / 60 % 60) {
            Some((second / 60 + 1) * 60)
        } else if self.second.is_some_and(|alarm| alarm != second % 60) {
            Some(second + 1)
        } else {
            None
        }
    }
}
