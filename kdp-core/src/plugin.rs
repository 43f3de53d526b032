#![doc = include_str!("../docs/plugin.md")]

mod host;
mod process;
mod serve;
mod wire;

pub use self::{
    host::PluginProvider,
    process::PluginOptions,
    serve::{serve, serve_on},
    wire::{COOKIE, PROTOCOL, VERSION},
};
