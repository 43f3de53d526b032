//! What the specification wants of a copy, computed from what people did and not from what the
//! engine does.

use std::collections::BTreeMap;

use serde_json::Value;

/// What one field of a copy may say in the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// What the source has said since the sides last agreed, oldest first.
    said: Vec<Value>,
    /// What was last put there at the copy's side, and how often the source had spoken by then.
    put: Option<(Value, usize)>,
}

impl Field {
    fn say(&mut self, value: Value) {
        if self.said.last() != Some(&value) {
            self.said.push(value);
        }
    }

    fn now(&self) -> &Value {
        self.said.last().unwrap_or(&Value::Null)
    }

    /// What the source says now wins over what was put there before, and what was put there stays
    /// while the source does not change its mind. Between those, it depends on when an agent has
    /// looked: of a change that is not yet brought over, nobody can say that it came first, and a
    /// source that returns to what it said before may not be seen to have said anything.
    fn allows(&self, value: &Value) -> bool {
        let Some((put, at)) = &self.put else { return value == self.now() };
        let may_stay = self.said[..*at].contains(self.now());
        let must_stay = self.said.len() == 1;
        (value == put && may_stay) || (value == self.now() && !must_stay)
    }

    /// Both sides agree on this from now on.
    fn agree(&mut self, value: &Value) {
        let now = self.now().clone();
        self.put = (*value != now).then(|| (value.clone(), 1));
        self.said = vec![now];
    }
}

/// The fields of a copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Copy(BTreeMap<&'static str, Field>);

impl Copy {
    /// The source says this.
    pub(super) fn say(&mut self, pointer: &'static str, value: Value) {
        self.0.entry(pointer).or_insert_with(|| Field { said: vec![Value::Null], put: None }).say(value);
    }

    /// The source is gone, or says nothing any more.
    pub(super) fn fall_silent(&mut self) {
        self.0.values_mut().for_each(|field| field.say(Value::Null));
    }

    /// A new source, of which no copy was made.
    pub(super) fn begin(&mut self) {
        self.0.clear();
    }

    /// Somebody at the copy's side puts this there.
    pub(super) fn put(&mut self, pointer: &'static str, value: Value) {
        let field = self.0.entry(pointer).or_insert_with(|| Field { said: vec![Value::Null], put: None });
        field.put = Some((value, field.said.len()));
    }

    /// The copy is gone, and what was put there with it.
    pub(super) fn lose(&mut self) {
        self.0.values_mut().for_each(|field| field.put = None);
    }

    /// Whether the source says what it was last told to say.
    pub(super) fn check_source(&self, source: &Value) -> Result<(), String> {
        for (pointer, field) in &self.0 {
            let value = source.pointer(pointer).unwrap_or(&Value::Null);
            if value != field.now() {
                return Err(format!("{pointer} of the source is {value}, but {} was said", field.now()));
            }
        }
        Ok(())
    }

    pub(super) fn check_copy(&self, copy: &Value) -> Result<(), String> {
        for (pointer, field) in &self.0 {
            let value = copy.pointer(pointer).unwrap_or(&Value::Null);
            if !field.allows(value) {
                return Err(format!("{pointer} of the copy is {value}, against {field:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn agree(&mut self, copy: &Value) {
        for (pointer, field) in &mut self.0 {
            field.agree(copy.pointer(pointer).unwrap_or(&Value::Null));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Letters are said, digits put, and `=` is an agreement on what follows it.
    fn allowed(events: &str) -> String {
        let mut field = Field { said: vec![json!("-")], put: None };
        let mut events = events.chars();
        while let Some(event) = events.next() {
            match event {
                '=' => field.agree(&json!(events.next().unwrap().to_string())),
                '0'..='9' => field.put = Some((json!(event.to_string()), field.said.len())),
                _ => field.say(json!(event.to_string())),
            }
        }
        "-ab12".chars().filter(|value| field.allows(&json!(value.to_string()))).collect()
    }

    #[test]
    fn the_last_word_of_the_source_wins_and_what_is_put_elsewhere_stays() {
        for (events, expected) in [
            ("", "-"),
            ("a", "a"),
            ("1", "1"),
            ("1a", "a"),
            ("a1", "a1"),
            ("a=a1", "1"),
            ("a1=1", "1"),
            ("a1=1b", "b"),
            ("a1b", "b"),
            ("a1ba", "a1"),
            ("12", "2"),
        ] {
            assert_eq!(allowed(events), expected, "{events}");
        }
    }
}
