//! The register stack, stack faults, and what raised flags lead to.

use crate::interpreter::op::{Faulted, Op};
use crate::interpreter::{Cpu, word::Scalar};
use crate::isa::x87::Env;
use crate::isa::x87::status::{B, C1, C2, CONDITIONS, DE, ES, EXCEPTIONS, IE, OE, SF, UE, ZE};
use crate::memory::{PAGE_MASK, PAGE_SIZE};
use crate::vcpu::{F80, SegmentName, cr0};

/// Which way the stack was exceeded: what C1 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackFault {
    /// A register that is read is empty.
    Underflow,
    /// A register that is pushed onto is not.
    Overflow,
}

impl Cpu {
    // ---- guards ----------------------------------------------------------------------------------------------

    /// To be called first by every waiting x87 instruction (and by MMX): #NM, then a pending #MF.
    #[inline(always)]
    pub fn fpu_guard(&mut self) -> Result<(), Faulted> {
        if self.fpu_trap { Err(self.fpu_blocked()) } else { Ok(()) }
    }

    #[cold]
    fn fpu_blocked(&mut self) -> Faulted {
        if self.s.cr0 & (cr0::EM | cr0::TS) != 0 { self.nm() } else { self.mf() }
    }

    /// The guard of the instructions that do not wait for a pending exception.
    pub(super) fn fpu_guard_no_wait(&mut self) -> Result<(), Faulted> {
        if self.s.cr0 & (cr0::EM | cr0::TS) != 0 { Err(self.nm()) } else { Ok(()) }
    }

    // ---- the stack -------------------------------------------------------------------------------------------

    /// The physical register that is ST(i), below 8.
    #[inline(always)]
    pub(super) fn st(&self, i: u8) -> usize {
        usize::from((self.s.x87.top() + i) & 7)
    }

    #[inline(always)]
    pub(super) fn is_empty(&self, register: usize) -> bool {
        self.s.x87.empty >> register & 1 != 0
    }

    #[inline(always)]
    pub(super) fn either_empty(&self, a: usize, b: usize) -> bool {
        (self.s.x87.empty >> a | self.s.x87.empty >> b) & 1 != 0
    }

    #[inline(always)]
    pub(super) fn put(&mut self, register: usize, value: F80) {
        self.s.x87.r[register & 7] = value;
        self.s.x87.empty &= !(1 << (register & 7));
    }

    #[inline(always)]
    pub(super) fn get(&self, register: usize) -> F80 {
        self.s.x87.r[register & 7]
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) {
        let top = self.s.x87.top();
        self.s.x87.empty |= 1 << top;
        self.s.x87.set_top(top.wrapping_add(1));
    }

    /// Pushes, or answers the overflow. C1 is cleared.
    #[inline(always)]
    pub(super) fn push_value(&mut self, value: F80) {
        let register = self.st(7);
        if !self.is_empty(register) {
            return self.push_overflow();
        }
        self.s.x87.status &= !C1;
        self.s.x87.set_top(register as u8);
        self.put(register, value);
    }

    #[cold]
    #[inline(never)]
    pub(super) fn push_overflow(&mut self) {
        if self.stack_fault(StackFault::Overflow) {
            let register = self.st(7);
            self.s.x87.set_top(register as u8);
            self.put(register, F80::INDEFINITE);
        }
    }

    // ---- exceptions ------------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn env(&self) -> Env {
        Env { control: self.s.x87.control, status: self.s.x87.status }
    }

    /// Raises IE and SF. Whether the masked response is to follow.
    #[cold]
    pub(super) fn stack_fault(&mut self, fault: StackFault) -> bool {
        let c1 = if fault == StackFault::Overflow { C1 } else { 0 };
        self.s.x87.status |= SF;
        self.settle(self.env(), IE | c1)
    }

    /// Takes the flags and C1 of an operation that ran in `env`. Whether its register result is to be written: not
    /// with IE, DE or ZE unmasked (Intel SDM Vol. 1 8.5).
    #[inline(always)]
    pub(super) fn settle(&mut self, env: Env, raised: u16) -> bool {
        self.settle_for(env, raised, C1, IE | DE | ZE)
    }

    /// As `settle`, for a store to memory: OE and UE unmasked prevent it too.
    #[inline(always)]
    pub(super) fn settle_store(&mut self, env: Env, raised: u16) -> bool {
        self.settle_for(env, raised, C1, IE | DE | ZE | OE | UE)
    }

    /// As `settle`, with C2: the operand was out of range.
    pub(super) fn settle_partial(&mut self, env: Env, raised: u16) -> bool {
        self.settle_for(env, raised, C1 | C2, IE | DE | ZE)
    }

    /// As `settle`, with all condition codes.
    #[inline(always)]
    pub(super) fn settle_conditions(&mut self, env: Env, raised: u16) -> bool {
        self.settle_for(env, raised, CONDITIONS, IE | DE | ZE)
    }

    /// `env` rather than the registers it came from, which would have to be loaded again after the operation. And no
    /// store where nothing changes: TOP, and with it the next instruction's operands, would have to wait for FNSTSW.
    #[inline(always)]
    fn settle_for(&mut self, env: Env, raised: u16, conditions: u16, preventing: u16) -> bool {
        let status = (env.status & !conditions) | (raised & (conditions | EXCEPTIONS));
        if status != env.status {
            self.s.x87.status = status;
        }
        let unmasked = raised & EXCEPTIONS & !env.control;
        if unmasked == 0 {
            return true;
        }
        self.summarize();
        unmasked & preventing == 0
    }

    /// ES and B: some flag is set whose mask is not. The next waiting instruction raises #MF.
    #[cold]
    #[inline(never)]
    pub(super) fn summarize(&mut self) {
        let x87 = &mut self.s.x87;
        let pending = x87.status & EXCEPTIONS & !x87.control != 0;
        x87.status = (x87.status & !(ES | B)) | if pending { ES | B } else { 0 };
        self.update_fpu();
    }

    // ---- last instruction ------------------------------------------------------------------------------------

    /// Remembers the instruction, for FSTENV and its like.
    #[inline(always)]
    pub(super) fn note(&mut self, op: &Op) {
        self.s.x87.ip = self.rip_at(u64::from(op.off));
        self.s.x87.cs = self.s.seg[SegmentName::Cs as usize].selector;
        self.s.x87.opcode = op.imm as u16;
    }

    /// Remembers the instruction and its memory operand.
    #[inline(always)]
    pub(super) fn note_memory(&mut self, op: &Op) {
        self.note(op);
        self.s.x87.dp = self.effective(op);
        self.s.x87.ds = self.s.seg[usize::from(op.seg % 6)].selector;
    }

    // ---- ten-byte operands -----------------------------------------------------------------------------------

    /// The ten bytes of the memory operand.
    pub(super) fn load_ten(&mut self, op: &Op) -> Result<F80, Faulted> {
        let linear = self.linear::<false>(op, 10)?;
        let high = linear.wrapping_add(8) & self.addr_mask;
        let significand = self.read::<u64>(linear, op.seg)?;
        Ok(F80::new(self.read::<u16>(high, op.seg)?, significand))
    }

    pub(super) fn store_ten(&mut self, op: &Op, value: F80) -> Result<(), Faulted> {
        let linear = self.linear::<true>(op, 10)?;
        if linear & PAGE_MASK > PAGE_SIZE - 10 {
            self.probe_write(linear, 10, op.seg)?;
        }
        let high = linear.wrapping_add(8) & self.addr_mask;
        self.write(linear, value.significand, op.seg)?;
        self.write(high, value.exponent, op.seg)
    }

    /// Makes sure that storing a `T` to the memory operand will not fault.
    pub(super) fn probe_store<T: Scalar>(&mut self, op: &Op) -> Result<(), Faulted> {
        let linear = self.linear::<true>(op, T::SIZE)?;
        self.probe_write(linear, T::SIZE, op.seg)
    }

    /// Makes sure that storing ten bytes to the memory operand will not fault.
    pub(super) fn probe_store_ten(&mut self, op: &Op) -> Result<(), Faulted> {
        let linear = self.linear::<true>(op, 10)?;
        self.probe_write(linear, 10, op.seg)
    }
}
