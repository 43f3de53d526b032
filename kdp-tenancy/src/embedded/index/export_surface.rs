//! What the provider of an export sees: the resources it offers, those it claims, and bindings.

use std::sync::Arc;

use kdp_core::LogicalClusterName;
use serde_json::Value;

use super::Index;
use crate::embedded::{
    key::ResourceKey,
    kinds::claims::is_claimable,
    object::{self, str_at},
    status::{Result, StatusError},
    surface::{ExportId, Origin, Served, Surface},
};

const BINDINGS: (&str, &str) = ("apis.kcp.io", "apibindings");

impl Index {
    /// The surface of an export's virtual workspace.
    pub(crate) async fn export_surface(&self, export: &ExportId) -> Result<Arc<Surface>> {
        let cluster: LogicalClusterName = export.cluster.parse().map_err(|_| StatusError::page_not_found())?;
        let cache = self.cache(&cluster);
        if let Some(surface) = cache.exports.lock().get(&export.name) {
            return Ok(surface.clone());
        }
        let object = self.export(export).await?.ok_or_else(StatusError::page_not_found)?;
        let mut served = self.offered(export, &object, |_, _| true).await?;
        let base = Surface::base();
        let mut borrowed = false;
        for claim in object["spec"]["permissionClaims"].as_array().into_iter().flatten() {
            let (group, plural) = (str_at(claim, &["group"]), str_at(claim, &["resource"]));
            match str_at(claim, &["identityHash"]) {
                "" if is_claimable(group, plural) && (group, plural) != BINDINGS => {
                    served.extend(base.versions(group, plural).iter().cloned());
                }
                "" => {}
                identity => {
                    borrowed = true;
                    served.extend(self.of_identity(identity, group, plural).await?);
                }
            }
        }
        served.extend(base.versions(BINDINGS.0, BINDINGS.1).iter().cloned());
        let surface = Arc::new(Surface::new(served));
        // The cache is dropped when something of this logical cluster changes, so it can hold nothing
        // that depends on another one.
        if !borrowed {
            cache.exports.lock().insert(export.name.clone(), surface.clone());
        }
        Ok(surface)
    }

    async fn export(&self, id: &ExportId) -> Result<Option<Value>> {
        let Ok(cluster) = id.cluster.parse() else { return Ok(None) };
        let key = ResourceKey::new(&cluster, "apis.kcp.io", "apiexports").object(None, &id.name);
        self.store.get(&key).await?.as_ref().map(object::decode).transpose()
    }

    /// The resources that an export offers and `wanted` wants.
    async fn offered(
        &self,
        id: &ExportId,
        export: &Value,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<Vec<Arc<Served>>> {
        let Ok(cluster) = id.cluster.parse() else { return Ok(Vec::new()) };
        let schemas = ResourceKey::new(&cluster, "apis.kcp.io", "apiresourceschemas");
        let mut served = Vec::new();
        for resource in export["spec"]["resources"].as_array().into_iter().flatten() {
            if !wanted(str_at(resource, &["group"]), str_at(resource, &["name"])) {
                continue;
            }
            let key = schemas.object(None, str_at(resource, &["schema"]));
            let Some(entry) = self.store.get(&key).await? else { continue };
            let schema = object::decode(&entry)?;
            let schema_uid = str_at(&schema, &["metadata", "uid"]).to_owned();
            let origin = Origin::Bound { export: id.clone(), schema_uid };
            served.extend(self.shared.compile(&origin, &schema).iter().cloned());
        }
        Ok(served)
    }

    /// A resource as the first export with this identity offers it.
    async fn of_identity(&self, identity: &str, group: &str, plural: &str) -> Result<Vec<Arc<Served>>> {
        for id in self.exports_with_identity(identity) {
            let Some(export) = self.export(&id).await? else { continue };
            let served = self.offered(&id, &export, |g, p| (g, p) == (group, plural)).await?;
            if !served.is_empty() {
                return Ok(served);
            }
        }
        Ok(Vec::new())
    }
}
