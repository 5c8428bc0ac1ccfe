//! Makes a disagreement small: fewer instructions, plainer registers, less memory, as long as it stays one.

use super::program::Program;
use super::state::{Inputs, Registers};
use emu_core::vcpu::X87;
use iced_x86::{Decoder, DecoderOptions, Instruction};

/// The smallest case found that `disagrees`.
pub fn minimise(
    program: &Program,
    inputs: &Inputs,
    mut disagrees: impl FnMut(&Program, &Inputs) -> bool,
) -> (Program, Inputs) {
    let mut best = (program.clone(), inputs.clone());
    loop {
        let smaller = candidates(&best.0, &best.1).find(|(program, inputs)| disagrees(program, inputs));
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

type Case = (Program, Inputs);

/// Cases that differ from this one by being simpler in one place.
fn candidates<'a>(program: &'a Program, inputs: &'a Inputs) -> impl Iterator<Item = Case> + 'a {
    let shorter = without_one_instruction(program).map(|program| (program, inputs.clone()));
    let fewer = (0..inputs.patches.len()).map(|n| {
        let mut inputs = inputs.clone();
        inputs.patches.remove(n);
        (program.clone(), inputs)
    });
    let plainer = SIMPLER.iter().filter_map(|simpler| {
        let mut plain = inputs.clone();
        simpler(&mut plain.registers);
        (plain != *inputs).then(|| (program.clone(), plain))
    });
    let registers = (0..16).flat_map(move |n| simpler_registers(n, inputs)).map(|i| (program.clone(), i));
    shorter.chain(fewer).chain(plainer).chain(registers)
}

/// Changes of all registers of a kind.
const SIMPLER: [fn(&mut Registers); 8] = [
    |r| r.x87 = X87::default(),
    |r| r.xmm = [0; 16],
    |r| r.ymm_high = [0; 16],
    |r| r.mxcsr = 0x1F80,
    |r| r.rflags = 0,
    |r| r.x87.status &= 0x3800,
    |r| r.x87.control = 0x037F,
    |r| (r.x87.ip, r.x87.dp, r.x87.opcode) = (0, 0, 0),
];

fn simpler_registers(n: usize, inputs: &Inputs) -> Vec<Inputs> {
    let mut found = Vec::new();
    let mut zero = |is: bool, clear: &dyn Fn(&mut Registers)| {
        if is {
            let mut plain = inputs.clone();
            clear(&mut plain.registers);
            found.push(plain);
        }
    };
    let r = &inputs.registers;
    zero(r.gpr[n] != 0, &|r| r.gpr[n] = 0);
    zero(r.xmm[n] != 0, &|r| r.xmm[n] = 0);
    zero(r.ymm_high[n] != 0, &|r| r.ymm_high[n] = 0);
    zero(n < 8 && r.x87.r[n & 7] != Default::default(), &|r| r.x87.r[n & 7] = Default::default());
    found
}

fn without_one_instruction(program: &Program) -> impl Iterator<Item = Program> {
    let bits = program.size.bits();
    let mut decoder = Decoder::with_ip(bits, &program.code, program.start(), DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut spans = Vec::new();
    while decoder.can_decode() {
        let start = decoder.position();
        decoder.decode_out(&mut instruction);
        spans.push((start, decoder.position()));
    }
    if spans.len() < 2 {
        spans.clear();
    }
    let program = program.clone();
    spans.into_iter().map(move |(start, end)| {
        let mut shorter = program.clone();
        shorter.code.drain(start..end);
        shorter
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::program::CodeSize;
    use crate::conform::state::Patch;

    #[test]
    fn what_does_not_matter_goes() {
        // inc eax; imul eax, ebx; inc ecx
        let code = vec![0xFF, 0xC0, 0x0F, 0xAF, 0xC3, 0xFF, 0xC1];
        let program = Program { size: CodeSize::Bits64, offset: 0, code, seed: 0 };
        let registers = Registers {
            gpr: [3; 16],
            rflags: 0x8D5,
            fs_base: 0,
            gs_base: 0,
            x87: X87::default(),
            mxcsr: 0x7F80,
            xmm: [1; 16],
            ymm_high: [1; 16],
        };
        let inputs = Inputs { registers, patches: vec![Patch { at: 0, bytes: vec![1] }] };
        let matters = |p: &Program, i: &Inputs| {
            p.code.windows(3).any(|bytes| bytes == [0x0F, 0xAF, 0xC3]) && i.registers.gpr[3] == 3
        };
        let (small, plain) = minimise(&program, &inputs, matters);
        assert_eq!(small.code, [0x0F, 0xAF, 0xC3]);
        assert_eq!(plain.registers.gpr, std::array::from_fn(|n| if n == 3 { 3 } else { 0 }));
        assert_eq!((plain.registers.xmm, plain.registers.mxcsr), ([0; 16], 0x1F80));
        assert!(plain.patches.is_empty());
    }
}
