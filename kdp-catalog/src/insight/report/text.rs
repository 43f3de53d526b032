//! The report for people who read it in a terminal.

use std::fmt::{self, Display, Write as _};

use super::{
    Report,
    table::{Table, notes, tables},
};

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", title(self))?;
        for table in tables(self) {
            writeln!(f, "\n{}", table.title.to_uppercase())?;
            let widths = widths(&table);
            for line in std::iter::once(&header(&table)).chain(&table.lines) {
                writeln!(f, "{}", drawn(line, &widths).trim_end())?;
            }
        }
        for note in notes(self) {
            write!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// What the report is about.
pub(super) fn title(report: &Report) -> String {
    let days = if report.days == 1 { "day".into() } else { format!("{} days", report.days) };
    let known = report.first_day.map(|day| format!(", known from {day}")).unwrap_or_default();
    format!("Orders of the last {days} until {}{known}", report.made.strftime("%Y-%m-%d %H:%M UTC"))
}

fn header(table: &Table) -> Vec<String> {
    table.columns.iter().map(|&name| name.to_owned()).collect()
}

fn widths(table: &Table) -> Vec<usize> {
    let mut widths: Vec<_> = table.columns.iter().map(|name| name.chars().count()).collect();
    for line in &table.lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().map(visible).count().max(*width);
        }
    }
    widths
}

/// The first column to the left, as names are; the others to the right, as numbers are.
fn drawn(line: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (index, (cell, width)) in line.iter().zip(widths).enumerate() {
        let cell: String = cell.chars().map(visible).collect();
        // Writing to a string cannot fail.
        let _written = if index == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
    }
    text
}

/// Tenants choose names, and a terminal obeys what it is told.
fn visible(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}
