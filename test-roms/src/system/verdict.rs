//! Runs a case on an engine and compares, field by field.

use super::board::Board;
use super::case::{Action, Case, Check, Citation, Ending, Part, Probe};
use super::encode::gate_type;
use super::guest::{layout::HANDLERS, pushes_error};
use emu_core::vcpu::{Activity, Segment, SegmentName, VcpuState, cr0, efer, rflags};
use emu_core::{Bus, Engine, Exit, Forget, Stop};
use std::fmt;
use std::ops::Deref;

/// The most instructions of a case.
const ALLOWANCE: u64 = 200_000;

/// Where an engine and the manual part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement(Box<Details>);

impl Deref for Disagreement {
    type Target = Details;
    fn deref(&self) -> &Details {
        &self.0
    }
}

/// See [`Disagreement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    pub case: String,
    pub family: &'static str,
    pub citation: Citation,
    /// What was looked at, and where.
    pub field: String,
    pub expected: String,
    pub got: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { case, family, citation, field, expected, got } = &**self;
        write!(f, "{family}: {case}: {field}: expected {expected}, got {got} ({citation})")
    }
}

impl std::error::Error for Disagreement {}

/// How the stack of a handler is laid out.
#[derive(Clone, Copy)]
struct Frame {
    /// Linear address of its top.
    at: u64,
    /// Bytes per word.
    size: u64,
    error: bool,
    /// SS and RSP have been saved.
    stack: bool,
}

impl Frame {
    fn bytes(&self) -> u64 {
        self.size * (3 + u64::from(self.error) + 2 * u64::from(self.stack))
    }

    fn address(&self, n: u64) -> u64 {
        self.at + self.size * n
    }
}

/// Runs `case` on `engine`, which may be in use for something else: it forgets all before.
///
/// # Errors
/// The first field that is not as the manual has it.
pub fn run(case: &Case, engine: &mut dyn Engine) -> Result<(), Disagreement> {
    let disagree = |field: &str, expected: &str, got: &str| {
        Disagreement(Box::new(Details {
            case: case.name.clone(),
            family: case.family,
            citation: case.citation,
            field: field.to_string(),
            expected: expected.to_string(),
            got: got.to_string(),
        }))
    };
    let board = Board::new(ALLOWANCE).map_err(|e| disagree("board", "memory", &e.to_string()))?;
    for (at, bytes) in &case.guest.memory {
        board.memory().write(*at, bytes);
    }
    engine.forget(Forget::All);
    let mut run = Run { case, board, cpu: case.guest.cpu.clone(), step: 0, raised: false, woken: false };
    run.go(engine).map_err(|(field, expected, got)| disagree(&field, &expected, &got))
}

/// Field, expected, got.
type Difference = (String, String, String);

struct Run<'a> {
    case: &'a Case,
    board: Board,
    cpu: VcpuState,
    /// Events seen.
    step: usize,
    /// What [`Case::on_halt`] says has been done.
    raised: bool,
    /// A halted program has been run again, as something waits, since the last event.
    woken: bool,
}

impl Run<'_> {
    fn go(&mut self, engine: &mut dyn Engine) -> Result<(), Difference> {
        loop {
            let exit = engine.run(&mut self.cpu, &mut self.board, &Stop::default());
            match exit {
                Exit::Halted => match self.handler() {
                    Some(vector) if self.event(vector)? => return Ok(()),
                    Some(_) => self.cpu.activity = Activity::Running,
                    None if self.wakes() => {}
                    None => return self.end(Ending::Halt),
                },
                Exit::Shutdown => return self.end(Ending::Shutdown),
                exit => {
                    return Err((self.place(), self.awaited(), format!("{exit:?} at {}", self.where_at())));
                }
            }
        }
    }

    /// What is being waited for, as a field name.
    fn place(&self) -> String {
        if self.step < self.case.steps.len() { format!("event {}", self.step) } else { "end".into() }
    }

    fn awaited(&self) -> String {
        match self.case.steps.get(self.step) {
            Some(step) => format!("vector {}", step.vector),
            None => self.case.ending.to_string(),
        }
    }

    fn where_at(&self) -> String {
        format!("{:04x}:{:x}", self.cpu.seg[SegmentName::Cs as usize].selector, self.cpu.rip)
    }

    /// The vector in whose handler the CPU has halted.
    fn handler(&self) -> Option<u8> {
        let long = self.cpu.efer & efer::LMA != 0 && self.cpu.seg[SegmentName::Cs as usize].is(Segment::L);
        let base = if long { 0 } else { self.cpu.seg[SegmentName::Cs as usize].base };
        let at = base.wrapping_add(self.cpu.rip).wrapping_sub(HANDLERS + 1);
        (at % 16 == 0).then(|| u8::try_from(at / 16).ok())?
    }

    /// The program has halted by itself: whether something wakes it.
    fn wakes(&mut self) -> bool {
        if let (Some(action), false) = (&self.case.on_halt, self.raised) {
            self.raised = true;
            raise(&mut self.board, action);
            return true;
        }
        if self.board.wants_attention() && !self.woken {
            self.woken = true;
            return true;
        }
        false
    }

    /// An event; whether it was the end of the case.
    fn event(&mut self, vector: u8) -> Result<bool, Difference> {
        let Some(step) = self.case.steps.get(self.step) else {
            return Err((self.place(), self.awaited(), self.describe(vector)));
        };
        if step.vector != vector {
            return Err((self.place(), self.awaited(), self.describe(vector)));
        }
        let frame = self.frame(vector);
        let place = self.place();
        self.compare(&step.checks, Some(frame), &place)?;
        self.step += 1;
        if self.step == self.case.steps.len() && self.case.ending == Ending::Handler {
            return Ok(true);
        }
        for action in &step.actions {
            self.act(action, frame);
        }
        self.woken = false;
        Ok(false)
    }

    fn describe(&self, vector: u8) -> String {
        let frame = self.frame(vector);
        let error = frame.error.then(|| self.look(Probe::SavedError, Some(frame))).flatten().unwrap_or(0);
        let cs = self.look(Probe::SavedCs, Some(frame)).unwrap_or(0);
        let rip = self.look(Probe::SavedRip, Some(frame)).unwrap_or(0);
        format!("vector {vector}, error {error:#x}, saved {cs:04x}:{rip:x}")
    }

    fn act(&mut self, action: &Action, frame: Frame) {
        match action {
            Action::Poke(at, bytes) => self.board.memory().write(*at, bytes),
            Action::ReturnTo(rip) => self.put(frame, 0, *rip),
            Action::SetFlags(bits) => self.put(frame, 2, self.word(frame, 2) | bits),
            action => raise(&mut self.board, action),
        }
    }

    /// Changes the n-th word after the error code.
    fn put(&self, frame: Frame, n: u64, value: u64) {
        let at = frame.address(n + u64::from(frame.error));
        self.board.memory().write(at, &value.to_le_bytes()[..frame.size as usize]);
    }

    fn end(&self, ending: Ending) -> Result<(), Difference> {
        if self.step < self.case.steps.len() || ending != self.case.ending {
            return Err((self.place(), self.awaited(), format!("{ending}, at {}", self.where_at())));
        }
        self.compare(&self.case.checks, None, "end")
    }

    // ---- looking ---------------------------------------------------------------------------------------------

    fn compare(&self, checks: &[Check], frame: Option<Frame>, place: &str) -> Result<(), Difference> {
        for check in checks {
            let got = self.look(check.probe, frame);
            if got != Some(check.expected) {
                let got = got.map_or("nothing".into(), |got| format!("{got:#x}"));
                let field = format!("{:?} at {place}", check.probe);
                return Err((field, format!("{:#x}", check.expected), got));
            }
        }
        Ok(())
    }

    /// Where delivery has put things: by the mode, and by the gate of the vector.
    fn frame(&self, vector: u8) -> Frame {
        let cpu = &self.cpu;
        let protected = cpu.cr0 & cr0::PE != 0;
        let long = cpu.efer & efer::LMA != 0;
        let kind = self.board.peek(cpu.idtr.base + 8 * u64::from(vector) + 5, 1);
        let narrow = kind & 0x8 == 0 || kind & 0x1F == gate_type::TASK & 0x1F;
        let size = match (protected, long, narrow) {
            (true, true, _) => 8,
            (true, false, false) => 4,
            _ => 2,
        };
        let ss = &cpu.seg[SegmentName::Ss as usize];
        let big = if ss.is(Segment::DB) { u64::from(u32::MAX) } else { 0xFFFF };
        let at = if long { cpu.gpr[4] } else { ss.base.wrapping_add(cpu.gpr[4] & big) };
        let error = protected && pushes_error(vector) && !self.case.bare.contains(&vector);
        let mut frame = Frame { at, size, error, stack: long };
        if protected && !long {
            let cs = self.word(frame, 1);
            let flags = if size == 4 { self.word(frame, 2) } else { 0 };
            frame.stack = flags & rflags::VM != 0 || cs & 3 > self.cpl();
        }
        frame
    }

    /// The n-th word after the error code.
    fn word(&self, frame: Frame, n: u64) -> u64 {
        self.board.peek(frame.address(n + u64::from(frame.error)), frame.size)
    }

    fn cpl(&self) -> u64 {
        match (self.cpu.cr0 & cr0::PE != 0, self.cpu.rflags & rflags::VM != 0) {
            (false, _) => 0,
            (true, true) => 3,
            (true, false) => u64::from(self.cpu.seg[SegmentName::Ss as usize].dpl()),
        }
    }

    /// What a probe gives; `None` where there is nothing of the kind.
    fn look(&self, probe: Probe, frame: Option<Frame>) -> Option<u64> {
        let cpu = &self.cpu;
        Some(match probe {
            Probe::SavedError => {
                let frame = frame.filter(|frame| frame.error)?;
                self.board.peek(frame.at, frame.size)
            }
            Probe::SavedRip => self.word(frame?, 0),
            Probe::SavedCs => self.word(frame?, 1) & 0xFFFF,
            Probe::SavedFlags(mask) => self.word(frame?, 2) & mask,
            Probe::SavedRsp if frame?.stack => self.word(frame?, 3),
            Probe::SavedSs if frame?.stack => self.word(frame?, 4) & 0xFFFF,
            Probe::SavedRsp => cpu.gpr[4].wrapping_add(frame?.bytes()),
            Probe::SavedSs => u64::from(cpu.seg[SegmentName::Ss as usize].selector),
            Probe::Frame(n) => self.board.peek(frame?.address(n), frame?.size),
            Probe::Gpr(n) => cpu.gpr[n & 15],
            Probe::Rip => cpu.rip,
            Probe::Flags(mask) => cpu.rflags & mask,
            Probe::Cpl => self.cpl(),
            Probe::Segment(name, part) => part_of(&cpu.seg[name as usize], part),
            Probe::Tr(part) => part_of(&cpu.tr, part),
            Probe::Ldtr(part) => part_of(&cpu.ldtr, part),
            Probe::Cr0(mask) => cpu.cr0 & mask,
            Probe::Cr2 => cpu.cr2,
            Probe::Cr3 => cpu.cr3,
            Probe::Cr4(mask) => cpu.cr4 & mask,
            Probe::Efer(mask) => cpu.efer & mask,
            Probe::Dr6(mask) => cpu.dr6 & mask,
            Probe::Dr7(mask) => cpu.dr7 & mask,
            Probe::GdtrBase => cpu.gdtr.base,
            Probe::GdtrLimit => u64::from(cpu.gdtr.limit),
            Probe::KernelGsBase => cpu.kernel_gs_base,
            Probe::NmiBlocked => u64::from(cpu.nmi_blocked),
            Probe::Memory(at, bytes) => self.board.peek(at, bytes),
            Probe::Bits(at, mask) => self.board.peek(at, 4) & mask,
            Probe::PortWrites => self.board.written.len() as u64,
            Probe::PortWrite(n) => self.board.written.get(n)?.value,
        })
    }
}

fn raise(board: &mut Board, action: &Action) {
    match action {
        Action::Interrupt(vector) => board.interrupt(*vector),
        Action::Nmi => board.nmi(),
        Action::Poke(at, bytes) => board.memory().write(*at, bytes),
        Action::ReturnTo(_) | Action::SetFlags(_) => {}
    }
}

fn part_of(segment: &Segment, part: Part) -> u64 {
    match part {
        Part::Selector => u64::from(segment.selector),
        Part::Rights => u64::from(segment.rights),
        Part::Limit => u64::from(segment.limit),
        Part::Base => segment.base,
        Part::Usable => u64::from(segment.usable()),
    }
}
