//! The variables a template is given.

use std::borrow::Cow;

use serde_json::Value;

use super::{TemplateError, found::Found, value::Val};

/// The variables of a template, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope<'a>(Vec<(&'static str, Input<'a>)>);

#[derive(Clone, Debug)]
enum Input<'a> {
    Text(String),
    Json(&'a Value),
    Found(Option<&'a Value>),
}

impl<'a> Scope<'a> {
    pub(crate) fn with_text(self, name: &'static str, text: &str) -> Self {
        self.with(name, Input::Text(text.into()))
    }

    pub(crate) fn with_json(self, name: &'static str, value: &'a Value) -> Self {
        self.with(name, Input::Json(value))
    }

    /// What a path found in an object, which templates see as a result of gjson.
    pub(crate) fn with_found(self, name: &'static str, value: Option<&'a Value>) -> Self {
        self.with(name, Input::Found(value))
    }

    fn with(mut self, name: &'static str, value: Input<'a>) -> Self {
        self.0.push((name, value));
        self
    }

    pub(super) fn get(&self, name: &str) -> Result<Val<'a>, TemplateError> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, Input::Text(text))) => Ok(Val::text(text.as_str())),
            Some((_, Input::Json(value))) => Ok(Val::of_json(value)),
            Some((_, Input::Found(value))) => Ok(Val::Found(Found(value.map(Cow::Borrowed)))),
            None => {
                let known: Vec<_> = self.0.iter().map(|(name, _)| *name).collect();
                Err(TemplateError::new(format!("there is no .{name} here, only .{}", known.join(", ."))))
            }
        }
    }
}
