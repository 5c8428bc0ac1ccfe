//! Writes the video BIOS: `cargo run --release -p bios --example write_video_rom -- video.bin`.

fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "video.bin".into());
    std::fs::write(path, bios::video::rom())
}
