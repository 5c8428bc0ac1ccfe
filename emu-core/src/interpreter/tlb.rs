//! The software TLB: per bank, direct-mapped read and write entries {tag, addend}.
//!
//! A probe is one load, xor and compare: `(linear ^ tag) <= 4096 - size` holds only for an access that lies wholly
//! in the tagged page. Write tags stay invalid for pages that are clean (D = 0), ROM, code, or MMIO, so dirty
//! flags, self-modifying code and dirty tracking cost nothing on hits.
#![allow(unsafe_code)] // the current bank by pointer: two loads less in every access of the guest

/// Entries per bank and direction.
pub const ENTRIES: usize = 2048;
const BANKS: usize = 4;

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

pub struct Tlb {
    /// The current bank's entries; `choose` keeps them inside `read` and `write`.
    current_read: *const Entry,
    current_write: *const Entry,
    read: Box<[Entry; ENTRIES * BANKS]>,
    write: Box<[Entry; ENTRIES * BANKS]>,
    global: Box<[bool; ENTRIES * BANKS]>,
    bank: Bank,
    /// Banks with anything in them.
    used: [bool; BANKS],
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

fn fresh() -> Box<[Entry; ENTRIES * BANKS]> {
    Box::new(std::array::from_fn(invalid))
}

impl Tlb {
    /// Where the pointers to the current bank's entries are, for compiled code.
    pub const READ: usize = std::mem::offset_of!(Self, current_read);
    pub const WRITE: usize = std::mem::offset_of!(Self, current_write);

    pub fn new() -> Self {
        let mut tlb = Self {
            current_read: std::ptr::null(),
            current_write: std::ptr::null(),
            read: fresh(),
            write: fresh(),
            global: Box::new([false; ENTRIES * BANKS]),
            bank: Bank::Supervisor,
            used: [false; BANKS],
            large: Regions::NONE,
            huge: Regions::NONE,
        };
        tlb.choose(Bank::Supervisor);
        tlb
    }

    pub fn bank(&self) -> Bank {
        self.bank
    }

    /// Makes a bank current.
    pub fn choose(&mut self, bank: Bank) {
        self.bank = bank;
        self.current_read = &raw const self.read[bank as usize * ENTRIES];
        self.current_write = &raw const self.write[bank as usize * ENTRIES];
    }

    /// The current bank's entry for reads at `linear`, valid or not.
    #[inline(always)]
    pub fn read_entry(&self, linear: u64) -> Entry {
        // SAFETY: `choose` points at ENTRIES entries of `read`, whose allocation never moves; the index is below.
        unsafe { *self.current_read.add((linear >> 12) as usize & (ENTRIES - 1)) }
    }

    /// The current bank's entry for writes at `linear`, valid or not.
    #[inline(always)]
    pub fn write_entry(&self, linear: u64) -> Entry {
        // SAFETY: as above, in `write`.
        unsafe { *self.current_write.add((linear >> 12) as usize & (ENTRIES - 1)) }
    }

    /// As [`Self::read_entry`], of any bank.
    #[inline(always)]
    pub fn read_entry_of(&self, bank: Bank, linear: u64) -> Entry {
        self.read[Self::slot(bank, linear)]
    }

    /// As [`Self::write_entry`], of any bank.
    #[inline(always)]
    pub fn write_entry_of(&self, bank: Bank, linear: u64) -> Entry {
        self.write[Self::slot(bank, linear)]
    }

    #[inline(always)]
    fn slot(bank: Bank, linear: u64) -> usize {
        (bank as usize * ENTRIES) | ((linear >> 12) as usize & (ENTRIES - 1))
    }

    /// Remembers a page: where it may be read and written directly.
    pub fn fill(&mut self, bank: Bank, linear: u64, read: Option<u64>, write: Option<u64>, global: bool) {
        let tag = linear & !0xFFF;
        if bank == Bank::Never {
            return;
        }
        let slot = Self::slot(bank, linear);
        let make =
            |host: Option<u64>| host.map_or(invalid(slot), |h| Entry { tag, addend: h.wrapping_sub(tag) });
        self.used[bank as usize] = true;
        self.read[slot] = make(read);
        self.write[slot] = make(write);
        self.global[slot] = global;
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

    /// Forgets everything, or all but global pages.
    pub fn flush(&mut self, keep_global: bool) {
        if !keep_global {
            (self.large, self.huge) = (Regions::NONE, Regions::NONE);
        }
        for bank in 0..Bank::Never as usize {
            if self.used[bank] {
                self.used[bank] = keep_global;
                self.flush_bank(bank, keep_global);
            }
        }
    }

    fn flush_bank(&mut self, bank: usize, keep_global: bool) {
        for slot in bank * ENTRIES..(bank + 1) * ENTRIES {
            if !(keep_global && self.global[slot]) {
                self.read[slot] = invalid(slot);
                self.write[slot] = invalid(slot);
            }
        }
    }

    /// Forgets the page of one linear address in all banks, all of it if it is large (Intel SDM Vol. 3A 4.10.2.3).
    /// Whether it may be large.
    pub fn flush_page(&mut self, linear: u64) -> bool {
        let slot = (linear >> 12) as usize & (ENTRIES - 1);
        if self.huge.contains(linear) {
            self.flush_region(0..ENTRIES, linear, HUGE_SHIFT);
        } else if self.large.contains(linear) {
            let first = slot & !((1 << (LARGE_SHIFT - 12)) - 1);
            self.flush_region(first..first + (1 << (LARGE_SHIFT - 12)), linear, LARGE_SHIFT);
        } else {
            self.flush_region(slot..slot + 1, linear, 12);
            return false;
        }
        true
    }

    /// Forgets what lies in the region of `1 << shift` bytes around `linear`, which has these slots of each bank.
    fn flush_region(&mut self, slots: std::ops::Range<usize>, linear: u64, shift: u32) {
        for bank in [Bank::Supervisor, Bank::SupervisorAc, Bank::User] {
            for n in slots.clone() {
                let slot = bank as usize * ENTRIES + n;
                for entry in [&mut self.read[slot], &mut self.write[slot]] {
                    if (entry.tag ^ linear) >> shift == 0 {
                        *entry = invalid(slot);
                    }
                }
            }
        }
    }

    /// Takes away direct writes to one host page, at whatever linear address.
    pub fn protect(&mut self, host_page: u64) {
        for slot in 0..ENTRIES * Bank::Never as usize {
            let entry = self.write[slot];
            if entry.tag.wrapping_add(entry.addend) == host_page {
                self.write[slot] = invalid(slot);
            }
        }
    }
}
