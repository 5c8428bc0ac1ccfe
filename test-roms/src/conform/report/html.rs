//! One page with no needs.

use super::{COLUMNS, Report, summary};

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><title>Posada: CPU conformance</title>
<style>
body { font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 75em; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #ccc; padding: .2em .7em; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
</style>
<h1>CPU conformance</h1>
";

pub fn render(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    for sentence in summary(report) {
        text += &format!("<p>{}</p>\n", escape(&sentence));
    }
    text += "<table>\n";
    text += &line("th", &COLUMNS);
    for row in report.cells() {
        text += &line("td", &row);
    }
    text += "</table>\n<h2>Left out</h2>\n<table>\n";
    text += &line("th", &["why", "forms"]);
    for omission in &report.omissions {
        text += &line("td", &[omission.reason.clone(), omission.forms.to_string()]);
    }
    text + "</table>\n</html>\n"
}

fn line(tag: &str, cells: &[impl AsRef<str>]) -> String {
    let cells = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell.as_ref())));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
