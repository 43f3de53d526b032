//! What every [`ControlPlane`] must do, as cases that any implementation can run.
//!
//! ```no_run
//! # use kdp_core::control_plane::{ControlPlane, conformance};
//! # async fn test(control_plane: &dyn ControlPlane) {
//! assert_eq!(conformance::run(control_plane).await, []);
//! # }
//! ```
//!
//! The cases work in a tree of workspaces with random names below `root`, which is removed at the
//! end, so they can run against a control plane that is in use. They ask as
//! [`Identity::system_masters`](crate::Identity::system_masters), which needs every right there,
//! and as users whom they grant rights.
//!
//! What a control plane brings about in its own time, such as a workspace that becomes ready, is
//! waited for, up to two minutes.

use std::{fmt, future::Future, time::Duration};

use super::ControlPlane;

mod definitions;
mod exports;
mod isolation;
mod objects;
mod reads;
mod stand;
mod workspaces;

use stand::{Outcome, Stand};

/// How long one case may take.
const CASE_DEADLINE: Duration = Duration::from_secs(600);

/// A case that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Name of the case, which is the sentence it proves.
    pub case: &'static str,
    /// What happened instead.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.message)
    }
}

/// Runs every case, one after the other, and returns those that do not hold.
///
/// When the future is dropped, the workspaces of the suite stay.
#[must_use = "the violations are the result"]
pub async fn run(control_plane: &dyn ControlPlane) -> Vec<Violation> {
    run_some(control_plane, |_| true).await
}

/// Runs the cases whose names `chosen` likes, as [`run`] does.
#[must_use = "the violations are the result"]
pub async fn run_some(control_plane: &dyn ControlPlane, chosen: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut stand = match Stand::set_up(control_plane).await {
        Ok(stand) => stand,
        Err(failure) => return vec![violation("the_workspace_of_the_suite_can_be_made", failure.to_string())],
    };
    let mut violations = Vec::new();
    macro_rules! check {
        ($($module:ident::$case:ident),+ $(,)?) => {$(
            if chosen(stringify!($case)) {
                tracing::info!(case = stringify!($case), "running");
                let outcome = within_deadline($module::$case(&stand)).await;
                violations.extend(outcome.err().map(|message| violation(stringify!($case), message)));
            }
        )+};
    }
    check!(
        workspaces::a_workspace_becomes_ready_and_answers_by_path_and_by_name,
        workspaces::a_logical_cluster_knows_its_path_and_its_owner,
        workspaces::every_object_says_which_logical_cluster_it_is_in,
        workspaces::a_workspace_name_is_taken_once_and_has_a_form,
        workspaces::a_workspace_starts_with_the_default_namespace,
        workspaces::a_deleted_workspace_waits_for_the_finalizers_of_its_content,
        workspaces::a_workspace_is_deleted_with_its_children,
        isolation::equal_names_in_two_workspaces_are_two_objects,
        isolation::a_definition_serves_its_own_workspace_only,
        isolation::a_user_has_only_the_rights_that_were_granted,
        isolation::rights_in_one_workspace_are_none_in_another,
        isolation::what_is_denied_and_what_is_absent_look_alike,
        isolation::the_creator_of_a_workspace_is_its_administrator,
        isolation::a_client_acts_as_whom_it_was_made_for,
        objects::an_object_is_created_changed_and_deleted,
        objects::an_outdated_change_is_a_conflict,
        objects::names_are_generated,
        objects::appliers_own_their_fields,
        objects::a_finalizer_holds_an_object,
        objects::secrets_keep_what_was_put_in,
        objects::refusals_are_statuses,
        reads::a_list_comes_in_pages_of_one_snapshot,
        reads::lists_are_narrowed_by_labels_and_fields,
        reads::a_watch_resumes_without_gap_or_duplicate,
        definitions::a_definition_is_served_until_it_is_deleted,
        definitions::objects_are_held_to_their_schema,
        definitions::status_is_changed_through_its_subresource_only,
        exports::a_bound_kind_is_there_while_it_is_bound,
        exports::a_published_schema_never_changes,
        exports::an_endpoint_is_told_once_somebody_binds,
        exports::a_provider_reaches_its_consumers_and_nobody_else,
        exports::a_claim_opens_what_its_consumer_accepted,
        exports::binding_needs_the_right_and_hides_what_is_missing,
    );
    if let Err(failure) = stand.tear_down().await {
        violations.push(violation("the_workspace_of_the_suite_can_be_deleted", failure.to_string()));
    }
    violations
}

fn violation(case: &'static str, message: String) -> Violation {
    Violation { case, message }
}

async fn within_deadline(case: impl Future<Output = Outcome>) -> Result<(), String> {
    match tokio::time::timeout(CASE_DEADLINE, case).await {
        Ok(outcome) => outcome.map_err(|failure| failure.to_string()),
        Err(_) => Err(format!("it did not end within {CASE_DEADLINE:?}")),
    }
}

/// Fails the case with a message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(stand::Failure::from(format!($($message)+)));
        }
    };
}
use ensure;
