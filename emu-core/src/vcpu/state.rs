//! Everything the architecture says one logical processor holds.

use super::{Segment, TableRegister, X87, cr0, rflags};
use serde::{Deserialize, Serialize};

/// What the processor is doing between instructions (Intel SDM Vol. 3A 9.4.1 and "HLT").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activity {
    #[default]
    Running,
    /// HLT or MWAIT: until an interrupt.
    Halted,
    /// Triple fault: until reset.
    Shutdown,
    /// An application processor before its start-up IPI.
    WaitForSipi,
}

/// Interrupt inhibition after the previous instruction (Intel SDM Vol. 3A 6.8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shadow {
    #[default]
    None,
    /// STI: maskable interrupts are held for one instruction.
    Sti,
    /// MOV SS or POP SS: interrupts, NMIs and debug traps are held for one instruction.
    MovSs,
}

/// Memory-type range registers, kept as state; memory types do not change what a guest reads here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mtrr {
    pub def_type: u64,
    /// 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 ... 4K_F8000.
    pub fixed: [u64; 11],
    /// PHYSBASE0, PHYSMASK0, PHYSBASE1, ...
    pub variable: [u64; 16],
}

/// One vCPU at rest: complete and architectural.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcpuState {
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 ... R15.
    pub gpr: [u64; 16],
    pub rip: u64,
    pub rflags: u64,
    /// ES, CS, SS, DS, FS, GS: their encoding order.
    pub seg: [Segment; 6],
    pub ldtr: Segment,
    pub tr: Segment,
    pub gdtr: TableRegister,
    pub idtr: TableRegister,
    pub cr0: u64,
    pub cr2: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub xcr0: u64,
    /// The four PAE page-directory-pointer entries, loaded by MOV CR3 (Intel SDM Vol. 3A 4.4.1).
    pub pdpte: [u64; 4],
    pub dr: [u64; 4],
    pub dr6: u64,
    pub dr7: u64,
    pub efer: u64,
    pub star: u64,
    pub lstar: u64,
    pub cstar: u64,
    pub fmask: u64,
    pub kernel_gs_base: u64,
    pub tsc_aux: u64,
    /// IA32_TSC = guest time in TSC periods + this.
    pub tsc_offset: u64,
    pub tsc_adjust: u64,
    pub sysenter_cs: u64,
    pub sysenter_esp: u64,
    pub sysenter_eip: u64,
    pub pat: u64,
    pub mtrr: Mtrr,
    pub misc_enable: u64,
    /// IA32_SPEC_CTRL: kept, without effect.
    pub spec_ctrl: u64,
    pub x87: X87,
    pub xmm: [u128; 16],
    /// Upper halves of YMM0 to YMM15.
    pub ymm_high: [u128; 16],
    pub mxcsr: u32,
    pub activity: Activity,
    pub shadow: Shadow,
    /// An NMI is being handled: further ones wait for IRET.
    pub nmi_blocked: bool,
    /// A single-step or breakpoint trap that is due before the next instruction: bits for DR6.
    pub pending_debug: u64,
    /// The A20 gate: false masks bit 20 of every physical address.
    pub a20: bool,
    /// CPU model index into the table of named models, see `isa::cpuid`.
    pub model: u8,
    /// State of the RDRAND/RDSEED generator (deterministic by design).
    pub random: u64,
}

impl VcpuState {
    /// The state after power-on reset of CPU model number `model` (Intel SDM Vol. 3A 10.1.1, table 10-1).
    /// EDX holds the model's signature; the caller of the named-model table fills it in.
    pub fn at_reset(model: u8, signature: u32) -> Self {
        let mut seg = [Segment::real(0); 6];
        seg[1] = Segment { selector: 0xF000, rights: 0x0093, limit: 0xFFFF, base: 0xFFFF_0000 };
        let mut gpr = [0; 16];
        gpr[2] = u64::from(signature);
        Self {
            gpr,
            rip: 0xFFF0,
            rflags: rflags::FIXED,
            seg,
            ldtr: Segment { selector: 0, rights: 0x0082, limit: 0xFFFF, base: 0 },
            tr: Segment { selector: 0, rights: 0x008B, limit: 0xFFFF, base: 0 },
            gdtr: TableRegister { base: 0, limit: 0xFFFF },
            idtr: TableRegister { base: 0, limit: 0xFFFF },
            cr0: cr0::CD | cr0::NW | cr0::ET,
            cr2: 0,
            cr3: 0,
            cr4: 0,
            xcr0: 1,
            pdpte: [0; 4],
            dr: [0; 4],
            dr6: 0xFFFF_0FF0,
            dr7: 0x400,
            efer: 0,
            star: 0,
            lstar: 0,
            cstar: 0,
            fmask: 0,
            kernel_gs_base: 0,
            tsc_aux: 0,
            tsc_offset: 0,
            tsc_adjust: 0,
            sysenter_cs: 0,
            sysenter_esp: 0,
            sysenter_eip: 0,
            pat: 0x0007_0406_0007_0406,
            mtrr: Mtrr::default(),
            misc_enable: 1,
            spec_ctrl: 0,
            // Power-up, not FNINIT: control 0040h, tags 5555h (Intel SDM Vol. 3A table 10-1).
            x87: X87 { control: 0x0040, empty: 0, ..X87::default() },
            xmm: [0; 16],
            ymm_high: [0; 16],
            mxcsr: 0x1F80,
            activity: Activity::Running,
            shadow: Shadow::None,
            nmi_blocked: false,
            pending_debug: 0,
            a20: true,
            model,
            random: 0x9E37_79B9_7F4A_7C15,
        }
    }
}
