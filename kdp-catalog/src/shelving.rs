//! Keeps shelves filled with what is in a provider's workspace.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Error, WorkspacePath,
    api::{
        apis::{APIExport, APIResourceSchema},
        install_crd,
    },
    condition::{Condition, set_condition},
};
use kube::{
    Api, Client, CustomResourceExt, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Environment, GroupKind, Offering, Placement, Release,
    controller::FIELD_MANAGER,
    passes::{self, changes_of},
    provision::CatalogProvider,
    resolution::{Fault, Shelf, Stock, defaults_of},
};

const ACCEPTED: &str = "Accepted";

/// Reads the Offerings, Releases and Placements of a provider's workspace, and hands them to the providers that are
/// to make what is ordered, whenever one changes.
///
/// Each Offering has the condition `Accepted`, which says what is wrong with it otherwise. What is faulty is not
/// offered, and takes nothing else with it. The kinds are installed into the workspace, which exists.
#[derive(Debug)]
pub struct OfferingController {
    workspace: WorkspacePath,
    providers: Vec<CatalogProvider>,
}

impl OfferingController {
    /// A controller for the offerings in this workspace.
    #[must_use]
    pub fn new(workspace: WorkspacePath) -> Self {
        Self { workspace, providers: Vec::new() }
    }

    /// The same with one more provider that is told.
    #[must_use]
    pub fn with_provider(mut self, provider: CatalogProvider) -> Self {
        self.providers.push(provider);
        self
    }

    async fn restock(&self, client: &Client) -> Result<(), Error> {
        let (offerings, releases, placements, exports, schemas) = futures::try_join!(
            list::<Offering>(client),
            list::<Release>(client),
            list::<Placement>(client),
            list::<APIExport>(client),
            list::<APIResourceSchema>(client),
        )?;
        let defaults = defaults(&exports, &schemas);
        let stock = Stock { offerings: offerings.clone(), releases, placements, defaults };
        let (shelf, faults) = Shelf::stock(stock);
        let shelf = Arc::new(shelf);
        for provider in &self.providers {
            provider.restock(shelf.clone());
        }
        for fault in faults.iter().filter(|fault| fault.kind != "offering") {
            tracing::warn!(workspace = %self.workspace, %fault, "offering.faulty");
        }
        for offering in &offerings {
            let name = offering.name_any();
            let fault = faults.iter().find(|fault| fault.kind == "offering" && fault.name == name);
            self.accept(client, offering, fault).await?;
        }
        Ok(())
    }

    async fn accept(&self, client: &Client, offering: &Offering, fault: Option<&Fault>) -> Result<(), Error> {
        let mut condition = match fault {
            None => Condition::holds(ACCEPTED),
            Some(fault) => Condition::fails(ACCEPTED, "Invalid", format!("spec.{}: {}", fault.field, fault.message)),
        };
        condition.observed_generation = offering.meta().generation;
        let mut known = offering.status.clone().unwrap_or_default().conditions;
        if !set_condition(&mut known, condition, Timestamp::now()) {
            return Ok(());
        }
        let patch = json!({
            "metadata": {"resourceVersion": offering.resource_version()}, "status": {"conditions": known},
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let name = offering.name_any();
        match Api::<Offering>::all(client.clone()).patch_status(&name, &params, &Patch::Merge(patch)).await {
            Ok(_) => Ok(()),
            // What has changed meanwhile, or is gone, is looked at again by itself.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
            Err(error) => Err(Error::from_kube("update", format!("offering {name}"), error)),
        }
    }
}

#[async_trait]
impl Component for OfferingController {
    fn name(&self) -> &str {
        "offering-controller"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let client = context.control_plane().system_client(&self.workspace)?;
        install_catalog_crds(&client).await?;
        let changes = futures::stream::select_all([
            changes_of::<Offering>(&client),
            changes_of::<Release>(&client),
            changes_of::<Placement>(&client),
            changes_of::<APIExport>(&client),
            changes_of::<APIResourceSchema>(&client),
        ]);
        let failed = |error: &Error| tracing::warn!(workspace = %self.workspace, %error, "offering.restock");
        passes::run(&context, changes, || self.restock(&client), failed).await;
        Ok(())
    }
}

/// Makes the kinds of a provider's workspace known there: Offering, Release and Placement.
///
/// # Errors
/// As [`install_crd`].
pub async fn install_catalog_crds(client: &Client) -> Result<(), Error> {
    for crd in [Offering::crd(), Release::crd(), Placement::crd()] {
        install_crd(client, &crd, FIELD_MANAGER).await?;
    }
    Ok(())
}

/// Makes the kind of a tenant's workspace known there: Environment.
///
/// # Errors
/// As [`install_crd`].
pub async fn install_environment_crd(client: &Client) -> Result<(), Error> {
    install_crd(client, &Environment::crd(), FIELD_MANAGER).await
}

/// What the schemas of the exported kinds fill into `spec`.
fn defaults(exports: &[APIExport], schemas: &[APIResourceSchema]) -> HashMap<GroupKind, Value> {
    let exported = exports.iter().flat_map(|export| &export.spec.resources);
    let schemas = exported.filter_map(|resource| schemas.iter().find(|schema| schema.name_any() == resource.schema));
    let defaults = schemas.filter_map(|schema| {
        let version = schema.spec.versions.iter().find(|version| version.storage)?;
        let spec = defaults_of(&version.schema["properties"]["spec"]);
        Some((GroupKind::new(&schema.spec.group, &schema.spec.names.kind), spec))
    });
    defaults.collect()
}

async fn list<K>(client: &Client) -> Result<Vec<K>, Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let list = Api::<K>::all(client.clone()).list(&ListParams::default()).await;
    list.map(|list| list.items).map_err(|error| Error::from_kube("list", K::plural(&()), error))
}
