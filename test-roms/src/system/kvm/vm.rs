//! A virtual machine of the host as an engine: each run is a machine of its own, from a complete state to HLT.
#![allow(unsafe_code)] // the board's memory becomes the machine's; the shared page of KVM_RUN

use super::alarm::Alarm;
use super::state::{self, Event};
use emu_core::vcpu::{Activity, Shadow, VcpuState, rflags};
use emu_core::{Attention, Bus, Caps, Engine, Exit, Forget, Stop, Width};
use kvm_bindings::{CpuId, kvm_userspace_memory_region};
use kvm_ioctls::{Error, Kvm, VcpuExit, VcpuFd, VmFd};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The longest a run may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
pub struct Vm {
    kvm: Kvm,
    cpuid: CpuId,
    /// Why the last run came to nothing.
    pub gave_up: Option<String>,
}

/// Why a run comes to nothing.
type GaveUp = String;

/// What one entry into the machine ended with.
enum Step {
    /// An access to the board is done.
    Access,
    Ends(Exit),
}

impl Vm {
    pub fn new(kvm: Kvm, cpuid: CpuId) -> Self {
        Self { kvm, cpuid, gave_up: None }
    }

    fn try_run(&self, cpu: &mut VcpuState, bus: &mut dyn Bus) -> Result<Exit, GaveUp> {
        if cpu.pending_debug != 0 {
            return Err("starts with a debug exception pending".into());
        }
        let Some(event) = take_event(cpu, bus) else { return Ok(Exit::Halted) };
        let failed = |what: &'static str| move |e: Error| format!("KVM does not take {what}: {e}");
        let machine = self.kvm.create_vm().map_err(failed("another machine"))?;
        let mut vcpu = machine.create_vcpu(0).map_err(failed("a processor"))?;
        vcpu.set_cpuid2(&self.cpuid).map_err(failed("its own CPUID"))?;
        map(&machine, bus).map_err(failed("the memory"))?;
        state::load(&vcpu, cpu, event).map_err(failed("the state"))?;
        let _alarm = Alarm::after(PATIENCE).map_err(|e| format!("no alarm: {e}"))?;
        let exit = loop {
            match step(&mut vcpu, bus)? {
                Step::Ends(exit) => break exit,
                Step::Access if waiting(bus) != 0 => {
                    settle(&mut vcpu)?;
                    state::store(&vcpu, cpu).map_err(failed("being looked at"))?;
                    cpu.activity = Activity::Running;
                    let Some(event @ Some(_)) = take_event(cpu, bus) else {
                        return Err("an interrupt has to wait for its window".into());
                    };
                    state::load(&vcpu, cpu, event).map_err(failed("an interrupt"))?;
                }
                Step::Access => {}
            }
        };
        state::store(&vcpu, cpu).map_err(failed("being looked at"))?;
        cpu.activity = if exit == Exit::Halted { Activity::Halted } else { Activity::Shutdown };
        Ok(exit)
    }
}

impl Engine for Vm {
    fn caps(&self) -> Caps {
        Caps { counts: false }
    }

    fn run(&mut self, cpu: &mut VcpuState, bus: &mut dyn Bus, _: &Stop) -> Exit {
        self.try_run(cpu, bus).unwrap_or_else(|why| {
            self.gave_up = Some(why);
            Exit::Foreign
        })
    }

    fn forget(&mut self, _: Forget) {}
}

fn waiting(bus: &mut dyn Bus) -> u32 {
    bus.attention().load(Relaxed) & (Attention::INTR | Attention::NMI)
}

/// What comes before the first instruction; `None` if the CPU is halted and nothing wakes it.
fn take_event(cpu: &VcpuState, bus: &mut dyn Bus) -> Option<Option<Event>> {
    let waiting = waiting(bus);
    if waiting & Attention::NMI != 0 && !cpu.nmi_blocked && cpu.shadow == Shadow::None {
        bus.attention().fetch_and(!Attention::NMI, Relaxed);
        return Some(Some(Event::Nmi));
    }
    if waiting & Attention::INTR != 0 && cpu.rflags & rflags::IF != 0 && cpu.shadow == Shadow::None {
        return Some(Some(Event::Interrupt(bus.acknowledge())));
    }
    (cpu.activity == Activity::Running).then_some(None)
}

/// The board's memory becomes the machine's.
fn map(machine: &VmFd, bus: &mut dyn Bus) -> Result<(), Error> {
    let memory = bus.memory();
    for (slot, range) in (0..).zip(memory.ranges()) {
        let Some(window) = memory.window(range.start) else { continue };
        let region = kvm_userspace_memory_region {
            slot,
            flags: 0,
            guest_phys_addr: window.start,
            memory_size: window.len,
            userspace_addr: window.host as u64,
        };
        // SAFETY: the window is memory of the board, whose other users expect it to change under them; the machine
        // is gone before the run returns, and the board lives longer.
        unsafe { machine.set_user_memory_region(region)? };
    }
    Ok(())
}

/// Lets the guest run to its next exit.
fn step(vcpu: &mut VcpuFd, bus: &mut dyn Bus) -> Result<Step, GaveUp> {
    match vcpu.run() {
        Ok(VcpuExit::Hlt) => return Ok(Step::Ends(Exit::Halted)),
        Ok(VcpuExit::Shutdown) => return Ok(Step::Ends(Exit::Shutdown)),
        Ok(VcpuExit::IoIn(..) | VcpuExit::IoOut(..)) => port(vcpu, bus)?,
        Ok(VcpuExit::MmioRead(gpa, data)) => {
            let width = width(data.len())?;
            data.copy_from_slice(&bus.memory_read(gpa, width).to_le_bytes()[..data.len()]);
        }
        Ok(VcpuExit::MmioWrite(gpa, data)) => bus.memory_write(gpa, width(data.len())?, value(data)),
        Ok(exit) => return Err(format!("KVM gives up: {exit:?}")),
        Err(e) if e.errno() == libc::EINTR => return Err("it does not end".into()),
        Err(e) => return Err(format!("KVM gives up: {e}")),
    }
    Ok(Step::Access)
}

fn width(bytes: usize) -> Result<Width, GaveUp> {
    Width::from_bytes(bytes as u64).ok_or_else(|| format!("an access of {bytes} bytes"))
}

fn value(data: &[u8]) -> u64 {
    data.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Does the port accesses of an exit: several of one width, of a string instruction.
fn port(vcpu: &mut VcpuFd, bus: &mut dyn Bus) -> Result<(), GaveUp> {
    let run = vcpu.get_kvm_run();
    // SAFETY: the exit is KVM_EXIT_IO, whose member of the union this is.
    let io = unsafe { run.__bindgen_anon_1.io };
    let bytes = usize::from(io.size) * io.count as usize;
    // SAFETY: KVM has put `count` items of `size` bytes at this offset of its shared pages, and nobody else looks at
    // them until the next entry.
    let data = unsafe {
        let start = std::ptr::from_mut(run).cast::<u8>().add(io.data_offset as usize);
        std::slice::from_raw_parts_mut(start, bytes)
    };
    let width = width(io.size.into())?;
    for item in data.chunks_exact_mut(io.size.into()) {
        if u32::from(io.direction) == kvm_bindings::KVM_EXIT_IO_OUT {
            bus.port_write(io.port, width, value(item));
        } else {
            item.copy_from_slice(&bus.port_read(io.port, width).to_le_bytes()[..usize::from(io.size)]);
        }
    }
    Ok(())
}

/// Finishes the instruction whose access has been done, and no other.
fn settle(vcpu: &mut VcpuFd) -> Result<(), GaveUp> {
    vcpu.set_kvm_immediate_exit(1);
    let settled = matches!(vcpu.run(), Err(e) if e.errno() == libc::EINTR);
    vcpu.set_kvm_immediate_exit(0);
    if settled { Ok(()) } else { Err("an instruction with several accesses raises an interrupt".into()) }
}
