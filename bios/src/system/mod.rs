//! The system BIOS.
