//! A disk that works on a thread of its own where that pays, so that the guest runs on: reads and writes that the host
//! does not do from memory, and flushes, which wait for a medium.
//!
//! The thread has the disk while it works on it, and gives it back with the result; so nothing is locked. There is one
//! piece of work at a time, in the order in which the controller asks; but a flush may begin before ([`ahead`]).

mod ahead;
mod patience;

use ahead::Ahead;
use devices::disk::{Disk, DiskError};
use patience::{Caution, Patience};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a disk is asked for. `len` is in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Read { lba: u64, len: usize },
    Write { lba: u64, len: usize },
    Flush,
    Discard { lba: u64, sectors: u64 },
}

/// The same with the controller's data.
enum Request<'d> {
    Read(u64, &'d mut [u8]),
    Write(u64, &'d [u8]),
    Flush,
    Discard(u64, u64),
}

impl Work {
    /// Bytes that it moves.
    fn bytes(self) -> usize {
        match self {
            Self::Read { len, .. } | Self::Write { len, .. } => len,
            Self::Flush | Self::Discard { .. } => 0,
        }
    }

    fn with(self, data: &mut [u8]) -> Request<'_> {
        match self {
            Self::Read { lba, .. } => Request::Read(lba, data),
            Self::Write { lba, .. } => Request::Write(lba, data),
            Self::Flush => Request::Flush,
            Self::Discard { lba, sectors } => Request::Discard(lba, sectors),
        }
    }
}

impl Request<'_> {
    fn work(&self) -> Work {
        match *self {
            Self::Read(lba, ref into) => Work::Read { lba, len: into.len() },
            Self::Write(lba, from) => Work::Write { lba, len: from.len() },
            Self::Flush => Work::Flush,
            Self::Discard(lba, sectors) => Work::Discard { lba, sectors },
        }
    }

    fn carry_out(self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        match self {
            Self::Read(lba, into) => disk.read(lba, into),
            Self::Write(lba, from) => disk.write(lba, from),
            Self::Flush => disk.flush(),
            Self::Discard(lba, sectors) => disk.discard(lba, sectors),
        }
    }
}

/// What goes to the thread.
struct Task {
    disk: Box<dyn Disk>,
    work: Work,
    data: Vec<u8>,
}

/// What comes back.
struct Finished {
    disk: Box<dyn Disk>,
    work: Work,
    data: Vec<u8>,
    result: Result<(), DiskError>,
    took: Duration,
}

/// Where the disk is.
enum Place {
    Here(Box<dyn Disk>),
    /// With the thread; `wanted` unless the controller has given up.
    Away {
        wanted: bool,
    },
    /// The thread has ended without giving it back.
    Lost,
}

struct Thread {
    tasks: Sender<Task>,
    finished: Receiver<Finished>,
    handle: JoinHandle<()>,
}

/// Tells the machine that the disk may be asked again.
type Call = Box<dyn Fn() + Send>;

/// See the module.
pub(crate) struct BackgroundDisk {
    sectors: u64,
    read_only: bool,
    /// Taken by the thread when it starts.
    call: Option<Call>,
    place: Place,
    thread: Option<Thread>,
    /// The data of the last task, for the next one.
    spare: Vec<u8>,
    transfers: Patience,
    flushes: Patience,
    caution: Caution,
    ahead: Ahead,
}

impl BackgroundDisk {
    /// `call` is called, from another thread, each time that work has ended which the disk was not ready with.
    pub(crate) fn new(disk: Box<dyn Disk>, call: impl Fn() + Send + 'static) -> Self {
        Self {
            sectors: disk.sectors(),
            read_only: disk.is_read_only(),
            call: Some(Box::new(call)),
            place: Place::Here(disk),
            thread: None,
            spare: Vec::new(),
            transfers: Patience::FAST,
            flushes: Patience::SLOW,
            caution: Caution::default(),
            ahead: Ahead::default(),
        }
    }

    fn patience(&mut self, work: Work) -> &mut Patience {
        match work {
            Work::Read { .. } | Work::Write { .. } => &mut self.transfers,
            Work::Flush | Work::Discard { .. } => &mut self.flushes,
        }
    }

    fn ask(&mut self, request: Request<'_>) -> Result<(), DiskError> {
        let work = request.work();
        let result = self.work(work, request);
        match work {
            Work::Flush if result != Err(DiskError::NotReady) => self.ahead.flushed(),
            Work::Write { .. } if result.is_ok() => self.wrote(),
            Work::Read { .. } | Work::Write { .. } | Work::Flush | Work::Discard { .. } => {}
        }
        result
    }

    /// The guest has written something, and may be about to ask for a flush.
    fn wrote(&mut self) {
        self.ahead.wrote();
        if self.ahead.is_due() && !self.caution.is_on() {
            let _lost_is_told_upon_the_next_request = self.send(Work::Flush, Request::Flush);
        }
    }

    /// Does the work, or has it done.
    fn work(&mut self, work: Work, mut request: Request<'_>) -> Result<(), DiskError> {
        if let Some(result) = self.answer(&mut request) {
            return result;
        }
        match work {
            Work::Flush => {
                if let Some(result) = self.ahead.known() {
                    return result;
                }
            }
            Work::Write { .. } | Work::Discard { .. } => self.ahead.changes(),
            Work::Read { .. } => {}
        }
        if self.caution.take() || self.patience(work).is_fast() {
            return self.in_place(request);
        }
        self.send(work, request)?;
        Err(DiskError::NotReady)
    }

    /// The answer to work that is under way, and the disk back here if the thread has ended with it.
    fn answer(&mut self, request: &mut Request<'_>) -> Option<Result<(), DiskError>> {
        let wanted = match self.place {
            Place::Here(_) => return None,
            Place::Away { wanted } => wanted,
            Place::Lost => return Some(Err(lost())),
        };
        let thread = self.thread.as_ref();
        match thread.map_or(Err(TryRecvError::Disconnected), |thread| thread.finished.try_recv()) {
            Err(TryRecvError::Empty) => Some(Err(DiskError::NotReady)),
            Err(TryRecvError::Disconnected) => {
                self.place = Place::Lost;
                Some(Err(lost()))
            }
            Ok(finished) => self.take_back(finished, wanted, request),
        }
    }

    fn take_back(
        &mut self,
        finished: Finished,
        wanted: bool,
        request: &mut Request<'_>,
    ) -> Option<Result<(), DiskError>> {
        let Finished { disk, work, data, result, took } = finished;
        self.place = Place::Here(disk);
        self.learn(work, took, &result);
        let is_answer = wanted && work == request.work();
        if let (true, Ok(()), Request::Read(_, into)) = (is_answer, &result, request) {
            into.copy_from_slice(&data);
        }
        self.spare = data;
        if is_answer {
            return Some(result);
        }
        if let (Work::Flush, Err(why)) = (work, result) {
            self.ahead.failed(why);
        }
        None
    }

    fn learn(&mut self, work: Work, took: Duration, result: &Result<(), DiskError>) {
        if work == Work::Flush {
            self.ahead.ended(result, took);
        }
        match result {
            Ok(()) => self.patience(work).learn(took, work.bytes()),
            Err(_) => self.caution.failed(),
        }
    }

    fn in_place(&mut self, request: Request<'_>) -> Result<(), DiskError> {
        let Place::Here(disk) = &mut self.place else { return Err(lost()) };
        let (work, start) = (request.work(), Instant::now());
        let result = request.carry_out(&mut **disk);
        self.learn(work, start.elapsed(), &result);
        result
    }

    /// Gives the disk to the thread.
    fn send(&mut self, work: Work, request: Request<'_>) -> Result<(), DiskError> {
        self.start_thread()?;
        let away = Place::Away { wanted: true };
        let (Some(thread), Place::Here(disk)) = (&self.thread, std::mem::replace(&mut self.place, away))
        else {
            self.place = Place::Lost;
            return Err(lost());
        };
        let mut data = std::mem::take(&mut self.spare);
        match request {
            Request::Write(_, from) => {
                data.clear();
                data.extend_from_slice(from);
            }
            Request::Read(..) | Request::Flush | Request::Discard(..) => data.resize(work.bytes(), 0),
        }
        if thread.tasks.send(Task { disk, work, data }).is_err() {
            self.place = Place::Lost;
            return Err(lost());
        }
        Ok(())
    }

    /// The thread starts when it is first needed.
    fn start_thread(&mut self) -> Result<(), DiskError> {
        let Some(call) = self.call.take() else { return Ok(()) };
        let (tasks, to_do) = mpsc::channel();
        let (done, finished) = mpsc::channel();
        let post = Post { done: Some(done), call };
        let body = move || work_through(&to_do, &post);
        let handle = std::thread::Builder::new().name("disk".into()).spawn(body);
        let handle = handle.map_err(|error| DiskError::Host(error.to_string()))?;
        self.thread = Some(Thread { tasks, finished, handle });
        Ok(())
    }
}

/// How the thread gives back what it has finished.
struct Post {
    done: Option<Sender<Finished>>,
    call: Call,
}

impl Post {
    /// `false` if nobody takes it any more.
    fn give(&self, finished: Finished) -> bool {
        let given = self.done.as_ref().is_some_and(|done| done.send(finished).is_ok());
        if given {
            (self.call)();
        }
        given
    }
}

impl Drop for Post {
    /// After a panic in the disk the machine is called too, or the controller would wait for ever. The channel closes
    /// before that: who asks upon the call is told that the disk is lost.
    fn drop(&mut self) {
        drop(self.done.take());
        if std::thread::panicking() {
            (self.call)();
        }
    }
}

/// What the thread does, until nobody asks any more.
fn work_through(tasks: &Receiver<Task>, post: &Post) {
    while let Ok(Task { mut disk, work, mut data }) = tasks.recv() {
        let start = Instant::now();
        let result = work.with(&mut data).carry_out(&mut *disk);
        let took = start.elapsed();
        if !post.give(Finished { disk, work, data, result, took }) {
            return;
        }
    }
}

fn lost() -> DiskError {
    DiskError::Host("the thread that worked on the disk has ended".into())
}

impl Drop for BackgroundDisk {
    /// What the guest has written reaches the file before the machine is gone. Nobody waits for one that is only read.
    fn drop(&mut self) {
        if let Some(Thread { tasks, finished: _open_until_the_end, handle }) = self.thread.take() {
            drop(tasks);
            if !self.read_only {
                let _a_panic_there_was_told_there = handle.join();
            }
        }
    }
}

impl Disk for BackgroundDisk {
    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.ask(Request::Read(lba, into))
    }

    fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
        self.ask(Request::Write(lba, from))
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.ask(Request::Flush)
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), DiskError> {
        self.ask(Request::Discard(lba, sectors))
    }

    fn give_up(&mut self) {
        if let Place::Away { wanted } = &mut self.place {
            *wanted = false;
        }
    }

    fn is_read_only(&self) -> bool {
        self.read_only
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::disk::{MemoryDisk, SECTOR};
    use std::sync::mpsc::sync_channel;

    /// A disk that takes its time: it does a piece of work when the test says so.
    struct Slow(MemoryDisk, Receiver<()>);

    impl Slow {
        fn wait(&self) {
            std::thread::sleep(Duration::from_millis(6));
            self.1.recv().expect("the test says when");
        }
    }

    impl Disk for Slow {
        fn sectors(&self) -> u64 {
            self.0.sectors()
        }

        fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
            self.wait();
            self.0.read(lba, into)
        }

        fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
            self.wait();
            self.0.write(lba, from)
        }

        fn flush(&mut self) -> Result<(), DiskError> {
            self.wait();
            self.0.flush()
        }

        fn is_read_only(&self) -> bool {
            self.0.is_read_only()
        }
    }

    /// The disk, what lets it do a piece of work, and what hears its calls.
    fn slow(disk: MemoryDisk) -> (BackgroundDisk, Sender<()>, Receiver<()>) {
        let (go, may_go) = mpsc::channel();
        let (call, calls) = mpsc::channel();
        let call = move || call.send(()).expect("the test waits");
        (BackgroundDisk::new(Box::new(Slow(disk, may_go)), call), go, calls)
    }

    #[test]
    fn a_disk_that_is_only_read_may_go_at_once() {
        let (mut disk, go, calls) = slow(MemoryDisk::zeroed(4).read_only());
        go.send(()).unwrap();
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Ok(()), "the first is done in place");
        assert_eq!(disk.read(1, &mut [0; SECTOR]), Err(DiskError::NotReady));
        drop(disk);
        assert_eq!(calls.try_recv(), Err(TryRecvError::Empty), "the thread is still at it");
        go.send(()).unwrap();
        assert!(calls.recv().is_err(), "and ends without a call");
    }

    #[test]
    fn slow_work_is_done_in_the_background() {
        let (mut disk, go, calls) = slow(MemoryDisk::zeroed(4));
        go.send(()).unwrap();
        disk.write(1, &[7; SECTOR]).expect("the first is done in place");
        assert_eq!(disk.write(2, &[8; SECTOR]), Err(DiskError::NotReady));
        assert_eq!(disk.write(2, &[8; SECTOR]), Err(DiskError::NotReady), "still at it");
        go.send(()).unwrap();
        calls.recv().expect("a call");
        assert_eq!(disk.write(2, &[8; SECTOR]), Ok(()));
        let mut two = [0; 2 * SECTOR];
        assert_eq!(disk.read(1, &mut two), Err(DiskError::NotReady));
        go.send(()).unwrap();
        calls.recv().expect("a call");
        assert_eq!(disk.read(1, &mut two), Ok(()));
        assert_eq!((two[0], two[SECTOR]), (7, 8));
    }

    #[test]
    fn what_was_given_up_is_no_answer() {
        let (mut disk, go, calls) = slow(MemoryDisk::zeroed(4));
        let mut sector = [0; SECTOR];
        go.send(()).unwrap();
        disk.read(0, &mut sector).expect("the first is done in place");
        assert_eq!(disk.read(0, &mut sector), Err(DiskError::NotReady));
        disk.give_up();
        assert_eq!(disk.read(0, &mut sector), Err(DiskError::NotReady), "the old one is still under way");
        go.send(()).unwrap();
        calls.recv().expect("a call");
        assert_eq!(disk.read(0, &mut sector), Err(DiskError::NotReady), "the new one begins");
        go.send(()).unwrap();
        calls.recv().expect("a call");
        assert_eq!(disk.read(0, &mut sector), Ok(()));
    }

    #[test]
    fn other_work_waits_for_its_turn() {
        let (mut disk, go, calls) = slow(MemoryDisk::zeroed(4));
        assert_eq!(disk.flush(), Err(DiskError::NotReady));
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Err(DiskError::NotReady));
        go.send(()).unwrap();
        calls.recv().expect("a call");
        go.send(()).unwrap();
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Ok(()), "in place, as the first of its kind");
    }

    #[test]
    fn after_a_failure_sectors_are_tried_in_place() {
        let (mut disk, go, calls) = slow(MemoryDisk::zeroed(4).with_bad_sector(2));
        go.send(()).unwrap();
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Ok(()));
        assert_eq!(disk.read(0, &mut [0; 4 * SECTOR]), Err(DiskError::NotReady));
        go.send(()).unwrap();
        calls.recv().expect("a call");
        assert!(matches!(disk.read(0, &mut [0; 4 * SECTOR]), Err(DiskError::Host(_))));
        for (lba, is_good) in [(0, true), (1, true), (2, false)] {
            go.send(()).unwrap();
            assert_eq!(disk.read(lba, &mut [0; SECTOR]).is_ok(), is_good);
        }
    }

    #[test]
    fn the_end_waits_for_what_is_under_way() {
        let (flushed, hears) = sync_channel(1);
        let flush = move || {
            std::thread::sleep(Duration::from_millis(50));
            flushed.send(()).map_err(|error| DiskError::Host(error.to_string()))
        };
        let mut disk = BackgroundDisk::new(Box::new(Flushes(MemoryDisk::zeroed(1), flush)), || {});
        assert_eq!(disk.flush(), Err(DiskError::NotReady));
        drop(disk);
        assert_eq!(hears.try_recv(), Ok(()));
    }

    /// A disk all of which is there, but for its flush.
    struct Flushes<F>(MemoryDisk, F);

    impl<F: FnMut() -> Result<(), DiskError> + Send> Disk for Flushes<F> {
        fn sectors(&self) -> u64 {
            self.0.sectors()
        }

        fn read(&mut self, lba: u64, into: &mut [u8]) -> Result<(), DiskError> {
            self.0.read(lba, into)
        }

        fn write(&mut self, lba: u64, from: &[u8]) -> Result<(), DiskError> {
            self.0.write(lba, from)
        }

        fn flush(&mut self) -> Result<(), DiskError> {
            self.1()
        }

        fn is_read_only(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_thread_that_panics_is_heard_of() {
        let (mut disk, calls) = flushes(|| panic!("a test of what a panic does"));
        assert_eq!(disk.flush(), Err(DiskError::NotReady));
        calls.recv_timeout(Duration::from_secs(60)).expect("a call");
        assert_eq!(disk.flush(), Err(lost()));
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Err(lost()));
    }

    /// A disk with this flush, and what hears its calls.
    fn flushes(
        flush: impl FnMut() -> Result<(), DiskError> + Send + 'static,
    ) -> (BackgroundDisk, Receiver<()>) {
        let (call, calls) = mpsc::channel();
        let disk = Box::new(Flushes(MemoryDisk::zeroed(4), flush));
        (BackgroundDisk::new(disk, move || call.send(()).expect("the test waits")), calls)
    }

    /// Writes and has it flushed, as often as makes a habit; then writes once more.
    fn write_and_flush(disk: &mut BackgroundDisk, calls: &Receiver<()>) {
        for _ in 0..10 {
            disk.write(0, &[1; SECTOR]).expect("in place");
            calls.try_iter().for_each(drop);
            while disk.flush() == Err(DiskError::NotReady) {
                calls.recv().expect("a call");
            }
        }
        calls.try_iter().for_each(drop);
        disk.write(0, &[1; SECTOR]).expect("in place");
    }

    #[test]
    fn a_flush_is_done_before_it_is_asked_for_but_not_twice() {
        let (flushed, counts) = mpsc::channel();
        let (mut disk, calls) = flushes(move || {
            std::thread::sleep(Duration::from_micros(200));
            flushed.send(()).map_err(|error| DiskError::Host(error.to_string()))
        });
        write_and_flush(&mut disk, &calls);
        calls.recv().expect("a call that nobody waits for");
        assert_eq!(counts.try_iter().count(), 11);
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Ok(()));
        assert_eq!((disk.flush(), disk.flush()), (Ok(()), Ok(())));
        assert_eq!(counts.try_iter().count(), 0);
    }

    #[test]
    fn a_flush_that_failed_before_it_was_asked_for_is_told_of() {
        let mut flushed = 0;
        let (mut disk, calls) = flushes(move || {
            std::thread::sleep(Duration::from_micros(200));
            flushed += 1;
            if flushed == 11 { Err(DiskError::Host("no room".into())) } else { Ok(()) }
        });
        write_and_flush(&mut disk, &calls);
        calls.recv().expect("a call that nobody waits for");
        assert_eq!(disk.read(0, &mut [0; SECTOR]), Ok(()));
        assert_eq!(disk.flush(), Err(DiskError::Host("no room".into())));
        assert_eq!(disk.flush(), Ok(()), "which was tried again");
    }
}
