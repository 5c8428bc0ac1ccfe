//! How the checks ended.

use super::plan::Check;
use std::fmt;

pub struct Row<'a> {
    pub check: &'a Check,
    pub seconds: u64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(f, "{}: passed in {} s", self.check, self.seconds),
            Some(why) => write!(f, "{}: FAILED after {} s: {why}", self.check, self.seconds),
        }
    }
}

/// A line for each check.
pub fn table(rows: &[Row]) {
    let width = rows.iter().map(|row| row.check.to_string().len()).max().unwrap_or(0);
    println!();
    for row in rows {
        let result = if row.failure.is_none() { "passed" } else { "FAILED" };
        println!("{:width$}  {result}  {:>5} s", row.check.to_string(), row.seconds);
    }
}
