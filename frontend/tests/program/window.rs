//! The window, on a screen that nobody sees: Xvfb is the screen, xdotool the person, xclip the clipboard.
//!
//! `cargo xtask test` installs these programs where it may; where it cannot, it says so and leaves these tests out. They
//! take turns: a screen, a program and a guest each are enough for a machine of two cores.

use crate::posada::{guest, posada};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt, EventMask, ImageFormat};

/// Turns the mouse on, then sends what the 8042 gives to COM1: K and the byte from the keyboard, M and the byte from
/// the mouse, a line each.
#[rustfmt::skip]
const ECHO: [u8; 80] = [
    0xFA,                               // cli
    0xB0, 0xA8, 0xE6, 0x64,             // enable the auxiliary device
    0xB0, 0xD4, 0xE6, 0x64,             // to the mouse:
    0xB0, 0xF4, 0xE6, 0x60,             //   enable data reporting
    0xE4, 0x64,                         // next: in al, 64h
    0xA8, 0x01,                         // test al, 1
    0x74, 0xFA,                         // jz next
    0x88, 0xC4,                         // mov ah, al
    0xE4, 0x60,                         // in al, 60h
    0x88, 0xC3,                         // mov bl, al
    0xB0, b'K',                         // mov al, 'K'
    0xF6, 0xC4, 0x20,                   // test ah, 20h
    0x74, 0x02,                         // jz +2
    0xB0, b'M',                         // mov al, 'M'
    0xE8, 0x1C, 0x00,                   // call send
    0x88, 0xD8,                         // mov al, bl
    0xC0, 0xE8, 0x04,                   // shr al, 4
    0xE8, 0x0E, 0x00,                   // call digit
    0x88, 0xD8,                         // mov al, bl
    0x24, 0x0F,                         // and al, 0Fh
    0xE8, 0x07, 0x00,                   // call digit
    0xB0, b'\n',                        // mov al, 10
    0xE8, 0x08, 0x00,                   // call send
    0xEB, 0xD2,                         // jmp next
    0x04, 0x90, 0x27, 0x14, 0x40, 0x27, // digit: add al, 90h; daa; adc al, 40h; daa
    0x50,                               // send: push ax
    0xBA, 0xFD, 0x03,                   // mov dx, 3FDh
    0xEC, 0xA8, 0x20, 0x74, 0xFB,       // wait until THR is empty
    0x58,                               // pop ax
    0xBA, 0xF8, 0x03,                   // mov dx, 3F8h
    0xEE, 0xC3,                         // out dx, al; ret
];

const PATIENCE: Duration = Duration::from_secs(120);

/// Keys by their X keycodes: called by their names, xdotool would press the left key of the pair before the right one.
const LEFT_CTRL: &str = "37";
const RIGHT_CTRL: &str = "105";

static TURN: Mutex<()> = Mutex::new(());

/// A tool that the test cannot do without.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    let found = Command::new(name).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(found.is_ok(), "{name} is missing: apt-get install xvfb xdotool xclip");
    command
}

/// Waits until something is there.
#[track_caller]
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "no {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ends the program when the test ends, however.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A screen with one window of ours on it.
pub struct Desk {
    posada: Running,
    display: String,
    window: String,
    folder: TempDir,
    _screen: Screen,
    _turn: MutexGuard<'static, ()>,
}

impl Desk {
    /// Starts the guest and waits until it runs.
    pub fn open() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (screen, display) = Screen::open();
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("Echo.img");
        let mut bytes = vec![0; 1_474_560];
        bytes[..ECHO.len()].copy_from_slice(&ECHO);
        bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
        std::fs::write(&image, bytes).expect("the diskette is written");
        let mut command = posada();
        command.args(["run", "--display", "window", "--memory", "16M", "--serial"]);
        command.arg(format!("file:{}", folder.path().join("serial").display()));
        command
            .arg("--firmware")
            .arg(guest("bios-256k.bin"))
            .arg("--vgabios")
            .arg(guest("vgabios-isavga.bin"));
        command
            .args(["--save", "guest.state", "--floppy"])
            .arg(&image)
            .current_dir(folder.path())
            .stdin(Stdio::null());
        command.env("DISPLAY", &display).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        let posada = Running(command.spawn().expect("the program starts"));
        let mut desk = Self { posada, display, window: String::new(), folder, _screen: screen, _turn: turn };
        desk.window = wait("window", || {
            desk.said(&["search", "--name", "Echo - Posada"]).lines().next().map(Into::into)
        });
        desk.person(&["windowfocus", &desk.window]);
        // The mouse acknowledges when the guest has turned it on.
        desk.heard("MFA\n");
        desk
    }

    fn xdotool(&self, what: &[&str]) -> Command {
        let mut command = tool("xdotool");
        command.args(what).env("DISPLAY", &self.display);
        command
    }

    /// What xdotool finds; nothing if it finds nothing.
    fn said(&self, what: &[&str]) -> String {
        let output = self.xdotool(what).output().expect("xdotool runs");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The person does something.
    #[track_caller]
    pub fn person(&self, what: &[&str]) {
        let status = self.xdotool(what).status().expect("xdotool runs");
        assert!(status.success(), "xdotool {what:?}: {status}");
    }

    /// Waits until the guest has said this on its serial port.
    #[track_caller]
    pub fn heard(&self, text: &str) {
        let file = self.folder.path().join("serial");
        let start = Instant::now();
        loop {
            let said = std::fs::read_to_string(&file).unwrap_or_default();
            if said.contains(text) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{text:?} is not in {said:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Holds the host key and presses another.
    pub fn command(&self, key: &str) {
        self.person(&["keydown", RIGHT_CTRL, "key", key, "keyup", RIGHT_CTRL]);
    }

    /// Width, height and pixels of what the window shows; a pixel is red, green and blue.
    pub fn shown(&self) -> (usize, usize, Vec<[u8; 3]>) {
        let window = self.window.parse().expect("a window's number");
        let (screen, _) = x11rb::connect(Some(&self.display)).expect("the screen");
        let size = screen.get_geometry(window).expect("sent").reply().expect("the window's size");
        let (width, height) = (size.width, size.height);
        let image = screen.get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, u32::MAX);
        let data = image.expect("sent").reply().expect("the window's picture").data;
        let pixels = data.chunks_exact(4).map(|bgrx| [bgrx[2], bgrx[1], bgrx[0]]).collect();
        (width.into(), height.into(), pixels)
    }

    /// A person drags the window's corner.
    pub fn resize(&self, width: u32, height: u32) {
        self.person(&["windowsize", "--sync", &self.window, &width.to_string(), &height.to_string()]);
    }

    /// Waits until the program has ended well.
    #[track_caller]
    pub fn ended(&mut self) {
        let status = wait("end", || self.posada.0.try_wait().expect("the program can be waited for"));
        assert_eq!(status.code(), Some(0));
    }

    /// Presses the window's close button, as a window manager does (ICCCM, "Window Deletion").
    fn close(&self) {
        let window = self.window.parse().expect("a window's number");
        let (screen, _) = x11rb::connect(Some(&self.display)).expect("the screen");
        let atom =
            |name: &[u8]| screen.intern_atom(false, name).expect("sent").reply().expect("an atom").atom;
        let data = [atom(b"WM_DELETE_WINDOW"), 0, 0, 0, 0];
        let message = ClientMessageEvent::new(32, window, atom(b"WM_PROTOCOLS"), data);
        screen.send_event(false, window, EventMask::NO_EVENT, message).expect("sent");
        screen.get_input_focus().expect("sent").reply().expect("everything before it has arrived");
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Xvfb, which is asked to end, so that it takes its number back.
struct Screen(Child);

impl Screen {
    /// A new screen and its name. Another one that starts at the same moment may get hold of the number first. It does
    /// not start anew (and turn away who comes just then) when its only client goes.
    fn open() -> (Self, String) {
        wait("screen", || {
            let mut command = tool("Xvfb");
            command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset"]);
            command.stdout(Stdio::piped()).stderr(Stdio::null());
            let mut screen = Self(command.spawn().expect("Xvfb starts"));
            let mut line = String::new();
            let output = screen.0.stdout.take().expect("its output is ours");
            BufReader::new(output).read_line(&mut line).expect("Xvfb's output is text");
            let name = format!(":{}", line.trim());
            x11rb::connect(Some(&name)).is_ok().then_some((screen, name))
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Width, height and pixels of a PNG file.
pub fn picture(path: &Path) -> Option<(u32, u32, Vec<u8>)> {
    let file = BufReader::new(std::fs::File::open(path).ok()?);
    let mut reader = png::Decoder::new(file).read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut pixels).ok()?;
    Some((info.width, info.height, pixels))
}

#[test]
fn window_keys_reach_the_guest() {
    let desk = Desk::open();
    desk.person(&["key", "a"]);
    desk.heard("K1E\nK9E\n");
    desk.person(&["keydown", "Shift_L", "key", "Up", "keyup", "Shift_L"]);
    desk.heard("K2A\nKE0\nK48\nKE0\nKC8\nKAA\n");
    desk.command("Delete");
    desk.heard("K1D\nK38\nKE0\nK53\nKE0\nKD3\nKB8\nK9D\n");
}

#[test]
fn window_pastes_the_clipboard() {
    let desk = Desk::open();
    let text = desk.file("text");
    std::fs::write(&text, "Hi").expect("the text is written");
    let mut xclip = tool("xclip");
    xclip.args(["-selection", "clipboard"]).arg(&text).env("DISPLAY", &desk.display);
    // It stays behind, as the owner of the text.
    xclip.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(xclip.status().expect("xclip runs").success());
    // A key that is held does not get into the text.
    desk.person(&["keydown", LEFT_CTRL]);
    desk.heard("K1D\n");
    desk.command("v");
    desk.heard("K9D\nK2A\nK23\nKA3\nKAA\nK17\nK97\n");
    desk.person(&["keyup", LEFT_CTRL, "key", "a"]);
    desk.heard("K97\nK1E\nK9E\n");
}

#[test]
fn window_gives_the_mouse_to_the_guest_and_takes_it_back() {
    let desk = Desk::open();
    desk.person(&["mousemove", "--window", &desk.window, "400", "300"]);
    desk.person(&["mousemove_relative", "10", "0"]);
    desk.person(&["click", "1"]); // catches the mouse; the guest does not see it
    wait("mouse", || {
        desk.said(&["getwindowname", &desk.window]).contains("takes the mouse back").then_some(())
    });
    desk.person(&["mousemove_relative", "7", "5"]);
    desk.heard("MFA\nM28\nM07\nMFB\n");
    desk.person(&["click", "3"]);
    desk.heard("M0A\nM00\nM00\nM08\nM00\nM00\n");
    desk.person(&["key", "Control_R"]);
    wait("release", || (!desk.said(&["getwindowname", &desk.window]).contains("mouse")).then_some(()));
}

#[test]
fn window_saves_a_screenshot_of_the_guest() {
    let desk = Desk::open();
    desk.command("p");
    let (width, height, pixels) = wait("screenshot", || picture(&desk.file("posada-1.png")));
    assert_eq!((width, height), (720, 400));
    let lit = pixels.iter().filter(|&&colour| colour > 0x80).count();
    assert!(lit > 1000, "SeaBIOS has written its name, but {lit} is all that is lit");
}

#[test]
fn window_pauses_and_resets_the_machine() {
    let desk = Desk::open();
    let paused = || desk.said(&["getwindowname", &desk.window]).contains("(paused)");
    desk.command("space");
    wait("pause", || paused().then_some(()));
    desk.person(&["key", "b"]); // a paused machine is told nothing
    desk.command("space");
    wait("end of the pause", || (!paused()).then_some(()));
    desk.person(&["key", "a"]);
    desk.heard("K1E\nK9E\n");
    let said = std::fs::read_to_string(desk.file("serial")).expect("what the guest said");
    assert!(!said.contains("K30\n"), "{said}");
    desk.command("r");
    desk.heard("K9E\nMFA\n"); // the guest has turned the mouse on again
}

#[test]
fn window_changes_the_diskette() {
    let desk = Desk::open();
    let mut bytes = std::fs::read(desk.file("Echo.img")).expect("the diskette is there");
    // Another boot sector that says D when it starts: mov dx, 3F8h; mov al, 'D'; out dx, al; cli; hlt.
    bytes[..8].copy_from_slice(&[0xBA, 0xF8, 0x03, 0xB0, b'D', 0xEE, 0xFA, 0xF4]);
    std::fs::write(desk.file("other.img"), bytes).expect("the other diskette is written");
    desk.command("a");
    desk.person(&["type", "other.img"]);
    desk.person(&["key", "Return"]);
    desk.command("r");
    desk.heard("MFA\nD");
}

#[test]
fn window_asks_the_guest_before_it_closes() {
    let mut desk = Desk::open();
    desk.close();
    desk.person(&["key", "a"]);
    desk.heard("K1E\nK9E\n"); // the guest knows no power button, and goes on
    desk.close();
    desk.ended();
}

#[test]
fn without_a_screen_the_window_says_so() {
    let mut command = posada();
    command.args(["run", "--display", "window"]).stdin(Stdio::null());
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(name);
    }
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("no screen to open a window on") && said.lines().count() == 1, "{said}");
}
