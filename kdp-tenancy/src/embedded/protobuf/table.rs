//! How a message is described: which field number is which JSON field.

/// A message: its fields.
#[derive(Debug)]
pub(super) struct Table(pub(super) &'static [Field]);

impl Table {
    /// The field of that number.
    pub(super) fn field(&self, number: u32) -> Option<&'static Field> {
        self.0.iter().find(|field| field.number == number)
    }
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    /// Name in JSON.
    pub(super) name: &'static str,
    pub(super) ty: Type,
    pub(super) presence: Presence,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Bool,
    Int32,
    Int64,
    Double,
    Text,
    /// Base64 in JSON.
    Bytes,
    /// Bytes that are JSON already.
    Json,
    /// A point in time in whole seconds.
    Time,
    /// A point in time in microseconds.
    MicroTime,
    /// An object.
    Message(&'static Table),
    /// A message that JSON replaces by one of its fields: the first of the table that is present,
    /// or null. Such messages stand for what protobuf cannot say: unions, and lists inside maps.
    Transparent(&'static Table),
    /// A repeated field.
    List(&'static Self),
    /// A map with strings as keys.
    Map(&'static Self),
}

/// When JSON has the field.
///
/// Go writes every field that is not a pointer, slice or map to the wire, zero or not; a zero there
/// means nothing unless JSON would have it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// If the wire has it, whatever the value: a pointer in Go, where false and 0 differ from absent.
    IfSent,
    /// If the value is not zero: `omitempty` or `omitzero` of a plain value.
    IfSet,
    /// Always, with the zero value of the type for lack of another: no `omitempty`, or a struct,
    /// on which it has no effect.
    Always,
    /// Always, with null for lack of a value: a pointer, slice or map without `omitempty`.
    OrNull,
}

/// A pointer with `omitempty`.
pub(super) const fn pointer(number: u32, name: &'static str, ty: Type) -> Field {
    Field { number, name, ty, presence: Presence::IfSent }
}

/// A value, slice or map with `omitempty`.
pub(super) const fn value(number: u32, name: &'static str, ty: Type) -> Field {
    Field { number, name, ty, presence: Presence::IfSet }
}

/// A value without `omitempty`, or a struct.
pub(super) const fn always(number: u32, name: &'static str, ty: Type) -> Field {
    Field { number, name, ty, presence: Presence::Always }
}

/// A pointer, slice or map without `omitempty`.
pub(super) const fn nullable(number: u32, name: &'static str, ty: Type) -> Field {
    Field { number, name, ty, presence: Presence::OrNull }
}
