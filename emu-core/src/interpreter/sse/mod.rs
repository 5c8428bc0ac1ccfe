//! Handlers of the sse family.

use super::lower::{Decoded, Lowered};
use super::op::Op;

pub fn lower(_d: &Decoded<'_>, _op: &mut Op) -> Option<Lowered> {
    None
}
