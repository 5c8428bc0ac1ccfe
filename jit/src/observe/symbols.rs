//! Names of guest addresses, from the output of `nm` or a kernel's `System.map`.

use std::collections::BTreeMap;

/// Symbols by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols(BTreeMap<u64, String>);

/// A line that `nm` does not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASymbol {
    /// Counted from 1.
    pub line: usize,
}

impl std::fmt::Display for NotASymbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} is not `ADDRESS TYPE NAME`, as nm writes it", self.line)
    }
}

impl std::error::Error for NotASymbol {}

/// An address so far behind the last symbol is not part of it.
const REACH: u64 = 1 << 20;

impl Symbols {
    /// Reads `ADDRESS TYPE NAME` lines; undefined symbols, which have no address, are passed over.
    ///
    /// # Errors
    /// The first line that is something else.
    pub fn parse(text: &str) -> Result<Self, NotASymbol> {
        let mut symbols = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let wrong = NotASymbol { line: index + 1 };
            match words[..] {
                [] | ["U" | "w" | "v", _] => {}
                [address, kind, name, ..] if kind.len() == 1 => {
                    let address = u64::from_str_radix(address, 16).map_err(|_| wrong)?;
                    symbols.entry(address).or_insert_with(|| name.to_owned());
                }
                _ => return Err(wrong),
            }
        }
        Ok(Self(symbols))
    }

    /// The symbol at or before an address, and how far behind it the address is.
    pub fn find(&self, address: u64) -> Option<(&str, u64)> {
        let (start, name) = self.0.range(..=address).next_back()?;
        let offset = address - start;
        (offset < REACH).then_some((name, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nm_and_system_map() {
        let text =
            "                 U printk\n0000000000001000 T first\n0000000000001040 t second\n1040 W again\n";
        let symbols = Symbols::parse(text).expect("lines of nm");
        assert_eq!(symbols.find(0x1008), Some(("first", 8)));
        assert_eq!(symbols.find(0x1040), Some(("second", 0)));
        assert_eq!(symbols.find(0xFFF), None);
        assert_eq!(symbols.find(1 << 40), None);
        assert_eq!(Symbols::parse("1000 T x\nhello\n"), Err(NotASymbol { line: 2 }));
        assert_eq!(Symbols::parse("xyz T x"), Err(NotASymbol { line: 1 }));
    }
}
