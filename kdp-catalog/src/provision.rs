#![doc = include_str!("../docs/provision.md")]

mod ledger;
mod provider;
mod providers;
mod sealed;
mod surroundings;

pub use self::{
    provider::{CatalogProvider, RELEASE_CURRENT, RELEASE_OUTPUT},
    providers::{ProviderMap, Providers},
    sealed::Assignment,
    surroundings::{Around, Surroundings, WorkspaceSurroundings},
};
