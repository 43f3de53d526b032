//! Tools for who writes PublishedResources.

use std::path::Path;

use kdp_core::{Error, ErrorKind};
use kdp_sync::{Diagnostic, toolkit};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, ListParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;

use super::{
    flags::{Crd, DefinitionFlags, Tool, Validate},
    screen,
};

/// The name in the schemas that are printed; the one of the agent that publishes will be another.
const AGENT: &str = "kdp-syncagent";

/// Runs a tool; whether all was well.
pub(super) async fn run(tool: &Tool) -> Result<bool, Error> {
    match tool {
        Tool::Crd(flags) => crd(flags).await,
        Tool::Validate(flags) => validate(flags).await,
    }
}

async fn crd(flags: &Crd) -> Result<bool, Error> {
    let resource = only(&flags.file, read(&flags.file).await?)?;
    let Known { definitions, .. } = match known(&flags.definitions).await? {
        Some(known) => known,
        None => {
            in_cluster(Config::infer().await.map_err(|error| unusable("the kubeconfig").with_source(error))?).await?
        }
    };
    let definition = definitions.iter().find(|definition| toolkit::is_definition_of(definition, &resource));
    let definition = definition.ok_or_else(|| {
        let message = "there is no CustomResourceDefinition for its kind";
        Error::new(ErrorKind::NotFound, "project", flags.file.display(), message)
    })?;
    let printed = if flags.no_projection {
        Ok(definition.clone())
    } else if flags.ars {
        let schema = toolkit::projected_schema(&resource, definition, AGENT);
        schema.and_then(|schema| serde_json::to_value(schema).map_err(|error| vec![fault(&error)]))
    } else {
        toolkit::projected_definition(&resource, definition)
    };
    match printed {
        Ok(object) => {
            screen::line(yaml(&object)?.trim_end());
            Ok(true)
        }
        Err(faults) => {
            tell(&flags.file, &faults);
            Ok(false)
        }
    }
}

async fn validate(flags: &Validate) -> Result<bool, Error> {
    let known = known(&flags.definitions).await?;
    let mut is_well = true;
    for file in &flags.files {
        let resources = match read(file).await {
            Ok(resources) => resources,
            Err(error) => {
                screen::complain(format_args!("error: {}", kdp_core::reconcile::Chain(&error)));
                is_well = false;
                continue;
            }
        };
        for resource in resources {
            let of_kind = |definition: &&Value| toolkit::is_definition_of(definition, &resource);
            let definition = known.as_ref().map(|known| known.definitions.iter().find(of_kind));
            let mut faults = match known.as_ref().and_then(|known| known.cluster.as_ref()) {
                Some(cluster) => toolkit::validate_on(cluster, &resource, definition.flatten()).await?,
                None => toolkit::validate(&resource, definition.flatten()),
            };
            if definition == Some(None) {
                let message = "there is no CustomResourceDefinition for this kind".to_owned();
                faults.push(toolkit::fault("spec.resource", message));
            }
            is_well &= faults.is_empty();
            tell(file, &faults);
        }
    }
    Ok(is_well)
}

/// A line for each fault.
fn tell(file: &Path, faults: &[Diagnostic]) {
    for fault in faults {
        screen::line(format_args!("{}: {fault}", file.display()));
    }
}

fn fault(error: &serde_json::Error) -> Diagnostic {
    toolkit::fault("spec.resource", error.to_string())
}

/// What is known of a service cluster.
struct Known {
    definitions: Vec<Value>,
    /// The cluster, if it is not all in a file.
    cluster: Option<Client>,
}

/// What is known, if it is said where from.
async fn known(flags: &DefinitionFlags) -> Result<Option<Known>, Error> {
    if let Some(file) = &flags.definitions {
        return Ok(Some(Known { definitions: read(file).await?, cluster: None }));
    }
    let options = KubeConfigOptions { context: flags.context.clone(), ..KubeConfigOptions::default() };
    let kubeconfig = match (&flags.kubeconfig, &flags.context) {
        (Some(file), _) => Kubeconfig::read_from(file),
        (None, Some(_)) => Kubeconfig::read(),
        (None, None) => return Ok(None),
    };
    let kubeconfig = kubeconfig.map_err(|error| unusable("the kubeconfig").with_source(error))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    in_cluster(config.map_err(|error| unusable("the kubeconfig").with_source(error))?).await.map(Some)
}

async fn in_cluster(config: Config) -> Result<Known, Error> {
    let client = Client::try_from(config).map_err(|error| unusable("the kubeconfig").with_source(error))?;
    let resource = ApiResource {
        group: "apiextensions.k8s.io".into(),
        version: "v1".into(),
        api_version: "apiextensions.k8s.io/v1".into(),
        kind: "CustomResourceDefinition".into(),
        plural: "customresourcedefinitions".into(),
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let list = api.list(&ListParams::default()).await;
    let list = list.map_err(|error| Error::from_kube("list", "CustomResourceDefinitions", error))?;
    let value =
        |definition| serde_json::to_value(definition).map_err(|error| unusable("a definition").with_source(error));
    let definitions = list.items.into_iter().map(value).collect::<Result<_, _>>()?;
    Ok(Known { definitions, cluster: Some(client) })
}

/// The objects of a YAML file.
async fn read(file: &Path) -> Result<Vec<Value>, Error> {
    let text = tokio::fs::read_to_string(file).await.map_err(|error| {
        Error::new(ErrorKind::Invalid, "read", file.display(), "the file cannot be read").with_source(error)
    })?;
    serde_saphyr::from_multiple(&text).map_err(|error| {
        Error::new(ErrorKind::Invalid, "read", file.display(), "it is not valid YAML").with_source(error)
    })
}

fn only(file: &Path, objects: Vec<Value>) -> Result<Value, Error> {
    let count = objects.len();
    let [object] = <[Value; 1]>::try_from(objects).map_err(|_| {
        let message = format!("it must hold one object, and holds {count}");
        Error::new(ErrorKind::Invalid, "read", file.display(), message)
    })?;
    Ok(object)
}

fn yaml(object: &Value) -> Result<String, Error> {
    serde_saphyr::to_string(object)
        .map_err(|error| Error::new(ErrorKind::Internal, "print", "the definition", "it is no YAML").with_source(error))
}

fn unusable(subject: &str) -> Error {
    Error::new(ErrorKind::Invalid, "use", subject, "it cannot be used")
}
