//! What can be said on the command line.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Publishes what a Kubernetes cluster offers to the workspaces of a control plane, and syncs what
/// tenants order there.
///
/// Takes the place of kcp's api-syncagent: same flags, same PublishedResources, same objects.
#[derive(Debug, Parser)]
#[command(name = "kdp-syncagent", version, args_conflicts_with_subcommands = true)]
pub(super) struct Flags {
    /// Tools for who writes PublishedResources; the agent runs without.
    #[command(subcommand)]
    pub(super) tool: Option<Tool>,
    #[command(flatten)]
    pub(super) agent: AgentFlags,
}

/// What is there beside the agent.
#[derive(Debug, Subcommand)]
pub(super) enum Tool {
    /// Print the CustomResourceDefinition of a PublishedResource as tenants see it
    Crd(Crd),
    /// List everything that is wrong with PublishedResources; exits with 1 if anything is
    Validate(Validate),
}

/// The flags of `crd`.
#[derive(Debug, Args)]
pub(super) struct Crd {
    /// Print the definition as it is on the service cluster
    #[arg(long, conflicts_with = "ars")]
    pub(super) no_projection: bool,
    /// Print the APIResourceSchema instead
    #[arg(long)]
    pub(super) ars: bool,
    #[command(flatten)]
    pub(super) definitions: DefinitionFlags,
    /// File with the PublishedResource
    pub(super) file: PathBuf,
}

/// The flags of `validate`.
#[derive(Debug, Args)]
pub(super) struct Validate {
    #[command(flatten)]
    pub(super) definitions: DefinitionFlags,
    /// Files with PublishedResources
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}

/// Where CustomResourceDefinitions come from.
#[derive(Debug, Args)]
pub(super) struct DefinitionFlags {
    /// File with CustomResourceDefinitions, instead of a cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kubeconfig", "context"])]
    pub(super) definitions: Option<PathBuf>,
    /// Kubeconfig file of the service cluster
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// How a plan or a report is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The flags of the agent. Which of them are required is said by [`Settings`](super::Settings),
/// so that everything that is wrong is told at once.
#[derive(Debug, Args)]
pub(super) struct AgentFlags {
    /// Kubeconfig file of kcp; its server is the workspace of the endpoint slice
    /// (`https://…/clusters/<workspace>`) [required]
    #[arg(long, value_name = "FILE")]
    pub(super) kcp_kubeconfig: Option<PathBuf>,
    /// Namespace on the service cluster for the agent's lease and for what it remembers [required]
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// APIExportEndpointSlice in kcp whose APIExport the agent fills [required]
    #[arg(long, value_name = "NAME")]
    pub(super) apiexportendpointslice_ref: Option<String>,
    /// APIExport in kcp, as older agents had it: instead of an endpoint slice
    #[arg(long, value_name = "NAME", conflicts_with = "apiexportendpointslice_ref")]
    pub(super) apiexport_ref: Option<String>,
    /// Kubeconfig file of a plain Kubernetes cluster in which all tenants are: instead of kcp. Kinds are
    /// published there as CustomResourceDefinitions; needs --agent-name
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kcp_kubeconfig", "apiexportendpointslice_ref",
        "apiexport_ref", "workspace_shards", "apiexport_hostport_override"])]
    pub(super) tenant_kubeconfig: Option<PathBuf>,
    /// What that cluster is called in namespaces and labels on the service cluster, which must not change
    /// after the first run [default: made of the UID of its namespace kube-system]
    #[arg(long, value_name = "NAME")]
    pub(super) tenant_cluster_name: Option<String>,
    /// Name of the agent, which must not change after its first run [default: <reference>-syncagent]
    #[arg(long, value_name = "NAME")]
    pub(super) agent_name: Option<String>,
    /// Label selector of the PublishedResources that are this agent's [default: all]
    #[arg(long, value_name = "SELECTOR")]
    pub(super) published_resource_selector: Option<String>,
    /// Whether agents of the same name agree by a lease on which one works
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_value_t = false, default_missing_value = "true")]
    pub(super) enable_leader_election: bool,
    /// Spread the workspaces over this many shards, which the agents of this name share; needs
    /// --enable-leader-election and the same number everywhere
    #[arg(long, value_name = "NUMBER")]
    pub(super) workspace_shards: Option<NonZeroUsize>,
    /// Reach what an endpoint slice announces at one address at another one; may be repeated
    #[arg(long, value_name = "HOST:PORT=HOST:PORT")]
    pub(super) apiexport_hostport_override: Vec<String>,
    /// Kubeconfig file of the service cluster [default: $KUBECONFIG, else the cluster this runs in,
    /// else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Address of the service cluster's API server, instead of the one in its kubeconfig
    #[arg(long, value_name = "HOST")]
    pub(super) kubeconfig_host_override: Option<String>,
    /// File with the certificate authority of the service cluster, instead of the one in its kubeconfig
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig_ca_file_override: Option<PathBuf>,
    /// Where /metrics is served; `0` or nothing turns it off
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8085")]
    pub(super) metrics_address: String,
    /// Where /healthz and /readyz are served; nothing turns it off
    #[arg(long, value_name = "HOST:PORT", default_value = "")]
    pub(super) health_address: String,
    /// Controllers that do not run: apiexport, apiresourceschema, sync; may be repeated
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) disabled_controllers: Vec<String>,
    /// Tell what would be written, and exit: with 0 if it is nothing, 2 if it is something, 1 after an error
    #[arg(long, conflicts_with = "drift")]
    pub(super) plan: bool,
    /// Tell what does not agree between orders and copies, and exit: with 0 if all agree, 2 if not, 1 after an error
    #[arg(long)]
    pub(super) drift: bool,
    /// Take this agent's claims off the objects of tenants and exit, before api-syncagent takes over; all
    /// replicas must have been stopped
    #[arg(long, conflicts_with_all = ["plan", "drift"])]
    pub(super) hand_back: bool,
    /// Export spans of the work on each order by OTLP over HTTP, as the OTEL_ variables of the environment
    /// say; by default to http://localhost:4318
    #[cfg(feature = "otlp")]
    #[arg(long)]
    pub(super) otlp: bool,
    /// How --plan and --drift tell it
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
    /// How often to count copies that differ from their orders, in the metrics: as 30m; never if not said
    #[arg(long, value_name = "DURATION")]
    pub(super) drift_interval: Option<String>,
    /// Log more
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_value_t = false, default_missing_value = "true")]
    pub(super) log_debug: bool,
    /// How to log: JSON or Console
    #[arg(long, value_name = "FORMAT", default_value = "JSON")]
    pub(super) log_format: String,
}
