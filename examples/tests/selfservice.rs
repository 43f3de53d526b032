//! The self-service page, from the outside: attacks over HTTP, and a person in a browser.
#![expect(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

#[path = "selfservice/attacks.rs"]
mod attacks;
#[path = "selfservice/browser.rs"]
mod browser;
#[path = "selfservice/visitor.rs"]
mod visitor;
