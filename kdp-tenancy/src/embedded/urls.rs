//! The URLs under which the control plane tells clients to find things.

use kdp_core::{Endpoint, WorkspacePath};
use parking_lot::RwLock;

use super::{kinds::logical_cluster::Stage, surface::ExportId};

const DEFAULT_BASE: &str = "https://127.0.0.1:6443";

/// The base of every URL; it changes when a server is bound elsewhere.
#[derive(Debug)]
pub(crate) struct Urls {
    base: RwLock<String>,
}

impl Default for Urls {
    fn default() -> Self {
        Self { base: RwLock::new(DEFAULT_BASE.into()) }
    }
}

impl Urls {
    pub(crate) fn set_base(&self, base: String) {
        *self.base.write() = base;
    }

    pub(crate) fn base(&self) -> String {
        self.base.read().clone()
    }

    pub(crate) fn endpoint(&self, endpoint: &Endpoint) -> String {
        format!("{}{}", self.base.read(), endpoint.prefix())
    }

    pub(crate) fn workspace(&self, path: &WorkspacePath) -> String {
        self.endpoint(&Endpoint::Workspace(path.clone()))
    }

    /// Where controllers reach an export, to be followed by `/clusters/…`.
    pub(crate) fn export(&self, export: &ExportId) -> String {
        format!("{}/services/apiexport/{}/{}", self.base.read(), export.cluster, export.name)
    }

    /// Where the controller of a WorkspaceType reaches the workspaces that wait for it, to be followed by
    /// `/clusters/…`.
    pub(crate) fn lifecycle(&self, stage: Stage, controller: &str) -> String {
        format!("{}/services/{}/{controller}", self.base.read(), stage.service())
    }

    /// The part of a URL behind the base, with the base as it is now.
    pub(crate) fn rebased(&self, url: &str) -> Option<String> {
        let path = &url[url.find("/clusters/").or_else(|| url.find("/services/"))?..];
        Some(format!("{}{path}", self.base.read()))
    }
}
