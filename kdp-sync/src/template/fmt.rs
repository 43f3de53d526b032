//! Formats values as Go's `fmt` does, its notes about mistakes included.

mod directive;
mod quote;

use super::{
    NO_VALUE,
    fuel::{DEEPEST_VALUE, Fuel, Text},
    number,
    value::Val,
};

pub(super) use directive::sprintf;
pub(super) use quote::{is_printable, quote};

/// What an action prints.
///
/// # Errors
/// Like all functions here: when there is too much to print.
pub(super) fn template_text(fuel: &Fuel, value: &Val<'_>) -> Result<String, String> {
    if value.is_nil() { Ok(NO_VALUE.into()) } else { text(fuel, value) }
}

/// `%v`
pub(super) fn text(fuel: &Fuel, value: &Val<'_>) -> Result<String, String> {
    let mut out = Text::new(fuel);
    write(&mut out, value, 0)?;
    Ok(out.finish())
}

/// `fmt.Sprint`: a space between values of which neither is a string.
pub(super) fn sprint(fuel: &Fuel, values: &[Val<'_>]) -> Result<String, String> {
    let mut out = Text::new(fuel);
    for (at, value) in values.iter().enumerate() {
        let is_text = |value: &Val<'_>| matches!(value, Val::Text(_));
        if at > 0 && !is_text(value) && !is_text(&values[at - 1]) {
            out.push(" ")?;
        }
        write(&mut out, value, 0)?;
    }
    Ok(out.finish())
}

/// `fmt.Sprintln`
pub(super) fn sprintln(fuel: &Fuel, values: &[Val<'_>]) -> Result<String, String> {
    let mut out = Text::new(fuel);
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(" ")?;
        }
        write(&mut out, value, 0)?;
    }
    out.push("\n")?;
    Ok(out.finish())
}

fn write(out: &mut Text<'_>, value: &Val<'_>, depth: usize) -> Result<(), String> {
    if depth > DEEPEST_VALUE {
        return Err("a value nests too deep to be printed".into());
    }
    match value {
        Val::Nil => out.push("<nil>"),
        Val::Root => Err("'.' alone has no value here".into()),
        Val::Bool(truth) => out.push(if *truth { "true" } else { "false" }),
        Val::Int(int, _) => out.push(&int.to_string()),
        Val::Float(float) => out.push(&number::shortest(*float)),
        Val::Text(text) => out.push(text),
        Val::List(list) => {
            out.push("[")?;
            for (at, item) in list.items().iter().enumerate() {
                if at > 0 {
                    out.push(" ")?;
                }
                write(out, item, depth + 1)?;
            }
            out.push("]")
        }
        Val::Map(map) => {
            out.push("map[")?;
            for (at, (key, value)) in map.entries().iter().enumerate() {
                if at > 0 {
                    out.push(" ")?;
                }
                out.push(key)?;
                out.push(":")?;
                write(out, value, depth + 1)?;
            }
            out.push("]")
        }
        Val::Found(found) => out.push(&found.text()),
        Val::Version(version) => out.push(&version.to_string()),
    }
}
