//! Texts with `${…}` in them.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// The names between the dots of a placeholder.
    Reference(Vec<String>),
}

/// Takes a text apart. `$$` stands for `$`; a `\.` in a placeholder is a dot of a name.
///
/// # Errors
/// What is wrong with a placeholder.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            plain.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((inner, after)) = after.split_once('}') else {
                return Err(format!("the placeholder ${{{after} has no end"));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Reference(names(inner)?));
            rest = after;
        } else {
            plain.push('$');
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn names(inner: &str) -> Result<Vec<String>, String> {
    let mut names = vec![String::new()];
    let mut characters = inner.trim().chars();
    while let Some(c) = characters.next() {
        let last = names.last_mut().expect("there is always one");
        match c {
            '\\' => last.extend(characters.next()),
            '.' => names.push(String::new()),
            c => last.push(c),
        }
    }
    if names.iter().any(String::is_empty) {
        return Err(format!("${{{inner}}} has an empty name in it"));
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
