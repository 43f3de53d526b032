//! What the command line means, once everything in it is known to be right.

mod address;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, ffi::OsStr, fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

use kdp_core::LogicalClusterName;

use super::flags::{AgentFlags, Output};

pub(super) use address::ListenAddress;

/// How the program is to run.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) tenants: Tenants,
    pub(super) namespace: String,
    pub(super) agent_name: String,
    pub(super) published_resources: Option<String>,
    pub(super) service: ServiceCluster,
    pub(super) mode: Mode,
    /// How often drift is looked for while the agent runs.
    pub(super) drift_interval: Option<Duration>,
    pub(super) is_elected: bool,
    pub(super) workspace_shards: Option<NonZeroUsize>,
    /// Pairs of a host and port announced, and the ones to use instead.
    pub(super) shard_overrides: Vec<(String, String)>,
    pub(super) disabled: BTreeSet<Controller>,
    pub(super) metrics: Option<ListenAddress>,
    pub(super) health: Option<ListenAddress>,
    pub(super) logging: Logging,
}

/// What the program is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Publish and sync.
    Run,
    /// Tell what would be written.
    Plan(Output),
    /// Tell what does not agree.
    Drift(Output),
    /// Take back what only this agent understands.
    HandBack,
}

/// Where the tenants are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tenants {
    /// In workspaces of kcp that bind an export.
    Kcp { kubeconfig: PathBuf, reference: Reference },
    /// In one cluster without workspaces.
    Cluster { kubeconfig: PathBuf, name: Option<LogicalClusterName> },
}

/// What the agent is told of its APIExport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    EndpointSlice(String),
    Export(String),
}

/// How to reach the service cluster.
#[derive(Clone, Debug)]
pub(super) struct ServiceCluster {
    pub(super) kubeconfig: Option<PathBuf>,
    pub(super) host: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
}

/// A part of the agent that can be left to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Controller {
    /// Keeps the APIExport in step.
    Export,
    /// Makes APIResourceSchemas.
    Schemas,
    /// Syncs orders.
    Sync,
}

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logging {
    pub(super) format: LogFormat,
    pub(super) is_verbose: bool,
    /// Whether spans are exported.
    #[cfg(feature = "otlp")]
    pub(super) has_spans: bool,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogFormat {
    Json,
    Console,
}

impl Reference {
    /// Name of the object referred to.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::EndpointSlice(name) | Self::Export(name) => name,
        }
    }
}

impl fmt::Display for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kcp { reference, .. } => f.write_str(reference.name()),
            Self::Cluster { kubeconfig, .. } => write!(f, "the cluster of {}", kubeconfig.display()),
        }
    }
}

impl TryFrom<AgentFlags> for Settings {
    /// Everything that is wrong, a sentence each.
    type Error = Vec<String>;

    fn try_from(flags: AgentFlags) -> Result<Self, Vec<String>> {
        let mut faults = Faults::default();
        let (tenants, default_name) = match given(flags.tenant_kubeconfig) {
            Some(kubeconfig) => {
                if given(flags.agent_name.as_ref()).is_none() {
                    faults.0.push("--agent-name is required with --tenant-kubeconfig".into());
                }
                let name = given(flags.tenant_cluster_name).map(|name| cluster_name(&name)).transpose();
                (faults.checked(name).map(|name| Tenants::Cluster { kubeconfig, name }), None)
            }
            None => {
                if flags.tenant_cluster_name.is_some() {
                    faults.0.push("--tenant-cluster-name is of use with --tenant-kubeconfig only".into());
                }
                let kubeconfig = faults.required("kcp-kubeconfig", given(flags.kcp_kubeconfig));
                let slice = given(flags.apiexportendpointslice_ref).map(Reference::EndpointSlice);
                let reference = slice.or_else(|| given(flags.apiexport_ref).map(Reference::Export));
                let reference = faults.required("apiexportendpointslice-ref", reference);
                let name = reference.as_ref().map(|reference| format!("{}-syncagent", reference.name()));
                let tenants = kubeconfig.zip(reference);
                (tenants.map(|(kubeconfig, reference)| Tenants::Kcp { kubeconfig, reference }), name)
            }
        };
        let namespace = faults.required("namespace", given(flags.namespace));
        let agent_name = given(flags.agent_name).or(default_name).map(|name| faults.checked(agent_name(name)));
        let disabled = faults.checked(controllers(&flags.disabled_controllers));
        let format = faults.checked(log_format(&flags.log_format));
        let overrides = flags.apiexport_hostport_override.iter().map(|pair| shard_override(pair)).collect();
        let shard_overrides = faults.checked(overrides);
        let interval = given(flags.drift_interval).map(|text| duration("drift-interval", &text)).transpose();
        let drift_interval = faults.checked(interval);
        let metrics = faults.checked(ListenAddress::parse("metrics-address", &flags.metrics_address));
        let health = faults.checked(ListenAddress::parse("health-address", &flags.health_address));
        match (
            tenants,
            namespace,
            agent_name.flatten(),
            disabled,
            shard_overrides,
            drift_interval,
            format,
            metrics,
            health,
        ) {
            (
                Some(tenants),
                Some(namespace),
                Some(agent_name),
                Some(disabled),
                Some(shard_overrides),
                Some(drift_interval),
                Some(format),
                Some(metrics),
                Some(health),
            ) if faults.0.is_empty() => Ok(Self {
                tenants,
                namespace,
                agent_name,
                published_resources: given(flags.published_resource_selector),
                service: ServiceCluster {
                    kubeconfig: given(flags.kubeconfig),
                    host: given(flags.kubeconfig_host_override),
                    ca_file: given(flags.kubeconfig_ca_file_override),
                },
                mode: match (flags.plan, flags.drift) {
                    (true, _) => Mode::Plan(flags.output),
                    (_, true) => Mode::Drift(flags.output),
                    _ if flags.hand_back => Mode::HandBack,
                    _ => Mode::Run,
                },
                drift_interval,
                is_elected: flags.enable_leader_election,
                workspace_shards: flags.workspace_shards,
                shard_overrides,
                disabled,
                metrics,
                health,
                logging: Logging {
                    format,
                    is_verbose: flags.log_debug,
                    #[cfg(feature = "otlp")]
                    has_spans: flags.otlp,
                },
            }),
            _ => Err(faults.0),
        }
    }
}

/// Collects what is wrong.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn required<T>(&mut self, flag: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.0.push(format!("--{flag} is required"));
        }
        value
    }

    fn checked<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|fault| self.0.push(fault)).ok()
    }
}

/// A flag with an empty value is as good as none: charts write them.
fn given<T: AsRef<OsStr>>(value: Option<T>) -> Option<T> {
    value.filter(|value| !value.as_ref().is_empty())
}

fn agent_name(name: String) -> Result<String, String> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = name.len() <= 63
        && name.bytes().all(is_plain)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-');
    if is_label {
        return Ok(name);
    }
    Err(format!(
        "--agent-name {name:?}: it must be at most 63 lower-case letters, digits and '-', start with a letter and \
         not end with '-'"
    ))
}

fn cluster_name(name: &str) -> Result<LogicalClusterName, String> {
    // It is the name of a namespace, and must tell this cluster from workspaces, which have no dashes.
    let is_plain = (1..=63).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let parsed = name.parse().ok().filter(|_| is_plain);
    parsed.ok_or_else(|| format!("--tenant-cluster-name {name:?}: it must be at most 63 lower-case letters and digits"))
}

fn controllers(names: &[String]) -> Result<BTreeSet<Controller>, String> {
    let known = |name: &str| match name {
        "apiexport" => Ok(Controller::Export),
        "apiresourceschema" => Ok(Controller::Schemas),
        "sync" => Ok(Controller::Sync),
        _ => Err(format!("--disabled-controllers {name:?}: it must be one of apiexport, apiresourceschema, sync")),
    };
    names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).map(known).collect()
}

fn shard_override(pair: &str) -> Result<(String, String), String> {
    let halves = pair.split_once('=').filter(|(old, new)| !old.is_empty() && !new.is_empty());
    let (old, new) = halves.ok_or_else(|| {
        format!("--apiexport-hostport-override {pair:?}: it must be an address and another one, as old:6443=new:443")
    })?;
    Ok((old.to_owned(), new.to_owned()))
}

/// A duration as Go writes it, of one number and one unit.
fn duration(flag: &str, text: &str) -> Result<Duration, String> {
    let fault = || format!("--{flag} {text:?}: it must be a number of seconds, minutes or hours, as 90s, 30m or 1h");
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let known = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
    let (number, seconds) = known.ok_or_else(fault)?;
    let number: u64 = number.parse().map_err(|_| fault())?;
    let all = number.checked_mul(seconds).filter(|all| *all > 0).ok_or_else(fault)?;
    Ok(Duration::from_secs(all))
}

fn log_format(name: &str) -> Result<LogFormat, String> {
    match name.to_ascii_lowercase().as_str() {
        "json" => Ok(LogFormat::Json),
        "console" => Ok(LogFormat::Console),
        _ => Err(format!("--log-format {name:?}: it must be JSON or Console")),
    }
}
