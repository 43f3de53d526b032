//! Previews and reports for people to read.

use std::fmt::{self, Formatter, Write};

use serde_json::Value;

use super::{Action, Cause, Change, Drift, FieldChange, ObjectName, OrderName, Preview, Problem};

pub(super) fn preview(f: &mut Formatter<'_>, preview: &Preview) -> fmt::Result {
    let Preview { changes, problems } = preview;
    let mut last: Option<&Cause> = None;
    for Change { cause, action, object, fields } in changes {
        if last != Some(cause) {
            writeln!(f, "{cause}")?;
            last = Some(cause);
        }
        writeln!(f, "  {action} {object}")?;
        self::fields(f, fields)?;
    }
    for Problem { cause, message } in problems {
        writeln!(f, "! {cause}: {}", printable(message))?;
    }
    match (changes.len(), problems.len()) {
        (0, 0) => f.write_str("nothing would be written"),
        (changes, problems) => write!(f, "{changes} objects would be written, {problems} problems"),
    }
}

pub(super) fn drift(f: &mut Formatter<'_>, drift: &Drift) -> fmt::Result {
    for drifted in &drift.drifted {
        writeln!(f, "{}\n  ~ {} differs from the order", drifted.cause, drifted.copy)?;
        fields(f, &drifted.fields)?;
    }
    let lists = [
        ("has no copy", drift.missing.iter().map(ToString::to_string).collect::<Vec<_>>()),
        ("has no order", drift.orphans.iter().map(ToString::to_string).collect()),
        ("is left over", drift.leftovers.iter().map(ToString::to_string).collect()),
    ];
    for (what, names) in &lists {
        for name in names {
            writeln!(f, "! {name} {what}")?;
        }
    }
    for Problem { cause, message } in &drift.problems {
        writeln!(f, "! {cause}: {}", printable(message))?;
    }
    let [missing, orphans, leftovers] = lists.map(|(_, names)| names.len());
    let drifted = drift.drifted.len();
    write!(
        f,
        "{drifted} copies differ, {missing} are missing, {orphans} have no order, {leftovers} objects are left over"
    )
}

fn fields(f: &mut Formatter<'_>, fields: &[FieldChange]) -> fmt::Result {
    for FieldChange { path, before, after } in fields {
        for (sign, value) in [('-', before), ('+', after)] {
            if let Some(value) = value {
                writeln!(f, "      {sign} {}: {}", printable(path), shown(value))?;
            }
        }
    }
    Ok(())
}

/// JSON escapes control characters, but not those that tenants might trick terminals with.
fn shown(value: &Value) -> String {
    printable(&value.to_string())
}

/// Text without anything that a terminal could take for a command.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        // Overrides of the direction of writing make a text look like another one.
        let is_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || is_direction {
            write!(printable, "\\u{{{:x}}}", u32::from(c)).expect("a string takes everything that is written to it");
        } else {
            printable.push(c);
        }
    }
    printable
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "+ create",
            Self::Update => "~ update",
            Self::Delete => "- delete",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.published_resource, &self.order) {
            (Some(resource), Some(order)) => write!(f, "{resource}: order {order}"),
            (Some(resource), None) => write!(f, "{resource}"),
            (None, _) => f.write_str("all PublishedResources"),
        }
    }
}

impl fmt::Display for OrderName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{} in {}", self.name, self.workspace),
            None => write!(f, "{} in {}", self.name, self.workspace),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        match &self.workspace {
            Some(workspace) => write!(f, "{} in workspace {workspace}", self.name),
            None => write!(f, "{} on the service cluster", self.name),
        }
    }
}
