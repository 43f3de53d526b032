#![doc = include_str!("../docs/functions.md")]

mod request;
mod response;
mod server;
mod wire;

pub use self::{
    request::{FunctionRequest, Observed, Secrets},
    response::{Audience, Desired, DesiredResource, FunctionResponse, Readiness, Selector, Severity},
    server::{CompositionFunction, Fatal, FunctionTls, serve},
};

#[cfg(test)]
mod tests;
