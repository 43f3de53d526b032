//! Label and field selectors of list, watch and deletecollection.

mod claim;
mod field;
mod label;
mod parse;

#[cfg(test)]
mod tests;

pub(crate) use self::claim::ClaimSelector;
pub(crate) use self::field::FieldSelector;
pub(crate) use self::label::LabelSelector;
