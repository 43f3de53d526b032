//! What the program is asked.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use jiff::{Span, SpanRelativeTo, Unit};
use kdp_core::LogicalClusterName;
use kube::api::GroupVersionKind;

/// Longest time that is told day by day.
const LONGEST: f64 = 3650.0;

/// Tells how orders fare: how long they take, how often they fail, who uses what.
///
/// Reads the orders that are there, with the rights of the kubeconfig or token it is given: a tenant's own tells of the
/// tenant's own workspace. What no order tells any more, such as failures that are over, is not in the report.
#[derive(Debug, Parser)]
#[command(name = "kdp-report", version)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// A kind of orders, as group/version/Kind; may be repeated. Without it, all kinds that the workspace has bound,
    /// or that the export has.
    #[arg(long = "kind", value_name = "GROUP/VERSION/KIND", value_parser = kind)]
    pub(super) kinds: Vec<GroupVersionKind>,
    /// How far back the report goes, such as 7d or 4w; whole days of UTC, today included.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = days)]
    pub(super) since: u16,
    /// How the report is written.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

/// Where the orders are.
#[derive(Debug, Args)]
pub(super) struct Connection {
    /// The kubeconfig file; otherwise $KUBECONFIG, the file of the user, or the cluster around.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; otherwise its current one.
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    pub(super) context: Option<String>,
    /// The address of an API server, or of a workspace: https://host/clusters/root:acme.
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<http::Uri>,
    /// A file with the token for the server. There is no flag for the token itself: others on the machine see flags.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) token_file: Option<PathBuf>,
    /// A file with the certificate authorities of the server; otherwise those of the system.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) certificate_authority: Option<PathBuf>,
    /// All workspaces that have bound an export, as the owner of the service sees them: the logical cluster of the
    /// export, and its name.
    #[arg(long, value_name = "CLUSTER/EXPORT", value_parser = export)]
    pub(super) api_export: Option<ExportName>,
}

/// An export by its logical cluster and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExportName {
    pub(super) cluster: LogicalClusterName,
    pub(super) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Tables for people.
    Text,
    /// Everything, for programs.
    Json,
    /// Tables for wikis and chats.
    Markdown,
}

fn kind(text: &str) -> Result<GroupVersionKind, String> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [group, version, kind] if !version.is_empty() && !kind.is_empty() => {
            Ok(GroupVersionKind::gvk(group, version, kind))
        }
        _ => Err("is not of the form group/version/Kind".into()),
    }
}

fn export(text: &str) -> Result<ExportName, String> {
    let (cluster, name) = text.split_once('/').ok_or("is not of the form cluster/export")?;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err("the export's name is lower-case letters, digits, '-' and '.'".into());
    }
    let cluster = cluster.parse().map_err(|error| format!("{error}"))?;
    Ok(ExportName { cluster, name: name.into() })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 3650")]
fn days(text: &str) -> Result<u16, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    let days = span.total((Unit::Day, SpanRelativeTo::days_are_24_hours())).map_err(|error| error.to_string())?;
    if days > 0.0 && days <= LONGEST { Ok(days.ceil() as u16) } else { Err("is not between now and ten years".into()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Flags::command().debug_assert();
    }

    #[test]
    fn times_are_whole_days() {
        assert_eq!(["7d", "2w", "36h", "1 day"].map(days), [Ok(7), Ok(14), Ok(2), Ok(1)]);
        for wrong in ["", "7", "-3d", "0s", "99y", "soon"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_export_leads_to_no_other_address() {
        assert!(export("2okdry95y5lkv/w.example.com").is_ok());
        for wrong in ["", "a", "a/", "/b", "a/b/c", "a/../b", "a/b?c", "A/b", "a/b#"] {
            assert!(export(wrong).is_err(), "{wrong}");
        }
    }
}
