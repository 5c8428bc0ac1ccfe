//! What must be known of a region as a whole before it is translated.

use crate::flags::{Need, Shape};
use crate::region::{Block, End, Goal, Insn, Region};
use emu_core::interpreter::tier;

/// See the fields; all of them by block number.
pub struct Facts {
    /// Reachable blocks in reverse postorder: a block comes after all that lead to it, but for loops.
    pub order: Vec<usize>,
    pub place: Vec<usize>,
    pub predecessors: Vec<usize>,
    /// Flags are wanted when the block begins.
    pub flags_wanted: Vec<bool>,
    /// How the flags stand where several blocks lead.
    pub shape: Vec<Shape>,
    /// The block lies between the ends of an edge that leads back.
    pub in_loop: Vec<bool>,
    /// Registers (a bit each) that may have changed since the region was entered.
    pub changed: Vec<u16>,
    /// See [`tier::Region::need`].
    pub need: i64,
}

impl Facts {
    pub fn of(region: &Region) -> Self {
        let order = order(region);
        let count = region.blocks.len();
        let mut place = vec![usize::MAX; count];
        for (n, block) in order.iter().enumerate() {
            place[*block] = n;
        }
        let mut facts = Self {
            predecessors: vec![0; count],
            flags_wanted: vec![false; count],
            shape: vec![Shape::Memory; count],
            in_loop: vec![false; count],
            changed: vec![0; count],
            need: 1,
            order,
            place,
        };
        for block in &facts.order {
            for next in region.successors(*block) {
                facts.predecessors[next] += 1;
            }
        }
        facts.find_loops(region);
        facts.find_wanted_flags(region);
        facts.find_shapes(region);
        facts.find_changes(region);
        facts.need = (facts.longest_path(region) - tier::Region::RESERVE).max(1);
        facts
    }

    /// An edge that leads back, to a block that comes earlier: every loop has one, and there the budget is looked at.
    pub fn leads_back(&self, from: usize, to: usize) -> bool {
        self.place[to] <= self.place[from]
    }

    /// Flags are wanted at the end of a block.
    fn wanted_behind(&self, region: &Region, block: usize) -> bool {
        let leaves = match region.blocks[block].end {
            End::Goto(goal) => matches!(goal, Goal::Outside(_)),
            End::Branch { taken, next } => {
                matches!(taken, Goal::Outside(_)) || matches!(next, Goal::Outside(_))
            }
            End::Call { .. } | End::Return | End::Indirect | End::System | End::Interpret(_) => true,
        };
        let mut next = region.successors(block);
        leaves || next.any(|next| self.flags_wanted[next] || self.leads_back(block, next))
    }

    /// For each instruction of a block: the flags are wanted after it.
    pub fn live_flags(&self, region: &Region, block: usize) -> Vec<bool> {
        let insns = &region.blocks[block].insns;
        let mut live = vec![false; insns.len()];
        let mut wanted = self.wanted_behind(region, block);
        for (n, insn) in insns.iter().enumerate().rev() {
            live[n] = wanted;
            wanted = wanted_before(insn, wanted);
        }
        live
    }

    fn find_loops(&mut self, region: &Region) {
        for from in &self.order {
            for to in region.successors(*from) {
                // Nothing if the edge leads on.
                for block in self.order.iter().take(self.place[*from] + 1).skip(self.place[to]) {
                    self.in_loop[*block] = true;
                }
            }
        }
    }

    fn find_wanted_flags(&mut self, region: &Region) {
        loop {
            let mut stable = true;
            for n in (0..self.order.len()).rev() {
                let block = self.order[n];
                let behind = self.wanted_behind(region, block);
                let wanted = region.blocks[block]
                    .insns
                    .iter()
                    .rev()
                    .fold(behind, |live, insn| wanted_before(insn, live));
                stable &= wanted == self.flags_wanted[block];
                self.flags_wanted[block] = wanted;
            }
            if stable {
                return;
            }
        }
    }

    fn find_shapes(&mut self, region: &Region) {
        let mut known: Vec<Option<Shape>> = vec![None; region.blocks.len()];
        known[region.entry] = Some(Shape::Memory);
        loop {
            let mut stable = true;
            for block in &self.order {
                let Some(mut shape) = known[*block] else { continue };
                for insn in &region.blocks[*block].insns {
                    shape = if insn.known.native { shape.after(&insn.instruction) } else { Shape::Memory };
                }
                for next in region.successors(*block) {
                    let joined =
                        known[next].map_or(shape, |other| if other == shape { shape } else { Shape::Memory });
                    stable &= known[next] == Some(joined);
                    known[next] = Some(joined);
                }
            }
            if stable {
                break;
            }
        }
        self.shape = known.into_iter().map(|shape| shape.unwrap_or(Shape::Memory)).collect();
    }

    fn find_changes(&mut self, region: &Region) {
        let of = |block: &Block| block.insns.iter().fold(0, |bits, insn| bits | insn.writes);
        let writes: Vec<u16> = region.blocks.iter().map(of).collect();
        loop {
            let mut stable = true;
            for block in &self.order {
                let out = self.changed[*block] | writes[*block];
                for next in region.successors(*block) {
                    stable &= self.changed[next] | out == self.changed[next];
                    self.changed[next] |= out;
                }
            }
            if stable {
                return;
            }
        }
    }

    /// The most instructions on a way that leads back nowhere.
    fn longest_path(&self, region: &Region) -> i64 {
        let mut until = vec![0i64; region.blocks.len()];
        let mut longest = 0;
        for block in &self.order {
            let through = until[*block] + region.blocks[*block].insns.len() as i64;
            longest = longest.max(through);
            for next in region.successors(*block) {
                if !self.leads_back(*block, next) {
                    until[next] = until[next].max(through);
                }
            }
        }
        longest
    }
}

/// Flags are wanted before an instruction, if `live` says whether they are after it. The interpreter wants them always.
fn wanted_before(insn: &Insn, live: bool) -> bool {
    if !insn.known.native || (live && insn.known.single.is_some()) {
        return true;
    }
    match Need::of(&insn.instruction) {
        Need::Wants => true,
        Need::Kills => false,
        Need::Passes => live,
    }
}

/// The blocks that can be reached, in reverse postorder.
fn order(region: &Region) -> Vec<usize> {
    let mut seen = vec![false; region.blocks.len()];
    let mut postorder = Vec::new();
    let mut stack = vec![(region.entry, region.successors(region.entry))];
    seen[region.entry] = true;
    while let Some((block, left)) = stack.last_mut() {
        match left.next_back() {
            Some(next) if !seen[next] => {
                seen[next] = true;
                stack.push((next, region.successors(next)));
            }
            Some(_) => {}
            None => {
                postorder.push(*block);
                stack.pop();
            }
        }
    }
    postorder.reverse();
    postorder
}
