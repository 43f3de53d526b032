//! Looks at definitions, and publishes those that are to be.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Error, SharedControlPlane, WorkspacePath,
    api::{
        apis::{APIBinding, APIExport, APIResourceSchema},
        install_crd,
    },
    condition::{Condition, set_condition},
};
use kube::{Api, Client, CustomResourceExt, ResourceExt, api::ListParams};
use semver::Version;

use super::{
    FIELD_MANAGER, OFFERS, breaking, check,
    graph_definition::ResourceGraphDefinition,
    kinds::Kinds,
    names,
    publish::{Artefacts, instance_schema, withdraw},
    revision::{BlueprintRevision, UsedKind},
    source::Source,
};
use crate::{
    blueprint::{
        BlueprintDefinition, Fault, Graph,
        definition::{ApiExportReference, BlueprintDefinitionStatus, BlueprintPhase},
    },
    passes::{self, changes_of},
    service::install_service_crd,
};

const ACCEPTED: &str = "GraphAccepted";

/// Checks the blueprints of a provider's workspace, and publishes them.
///
/// Everything it makes is created before what refers to it, and what exists is left as it is, so that it may be ended
/// and begun again at any time. The kinds are installed into the workspace, which exists.
#[derive(Clone, Debug)]
pub struct BlueprintController {
    workspace: WorkspacePath,
}

impl BlueprintController {
    /// A controller for the blueprints in this workspace.
    #[must_use]
    pub fn new(workspace: WorkspacePath) -> Self {
        Self { workspace }
    }
}

#[async_trait]
impl Component for BlueprintController {
    fn name(&self) -> &str {
        "blueprint-controller"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let client = context.control_plane().system_client(&self.workspace)?;
        install_blueprint_crds(&client).await?;
        let changes = futures::stream::select_all([
            changes_of::<BlueprintDefinition>(&client),
            changes_of::<ResourceGraphDefinition>(&client),
            changes_of::<BlueprintRevision>(&client),
            changes_of::<APIExport>(&client),
            changes_of::<APIBinding>(&client),
            changes_of::<APIResourceSchema>(&client),
            changes_of::<CustomResourceDefinition>(&client),
        ]);
        let pass = Pass { control_plane: context.control_plane().clone(), client };
        let failed = |error: &Error| tracing::warn!(workspace = %self.workspace, %error, "blueprint.pass");
        passes::run(&context, changes, || pass.run(), failed).await;
        Ok(())
    }
}

/// Makes the kinds of a provider's workspace known there: BlueprintDefinition, BlueprintRevision,
/// ResourceGraphDefinition and Service.
///
/// # Errors
/// As [`install_crd`].
pub async fn install_blueprint_crds(client: &Client) -> Result<(), Error> {
    for crd in [BlueprintDefinition::crd(), BlueprintRevision::crd(), ResourceGraphDefinition::crd()] {
        install_crd(client, &crd, FIELD_MANAGER).await?;
    }
    install_service_crd(client).await
}

/// Looks at everything once.
struct Pass {
    control_plane: SharedControlPlane,
    client: Client,
}

/// A definition without faults.
struct Sound<'s> {
    source: &'s Source,
    artefacts: Artefacts,
    version: Version,
}

impl Pass {
    async fn run(&self) -> Result<(), Error> {
        let all = ListParams::default();
        let failed = |error| Error::from_kube("list", "what is published", error);
        let sources = Source::list(&self.client).await?;
        let mut revisions = Api::<BlueprintRevision>::all(self.client.clone()).list(&all).await.map_err(failed)?.items;
        let exports = Api::<APIExport>::all(self.client.clone()).list(&all).await.map_err(failed)?.items;
        let mut kinds = Kinds::of(&self.control_plane, &self.client).await?;
        let mut published = BTreeMap::<String, Vec<Sound<'_>>>::new();
        let mut offered = BTreeSet::new();
        for source in &sources {
            if source.published {
                offered.insert(names::export(&source.graph.schema.kind));
            }
            if source.generation() != source.status.observed_generation {
                let mut status = source.status.clone();
                status.phase = Some(BlueprintPhase::Validating);
                source.write(&self.client, &status).await?;
            }
            match judge(source, &mut kinds, &revisions, &exports).await? {
                Err(faults) => self.refuse(source, &exports, faults).await?,
                Ok(sound) if source.published => {
                    sound.artefacts.store(&self.client).await?;
                    if !revisions.iter().any(|known| known.name_any() == sound.artefacts.revision.name_any()) {
                        revisions.push(sound.artefacts.revision.clone());
                    }
                    published.entry(sound.artefacts.export.clone()).or_default().push(sound);
                }
                Ok(sound) => {
                    let phase =
                        if source.graph.resources.is_empty() { BlueprintPhase::Draft } else { BlueprintPhase::Valid };
                    let export = exports.iter().any(|export| export.name_any() == sound.artefacts.export);
                    let export = export.then_some(sound.artefacts.export);
                    self.note(source, phase, Vec::new(), export).await?;
                }
            }
        }
        for sounds in published.values() {
            self.publish(sounds, &revisions).await?;
        }
        for export in exports.iter().filter(|export| export.annotations().contains_key(OFFERS)) {
            // A change with a fault in it does not end what is offered already.
            if !offered.contains(&export.name_any()) {
                withdraw(&self.client, export).await?;
            }
        }
        Ok(())
    }

    /// Offers the newest version, and says of all that they are published.
    async fn publish(&self, sounds: &[Sound<'_>], revisions: &[BlueprintRevision]) -> Result<(), Error> {
        let Some(newest) = sounds.iter().max_by(|a, b| a.version.cmp(&b.version)) else { return Ok(()) };
        let export = &newest.artefacts.export;
        let of_export = revisions.iter().filter(|revision| revision.spec.export == *export);
        let kinds: BTreeSet<UsedKind> = of_export.flat_map(|revision| revision.spec.kinds.clone()).collect();
        let kinds: Vec<_> = kinds.into_iter().collect();
        newest.artefacts.offer(&self.client, newest.source, &kinds).await?;
        for sound in sounds {
            let deprecated = sound.source.deprecated;
            let phase = if deprecated { BlueprintPhase::Deprecated } else { BlueprintPhase::Published };
            self.note(sound.source, phase, Vec::new(), Some(export.clone())).await?;
        }
        Ok(())
    }

    async fn refuse(&self, source: &Source, exports: &[APIExport], faults: Vec<Fault>) -> Result<(), Error> {
        let name = names::export(&source.graph.schema.kind);
        let offers = offers(source);
        let own = exports
            .iter()
            .find(|export| export.name_any() == name && export.annotations().get(OFFERS) == Some(&offers));
        self.note(source, BlueprintPhase::Invalid, faults, own.map(|_| name.clone())).await
    }

    async fn note(
        &self,
        source: &Source,
        phase: BlueprintPhase,
        faults: Vec<Fault>,
        export: Option<String>,
    ) -> Result<(), Error> {
        let mut condition = match faults.len() {
            0 => Condition::holds(ACCEPTED),
            number => Condition::fails(ACCEPTED, "Invalid", format!("{number} faults; see status.validationErrors")),
        };
        condition.observed_generation = source.generation();
        let mut conditions = source.status.conditions.clone();
        set_condition(&mut conditions, condition, Timestamp::now());
        let status = BlueprintDefinitionStatus {
            phase: Some(phase),
            observed_generation: source.generation(),
            validation_errors: faults,
            api_export_ref: export.map(|name| ApiExportReference { name }),
            conditions,
        };
        source.write(&self.client, &status).await
    }
}

fn offers(source: &Source) -> String {
    format!("{}.{}", source.graph.schema.kind, names::group_of(&source.graph))
}

/// Everything that is wrong with a definition, or what it would publish.
async fn judge<'s>(
    source: &'s Source,
    kinds: &mut Kinds,
    revisions: &[BlueprintRevision],
    exports: &[APIExport],
) -> Result<Result<Sound<'s>, Vec<Fault>>, Error> {
    let known = kinds.used_by(&source.graph).await?;
    let mut faults = check::faults(&source.graph, &source.version, &known);
    let schema_of = |api_version: &str, kind: &str| {
        let found = known.iter().find(|known| known.used.api_version == api_version && known.used.kind == kind);
        found.map(|known| known.schema.clone())
    };
    let graph = match Graph::compile(&source.graph, schema_of) {
        Ok(graph) => Some(graph),
        Err(found) => {
            faults.extend(found.into_vec());
            None
        }
    };
    let (Some(graph), Ok(version)) = (graph, Version::parse(&source.version)) else { return Ok(Err(faults)) };
    let used = known.into_iter().map(|known| known.used).collect();
    let artefacts = Artefacts::of(source, &graph, used);
    let export = exports.iter().find(|export| export.name_any() == artefacts.export);
    if export.is_some_and(|export| export.annotations().get(OFFERS) != Some(&artefacts.offers())) {
        let message = format!("the APIExport {} belongs to something else", artefacts.export);
        faults.push(Fault::new("schema.kind", message));
    }
    faults.extend(against_published(&artefacts, &graph, revisions));
    Ok(if faults.is_empty() { Ok(Sound { source, artefacts, version }) } else { Err(faults) })
}

/// What does not go together with what was published before.
fn against_published(artefacts: &Artefacts, graph: &Graph, revisions: &[BlueprintRevision]) -> Vec<Fault> {
    let own = &artefacts.revision;
    let mut faults = Vec::new();
    if let Some(known) = revisions.iter().find(|known| known.name_any() == own.name_any())
        && (&known.spec.version, &known.spec.hash) != (&own.spec.version, &own.spec.hash)
    {
        let message = format!(
            "version {} is published with another resource graph; give this one a new version",
            known.spec.version
        );
        faults.push(Fault::new("version", message));
    }
    let schema = instance_schema(graph);
    for known in revisions.iter().filter(|known| known.spec.export == own.spec.export) {
        let (before, after) = (&known.spec.resource_graph.schema, &own.spec.resource_graph.schema);
        if (&before.api_version, before.scope) != (&after.api_version, after.scope) {
            let message = format!("version {} is published with another API version or scope", known.spec.version);
            faults.push(Fault::new("schema.apiVersion", message));
            continue;
        }
        let Ok(before) = known.spec.compile() else { continue };
        let old = &instance_schema(&before)["properties"]["spec"];
        faults.extend(breaking::changes(old, &schema["properties"]["spec"], "schema.spec"));
    }
    faults.sort();
    faults.dedup();
    faults
}
