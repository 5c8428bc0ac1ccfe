//! The software TLB: per bank, direct-mapped read and write entries {tag, addend}.
//!
//! Each PCID has banks of its own; what supervisor code uses without RFLAGS.AC is shared, as most of it is global.
//!
//! A probe is one load, xor and compare: `(linear ^ tag) <= 4096 - size` holds only for an access that lies wholly
//! in the tagged page. Write tags stay invalid for pages that are clean (D = 0), ROM, code, or MMIO, so dirty
//! flags, self-modifying code and dirty tracking cost nothing on hits.
#![allow(unsafe_code)] // the current bank by pointer: two loads less in every access of the guest

/// Entries per bank and direction.
pub const ENTRIES: usize = 2048;

/// Which translations are valid for the current privilege. `NEVER` is never filled: every access goes the slow way
/// (alignment checks, data breakpoints).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bank {
    Supervisor = 0,
    /// Supervisor with RFLAGS.AC set while SMAP is on.
    SupervisorAc = 1,
    User = 2,
    Never = 3,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Entry {
    /// Linear address of the page, or an address that never has this index.
    pub tag: u64,
    /// Host address minus linear address.
    pub addend: u64,
}

/// Entries of one bank in one address space.
struct Set {
    read: [Entry; ENTRIES],
    write: [Entry; ENTRIES],
    /// Every slot that is valid is in one of these.
    global: Slots,
    local: Slots,
}

/// Slots of a set, a bit each.
struct Slots([u64; ENTRIES / 64]);

impl Slots {
    const NONE: Self = Self([0; ENTRIES / 64]);

    fn insert(&mut self, slot: usize) {
        self.0[slot >> 6] |= 1 << (slot & 63);
    }

    fn remove(&mut self, slot: usize) {
        self.0[slot >> 6] &= !(1 << (slot & 63));
    }

    /// Takes all slots out.
    fn drain(&mut self, mut f: impl FnMut(usize)) {
        for (n, word) in self.0.iter_mut().enumerate() {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                f(n * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

impl Set {
    fn new() -> Box<Self> {
        let entries = std::array::from_fn(invalid);
        Box::new(Self { read: entries, write: entries, global: Slots::NONE, local: Slots::NONE })
    }

    fn fill(&mut self, slot: usize, read: Entry, write: Entry, global: bool) {
        (self.read[slot], self.write[slot]) = (read, write);
        if global {
            self.global.insert(slot);
            self.local.remove(slot);
        } else {
            self.local.insert(slot);
        }
    }

    fn flush(&mut self, keep_global: bool) {
        let (read, write) = (&mut self.read, &mut self.write);
        let mut clear = |slot| {
            read[slot] = invalid(slot);
            write[slot] = invalid(slot);
        };
        self.local.drain(&mut clear);
        if !keep_global {
            self.global.drain(&mut clear);
        }
    }

    /// Forgets what lies in the region of `1 << shift` bytes around `linear`, which has these slots.
    fn flush_region(&mut self, slots: std::ops::Range<usize>, linear: u64, shift: u32) {
        for slot in slots {
            for entry in [&mut self.read[slot], &mut self.write[slot]] {
                if (entry.tag ^ linear) >> shift == 0 {
                    *entry = invalid(slot);
                }
            }
        }
    }
}

/// Address spaces that are remembered at a time: as many as Linux gives PCIDs to on a CPU, and some.
const SPACES: usize = 8;

/// What the TLB holds for one PCID. Supervisor code's own pages are in a set that all share.
struct Space {
    pcid: u64,
    user: Box<Set>,
    supervisor_ac: Box<Set>,
}

/// Cells of a privilege and direction, by what the address of an access is made from: see [`Tlb::CELLS`].
pub const CELLS: usize = 20;

/// The last page that each kind of address has led to: a short cut of compiled code.
#[repr(C)]
struct Cells {
    read: [Entry; CELLS],
    write: [Entry; CELLS],
    /// What they were filled from.
    bank: Bank,
}

impl Cells {
    fn new() -> Self {
        Self { read: [Entry::NOWHERE; CELLS], write: [Entry::NOWHERE; CELLS], bank: Bank::Never }
    }

    fn clear(&mut self) {
        for n in 0..CELLS {
            self.read[n].tag = Entry::NOWHERE.tag;
            self.write[n].tag = Entry::NOWHERE.tag;
        }
    }
}

pub struct Tlb {
    /// The current bank's entries; `choose` keeps them inside a set.
    current_read: *const Entry,
    current_write: *const Entry,
    bank: Bank,
    /// Of supervisor code, and of user code.
    cells: [Cells; 2],
    supervisor: Box<Set>,
    never: Box<Set>,
    spaces: Vec<Space>,
    current: usize,
    /// The space to give up next.
    victim: usize,
    /// Regions of which pieces of large pages (2 or 4 MiB) and of 1 GiB pages may be here or among fetched code.
    large: Regions<LARGE_SHIFT>,
    huge: Regions<HUGE_SHIFT>,
}

/// Regions of 4 MiB: the largest page below 1 GiB.
const LARGE_SHIFT: u32 = 22;
const HUGE_SHIFT: u32 = 30;

/// A set of regions of `1 << SHIFT` bytes, by a hash: it may hold more than was put in, never less.
struct Regions<const SHIFT: u32>([u64; 64]);

impl<const SHIFT: u32> Regions<SHIFT> {
    const NONE: Self = Self([0; 64]);

    fn place(linear: u64) -> (usize, u64) {
        let hash = (linear >> SHIFT) & 4095;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    fn insert(&mut self, linear: u64) {
        let (word, bit) = Self::place(linear);
        self.0[word] |= bit;
    }

    fn contains(&self, linear: u64) -> bool {
        let (word, bit) = Self::place(linear);
        self.0[word] & bit != 0
    }
}

fn invalid(slot: usize) -> Entry {
    // The index bits of this tag differ from those of every address that probes the slot.
    Entry { tag: (((slot ^ 1) as u64) % ENTRIES as u64) << 12, addend: 0 }
}

impl Entry {
    /// An entry that no access hits: a page in the middle of the addresses that are not canonical, and above 4 GiB. A guest
    /// that asks for it all the same finds an empty page of our own.
    const NOWHERE: Self = Self { tag: 0x6E6F_7768_6572_6000, addend: 0 };
}

/// Where compiled code ends up that accesses the page of [`Entry::NOWHERE`].
static EMPTY: EmptyPage = EmptyPage(std::cell::UnsafeCell::new([0; 8192]));

#[repr(align(4096))]
struct EmptyPage(std::cell::UnsafeCell<[u8; 8192]>);

// SAFETY: no Rust code reads or writes it; what guests find there does not matter.
unsafe impl Sync for EmptyPage {}

impl Tlb {
    /// Where the pointers to the current bank's entries are, for compiled code.
    pub const READ: usize = std::mem::offset_of!(Self, current_read);
    pub const WRITE: usize = std::mem::offset_of!(Self, current_write);
    /// Where the cells are, for compiled code: those of supervisor code, then those of user code; in each the ones for
    /// reads, then those for writes.
    pub const CELLS: usize = std::mem::offset_of!(Self, cells);
    pub const CELLS_BYTES: usize = size_of::<Cells>();

    pub fn new() -> Self {
        let mut tlb = Self {
            current_read: std::ptr::null(),
            current_write: std::ptr::null(),
            bank: Bank::Supervisor,
            cells: [Cells::new(), Cells::new()],
            supervisor: Set::new(),
            never: Set::new(),
            spaces: vec![Space { pcid: 0, user: Set::new(), supervisor_ac: Set::new() }],
            current: 0,
            victim: 0,
            large: Regions::NONE,
            huge: Regions::NONE,
        };
        let empty = EMPTY.0.get() as u64;
        for cells in &mut tlb.cells {
            for n in 0..CELLS {
                let nowhere = Entry::NOWHERE.tag;
                cells.read[n] = Entry { tag: nowhere, addend: empty.wrapping_sub(nowhere) };
                cells.write[n] = cells.read[n];
            }
        }
        tlb.choose(Bank::Supervisor);
        tlb
    }

    pub fn bank(&self) -> Bank {
        self.bank
    }

    fn set(&self, bank: Bank) -> &Set {
        match bank {
            Bank::Supervisor => &self.supervisor,
            Bank::SupervisorAc => &self.spaces[self.current].supervisor_ac,
            Bank::User => &self.spaces[self.current].user,
            Bank::Never => &self.never,
        }
    }

    fn set_mut(&mut self, bank: Bank) -> &mut Set {
        match bank {
            Bank::Supervisor => &mut self.supervisor,
            Bank::SupervisorAc => &mut self.spaces[self.current].supervisor_ac,
            Bank::User => &mut self.spaces[self.current].user,
            Bank::Never => &mut self.never,
        }
    }

    /// Makes a bank current.
    #[inline]
    pub fn choose(&mut self, bank: Bank) {
        self.bank = bank;
        self.point();
        // The cells of a privilege hold what one bank says.
        for (user, cells) in self.cells.iter_mut().enumerate() {
            let concerned = bank == Bank::Never || (user == 1) == (bank == Bank::User);
            if concerned && cells.bank != bank {
                cells.bank = bank;
                cells.clear();
            }
        }
    }

    fn point(&mut self) {
        let set = self.set(self.bank);
        let (read, write) = (set.read.as_ptr(), set.write.as_ptr());
        (self.current_read, self.current_write) = (read, write);
    }

    fn clear_cells(&mut self) {
        self.cells.iter_mut().for_each(Cells::clear);
    }

    /// The current bank's entry for reads at `linear`, valid or not.
    #[inline(always)]
    pub fn read_entry(&self, linear: u64) -> Entry {
        // SAFETY: `point` has taken this from ENTRIES entries of a boxed set, which is never moved or dropped; the index
        // is below.
        unsafe { *self.current_read.add((linear >> 12) as usize & (ENTRIES - 1)) }
    }

    /// The current bank's entry for writes at `linear`, valid or not.
    #[inline(always)]
    pub fn write_entry(&self, linear: u64) -> Entry {
        // SAFETY: as above.
        unsafe { *self.current_write.add((linear >> 12) as usize & (ENTRIES - 1)) }
    }

    /// As [`Self::read_entry`], of any bank.
    #[inline(always)]
    pub fn read_entry_of(&self, bank: Bank, linear: u64) -> Entry {
        self.set(bank).read[Self::slot(linear)]
    }

    /// As [`Self::write_entry`], of any bank.
    #[inline(always)]
    pub fn write_entry_of(&self, bank: Bank, linear: u64) -> Entry {
        self.set(bank).write[Self::slot(linear)]
    }

    #[inline(always)]
    fn slot(linear: u64) -> usize {
        (linear >> 12) as usize & (ENTRIES - 1)
    }

    /// Remembers a page: where it may be read and written directly.
    pub fn fill(&mut self, bank: Bank, linear: u64, read: Option<u64>, write: Option<u64>, global: bool) {
        let tag = linear & !0xFFF;
        if bank == Bank::Never {
            return;
        }
        let slot = Self::slot(linear);
        let make =
            |host: Option<u64>| host.map_or(invalid(slot), |h| Entry { tag, addend: h.wrapping_sub(tag) });
        let (read, write) = (make(read), make(write));
        let set = self.set_mut(bank);
        let old = (set.read[slot], set.write[slot]);
        set.fill(slot, read, write, global);
        // A cell must not know a page longer than the entry it is from, if that page goes elsewhere now.
        if old.0.tag == tag && (old.0.addend != read.addend || (old.1.tag == tag && write.tag != tag)) {
            self.clear_cells();
        }
    }

    /// A piece of a page of `offset_mask + 1` bytes is remembered, here or as code: [`Self::flush_page`] must find it by
    /// any address of the page.
    #[inline]
    pub fn note_size(&mut self, linear: u64, offset_mask: u64) {
        if offset_mask >> LARGE_SHIFT != 0 {
            self.huge.insert(linear);
        } else if offset_mask > 0xFFF {
            self.large.insert(linear);
        }
    }

    /// Forgets everything, or all but global pages, of all address spaces.
    pub fn flush(&mut self, keep_global: bool) {
        if !keep_global {
            (self.large, self.huge) = (Regions::NONE, Regions::NONE);
        }
        self.supervisor.flush(keep_global);
        for space in &mut self.spaces {
            space.user.flush(keep_global);
            space.supervisor_ac.flush(keep_global);
        }
        self.clear_cells();
    }

    /// Another address space becomes the current one; `keep` says whether what is remembered of it still holds (Intel SDM
    /// Vol. 3A 4.10.4.1, MOV to CR3). Which one it is, for [`super::cache`], and whether it was remembered.
    pub fn switch(&mut self, pcid: u64, keep: bool) -> (usize, bool) {
        let found = self.spaces.iter().position(|space| space.pcid == pcid);
        let index = found.unwrap_or_else(|| self.take_space(pcid));
        let kept = keep && found.is_some();
        self.supervisor.flush(true);
        if !kept {
            self.spaces[index].user.flush(true);
            self.spaces[index].supervisor_ac.flush(true);
        }
        self.current = index;
        self.point();
        self.clear_cells();
        (index, kept)
    }

    fn take_space(&mut self, pcid: u64) -> usize {
        if self.spaces.len() < SPACES {
            self.spaces.push(Space { pcid, user: Set::new(), supervisor_ac: Set::new() });
            return self.spaces.len() - 1;
        }
        self.victim = (self.victim + 1) % SPACES;
        if self.victim == self.current {
            self.victim = (self.victim + 1) % SPACES;
        }
        let space = &mut self.spaces[self.victim];
        space.pcid = pcid;
        space.user.flush(false);
        space.supervisor_ac.flush(false);
        self.victim
    }

    /// Forgets one address space that is not the current one, or a page of it (INVPCID). Which one it was.
    pub fn flush_other(&mut self, pcid: u64, page: Option<u64>) -> Option<usize> {
        let index = self.spaces.iter().position(|space| space.pcid == pcid)?;
        let space = &mut self.spaces[index];
        for set in [&mut space.user, &mut space.supervisor_ac] {
            match page {
                // Whatever the page's size.
                Some(linear) => set.flush_region(0..ENTRIES, linear, HUGE_SHIFT),
                None => set.flush(true),
            }
        }
        Some(index)
    }

    /// Forgets the page of one linear address in all banks, all of it if it is large (Intel SDM Vol. 3A 4.10.2.3).
    /// Whether it may be large.
    pub fn flush_page(&mut self, linear: u64) -> bool {
        let slot = Self::slot(linear);
        let huge = self.huge.contains(linear);
        let large = self.large.contains(linear);
        let (slots, shift) = if huge {
            (0..ENTRIES, HUGE_SHIFT)
        } else if large {
            let first = slot & !((1 << (LARGE_SHIFT - 12)) - 1);
            (first..first + (1 << (LARGE_SHIFT - 12)), LARGE_SHIFT)
        } else {
            (slot..slot + 1, 12)
        };
        self.supervisor.flush_region(slots.clone(), linear, shift);
        for space in &mut self.spaces {
            space.user.flush_region(slots.clone(), linear, shift);
            space.supervisor_ac.flush_region(slots.clone(), linear, shift);
        }
        self.clear_cells();
        huge || large
    }

    /// Takes away direct writes to one host page, at whatever linear address.
    pub fn protect(&mut self, host_page: u64) {
        let spaces = self.spaces.iter_mut().flat_map(|space| [&mut space.user, &mut space.supervisor_ac]);
        for set in spaces.chain([&mut self.supervisor]) {
            for (slot, entry) in set.write.iter_mut().enumerate() {
                if entry.tag.wrapping_add(entry.addend) == host_page {
                    *entry = invalid(slot);
                }
            }
        }
        self.clear_cells();
    }
}
