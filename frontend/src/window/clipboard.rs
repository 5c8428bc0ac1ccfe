//! The host's clipboard, to be typed into the guest.

use crate::inbox::{Happening, Poster};
use arboard::Clipboard;
use std::thread;

/// Has what is in the clipboard typed. The clipboard's owner may take its time, so a thread of its own asks for it.
pub fn paste(poster: Poster) {
    thread::spawn(move || {
        let happening = match Clipboard::new().and_then(|mut clipboard| clipboard.get_text()) {
            Ok(text) => Happening::Paste(text),
            Err(error) => Happening::Trouble(format!("there is no text to paste: {error}")),
        };
        poster.post(happening);
    });
}
