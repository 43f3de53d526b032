//! Who a request acts as, and what that identity may do.
//!
//! Authentication is [`Authenticator`]: it reads what the connection and the headers prove.
//! Authorization is [`WorkspaceAuthorizer`]: pure evaluation of the RBAC objects of one workspace,
//! held parsed in a [`Policy`]. Nothing here does input or output, save authenticators of tokens.

mod attributes;
mod authenticate;
mod gate;
mod impersonation;
mod jwt;
mod limit;
pub mod names;
pub(crate) mod oidc;
mod peer;
pub mod rbac;
pub mod reviews;
mod scope;
pub(crate) mod service_account;
mod tokens;
mod workspace;
pub(crate) mod workspace_authentication;

pub use self::{
    attributes::{Attributes, Decision, ResourceAttributes, forbidden},
    authenticate::Authenticator,
    gate::Gate,
    impersonation::Impersonation,
    limit::Limit,
    peer::PeerIdentity,
    rbac::Policy,
    tokens::{StaticTokens, TokenAuthenticator, TokenFileError, TokenIdentity, TokenRejected},
    workspace::WorkspaceAuthorizer,
};
pub(crate) use self::{
    gate::is_marked_inactive,
    jwt::{PublicKey, thumbprint},
    scope::{from_outside, is_confined, is_unbounded, localized, name_in, service_account_home, tie},
    workspace_authentication::{InWorkspace, WorkspaceAuthenticators},
};
