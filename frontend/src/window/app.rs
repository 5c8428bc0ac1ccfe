//! The window's own loop: what the window system says goes to the session, what the session says onto the window.

mod screen;

use super::command::Command;
use super::frame::Frame;
use super::glass::{BETWEEN_PICTURES, Pane, Signal, Status};
use super::keys::{Keys, Meaning};
use super::layout::Scaling;
use super::mouse::Mouse;
use super::prompt::{Answer, Prompt};
use super::view::View;
use super::{Looks, clipboard, overlay, screenshot};
use crate::escape::Wish;
use crate::inbox::{Happening, Poster};
use crate::media::Bay;
use crate::screen::keyboard::KeyboardLayout;
use crate::screen::keys as strokes;
use anyhow::Error;
use emu_core::HostEvent;
use screen::Screen;
use std::path::Path;
use std::time::{Duration, Instant};
use winit::application::ApplicationHandler;
use winit::event::{DeviceEvent, DeviceId, ElementState, KeyEvent, MouseScrollDelta, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow};
use winit::keyboard::{KeyCode, PhysicalKey};
use winit::window::WindowId;

/// How long a message stays.
const READING: Duration = Duration::from_secs(5);

/// So many pixels of a touchpad are one notch of a wheel.
const NOTCH: f64 = 40.0;

/// A message, until when.
struct Message(String, Instant);

pub struct App {
    pane: Pane,
    name: String,
    keys: Keys,
    mouse: Mouse,
    poster: Option<Poster>,
    screen: Option<Screen>,
    failure: Option<Error>,
    frame: Frame,
    view: View,
    scaling: Scaling,
    bar: bool,
    help: bool,
    prompt: Option<Prompt>,
    status: Status,
    message: Option<Message>,
    /// The window was closed once: the guest has been asked to power off.
    closing: bool,
    /// The window is not what it should show.
    stale: bool,
    shown: Option<Instant>,
}

impl App {
    pub fn new(pane: Pane, looks: Looks) -> Self {
        Self {
            pane,
            name: looks.name,
            keys: Keys::new(looks.host_key),
            mouse: Mouse::default(),
            poster: None,
            screen: None,
            failure: None,
            frame: Frame::default(),
            view: View::default(),
            scaling: Scaling::default(),
            bar: true,
            help: false,
            prompt: None,
            status: Status::default(),
            message: None,
            closing: false,
            stale: false,
            shown: None,
        }
    }

    /// The loop has ended, so the session has to.
    pub fn end(&mut self) {
        self.post(Happening::Wish(Wish::Quit));
    }

    /// Why there is no window.
    pub fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    fn post(&self, happening: Happening) {
        if let Some(poster) = &self.poster {
            poster.post(happening);
        }
    }

    fn say(&mut self, text: String) {
        self.message = Some(Message(text, Instant::now() + READING));
        self.stale = true;
    }

    /// The machine is ready: the window appears.
    fn open(&mut self, event_loop: &ActiveEventLoop) {
        match Screen::open(event_loop, &self.name) {
            Ok(screen) => {
                self.screen = Some(screen);
                self.arrange();
            }
            Err(error) => {
                self.failure = Some(error);
                event_loop.exit();
            }
        }
    }

    fn bar_height(&self) -> usize {
        if self.bar { overlay::BAR } else { 0 }
    }

    /// Size, picture or settings have changed: everything is drawn anew.
    fn arrange(&mut self) {
        if let Some(screen) = &self.screen {
            self.view.arrange(screen.size(), self.bar_height(), &self.frame, self.scaling);
            self.stale = true;
        }
    }

    fn picture(&mut self) {
        let drawn = self.pane.look(&mut self.frame);
        if drawn.resized {
            let room = (self.frame.width, self.frame.height + self.bar_height());
            if let Some(screen) = &mut self.screen {
                screen.make_room(room);
            }
            self.arrange();
        } else if !drawn.is_empty() {
            self.view.update(&self.frame, drawn.rows);
            self.stale = true;
        }
    }

    fn present(&mut self) {
        let (bar_height, host_key) = (self.bar_height(), self.keys.host_key());
        let Some(screen) = &mut self.screen else { return };
        if screen.size() != self.view.size() {
            self.view.arrange(screen.size(), bar_height, &self.frame, self.scaling);
        }
        let bar = overlay::Bar { status: &self.status, grabbed: self.mouse.is_grabbed(), host_key };
        let shown = screen.present(&self.view.pixels, |canvas| {
            if bar_height > 0 {
                bar.draw(canvas);
            }
            if let Some(Message(text, _)) = &self.message {
                overlay::message(canvas, bar_height, text);
            }
            if self.help {
                overlay::help(canvas, host_key);
            }
            if let Some(prompt) = &self.prompt {
                overlay::prompt(canvas, bar_height, |columns| prompt.line(columns));
            }
        });
        (self.stale, self.shown) = (false, Some(Instant::now()));
        match shown {
            Ok(true) => self.pane.presented(),
            Ok(false) => {}
            Err(error) => self.failure = Some(error),
        }
    }

    fn key(&mut self, event: &KeyEvent) {
        let PhysicalKey::Code(key) = event.physical_key else { return };
        let pressed = event.state.is_pressed();
        if pressed && key != self.keys.host_key().code() && self.prompt.is_some() {
            return self.answer(key, event.text.as_deref());
        }
        match self.keys.take(key, pressed) {
            Meaning::Guest { code, pressed } => self.post(Happening::Host(HostEvent::Key { code, pressed })),
            Meaning::Command(command) => self.command(command),
            Meaning::HostKeyAlone => self.grab(false),
            Meaning::Nothing => {}
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Help => (self.help, self.stale) = (!self.help, true),
            Command::FullScreen => {
                if let Some(screen) = &self.screen {
                    screen.toggle_full_screen();
                }
            }
            Command::Scaling => self.change_scaling(),
            Command::StatusLine => {
                self.bar = !self.bar;
                self.arrange();
            }
            Command::CdRom => self.ask(Bay::CdRom),
            Command::Floppy => self.ask(Bay::Floppy),
            Command::Paste => {
                // A key that is held would go into every stroke that is typed.
                self.release_keys();
                self.poster.clone().into_iter().for_each(clipboard::paste);
            }
            Command::Screenshot => self.screenshot(),
            Command::CtrlAltDel => {
                let stroke = strokes::of_name(KeyboardLayout::default(), "ctrl+alt+del").into_iter();
                stroke.flat_map(|stroke| stroke.events()).for_each(|event| self.post(Happening::Host(event)));
            }
            Command::Pause => self.post(Happening::Pause),
            Command::PowerButton => self.post(Happening::Wish(Wish::PowerButton)),
            Command::Reset => self.post(Happening::Wish(Wish::Reset)),
            Command::Save => self.post(Happening::Wish(Wish::Save)),
            Command::NextEngine => self.post(Happening::Wish(Wish::NextEngine)),
            Command::Quit => self.post(Happening::Wish(Wish::Quit)),
        }
    }

    /// Asks for a file to put into a drive.
    fn ask(&mut self, bay: Bay) {
        self.prompt = Some(Prompt::new(bay));
        self.stale = true;
    }

    fn answer(&mut self, key: KeyCode, text: Option<&str>) {
        let answer = self.prompt.as_mut().map(|prompt| prompt.key(key, text));
        match answer {
            None | Some(Answer::Typing) => {}
            Some(Answer::Cancelled) => self.prompt = None,
            Some(Answer::Change(change)) => {
                self.prompt = None;
                self.post(Happening::Change(change));
            }
        }
        self.stale = true;
    }

    fn change_scaling(&mut self) {
        let (scaling, text) = match self.scaling {
            Scaling::Smooth => (Scaling::Whole, "scaled by whole numbers"),
            Scaling::Whole => (Scaling::Smooth, "scaled smoothly, in the right shape"),
        };
        self.scaling = scaling;
        self.arrange();
        self.say(text.into());
    }

    fn screenshot(&mut self) {
        let saved = screenshot::save(&self.frame, Path::new("."));
        self.say(match saved {
            Ok(path) => format!("screenshot: {}", path.display()),
            Err(error) => format!("{error:#}"),
        });
    }

    /// Gives the mouse to the guest, or takes it back.
    fn grab(&mut self, grabbed: bool) {
        let Some(screen) = &self.screen else { return };
        if grabbed == self.mouse.is_grabbed() {
            return;
        }
        if grabbed {
            match screen.grab() {
                Ok(hold) => self.mouse.grab(hold),
                Err(error) => return self.say(format!("the mouse cannot be caught: {error}")),
            }
        } else {
            screen.release();
            self.mouse.let_go();
            self.hand_on_mouse();
        }
        self.stale = true;
        self.title();
    }

    fn pointer(&mut self, at: (f64, f64)) {
        let Some(screen) = &self.screen else { return };
        let size = screen.size();
        let count = |n: usize| u32::try_from(n).map_or(0.0, f64::from);
        if let Some(place) = self.mouse.pointer(at, (count(size.0), count(size.1))) {
            screen.put_pointer(place);
        }
    }

    fn title(&self) {
        if let Some(screen) = &self.screen {
            let mouse = if self.mouse.is_grabbed() {
                format!(" - {} takes the mouse back", self.keys.host_key().name())
            } else {
                String::new()
            };
            let paused = if self.status.paused { " (paused)" } else { "" };
            screen.title(&format!("{} - Posada{paused}{mouse}", self.name));
        }
    }

    fn hand_on_mouse(&mut self) {
        if let Some(event) = self.mouse.take() {
            self.post(Happening::Host(event));
        }
    }

    fn release_keys(&mut self) {
        for code in self.keys.release() {
            self.post(Happening::Host(HostEvent::Key { code, pressed: false }));
        }
    }

    /// The window is left: nothing stays pressed, and the mouse is the host's.
    fn left(&mut self) {
        self.release_keys();
        self.keys.forget_host_key();
        self.grab(false);
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.closing, true) {
            return self.post(Happening::Wish(Wish::Quit));
        }
        self.post(Happening::Wish(Wish::PowerButton));
        self.say("The guest was asked to power off. Close the window again to end at once.".into());
    }

    /// When to look again if nothing happens, and what is due now.
    fn schedule(&mut self) -> ControlFlow {
        let now = Instant::now();
        if self.message.as_ref().is_some_and(|message| message.1 <= now) {
            self.message = None;
            self.stale = true;
        }
        let message = self.message.as_ref().map(|message| message.1);
        let next = self.shown.map_or(now, |shown| shown + BETWEEN_PICTURES);
        if self.stale && next <= now {
            if let Some(screen) = &self.screen {
                screen.redraw();
            }
            return message.map_or(ControlFlow::Wait, ControlFlow::WaitUntil);
        }
        let picture = self.stale.then_some(next);
        [message, picture].into_iter().flatten().min().map_or(ControlFlow::Wait, ControlFlow::WaitUntil)
    }
}

impl ApplicationHandler<Signal> for App {
    fn resumed(&mut self, _event_loop: &ActiveEventLoop) {}

    fn user_event(&mut self, event_loop: &ActiveEventLoop, signal: Signal) {
        match signal {
            Signal::Ready(poster) => {
                self.poster = Some(poster);
                self.open(event_loop);
            }
            Signal::Picture => self.picture(),
            Signal::Status(status) => {
                let paused = status.paused != self.status.paused;
                self.status = status;
                self.stale |= self.bar;
                if paused {
                    self.title();
                }
            }
            Signal::Say(text) => self.say(text),
            Signal::Over => {
                self.poster = None;
                event_loop.exit();
            }
        }
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested => self.close(),
            WindowEvent::Destroyed => event_loop.exit(),
            WindowEvent::Resized(_) | WindowEvent::ScaleFactorChanged { .. } => self.arrange(),
            WindowEvent::RedrawRequested => {
                self.present();
                if self.failure.is_some() {
                    event_loop.exit();
                }
            }
            WindowEvent::Focused(false) => self.left(),
            // A key that was down before the window got the focus is not meant for the guest; nor are the host's
            // repetitions, the guest's keyboard has its own.
            WindowEvent::KeyboardInput { event, is_synthetic, .. }
                if !event.state.is_pressed() || !(is_synthetic || event.repeat && self.prompt.is_none()) =>
            {
                self.key(&event);
            }
            WindowEvent::MouseInput { state: ElementState::Pressed, .. } if !self.mouse.is_grabbed() => {
                self.grab(true)
            }
            WindowEvent::CursorMoved { position, .. } => self.pointer((position.x, position.y)),
            WindowEvent::MouseInput { button, state, .. } => {
                self.hand_on_mouse();
                self.mouse.button(button, state.is_pressed());
                self.hand_on_mouse();
            }
            WindowEvent::MouseWheel { delta: MouseScrollDelta::LineDelta(_, lines), .. } => {
                self.mouse.turned(lines.into());
            }
            WindowEvent::MouseWheel { delta: MouseScrollDelta::PixelDelta(pixels), .. } => {
                self.mouse.turned(pixels.y / NOTCH);
            }
            _ => {}
        }
    }

    fn device_event(&mut self, _event_loop: &ActiveEventLoop, _device: DeviceId, event: DeviceEvent) {
        if let DeviceEvent::MouseMotion { delta } = event {
            self.mouse.moved(delta);
        }
    }

    /// The window goes before the connection to the window system does.
    fn exiting(&mut self, _event_loop: &ActiveEventLoop) {
        self.screen = None;
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        self.hand_on_mouse();
        let flow = self.schedule();
        event_loop.set_control_flow(flow);
    }
}
