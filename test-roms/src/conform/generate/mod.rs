//! Test cases: random programs, and for each the inputs that make its instructions do something.

mod address;
mod content;
mod draft;
mod encode;
mod follow;
mod operand;
mod place;
mod recipe;
mod sequence;
mod step;

use super::form::{Form, index};
use super::program::{CodeSize, Program};
use super::state::Inputs;
use super::values::Rng;
use encode::Encoded;
use operand::{Pool, Site};
pub use recipe::Recipe;
pub use sequence::sequence;

/// A program, the forms in it by their index, and how to make inputs for it.
#[derive(Clone, Debug)]
pub struct Case {
    pub program: Program,
    pub forms: Vec<usize>,
    pub recipe: Recipe,
}

/// How often another instruction is tried where the encoder or a rule of ours refuses one: about every third time.
const TRIES: usize = 1000;

/// One instruction of `form`, which is testable.
pub fn case(form: &Form, rng: &mut Rng) -> Case {
    (0..TRIES).find_map(|_| try_case(form, rng)).expect("every testable form encodes (there is a test)")
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
    let program = Program { size, offset: offset as u16, code, seed: rng.word() };
    Case { program, forms, recipe }
}

/// One vector for `case`.
pub fn inputs(case: &Case, rng: &mut Rng) -> Inputs {
    follow::inputs(&case.recipe, rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::form::forms;
    use crate::conform::layout::*;
    use iced_x86::{Code, Decoder, DecoderOptions};

    fn check(case: &Case) {
        let end = usize::from(case.program.offset) + case.program.code.len();
        assert!(end <= CODE_BYTES, "{case:?}");
        assert!(case.program.code.len() <= 120, "{case:?}");
    }

    fn decoded(program: &Program) -> Vec<Code> {
        let ip = program.start() - program.size.base();
        let decoder = Decoder::with_ip(program.size.bits(), &program.code, ip, DecoderOptions::NONE);
        decoder.into_iter().map(|instruction| instruction.code()).collect()
    }

    #[test]
    fn every_testable_form_encodes() {
        let mut rng = Rng(1);
        for (n, form) in forms().iter().enumerate().filter(|(_, form)| form.testable()) {
            let found = (0..TRIES).find_map(|_| try_case(form, &mut rng));
            let case = found.unwrap_or_else(|| panic!("{:?} {:?}", form.code, form.size));
            check(&case);
            assert_eq!(case.forms, [n]);
            let decoded = decoded(&case.program);
            assert!(decoded == [form.code] || decoded[0] == Code::INVALID, "{form:?} is {decoded:?}");
        }
    }

    #[test]
    fn patches_lie_in_memory_that_vectors_may_choose() {
        let mut rng = Rng(2);
        let inside = |at: u64, base: u64, size: usize| at >= base && at < base + size as u64;
        for form in forms().iter().filter(|form| form.testable()) {
            let case = case(form, &mut rng);
            for _ in 0..4 {
                for patch in inputs(&case, &mut rng).patches {
                    let last = patch.at + patch.bytes.len() as u64 - 1;
                    let data = inside(patch.at, DATA, DATA_BYTES) && inside(last, DATA, DATA_BYTES);
                    let stack = inside(patch.at, STACK, STACK_BYTES) && inside(last, STACK, STACK_BYTES);
                    assert!(data || stack, "{form:?} {patch:?}");
                }
            }
        }
    }

    #[test]
    fn sequences_are_what_they_say() {
        let mut rng = Rng(3);
        for size in CodeSize::ALL {
            for _ in 0..500 {
                let case = sequence(size, &mut rng);
                check(&case);
                let expected: Vec<Code> = case.forms.iter().map(|&n| forms()[n].code).collect();
                assert_eq!(decoded(&case.program), expected);
                inputs(&case, &mut rng);
            }
        }
    }

    #[test]
    fn equal_seeds_give_equal_cases() {
        let make = || {
            let mut rng = Rng(4);
            let case = sequence(CodeSize::Bits64, &mut rng);
            let inputs = inputs(&case, &mut rng);
            (case.program, inputs)
        };
        assert_eq!(make(), make());
    }
}
