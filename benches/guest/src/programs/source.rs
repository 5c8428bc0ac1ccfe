//! C to compile: functions with loops, branches, switches, structures and floating point.

use crate::random::Random;
use std::fmt::Write;

const HEAD: &str = "\
struct node { struct node *next; unsigned key, count; double weight; };
static unsigned table[256];
";

/// A translation unit of so many functions, always the same.
pub fn source(functions: usize) -> Vec<u8> {
    let mut random = Random::new(1);
    let mut text = String::from(HEAD);
    for number in 0..functions {
        function(&mut text, number, &mut random);
    }
    text.into_bytes()
}

fn function(text: &mut String, number: usize, random: &mut Random) {
    let _ = writeln!(text, "unsigned f{number}(struct node *list, unsigned *a, unsigned n)\n{{");
    let _ = writeln!(text, "    unsigned sum = {}, i;\n    double mean = 0.0;", random.below(1000));
    for _ in 0..3 + random.below(6) {
        statement(text, random);
    }
    if number > 0 {
        let _ = writeln!(text, "    if (n > 1) sum += f{}(list, a, n / 2);", random.below(number));
    }
    text.push_str("    return sum + (unsigned)mean;\n}\n");
}

fn statement(text: &mut String, random: &mut Random) {
    let (a, b, c) = (random.below(5000), 1 + random.below(13), 2 + random.below(9));
    let _ = match random.below(5) {
        0 => writeln!(text, "    for (i = 0; i < n; i++) {{ a[i] ^= sum >> {b}; sum = sum * {a} + a[i]; }}"),
        1 => writeln!(
            text,
            "    for (struct node *p = list; p; p = p->next) {{ if (p->key % {c} == {b}) p->count += {a}; mean += p->weight * {a}.5; }}"
        ),
        2 => writeln!(
            text,
            "    switch (sum % {c}) {{ case 0: sum += {a}; break; case 1: sum = table[sum & 255]; break; default: sum -= n; }}"
        ),
        3 => writeln!(
            text,
            "    while (n > {a} && sum & {b}) {{ sum = (sum >> 1) ^ table[n & 255]; n -= {c}; }}"
        ),
        _ => writeln!(
            text,
            "    for (i = 1; i < n; i++) if (a[i - 1] > a[i]) {{ unsigned t = a[i]; a[i] = a[i - 1]; a[i - 1] = t + {b}; mean = mean / {c}.0 + t; }}"
        ),
    };
}
