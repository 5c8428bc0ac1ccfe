//! A 16-bit assembler whose routines call each other by name, and the notation [`code!`] for it.

use iced_x86::code_asm::{CodeAssembler, CodeLabel};
use iced_x86::{BlockEncoderOptions, IcedError};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

/// Assembles the routines of the ROM.
pub(super) struct Assembler {
    code: CodeAssembler,
    labels: HashMap<&'static str, CodeLabel>,
    /// Words that hold the offsets of labels, in the order of [`Self::jump_table`]'s calls.
    jumps: Vec<&'static str>,
    pub(super) tables: super::tables::Tables,
}

/// The offsets of code after assembly.
pub(super) struct Assembled {
    pub(super) code: Vec<u8>,
    pub(super) jumps: Vec<u16>,
}

impl Assembler {
    pub(super) fn new(tables: super::tables::Tables) -> Result<Self, IcedError> {
        Ok(Self { code: CodeAssembler::new(16)?, labels: HashMap::new(), jumps: Vec::new(), tables })
    }

    /// The label to jump to or call.
    pub(super) fn target(&mut self, name: &'static str) -> CodeLabel {
        let code = &mut self.code;
        *self.labels.entry(name).or_insert_with(|| code.create_label())
    }

    /// Puts the label here.
    pub(super) fn label(&mut self, name: &'static str) -> Result<(), IcedError> {
        let mut label = self.target(name);
        self.code.set_label(&mut label)?;
        self.labels.insert(name, label);
        Ok(())
    }

    /// The offset in the ROM of a table with the offsets of these labels.
    pub(super) fn jump_table(&mut self, targets: &[&'static str]) -> i32 {
        let offset = super::tables::JUMPS + 2 * self.jumps.len();
        self.jumps.extend(targets);
        i32::try_from(offset).expect("the ROM has 32 KiB")
    }

    /// Code that starts at offset `origin` of the ROM.
    pub(super) fn assemble(mut self, origin: usize) -> Result<Assembled, IcedError> {
        let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
        let result = self.code.assemble_options(origin as u64, options)?;
        let offset = |name: &&str| {
            let at = result.label_ip(&self.labels[name])?;
            Ok(u16::try_from(at).expect("the ROM has 32 KiB"))
        };
        let jumps = self.jumps.iter().map(offset).collect::<Result<_, IcedError>>()?;
        Ok(Assembled { code: result.inner.code_buffer, jumps })
    }
}

impl Deref for Assembler {
    type Target = CodeAssembler;

    fn deref(&self) -> &CodeAssembler {
        &self.code
    }
}

impl DerefMut for Assembler {
    fn deref_mut(&mut self) -> &mut CodeAssembler {
        &mut self.code
    }
}

/// Instructions as an assembler writes them: `name:` is a label, `op -> name;` jumps to or calls one, `rep op;` repeats
/// a string instruction, and `op operand, operand;` is every other instruction.
macro_rules! code {
    ($a:ident;) => {};
    ($a:ident; $label:ident: $($rest:tt)*) => {
        $a.label(stringify!($label))?;
        code!($a; $($rest)*)
    };
    ($a:ident; $op:ident -> $target:ident; $($rest:tt)*) => {
        let target = $a.target(stringify!($target));
        $a.$op(target)?;
        code!($a; $($rest)*)
    };
    ($a:ident; rep $op:ident; $($rest:tt)*) => {
        $a.rep().$op()?;
        code!($a; $($rest)*)
    };
    ($a:ident; $op:ident $($operand:expr),*; $($rest:tt)*) => {
        $a.$op($($operand),*)?;
        code!($a; $($rest)*)
    };
}
pub(super) use code;
