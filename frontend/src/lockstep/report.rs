//! Where two engines part, for a person.

use crate::engines::EngineChoice;
use iced_x86::{Decoder, DecoderOptions, Formatter, NasmFormatter};
use machine::lockstep::{Difference, Executed, Finding, Sight};
use std::fmt::Write;

/// Instructions that are shown before the last one.
const SHOWN: usize = 12;
/// Instructions that are shown before one that changed what differs.
const LED: usize = 6;
/// Differences that are shown; memory can have very many.
const MOST: usize = 40;

/// One sentence.
pub fn sentence(finding: &Finding, engines: [EngineChoice; 2]) -> String {
    let [tested, reference] = engines;
    let [from, to] = finding.window;
    match finding.sight {
        Sight::Alone => format!("{tested} and {reference} differ at instruction {to}"),
        Sight::InCompany => format!("{tested} and {reference} differ at or shortly before instruction {to}"),
        Sight::Vanished => {
            format!("{tested} and {reference} differ somewhere between instructions {from} and {to}")
        }
    }
}

/// Everything there is to say.
pub fn text(finding: &Finding, engines: [EngineChoice; 2]) -> String {
    let mut text = format!("difference: {}\n", sentence(finding, engines));
    // Writing into a string never fails.
    let _ = write_how(&mut text, finding)
        .and_then(|()| write_code(&mut text, finding))
        .and_then(|()| write_differences(&mut text, finding, engines));
    text
}

fn write_how(text: &mut String, finding: &Finding) -> std::fmt::Result {
    let how = match finding.sight {
        Sight::Alone => "the instruction alone, from equal states, makes the difference",
        Sight::InCompany => {
            "runs that end earlier show no difference, and the last instruction alone makes none: the mistake is in\n  \
             code compiled as a whole, which ended shortly before; see which instruction last changed what differs"
        }
        Sight::Vanished => {
            "the difference did not come again when the run was repeated from its last saved state; it needs what the\n  \
             engine had compiled before, or it depends on the host's timing (--background)"
        }
    };
    writeln!(text, "  {how}")
}

fn write_code(text: &mut String, finding: &Finding) -> std::fmt::Result {
    let first = finding.executed.len().saturating_sub(SHOWN + 1);
    let shown = &finding.executed[first..];
    for (n, executed) in shown.iter().enumerate() {
        let mark = if n + 1 == shown.len() { '>' } else { ' ' };
        writeln!(text, "{mark} {}", line(executed))?;
    }
    Ok(())
}

fn write_differences(text: &mut String, finding: &Finding, engines: [EngineChoice; 2]) -> std::fmt::Result {
    for difference in finding.differences.iter().take(MOST) {
        let Difference { what, values: [tested, reference] } = difference;
        writeln!(text, "  {what}: {} {tested}, {} {reference}", engines[0], engines[1])?;
        if let Some(n) = finding.changed_last(difference) {
            write_suspect(text, &finding.executed, n)?;
        }
    }
    let more = finding.differences.len().saturating_sub(MOST);
    if more > 0 {
        writeln!(text, "  and {more} more")?;
    }
    Ok(())
}

/// The instruction that last changed what differs, with what led to it unless that has been shown.
fn write_suspect(text: &mut String, executed: &[Executed], n: usize) -> std::fmt::Result {
    writeln!(text, "      last changed by {}", line(&executed[n]))?;
    if n + SHOWN >= executed.len() {
        return Ok(());
    }
    let before = &executed[n.saturating_sub(LED)..n];
    before.iter().try_for_each(|executed| writeln!(text, "      after           {}", line(executed)))
}

fn line(executed: &Executed) -> String {
    let Executed { count, linear, bits, bytes, interrupted, .. } = executed;
    let (hex, code) = disassembled(*bits, *linear, bytes);
    let interrupt = if *interrupted { "  (an interrupt comes first)" } else { "" };
    format!("{:>12}  {linear:x}  {hex:20} {code}{interrupt}", count + 1)
}

/// Bytes and text of one instruction.
fn disassembled(bits: u32, linear: u64, bytes: &[u8]) -> (String, String) {
    let instruction = Decoder::with_ip(bits, bytes, linear, DecoderOptions::NONE).decode();
    let length = if instruction.is_invalid() { bytes.len() } else { instruction.len() };
    let mut code = String::new();
    NasmFormatter::new().format(&instruction, &mut code);
    (bytes[..length].iter().map(|byte| format!("{byte:02x}")).collect(), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executed(count: u64, linear: u64, bytes: &[u8], changed: &[&str]) -> Executed {
        let changed = changed.iter().map(|&what| what.to_owned()).collect();
        let bytes = bytes.to_vec();
        Executed { count, rip: linear, linear, bits: 32, bytes, interrupted: false, changed }
    }

    fn finding(sight: Sight) -> Finding {
        let values = ["5h".to_owned(), "6h".to_owned()];
        Finding {
            sight,
            window: [41, 42],
            differences: vec![Difference { what: "rbx".to_owned(), values }],
            executed: vec![
                executed(40, 0xC010_0000, &[0x01, 0xC3, 0x90], &["rip", "rbx"]),
                executed(41, 0xC010_0002, &[0x0F, 0x0B], &["rip"]),
            ],
        }
    }

    #[test]
    fn the_instruction_and_both_values_are_told() {
        let engines = [EngineChoice::Jit, EngineChoice::Interpreter];
        let text = text(&finding(Sight::Alone), engines);
        for part in [
            "difference: jit and interpreter differ at instruction 42\n",
            ">           42  c0100002  0f0b                 ud2\n",
            "  rbx: jit 5h, interpreter 6h\n",
            "last changed by           41  c0100000  01c3                 add ebx,eax\n",
        ] {
            assert!(text.contains(part), "`{part}` in\n{text}");
        }
    }

    #[test]
    fn what_is_not_certain_is_said() {
        let engines = [EngineChoice::Auto, EngineChoice::Jit];
        assert!(
            sentence(&finding(Sight::InCompany), engines).contains("at or shortly before instruction 42")
        );
        assert!(sentence(&finding(Sight::Vanished), engines).contains("between instructions 41 and 42"));
    }
}
