//! What has been written over an image that is only read, in pieces: the first ones in memory, the others in a file
//! without a name, which ends with the program however it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a piece.
pub const PIECE: usize = 64 << 10;

/// Pieces that stay in memory: 64 MiB.
const IN_MEMORY: usize = 1024;

/// The pieces by number. A copy shares them until either side writes.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    pieces: BTreeMap<u64, Arc<Piece>>,
    store: Arc<Store>,
}

/// Where pieces go; shared by all copies.
#[derive(Debug)]
struct Store {
    in_memory: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_memory: usize,
    file: Option<Arc<File>>,
    /// Slots of the file: those that were given back, and the first that was never used.
    free: Vec<u64>,
    next: u64,
}

#[derive(Debug)]
struct Piece {
    place: Place,
    store: Arc<Store>,
}

#[derive(Debug)]
enum Place {
    Memory(Box<[u8]>),
    File { file: Arc<File>, slot: u64 },
}

impl Default for Store {
    fn default() -> Self {
        Self { in_memory: IN_MEMORY, state: Mutex::default() }
    }
}

impl Store {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new piece with this content.
    fn piece(self: &Arc<Self>, content: &[u8]) -> io::Result<Piece> {
        let place = self.with(|state| state.take(self.in_memory))?;
        let mut piece = Piece { place, store: self.clone() };
        piece.write(0, content)?;
        Ok(piece)
    }
}

impl State {
    fn take(&mut self, most: usize) -> io::Result<Place> {
        if self.in_memory < most {
            self.in_memory += 1;
            return Ok(Place::Memory(vec![0; PIECE].into()));
        }
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.file.insert(Arc::new(tempfile::tempfile_in(folder())?)).clone(),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        Ok(Place::File { file, slot })
    }
}

/// `/tmp` may lie in memory, which would defeat the purpose.
fn folder() -> PathBuf {
    let named = std::env::var_os("TMPDIR").map(PathBuf::from);
    let places = named.into_iter().chain(["/var/tmp".into()]);
    places.into_iter().find(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir)
}

impl Piece {
    fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
        match &self.place {
            Place::Memory(bytes) => into.copy_from_slice(&bytes[at..at + into.len()]),
            Place::File { file, slot } => file.read_exact_at(into, slot * PIECE as u64 + at as u64)?,
        }
        Ok(())
    }

    fn write(&mut self, at: usize, from: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Memory(bytes) => bytes[at..at + from.len()].copy_from_slice(from),
            Place::File { file, slot } => file.write_all_at(from, *slot * PIECE as u64 + at as u64)?,
        }
        Ok(())
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.store.with(|state| match &self.place {
            Place::Memory(_) => state.in_memory -= 1,
            Place::File { slot, .. } => state.free.push(*slot),
        });
    }
}

impl Pieces {
    /// Reads from within a piece, if it was ever written.
    ///
    /// # Errors
    /// The host cannot read its file.
    pub fn read(&self, number: u64, at: usize, into: &mut [u8]) -> io::Result<bool> {
        match self.pieces.get(&number) {
            Some(piece) => piece.read(at, into).map(|()| true),
            None => Ok(false),
        }
    }

    /// Writes within a piece. What it held before comes from `under` when it is new.
    ///
    /// # Errors
    /// The host cannot read or write its file, or `under` fails.
    pub fn write<E: From<io::Error>>(
        &mut self,
        number: u64,
        at: usize,
        from: &[u8],
        under: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let own = self.pieces.get_mut(&number).and_then(Arc::get_mut);
        if let Some(piece) = own {
            return Ok(piece.write(at, from)?);
        }
        let mut content = vec![0; PIECE];
        if from.len() < PIECE && !self.read(number, 0, &mut content)? {
            under(&mut content)?;
        }
        content[at..at + from.len()].copy_from_slice(from);
        let piece = self.store.piece(&content)?;
        self.pieces.insert(number, Arc::new(piece));
        Ok(())
    }
}

#[cfg(test)]
impl Pieces {
    /// With room for so many pieces in memory.
    fn with_room(in_memory: usize) -> Self {
        let store = Arc::new(Store { in_memory, state: Mutex::default() });
        Self { pieces: BTreeMap::new(), store }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(pieces: &mut Pieces, number: u64, at: usize, byte: u8) {
        let under = |content: &mut [u8]| -> io::Result<()> {
            content.fill(1);
            Ok(())
        };
        pieces.write(number, at, &[byte], under).unwrap();
    }

    fn get(pieces: &Pieces, number: u64, at: usize) -> Option<u8> {
        let mut byte = [0];
        pieces.read(number, at, &mut byte).unwrap().then_some(byte[0])
    }

    #[test]
    fn pieces_beyond_the_room_are_in_the_file_and_slots_are_used_again() {
        let mut pieces = Pieces::with_room(1);
        for number in 0..4 {
            put(&mut pieces, number, 5, 7);
            assert_eq!([get(&pieces, number, 5), get(&pieces, number, 6)], [Some(7), Some(1)]);
        }
        assert_eq!(get(&pieces, 4, 5), None);
        assert_eq!(pieces.store.with(|state| (state.in_memory, state.next)), (1, 3));
        let mut copy = pieces.clone();
        put(&mut copy, 3, 6, 9);
        assert_eq!([get(&copy, 3, 5), get(&copy, 3, 6), get(&pieces, 3, 6)], [Some(7), Some(9), Some(1)]);
        let store = copy.store.clone();
        drop((pieces, copy));
        assert_eq!(store.with(|state| (state.in_memory, state.free.len(), state.next)), (0, 4, 4));
    }
}
