//! Test cases: random programs, and for each the inputs that make its instructions do something.

mod address;
mod content;
mod draft;
mod encode;
mod follow;
mod operand;
mod place;
mod recipe;
mod step;

use super::form::{Form, forms, index};
use super::program::{CodeSize, Program};
use super::state::Inputs;
use super::values::Rng;
use encode::Encoded;
use operand::{Pool, Site};
pub use recipe::Recipe;

/// A program, the forms in it by their index, and how to make inputs for it.
#[derive(Clone, Debug)]
pub struct Case {
    pub program: Program,
    pub forms: Vec<usize>,
    pub recipe: Recipe,
}

/// How often another instruction is tried where the encoder or a rule of ours refuses one.
const TRIES: usize = 64;

/// One instruction of `form`; none where none could be encoded.
pub fn case(form: &Form, rng: &mut Rng) -> Option<Case> {
    (0..TRIES).find_map(|_| try_case(form, rng))
}

fn try_case(form: &Form, rng: &mut Rng) -> Option<Case> {
    let before = rng.clone();
    let mut offset = encode::start(15, rng);
    let mut encoded = encode_at(form, offset, rng)?;
    let length = encoded.bytes.len() as u64;
    if offset + 15 == super::layout::CODE_BYTES as u64 && length < 15 {
        // To end where the page ends: the same choices again, further on.
        let mut again = before;
        encode::start(15, &mut again);
        offset += 15 - length;
        encoded = encode_at(form, offset, &mut again).filter(|e| e.bytes.len() as u64 == length)?;
    }
    Some(finish(form.size, offset, &[encoded], vec![index(form.code, form.size)?], rng))
}

fn encode_at(form: &Form, offset: u64, rng: &mut Rng) -> Option<Encoded> {
    let site = Site { size: form.size, at: encode::address(offset), pool: Pool::Any };
    encode::encode(form, &site, rng).filter(|e| offset as usize + e.bytes.len() <= super::layout::CODE_BYTES)
}

fn finish(size: CodeSize, offset: u64, parts: &[Encoded], forms: Vec<usize>, rng: &mut Rng) -> Case {
    let code: Vec<u8> = parts.iter().flat_map(|part| &part.bytes).copied().collect();
    let instructions: Vec<_> = parts.iter().map(|part| part.instruction).collect();
    let start = encode::address(offset);
    let recipe = recipe::of(&instructions, size, start, start + code.len() as u64);
    let program = Program { size, offset: offset as u16, code, seed: rng.next() };
    Case { program, forms, recipe }
}

/// One vector for `case`.
pub fn inputs(case: &Case, rng: &mut Rng) -> Inputs {
    follow::inputs(&case.recipe, rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::layout::CODE_BYTES;

    #[test]
    fn every_testable_form_encodes() {
        let mut rng = Rng(1);
        let mut missing = Vec::new();
        for form in forms().iter().filter(|form| form.testable()) {
            let Some(case) = case(form, &mut rng) else {
                missing.push((form.code, form.size));
                continue;
            };
            let end = usize::from(case.program.offset) + case.program.code.len();
            assert!(end <= CODE_BYTES, "{form:?}");
            inputs(&case, &mut rng);
        }
        assert!(missing.is_empty(), "{} forms do not encode: {missing:?}", missing.len());
    }
}
