//! Changes in saved states, as a damaged or forged file would have them.

use crate::input::Input;
use ciborium::Value;

/// Changes one thing somewhere in `value`.
pub(crate) fn mutate(value: &mut Value, input: &mut Input<'_>) {
    match value {
        Value::Array(items) if !items.is_empty() && input.u8() < 0xF0 => {
            let n = input.below(items.len() as u64) as usize;
            mutate(&mut items[n], input);
        }
        Value::Map(entries) if !entries.is_empty() && input.u8() < 0xF0 => {
            let n = input.below(entries.len() as u64) as usize;
            mutate(&mut entries[n].1, input);
        }
        Value::Array(items) => change_length(items, input),
        Value::Map(entries) => drop(entries.pop()),
        Value::Integer(_) => *value = Value::Integer(input.magnitude().into()),
        Value::Bool(was) => *value = Value::Bool(!*was),
        Value::Bytes(bytes) if !bytes.is_empty() && input.u8() < 0xC0 => {
            let n = input.below(bytes.len() as u64) as usize;
            bytes[n] = input.u8();
        }
        Value::Bytes(bytes) => bytes.resize(usize::from(input.u8()), 0),
        _ => *value = input.pick(&[Value::Null, Value::Bool(true)].each_ref()).clone(),
    }
}

fn change_length(items: &mut Vec<Value>, input: &mut Input<'_>) {
    if input.bool() {
        items.pop();
    } else if let Some(last) = items.last().cloned() {
        items.extend(std::iter::repeat_n(last, usize::from(input.u8())));
    }
}
