//! Values of Go as far as templates can hold them.

use std::{cell::RefCell, collections::BTreeMap, mem, rc::Rc};

use serde_json::Value;

use super::{
    found::Found,
    fuel::{DEEPEST_VALUE, Fuel},
    semver::Version,
};

/// A value during rendering.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    /// What is missing, and JSON's null.
    Nil,
    /// All variables of the scope; Go has a struct here, which nothing but its fields can be used of.
    Root,
    Bool(bool),
    Int(i64, IntType),
    Float(f64),
    Text(Rc<str>),
    List(List<'a>),
    Map(Map<'a>),
    Found(Found<'a>),
    Version(Rc<Version>),
}

/// Go's types of whole numbers; a function that wants an `int` takes no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntType {
    Int,
    Int64,
    Uint8,
    Uint64,
}

/// What a list or map is declared to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Any,
    Text,
    Int,
    List,
    Found,
}

/// A list; it never changes.
#[derive(Clone, Debug)]
pub(super) struct List<'a> {
    pub(super) element: Element,
    /// A nil list is as good as an empty one, but for JSON.
    pub(super) is_nil: bool,
    items: Rc<Items<'a>>,
}

#[derive(Debug)]
struct Items<'a>(Vec<Val<'a>>);

/// A map, of the scope or made by the template.
#[derive(Clone, Debug)]
pub(super) enum Map<'a> {
    Given(&'a serde_json::Map<String, Value>),
    Made(Rc<Entries<'a>>),
}

/// The entries of a map that `set` can change.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    element: Element,
    entries: RefCell<BTreeMap<Rc<str>, Val<'a>>>,
}

impl<'a> Val<'a> {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn int(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX), IntType::Int)
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(items, Element::Any))
    }

    pub(super) fn texts<T: Into<Rc<str>>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(List::new(items.into_iter().map(Self::text).collect(), Element::Text))
    }

    pub(super) fn map(entries: BTreeMap<Rc<str>, Self>) -> Self {
        Self::Map(Map::made(entries, Element::Any))
    }

    /// Whole numbers are `int64`, as in an unstructured object.
    pub(super) fn of_json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Nil,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(number) => match number.as_i64() {
                Some(int) => Self::Int(int, IntType::Int64),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::text(text.as_str()),
            Value::Array(items) => Self::list(items.iter().map(Self::of_json).collect()),
            Value::Object(map) => Self::Map(Map::Given(map)),
        }
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Whether `if` takes the branch.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(truth) => *truth,
            Self::Int(int, _) => *int != 0,
            Self::Float(float) => *float != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.items().is_empty(),
            Self::Map(map) => map.len() != 0,
            Self::Root | Self::Found(_) | Self::Version(_) => true,
        }
    }

    /// The name that `%T` prints.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Root => "struct",
            Self::Bool(_) => "bool",
            Self::Int(_, IntType::Int) => "int",
            Self::Int(_, IntType::Int64) => "int64",
            Self::Int(_, IntType::Uint8) => "uint8",
            Self::Int(_, IntType::Uint64) => "uint64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(list) => match list.element {
                Element::Any => "[]interface {}",
                Element::Text => "[]string",
                Element::Int => "[]int",
                Element::List => "[][]interface {}",
                Element::Found => "[]gjson.Result",
            },
            Self::Map(map) => match map.element() {
                Element::Text => "map[string]string",
                Element::Found => "map[string]gjson.Result",
                Element::Any | Element::Int | Element::List => "map[string]interface {}",
            },
            Self::Found(_) => "gjson.Result",
            Self::Version(_) => "*semver.Version",
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Found(_) | Self::Root => "struct",
            Self::Version(_) => "ptr",
            _ => self.type_name(),
        }
    }

    /// Fails when this is `map`, or may hold it at any depth.
    fn check_apart(&self, map: &Rc<Entries<'a>>, fuel: &Fuel, depth: usize) -> Result<(), String> {
        fuel.burn(1)?;
        match self {
            Self::List(_) | Self::Map(_) if depth == 0 => Err("a value nests too deep".into()),
            Self::List(list) => list.items().iter().try_for_each(|item| item.check_apart(map, fuel, depth - 1)),
            Self::Map(Map::Made(inner)) if Rc::ptr_eq(inner, map) => Err("a map must not hold itself".into()),
            Self::Map(Map::Made(inner)) => {
                inner.entries.borrow().values().try_for_each(|value| value.check_apart(map, fuel, depth - 1))
            }
            _ => Ok(()),
        }
    }
}

impl<'a> List<'a> {
    pub(super) fn new(items: Vec<Val<'a>>, element: Element) -> Self {
        Self { element, is_nil: false, items: Rc::new(Items(items)) }
    }

    pub(super) fn nil(element: Element) -> Self {
        Self { is_nil: true, ..Self::new(Vec::new(), element) }
    }

    pub(super) fn items(&self) -> &[Val<'a>] {
        &self.items.0
    }
}

impl<'a> Map<'a> {
    pub(super) fn made(entries: BTreeMap<Rc<str>, Val<'a>>, element: Element) -> Self {
        Self::Made(Rc::new(Entries { element, entries: RefCell::new(entries) }))
    }

    fn element(&self) -> Element {
        match self {
            Self::Given(_) => Element::Any,
            Self::Made(made) => made.element,
        }
    }

    /// Whether the type is `map[string]interface{}`.
    pub(super) fn holds_anything(&self) -> bool {
        self.element() == Element::Any
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Given(map) => map.len(),
            Self::Made(made) => made.entries.borrow().len(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Val<'a>> {
        match self {
            Self::Given(map) => map.get(key).map(Val::of_json),
            Self::Made(made) => made.entries.borrow().get(key).cloned(),
        }
    }

    /// What the map gives for a key it has not.
    pub(super) fn zero(&self) -> Val<'a> {
        match self.element() {
            Element::Text => Val::text(""),
            Element::Found => Val::Found(Found(None)),
            Element::Any | Element::Int | Element::List => Val::Nil,
        }
    }

    /// The entries, ordered by key whatever order the JSON came in.
    pub(super) fn entries(&self) -> BTreeMap<Rc<str>, Val<'a>> {
        match self {
            Self::Given(map) => map.iter().map(|(key, value)| (key.as_str().into(), Val::of_json(value))).collect(),
            Self::Made(made) => made.entries.borrow().clone(),
        }
    }

    /// # Errors
    /// When the map is of the scope, or would hold itself.
    pub(super) fn set(&self, key: &str, value: Val<'a>, fuel: &Fuel) -> Result<(), String> {
        let made = self.changeable()?;
        value.check_apart(made, fuel, DEEPEST_VALUE)?;
        // The old value is dropped only after the borrow has ended.
        let old = made.entries.borrow_mut().insert(key.into(), value);
        drop(old);
        Ok(())
    }

    /// # Errors
    /// When the map is of the scope.
    pub(super) fn remove(&self, key: &str) -> Result<(), String> {
        let old = self.changeable()?.entries.borrow_mut().remove(key);
        drop(old);
        Ok(())
    }

    fn changeable(&self) -> Result<&Rc<Entries<'a>>, String> {
        match self {
            Self::Given(_) => Err("a synced object cannot be changed by a template; use a deepCopy of it".into()),
            Self::Made(made) => Ok(made),
        }
    }
}

/// Lists and maps may nest deeper than the stack, so what they hold is dropped in a loop.
fn drop_all(mut values: Vec<Val<'_>>) {
    while let Some(value) = values.pop() {
        match value {
            Val::List(mut list) => {
                if let Some(items) = Rc::get_mut(&mut list.items) {
                    values.append(&mut items.0);
                }
            }
            Val::Map(Map::Made(mut made)) => {
                if let Some(made) = Rc::get_mut(&mut made) {
                    values.extend(mem::take(made.entries.get_mut()).into_values());
                }
            }
            _ => {}
        }
    }
}

impl Drop for Items<'_> {
    fn drop(&mut self) {
        drop_all(mem::take(&mut self.0));
    }
}

impl Drop for Entries<'_> {
    fn drop(&mut self) {
        drop_all(mem::take(self.entries.get_mut()).into_values().collect());
    }
}
