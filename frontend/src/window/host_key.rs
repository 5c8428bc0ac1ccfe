//! The host key: the one key that is the window's and not the guest's.

use clap::ValueEnum;
use winit::keyboard::KeyCode;

/// Held with another key it commands the window; alone it lets the mouse go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HostKey {
    #[default]
    RightCtrl,
    RightAlt,
    RightSuper,
    Menu,
    ScrollLock,
    Pause,
}

impl HostKey {
    pub fn code(self) -> KeyCode {
        match self {
            Self::RightCtrl => KeyCode::ControlRight,
            Self::RightAlt => KeyCode::AltRight,
            Self::RightSuper => KeyCode::SuperRight,
            Self::Menu => KeyCode::ContextMenu,
            Self::ScrollLock => KeyCode::ScrollLock,
            Self::Pause => KeyCode::Pause,
        }
    }

    /// As it is printed on keyboards.
    pub fn name(self) -> &'static str {
        match self {
            Self::RightCtrl => "Right Ctrl",
            Self::RightAlt => "Right Alt",
            Self::RightSuper => "Right Super",
            Self::Menu => "Menu",
            Self::ScrollLock => "Scroll Lock",
            Self::Pause => "Pause",
        }
    }
}
