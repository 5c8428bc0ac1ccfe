//! The program as a person runs it: command line, real guests, saved machines.

mod bios;
mod boots;
mod command_line;
mod conform;
mod identity;
mod image_trouble;
mod images;
mod keyboard;
mod lockstep;
mod media;
mod observing;
mod posada;
mod switching;
mod terminal;
mod window;
mod window_picture;
