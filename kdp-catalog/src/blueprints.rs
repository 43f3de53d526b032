#![doc = include_str!("../docs/blueprints.md")]

mod breaking;
mod check;
mod controller;
mod graph_definition;
mod instances;
mod kinds;
mod names;
mod publish;
mod revision;
mod source;

pub use self::{
    controller::{BlueprintController, install_blueprint_crds},
    graph_definition::{ResourceGraphDefinition, ResourceGraphDefinitionSpec},
    instances::BlueprintInstances,
    revision::{BlueprintRevision, BlueprintRevisionSpec, UsedKind},
};

/// Who writes the children of instances, and all else here.
pub const FIELD_MANAGER: &str = "kdp-blueprint";
/// Label of a child: UID of the instance it was made for.
pub const INSTANCE: &str = "blueprints.kdp.k8c.io/instance";
/// Label of a child: id of the resource it was made for.
pub const RESOURCE: &str = "blueprints.kdp.k8c.io/resource";
/// Annotation of a child: what was made in lower waves is needed by it, and deleted after it.
const WAVE: &str = "blueprints.kdp.k8c.io/wave";
/// Annotation of an instance: the version of the blueprint it is to be moved to.
pub const REVISION: &str = "blueprints.kdp.k8c.io/revision";
/// Annotation of a ResourceGraphDefinition: the version of its content.
pub const GRAPH_VERSION: &str = "blueprints.kdp.k8c.io/version";
/// Annotation of a ResourceGraphDefinition: whether it is offered, `true` or not.
pub const GRAPH_PUBLISHED: &str = "blueprints.kdp.k8c.io/published";

/// Annotation of an APIExport: kind and group of the blueprint that it offers. Others are left alone.
const OFFERS: &str = "blueprints.kdp.k8c.io/offers";
/// Annotation of an APIExport: the version new instances are made with; empty while nothing is offered.
const CURRENT: &str = "blueprints.kdp.k8c.io/current";
