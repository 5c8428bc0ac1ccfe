//! A virtual CPU's state in KVM's words and ours (Linux, Documentation/virt/kvm/api.rst).

use emu_core::vcpu::{Segment, Shadow, TableRegister, VcpuState};
use kvm_bindings::{
    KVM_VCPUEVENT_VALID_NMI_PENDING, KVM_VCPUEVENT_VALID_SHADOW, Msrs, kvm_debugregs, kvm_dtable, kvm_fpu,
    kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs, kvm_vcpu_events,
};
use kvm_ioctls::{Error, VcpuFd};

/// Interrupt shadows: KVM_X86_SHADOW_INT_MOV_SS and KVM_X86_SHADOW_INT_STI.
const SHADOW_MOV_SS: u8 = 1;
const SHADOW_STI: u8 = 2;
const KERNEL_GS_BASE: u32 = 0xC000_0102;

/// What comes from outside before the first instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Interrupt(u8),
    Nmi,
}

/// Puts `cpu` into a virtual CPU.
pub fn load(vcpu: &VcpuFd, cpu: &VcpuState, event: Option<Event>) -> Result<(), Error> {
    vcpu.set_sregs(&system_registers(cpu, &vcpu.get_sregs()?))?;
    vcpu.set_regs(&registers(cpu))?;
    vcpu.set_debug_regs(&debug_registers(cpu))?;
    vcpu.set_fpu(&fpu(cpu))?;
    let entries = msrs(cpu);
    let wanted = entries.len();
    let list = Msrs::from_entries(&entries).map_err(|_| Error::new(libc::E2BIG))?;
    if vcpu.set_msrs(&list)? != wanted {
        return Err(Error::new(libc::EINVAL));
    }
    vcpu.set_vcpu_events(&events(cpu, event))
}

/// Takes from a virtual CPU what cases look at.
pub fn store(vcpu: &VcpuFd, cpu: &mut VcpuState) -> Result<(), Error> {
    store_registers(&vcpu.get_regs()?, cpu);
    store_system_registers(&vcpu.get_sregs()?, cpu);
    let debug = vcpu.get_debug_regs()?;
    (cpu.dr, cpu.dr6, cpu.dr7) = (debug.db, debug.dr6, debug.dr7);
    let wanted = kvm_msr_entry { index: KERNEL_GS_BASE, ..Default::default() };
    let mut list = Msrs::from_entries(&[wanted]).map_err(|_| Error::new(libc::E2BIG))?;
    vcpu.get_msrs(&mut list)?;
    cpu.kernel_gs_base = list.as_slice().first().map_or(0, |entry| entry.data);
    let events = vcpu.get_vcpu_events()?;
    cpu.nmi_blocked = events.nmi.masked != 0;
    cpu.shadow = match events.interrupt.shadow {
        0 => Shadow::None,
        SHADOW_MOV_SS => Shadow::MovSs,
        _ => Shadow::Sti,
    };
    Ok(())
}

fn registers(cpu: &VcpuState) -> kvm_regs {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = cpu.gpr;
    let (rip, rflags) = (cpu.rip, cpu.rflags);
    kvm_regs { rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags }
}

fn store_registers(regs: &kvm_regs, cpu: &mut VcpuState) {
    let kvm_regs { rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, .. } = *regs;
    cpu.gpr = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
    (cpu.rip, cpu.rflags) = (regs.rip, regs.rflags);
}

fn segment(from: &Segment) -> kvm_segment {
    let bit = |bits: u16| u8::from(from.is(bits));
    kvm_segment {
        base: from.base,
        limit: from.limit,
        selector: from.selector,
        type_: from.kind(),
        present: bit(Segment::P),
        dpl: from.dpl(),
        db: bit(Segment::DB),
        s: bit(Segment::S),
        l: bit(Segment::L),
        g: bit(Segment::G),
        avl: u8::from(from.rights >> 12 & 1 != 0),
        unusable: u8::from(!from.usable()),
        padding: 0,
    }
}

fn stored_segment(from: &kvm_segment) -> Segment {
    let bit = |value: u8, n: u32| u16::from(value & 1) << n;
    let rights = u16::from(from.type_ & 0xF)
        | bit(from.s, 4)
        | u16::from(from.dpl & 3) << 5
        | bit(from.present & !from.unusable, 7)
        | bit(from.avl, 12)
        | bit(from.l, 13)
        | bit(from.db, 14)
        | bit(from.g, 15);
    Segment { selector: from.selector, rights, limit: from.limit, base: from.base }
}

fn table(from: &TableRegister) -> kvm_dtable {
    kvm_dtable { base: from.base, limit: from.limit, padding: [0; 3] }
}

fn system_registers(cpu: &VcpuState, before: &kvm_sregs) -> kvm_sregs {
    let [es, cs, ss, ds, fs, gs] = cpu.seg.each_ref().map(segment);
    kvm_sregs {
        cs,
        ds,
        es,
        fs,
        gs,
        ss,
        tr: segment(&cpu.tr),
        ldt: segment(&cpu.ldtr),
        gdt: table(&cpu.gdtr),
        idt: table(&cpu.idtr),
        cr0: cpu.cr0,
        cr2: cpu.cr2,
        cr3: cpu.cr3,
        cr4: cpu.cr4,
        efer: cpu.efer,
        ..*before
    }
}

fn store_system_registers(sregs: &kvm_sregs, cpu: &mut VcpuState) {
    let register = |from: &kvm_dtable| TableRegister { base: from.base, limit: from.limit };
    cpu.seg = [&sregs.es, &sregs.cs, &sregs.ss, &sregs.ds, &sregs.fs, &sregs.gs].map(stored_segment);
    (cpu.tr, cpu.ldtr) = (stored_segment(&sregs.tr), stored_segment(&sregs.ldt));
    (cpu.gdtr, cpu.idtr) = (register(&sregs.gdt), register(&sregs.idt));
    (cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4) = (sregs.cr0, sregs.cr2, sregs.cr3, sregs.cr4);
    cpu.efer = sregs.efer;
}

fn debug_registers(cpu: &VcpuState) -> kvm_debugregs {
    kvm_debugregs { db: cpu.dr, dr6: cpu.dr6, dr7: cpu.dr7, ..Default::default() }
}

fn fpu(cpu: &VcpuState) -> kvm_fpu {
    let register = |n: usize| {
        let mut bytes = [0; 16];
        let from = &cpu.x87.r[(usize::from(cpu.x87.top()) + n) & 7];
        bytes[..8].copy_from_slice(&from.significand.to_le_bytes());
        bytes[8..10].copy_from_slice(&from.exponent.to_le_bytes());
        bytes
    };
    kvm_fpu {
        fpr: std::array::from_fn(register),
        fcw: cpu.x87.control,
        fsw: cpu.x87.status,
        ftwx: !cpu.x87.empty,
        last_opcode: cpu.x87.opcode,
        last_ip: cpu.x87.ip,
        last_dp: cpu.x87.dp,
        xmm: cpu.xmm.map(u128::to_le_bytes),
        mxcsr: cpu.mxcsr,
        ..Default::default()
    }
}

fn msrs(cpu: &VcpuState) -> Vec<kvm_msr_entry> {
    let values = [
        (0x174, cpu.sysenter_cs),
        (0x175, cpu.sysenter_esp),
        (0x176, cpu.sysenter_eip),
        (0xC000_0081, cpu.star),
        (0xC000_0082, cpu.lstar),
        (0xC000_0083, cpu.cstar),
        (0xC000_0084, cpu.fmask),
        (KERNEL_GS_BASE, cpu.kernel_gs_base),
    ];
    values.iter().map(|&(index, data)| kvm_msr_entry { index, data, ..Default::default() }).collect()
}

fn events(cpu: &VcpuState, event: Option<Event>) -> kvm_vcpu_events {
    let mut events = kvm_vcpu_events {
        flags: KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_NMI_PENDING,
        ..Default::default()
    };
    events.nmi.masked = u8::from(cpu.nmi_blocked);
    events.interrupt.shadow = match cpu.shadow {
        Shadow::None => 0,
        Shadow::Sti => SHADOW_STI,
        Shadow::MovSs => SHADOW_MOV_SS,
    };
    match event {
        Some(Event::Interrupt(vector)) => (events.interrupt.injected, events.interrupt.nr) = (1, vector),
        Some(Event::Nmi) => events.nmi.pending = 1,
        None => {}
    }
    events
}
