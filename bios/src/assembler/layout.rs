//! Where everything goes: repeated until no label moves any more.

use super::line::{Item, What};
use super::{Error, Symbols};

/// A program in its place.
#[derive(Clone, Debug)]
pub struct Assembled {
    pub bytes: Vec<u8>,
    pub symbols: Symbols,
    /// Bytes that hold something, without the gaps.
    pub used: usize,
}

/// Branches only grow, so this many rounds are never needed.
const MOST_ROUNDS: usize = 100;

pub(super) fn lay_out(items: &[Item], constants: Symbols, len: usize) -> Result<Assembled, Error> {
    let mut symbols = constants.clone();
    for item in items {
        if let What::Label(name) = &item.what
            && symbols.insert(name.clone(), 0).is_some()
        {
            return Err(item.line.error(format!("`{name}` is defined twice")));
        }
    }
    let mut long = vec![false; items.len()];
    for _ in 0..MOST_ROUNDS {
        let before = symbols.clone();
        image(items, &mut symbols, &mut long, len, true)?;
        if symbols == before {
            let Image { bytes, used, .. } = image(items, &mut symbols, &mut long, len, false)?;
            return Ok(Assembled { bytes, symbols, used });
        }
    }
    Err(items[0].line.error("the program never comes to rest"))
}

/// One round. In a `draft` labels may not be where they will be.
fn image(
    items: &[Item],
    symbols: &mut Symbols,
    long: &mut [bool],
    len: usize,
    draft: bool,
) -> Result<Image, Error> {
    let mut image = Image { bytes: vec![0; len], at: 0, used: 0, draft };
    for (item, long) in items.iter().zip(long) {
        image.put(item, symbols, long).map_err(|what| item.line.error(what))?;
    }
    Ok(image)
}

struct Image {
    bytes: Vec<u8>,
    at: usize,
    used: usize,
    draft: bool,
}

impl Image {
    fn put(&mut self, item: &Item, symbols: &mut Symbols, long: &mut bool) -> Result<(), String> {
        let here = self.at as i64;
        match &item.what {
            What::Label(name) => {
                symbols.insert(name.clone(), here);
                Ok(())
            }
            What::Data(size, values) => {
                let mut bytes = Vec::new();
                for value in values {
                    let value = value.value(symbols, Some(here))?;
                    bytes.extend_from_slice(&value.to_le_bytes()[..*size]);
                }
                self.append(&bytes)
            }
            What::Text(text) => self.append(text.as_bytes()),
            What::Times(count, byte) => {
                self.append(&vec![*byte; usize::try_from(*count).map_err(|_| "not a count")?])
            }
            What::Align(to) => {
                self.at = self.at.next_multiple_of(usize::try_from(*to).map_err(|_| "not an alignment")?);
                Ok(())
            }
            What::At(offset) => {
                let offset = offset.value(symbols, Some(here))?;
                let offset = usize::try_from(offset).map_err(|_| "not an offset")?;
                if offset < self.at {
                    return Err(format!("the code before has come to {:X}h, beyond {offset:X}h", self.at));
                }
                self.at = offset;
                Ok(())
            }
            What::Instruction(instruction) => {
                let bytes = instruction.encode(here, symbols, long, self.draft)?;
                self.append(&bytes)
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        let room = self.bytes.get_mut(self.at..self.at + bytes.len());
        room.ok_or("the program does not fit")?.copy_from_slice(bytes);
        self.at += bytes.len();
        self.used += bytes.len();
        Ok(())
    }
}
