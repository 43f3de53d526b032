//! Sharing of APIs: what a provider reaches of its consumers, and what it does not.

mod claims;
mod consent;
mod lifecycle;
mod model;
mod stage;
mod versions;
mod waiting;
