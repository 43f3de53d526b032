//! The report for wikis and chats.

use super::{
    Report,
    table::{notes, tables},
    text::title,
};

impl Report {
    /// The report as Markdown, with tables as GitHub has them.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n", title(self));
        for table in tables(self) {
            text.push_str(&format!("\n## {}\n\n", table.title));
            text.push_str(&row(table.columns.iter().map(|&name| name.to_owned())));
            text.push_str(&row((0..table.columns.len()).map(|index| if index == 0 { "---" } else { "---:" }.into())));
            for line in &table.lines {
                text.push_str(&row(line.iter().map(|cell| escaped(cell))));
            }
        }
        let notes = notes(self);
        if !notes.is_empty() {
            text.push('\n');
        }
        for note in notes {
            text.push_str(&format!("- {note}\n"));
        }
        text
    }
}

fn row(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Tenants choose names: none of them ends a cell, or begins a link, an image or a tag.
fn escaped(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for character in cell.chars() {
        match character {
            '\\' | '|' | '[' | ']' | '<' | '>' | '`' | '*' | '_' | '!' | '&' | '#' => text.extend(['\\', character]),
            character if character.is_control() => text.push(' '),
            character => text.push(character),
        }
    }
    text
}
