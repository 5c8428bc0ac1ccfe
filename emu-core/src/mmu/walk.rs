//! The page walk itself.

use super::{Intent, Mode, PageFault, Paging, Privilege, Tables, Translation, error};

const P: u64 = 1 << 0;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
const PS: u64 = 1 << 7;
const G: u64 = 1 << 8;
const XD: u64 = 1 << 63;

/// One paging-structure entry on the way, for the update of its flags.
#[derive(Clone, Copy, Default)]
struct Entry {
    gpa: u64,
    value: u64,
    wide: bool,
}

/// What the entries of all levels say together.
struct Path {
    entries: [Entry; 4],
    depth: usize,
    /// AND of all R/W and U/S bits, OR of all XD bits.
    rw: bool,
    us: bool,
    xd: bool,
}

impl Path {
    fn new() -> Self {
        Self { entries: [Entry::default(); 4], depth: 0, rw: true, us: true, xd: false }
    }

    fn push(&mut self, entry: Entry) {
        self.rw &= entry.value & RW != 0;
        self.us &= entry.value & US != 0;
        self.xd |= entry.value & XD != 0;
        self.entries[self.depth] = entry;
        self.depth += 1;
    }

    fn leaf(&self) -> u64 {
        self.entries[self.depth - 1].value
    }
}

/// Where a walk ended: the page's frame address and size, or not-present or reserved.
enum End {
    Page { base: u64, offset_mask: u64 },
    NotPresent,
    Reserved,
}

fn entry(memory: &impl Tables, paging: &Paging, gpa: u64, wide: bool) -> Entry {
    let gpa = gpa & paging.a20_mask;
    Entry { gpa, value: memory.entry(gpa, wide), wide }
}

/// Bits that must be zero in a 64-bit entry: the address bits beyond the physical width, and XD unless enabled. Bits
/// 52 to 62 are ignored by 4-level paging and reserved in PAE paging (Intel SDM Vol. 3A tables 4-9 to 4-11).
fn reserved_wide(paging: &Paging) -> u64 {
    let top = if paging.mode == Mode::Pae { XD } else { 1u64 << 52 };
    let beyond = (top - 1) & !((1u64 << paging.physical_bits) - 1);
    beyond | if paging.nx { 0 } else { XD }
}

fn walk_32(paging: &Paging, memory: &impl Tables, linear: u64, path: &mut Path) -> End {
    let directory = (paging.root & 0xFFFF_F000) + ((linear >> 22) & 0x3FF) * 4;
    let pde = entry(memory, paging, directory, false);
    if pde.value & P == 0 {
        return End::NotPresent;
    }
    path.push(pde);
    if pde.value & PS != 0 && paging.pse {
        // PSE-36: bits 13-20 are address bits 32-39, bit 21 is reserved.
        if pde.value & (1 << 21) != 0 {
            return End::Reserved;
        }
        let base = (pde.value & 0xFFC0_0000) | ((pde.value >> 13) & 0xFF) << 32;
        return End::Page { base, offset_mask: 0x3F_FFFF };
    }
    let pte = entry(memory, paging, (pde.value & 0xFFFF_F000) + ((linear >> 12) & 0x3FF) * 4, false);
    if pte.value & P == 0 {
        return End::NotPresent;
    }
    path.push(pte);
    End::Page { base: pte.value & 0xFFFF_F000, offset_mask: 0xFFF }
}

const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// The levels from `level` (4 = PML4, 3 = PDPT, 2 = PD, 1 = PT) down, starting at `table`.
fn walk_wide(
    paging: &Paging,
    memory: &impl Tables,
    linear: u64,
    table: u64,
    level: u32,
    path: &mut Path,
) -> End {
    let reserved = reserved_wide(paging);
    let mut table = table;
    for level in (1..=level).rev() {
        let shift = 12 + 9 * (level - 1);
        let found = entry(memory, paging, table + ((linear >> shift) & 0x1FF) * 8, true);
        if found.value & P == 0 {
            return End::NotPresent;
        }
        path.push(found);
        if found.value & reserved != 0 {
            return End::Reserved;
        }
        let large = level > 1 && found.value & PS != 0;
        if large && (level == 4 || (level == 3 && !(paging.gib_pages && paging.mode == Mode::Long))) {
            return End::Reserved;
        }
        if large || level == 1 {
            let offset_mask = (1u64 << shift) - 1;
            // Bits between 13 (12 is PAT) and the page's size must be zero in a large page's entry.
            if large && found.value & ADDRESS & offset_mask & !0x1FFF != 0 {
                return End::Reserved;
            }
            return End::Page { base: found.value & ADDRESS & !offset_mask, offset_mask };
        }
        table = found.value & ADDRESS;
    }
    End::NotPresent
}

fn fault_code(paging: &Paging, intent: Intent, privilege: Privilege, cause: u32) -> PageFault {
    let write = if intent == Intent::Write { error::WRITE } else { 0 };
    let user = if privilege == Privilege::User { error::USER } else { 0 };
    // The I/D flag is only there when fetches can fault by themselves (Intel SDM Vol. 3A 4.7).
    let distinguishes = paging.smep || (paging.nx && paging.mode != Mode::Bits32);
    let fetch = if intent == Intent::Fetch && distinguishes { error::FETCH } else { 0 };
    PageFault(cause | write | user | fetch)
}

/// Intel SDM Vol. 3A 4.6.1, "Determination of Access Rights".
fn allowed(paging: &Paging, path: &Path, intent: Intent, privilege: Privilege) -> bool {
    let user = privilege == Privilege::User;
    if user && !path.us {
        return false;
    }
    let smap_exempt = user || !path.us || matches!(privilege, Privilege::Supervisor { ac: true });
    match intent {
        Intent::Read => smap_exempt || !paging.smap,
        Intent::Write => (smap_exempt || !paging.smap) && (path.rw || (!user && !paging.wp)),
        Intent::Fetch => {
            let smep = paging.smep && path.us && !user;
            !(smep || (path.xd && paging.nx))
        }
    }
}

/// Sets A in every entry of the path, and D in the leaf for a write.
fn mark(memory: &impl Tables, path: &Path, write: bool) {
    for (level, entry) in path.entries[..path.depth].iter().enumerate() {
        let leaf = level + 1 == path.depth;
        let value = entry.value | A | if leaf && write { D } else { 0 };
        if value != entry.value {
            memory.update(entry.gpa, value, entry.wide);
        }
    }
}

/// Translates a linear address.
///
/// # Errors
/// The access is not allowed: the error code for #PF. No flag in memory has changed.
pub fn walk(
    paging: &Paging,
    memory: &impl Tables,
    linear: u64,
    intent: Intent,
    privilege: Privilege,
) -> Result<Translation, PageFault> {
    let mut path = Path::new();
    let end = match paging.mode {
        Mode::Off => {
            let gpa = linear & paging.a20_mask;
            return Ok(Translation { gpa, writable: true, global: false, offset_mask: 0xFFF });
        }
        Mode::Bits32 => walk_32(paging, memory, linear, &mut path),
        Mode::Pae => {
            let pdpte = paging.pdpte[(linear >> 30) as usize & 3];
            if pdpte & P == 0 {
                End::NotPresent
            } else {
                walk_wide(paging, memory, linear, pdpte & ADDRESS, 2, &mut path)
            }
        }
        Mode::Long => walk_wide(paging, memory, linear, paging.root & ADDRESS, 4, &mut path),
    };
    let (base, offset_mask) = match end {
        End::Page { base, offset_mask } => (base, offset_mask),
        End::NotPresent => return Err(fault_code(paging, intent, privilege, 0)),
        End::Reserved => return Err(fault_code(paging, intent, privilege, error::PRESENT | error::RESERVED)),
    };
    if !allowed(paging, &path, intent, privilege) {
        return Err(fault_code(paging, intent, privilege, error::PRESENT));
    }
    let write = intent == Intent::Write;
    mark(memory, &path, write);
    let dirty = write || path.leaf() & D != 0;
    Ok(Translation {
        gpa: (base | (linear & offset_mask)) & paging.a20_mask,
        writable: dirty && allowed(paging, &path, Intent::Write, privilege),
        global: paging.global && path.leaf() & G != 0,
        offset_mask,
    })
}
