//! The execution phase of a data command, as the controller sees it: when the next sector comes under the head, bytes to
//! and from the host, and what is done while the medium is not ready (see [`crate::disk::Disk`]): no request and no
//! interrupt comes until it is.

use super::command::status;
use super::medium::{Drive, Medium, Rate};
use super::transfer::{End, Kind, Next, Transfer};
use super::{I82077aa, Phase, SECTOR_TIME, TIMER_SECTOR};
use emu_core::Cx;
use serde::{Deserialize, Serialize};

/// What a transfer waits for while the medium is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wait {
    /// The sector under the head.
    Sector,
    /// To write what the host has given.
    Given { terminal_count: bool },
    /// Nothing more: somebody has taken the diskette.
    Gone,
}

impl I82077aa {
    pub(super) fn start_addressed(&mut self, kind: Kind, bytes: &[u8], cx: &mut Cx<'_>) {
        let Ok(bytes) = bytes.try_into() else { return };
        let transfer = Transfer::with_address(kind, bytes);
        self.eot = transfer.eot;
        if self.configure.implied_seek() {
            self.step_to(transfer.drive, transfer.c);
        }
        self.start(transfer, cx);
    }

    pub(super) fn start(&mut self, transfer: Transfer, cx: &mut Cx<'_>) {
        self.phase = Phase::Executing(transfer);
        cx.arm(TIMER_SECTOR, cx.now() + SECTOR_TIME);
    }

    /// Splits the borrow: the transfer, and the drive it addresses if that one turns.
    fn transfer(&mut self) -> Option<(&mut Transfer, Option<&mut Drive>, Rate)> {
        let Phase::Executing(transfer) = &mut self.phase else { return None };
        let turning = self.dor.motor(transfer.drive);
        let drive = self.drives[usize::from(transfer.drive & 3)].as_mut().filter(|_| turning);
        Some((transfer, drive, Rate::from_bits(self.rate)))
    }

    /// The disk has turned to the next sector.
    pub(super) fn sector_comes(&mut self, cx: &mut Cx<'_>) {
        let Some((transfer, drive, rate)) = self.transfer() else { return };
        let next = transfer.sector(drive, rate);
        self.next(next, Wait::Sector, cx);
    }

    /// The sector that the host has moved is done.
    fn sector_moved(&mut self, terminal_count: bool, cx: &mut Cx<'_>) {
        let Some((transfer, drive, rate)) = self.transfer() else { return };
        let next = transfer.moved(drive, rate, terminal_count);
        self.next(next, Wait::Given { terminal_count }, cx);
    }

    fn next(&mut self, next: Next, wait: Wait, cx: &mut Cx<'_>) {
        match next {
            Next::Data => {}
            Next::Sector => cx.arm(TIMER_SECTOR, cx.now() + SECTOR_TIME),
            Next::NotReady => self.waits = Some(wait),
            Next::End(end) => self.end(end),
        }
    }

    /// A medium may be asked again for what it was not ready with.
    pub(super) fn ready(&mut self, cx: &mut Cx<'_>) {
        match self.waits.take() {
            None => {}
            Some(Wait::Sector) => self.sector_comes(cx),
            Some(Wait::Given { terminal_count }) => self.sector_moved(terminal_count, cx),
            Some(Wait::Gone) => self.end(End::MISSING_ADDRESS_MARK),
        }
    }

    /// Somebody takes the diskette out of a drive. A transfer that waits for it ends with the next call.
    pub(super) fn lose(&mut self, drive: usize) {
        if let (Phase::Executing(transfer), Some(_)) = (&self.phase, self.waits)
            && usize::from(transfer.drive) == drive
        {
            self.give_up();
            self.waits = Some(Wait::Gone);
        }
    }

    /// What a medium is not ready with is no longer wanted.
    pub(super) fn give_up(&mut self) {
        self.waits = None;
        let media = self.drives.iter_mut().flatten().filter_map(|drive| drive.medium.as_mut());
        media.for_each(Medium::give_up);
    }

    /// Into the result phase of a data command.
    fn end(&mut self, end: End) {
        let Phase::Executing(transfer) = &self.phase else { return };
        let Transfer { drive, head, c, h, r, n, .. } = *transfer;
        let code = if end.abnormal { status::ST0_ABNORMAL } else { 0 };
        let st0 = code | u8::from(head) << 2 | drive;
        self.result(&[st0, end.st1, end.st2, c, h, r, n]);
        self.interrupt = true;
    }

    /// One byte of the execution phase to the host, by DMA or through the FIFO register.
    pub(super) fn byte_to_host(&mut self, terminal_count: bool, cx: &mut Cx<'_>) -> Option<u8> {
        let (transfer, ..) = self.transfer()?;
        let byte = transfer.take()?;
        self.moved_on(terminal_count, cx);
        Some(byte)
    }

    pub(super) fn byte_from_host(&mut self, value: u8, terminal_count: bool, cx: &mut Cx<'_>) -> Option<()> {
        let (transfer, ..) = self.transfer()?;
        transfer.put(value)?;
        self.moved_on(terminal_count, cx);
        Some(())
    }

    /// After a byte was moved: when it was the last one, the sector is done.
    fn moved_on(&mut self, terminal_count: bool, cx: &mut Cx<'_>) {
        if terminal_count || !self.requests_data() {
            self.sector_moved(terminal_count, cx);
        }
    }
}
