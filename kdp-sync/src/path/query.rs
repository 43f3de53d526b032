//! Finds values in JSON text by gjson's paths.
//!
//! What a path means depends on the text it meets, and where a value lies in it decides whether it
//! can be overwritten; so this works on text, as gjson does. Plain paths never come here.

mod compare;
mod modifiers;
mod syntax;

use std::{borrow::Cow, ops::Range};

use self::syntax::{Next, Which};
use super::scan::{self, Kind, kind};

/// What a path found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit<'j> {
    /// The value as JSON.
    pub(super) raw: Cow<'j, str>,
    pub(super) place: Place,
}

/// Where in the text the values lie that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: the value was made by a modifier, a multipath or a pipe.
    Nowhere,
    At(usize),
    /// The value is a list of what was found in several places.
    Each(Vec<usize>),
}

impl Place {
    fn within(self, start: usize) -> Self {
        match self {
            Self::Nowhere => Self::Nowhere,
            Self::At(at) => Self::At(at + start),
            Self::Each(places) => Self::Each(places.into_iter().map(|at| at + start).collect()),
        }
    }

    /// All places as one; nowhere if one of them is.
    fn all(places: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for place in places {
            match place {
                Self::Nowhere => return Self::Nowhere,
                Self::At(at) => all.push(at),
                Self::Each(places) => all.extend(places),
            }
        }
        Self::Each(all)
    }
}

impl<'j> Hit<'j> {
    fn made(raw: impl Into<Cow<'j, str>>) -> Self {
        Self { raw: raw.into(), place: Place::Nowhere }
    }

    /// The value in a text that was made.
    fn made_in(json: Cow<'j, str>) -> Option<Self> {
        let (start, raw) = scan::value(&json)?;
        let range = start..start + raw.len();
        Some(match json {
            Cow::Borrowed(json) => Self::made(&json[range]),
            Cow::Owned(json) => Self::made(json[range].to_owned()),
        })
    }
}

/// Finds what the path leads to.
pub(super) fn find<'j>(json: &'j str, path: &str) -> Option<Hit<'j>> {
    if let Some((made, rest)) = made(json, path) {
        return match rest.strip_prefix(['|', '.']) {
            Some(rest) => find(&made, rest).map(|hit| Hit::made(hit.raw.into_owned())),
            None => Hit::made_in(made),
        };
    }
    if let Some(hit) = multipath(json, path) {
        return hit;
    }
    let mut search = Search { json, found: None, pipe: None };
    match (path.strip_prefix(".."), scan::value(json)) {
        // A text as a list of the values in it.
        (Some(path), _) => {
            search.list(0, path);
        }
        (None, Some((start, raw))) => {
            search.inside(start..start + raw.len(), path);
        }
        (None, None) => {}
    }
    let Some(pipe) = search.pipe else { return search.found };
    let json = search.found.map_or(Cow::Borrowed(""), |hit| hit.raw);
    find(&json, pipe).map(|hit| Hit::made(hit.raw.into_owned()))
}

/// Whether the path means a key, and not a value that is made.
pub(super) fn is_key(path: &str) -> bool {
    made("", path).is_none() && multipath("", path).is_none()
}

/// The result of the modifier or literal that the path starts with, and the rest of the path.
fn made<'j, 'p>(json: &'j str, path: &'p str) -> Option<(Cow<'j, str>, &'p str)> {
    if let Some(path) = path.strip_prefix('!') {
        let end = match path.as_bytes().first()? {
            b'{' | b'[' => scan::group_end(path.as_bytes(), 0),
            // gjson looks for a closing bracket here, too, and so takes everything.
            b'"' | b'+' | b'-' | b'0'..=b'9' => path.len(),
            _ => {
                let end = path.find(['|', '.']).unwrap_or(path.len());
                let name = path[..end].to_ascii_lowercase();
                ["true", "false", "null", "nan", "inf"].contains(&name.as_str()).then_some(end)?
            }
        };
        return Some((Cow::Owned(path[..end].to_owned()), &path[end..]));
    }
    modifiers::run(json, path)
}

/// The result of the multipath that the path starts with, if it does.
fn multipath<'j>(json: &str, path: &str) -> Option<Option<Hit<'j>>> {
    let is_object = match path.as_bytes().first()? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let (entries, rest) = syntax::multipath(path)?;
    if !(rest.is_empty() || rest.starts_with(['|', '.'])) {
        return None;
    }
    let found = entries.into_iter().filter_map(|(name, path)| Some((name, path, find(json, path)?.raw)));
    let made = if is_object {
        modifiers::object(found.map(|(name, path, raw)| (key(name, path), raw)))
    } else {
        modifiers::list(found.map(|(_, _, raw)| raw))
    };
    Some(match rest.get(1..) {
        Some(rest) => find(&made, rest).map(|hit| Hit::made(hit.raw.into_owned())),
        None => Some(Hit::made(made)),
    })
}

/// The quoted key of an entry.
fn key(name: Option<&str>, path: &str) -> String {
    match name {
        Some(name) if serde_json::from_str::<String>(name).is_ok() => name.to_owned(),
        Some(name) => modifiers::quote(name),
        None => modifiers::quote(syntax::last_name(path)),
    }
}

/// A search in one text.
struct Search<'j, 'p> {
    json: &'j str,
    found: Option<Hit<'j>>,
    /// What the result is to be given to.
    pipe: Option<&'p str>,
}

impl<'j, 'p> Search<'j, 'p> {
    /// Searches in a value; whether the search is over.
    fn inside(&mut self, value: Range<usize>, path: &'p str) -> bool {
        match kind(&self.json[value.clone()]) {
            Some(Kind::Object) => self.object(value.start + 1, path),
            Some(Kind::List) => self.list(value.start + 1, path),
            _ => false,
        }
    }

    fn object(&mut self, at: usize, path: &'p str) -> bool {
        let step = syntax::member(path);
        if let Next::Pipe(pipe) = step.next {
            self.pipe = Some(pipe);
        }
        for (key, value) in scan::members(self.json, at) {
            let key = scan::unquote(&self.json[key]);
            let is_it = if step.is_pattern { compare::is_match(&key, &step.key) } else { key == step.key };
            if !is_it {
                continue;
            }
            let is_over = match step.next {
                Next::Into(path) => self.inside(value, path),
                Next::End | Next::Pipe(_) => self.finish(value),
            };
            if is_over {
                return true;
            }
        }
        false
    }

    fn list(&mut self, at: usize, path: &'p str) -> bool {
        let step = syntax::elements(path);
        if let Next::Pipe(pipe) = step.next {
            self.pipe = Some(pipe);
        }
        let mut elements = scan::elements(self.json, at);
        match step.which {
            Which::None => false,
            Which::At(index) => match (elements.nth(index), step.next) {
                (None, _) => false,
                (Some(element), Next::Into(path)) => self.inside(element, path),
                (Some(element), Next::End | Next::Pipe(_)) => self.finish(element),
            },
            Which::Count => {
                self.found = Some(Hit::made(elements.count().to_string()));
                true
            }
            Which::Each(path) => {
                let path = self.take_pipe(path);
                let hits = elements.filter_map(|element| self.find_in(element, path)).collect();
                self.found = Some(together(hits));
                true
            }
            Which::Matching { test, is_all } => {
                let mut path = match step.next {
                    Next::Into(path) => Some(path),
                    Next::End | Next::Pipe(_) => None,
                };
                let mut hits = Vec::new();
                for element in elements {
                    let raw = &self.json[element.clone()];
                    let tested = match kind(raw) {
                        Some(Kind::Object | Kind::List) => find(raw, test.path).map(|hit| hit.raw),
                        _ if test.path.is_empty() => Some(Cow::Borrowed(raw)),
                        _ => continue,
                    };
                    if !test.passes(tested.as_deref()) {
                        continue;
                    }
                    // Only a match makes the pipe count, so that without one the list is empty.
                    path = path.map(|path| self.take_pipe(path));
                    let hit = match path {
                        Some(path) => self.find_in(element, path),
                        None => Some(self.hit(element)),
                    };
                    if !is_all {
                        self.found = hit;
                        return true;
                    }
                    hits.extend(hit);
                }
                if is_all && self.found.is_none() {
                    self.found = Some(together(hits));
                }
                false
            }
        }
    }

    fn take_pipe(&mut self, path: &'p str) -> &'p str {
        let Some((path, pipe)) = syntax::split_pipe(path) else { return path };
        self.pipe = Some(pipe);
        path
    }

    fn find_in(&self, element: Range<usize>, path: &str) -> Option<Hit<'j>> {
        let hit = find(&self.json[element.clone()], path)?;
        Some(Hit { place: hit.place.within(element.start), raw: hit.raw })
    }

    fn hit(&self, value: Range<usize>) -> Hit<'j> {
        Hit { place: Place::At(value.start), raw: Cow::Borrowed(&self.json[value]) }
    }

    fn finish(&mut self, value: Range<usize>) -> bool {
        self.found = Some(self.hit(value));
        true
    }
}

/// All hits as a list.
fn together<'j>(hits: Vec<Hit<'j>>) -> Hit<'j> {
    let raw = modifiers::list(hits.iter().map(|hit| &hit.raw));
    let place = if hits.is_empty() { Place::Nowhere } else { Place::all(hits.into_iter().map(|hit| hit.place)) };
    Hit { raw: Cow::Owned(raw), place }
}
