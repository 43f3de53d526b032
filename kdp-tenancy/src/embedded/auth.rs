//! Who a request acts as, and what that identity may do.
//!
//! Authentication is [`Authenticator`]: it reads what the connection and the headers prove.
//! Authorization is [`WorkspaceAuthorizer`]: pure evaluation of the RBAC objects of one workspace,
//! held parsed in a [`Policy`]. Nothing here does input or output, save authenticators of tokens.

mod attributes;
mod authenticate;
mod gate;
mod impersonation;
mod limit;
pub mod names;
mod peer;
pub mod rbac;
pub mod reviews;
mod scope;
mod tokens;
mod workspace;

pub use self::{
    attributes::{Attributes, Decision, ResourceAttributes, forbidden},
    authenticate::Authenticator,
    gate::Gate,
    impersonation::Impersonation,
    limit::Limit,
    peer::PeerIdentity,
    rbac::Policy,
    tokens::{StaticTokens, TokenAuthenticator, TokenIdentity, TokenRejected},
    workspace::WorkspaceAuthorizer,
};
pub(crate) use gate::is_marked_inactive;
pub(crate) use scope::{from_outside, is_unbounded, localized};
