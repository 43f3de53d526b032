//! Day-2 actions: pause, resume, and reconcile now.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    CrossplaneProvider,
    cluster::{Look, place_of},
    record::{Composed, composed_by},
    secret::is_bound,
    target::Shape,
};
use crate::{
    Error, ErrorKind,
    provider::{Action, ActionCall, ActionOutcome, OrderId, Run, Teardown},
};

/// Has Crossplane leave an object as it is.
pub(super) const PAUSED: &str = "crossplane.io/paused";
/// Has Crossplane look at an object now; its value comes back in `status.lastHandledReconcileAt`.
const REQUESTED: &str = "crossplane.io/reconcile-requested-at";
/// Ids of the actions that were begun last, so that none is done twice.
const ACTED: &str = "orders.kdp.k8c.io/acted";
/// So many of them; whoever drives a provider repeats only the last one.
const MOST_ACTED: usize = 8;
const LONGEST_ID: usize = 128;
/// Between two looks for whether a request was handled.
const PAUSE: Duration = Duration::from_millis(200);
/// How long is waited for Crossplane to say that it has handled a request, which it does within
/// seconds where its definition keeps the field for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tries to write what Crossplane writes at the same time.
const TRIES: usize = 8;

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Pause,
    Resume,
    Reconcile,
}

/// What became of a request to look at something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Handled {
    Yes,
    /// Another request has taken its place.
    Superseded,
    /// Crossplane has not said anything.
    Untold,
}

/// The actions of this provider.
pub(super) fn actions() -> Vec<Action> {
    vec![
        Action::new(
            "pause",
            "Has Crossplane leave it as it is, and everything it is composed of as composed, until it is resumed.",
        ),
        Action::new("resume", "Has Crossplane look after it again."),
        Action::new("reconcile", "Has Crossplane look at it now, and waits a while until it says that it has."),
    ]
}

impl CrossplaneProvider {
    /// Has Crossplane leave what was made for an order as it is, until it is [resumed](Self::resume).
    /// What it is composed of keeps being looked after by its own controllers.
    ///
    /// # Errors
    /// `NotFound` when nothing was made; `Stale` when the lease is older than one already seen;
    /// `Unavailable` when the cluster cannot be reached.
    pub async fn pause(&self, id: &OrderId, sealed: Option<&Teardown>, run: &Run) -> Result<(), Error> {
        self.fence.enter(id, run).await?;
        self.annotate(id, sealed, &Verb::Pause.annotation(""), None).await.map(drop)
    }

    /// Undoes [`pause`](Self::pause).
    ///
    /// # Errors
    /// As for [`pause`](Self::pause).
    pub async fn resume(&self, id: &OrderId, sealed: Option<&Teardown>, run: &Run) -> Result<(), Error> {
        self.fence.enter(id, run).await?;
        self.annotate(id, sealed, &Verb::Resume.annotation(""), None).await.map(drop)
    }

    /// Has Crossplane look at what was made for an order, and says whether it has said so. Every token is
    /// one request: calling it again with the same one waits for the same.
    ///
    /// Crossplane says so in `status.lastHandledReconcileAt`, which is lost where the schema of the
    /// definition neither names it nor keeps unknown fields: that of Crossplane 2.4 itself does not.
    ///
    /// # Errors
    /// As for [`pause`](Self::pause); `Invalid` when it is paused.
    pub async fn reconcile_now(
        &self,
        id: &OrderId,
        sealed: Option<&Teardown>,
        token: &str,
        run: &Run,
    ) -> Result<bool, Error> {
        self.fence.enter(id, run).await?;
        self.annotate(id, sealed, &Verb::Reconcile.annotation(token), None).await?;
        Ok(self.handled(id, sealed, token, run).await? == Handled::Yes)
    }

    pub(super) async fn carry_out(
        &self,
        id: &OrderId,
        sealed: Option<&Teardown>,
        call: &ActionCall,
        run: &Run,
    ) -> Result<ActionOutcome, Error> {
        let verb = match call.name.as_str() {
            "pause" => Verb::Pause,
            "resume" => Verb::Resume,
            "reconcile" => Verb::Reconcile,
            other => {
                let message = format!("there is no action {other:?}");
                return Err(Error::new(ErrorKind::Unsupported, "act on", id, message));
            }
        };
        check_call(id, call)?;
        self.fence.enter(id, run).await?;
        self.annotate(id, sealed, &verb.annotation(&call.id), Some(&call.id)).await?;
        Ok(match verb {
            Verb::Pause => ActionOutcome::new("it is left as it is until it is resumed"),
            Verb::Resume => ActionOutcome::new("it is looked after again"),
            Verb::Reconcile => ActionOutcome::new(match self.handled(id, sealed, &call.id, run).await? {
                Handled::Yes => "Crossplane has looked at it",
                Handled::Superseded => "a later request has taken its place",
                Handled::Untold => {
                    "Crossplane was asked to look at it; it has not said that it did, in status.lastHandledReconcileAt"
                }
            }),
        })
    }

    /// Sets an annotation on the object of an order, unless that was done for this call before.
    ///
    /// The composite resource of a claim comes first: the call counts as done once the claim says so.
    async fn annotate(
        &self,
        id: &OrderId,
        sealed: Option<&Teardown>,
        annotation: &(&str, Value),
        call: Option<&str>,
    ) -> Result<(), Error> {
        let mut refused = None;
        for _ in 0..TRIES {
            let object = self.existing(id, sealed).await?;
            let acted = object["metadata"]["annotations"][ACTED].as_str().unwrap_or_default();
            let mut acted: Vec<_> = acted.split(',').filter(|id| !id.is_empty()).collect();
            let mut annotations = json!({annotation.0: annotation.1});
            if let Some(call) = call {
                if acted.contains(&call) {
                    return Ok(());
                }
                acted.push(call);
                let first = acted.len().saturating_sub(MOST_ACTED);
                annotations[ACTED] = json!(acted[first..].join(","));
            } else if object["metadata"]["annotations"][annotation.0] == annotation.1 {
                return Ok(());
            }
            let metadata = json!({"annotations": {annotation.0: annotation.1}});
            let composite = self.annotate_composite(&object, metadata).await;
            let annotated = match composite {
                Ok(()) => {
                    let metadata = json!({"annotations": annotations});
                    self.cluster.patch_metadata(&self.options.target.resource, &object, metadata).await.map(drop)
                }
                Err(error) => Err(error),
            };
            match annotated {
                Err(error) if error.kind() == ErrorKind::Stale => refused = Some(error),
                done => return done,
            }
        }
        let error = Error::new(ErrorKind::Unavailable, "annotate", id, "it keeps changing meanwhile");
        Err(refused.into_iter().fold(error, Error::with_source))
    }

    /// Takes the pause from the composite resource of a claim.
    pub(super) async fn resume_composite(&self, object: &Value) -> Result<(), Error> {
        self.annotate_composite(object, json!({"annotations": {PAUSED: null}})).await
    }

    /// Annotates the composite resource of a claim, which has a life of its own; other objects have none.
    async fn annotate_composite(&self, object: &Value, metadata: Value) -> Result<(), Error> {
        let Some((composed, composite)) = self.composite(object).await? else { return Ok(()) };
        let (resource, _) = self.cluster.resolve(&composed).await?;
        self.cluster.patch_metadata(&resource, &composite, metadata).await.map(drop)
    }

    async fn composite(&self, object: &Value) -> Result<Option<(Composed, Value)>, Error> {
        if self.options.target.shape != Shape::Claim {
            return Ok(None);
        }
        let Some(composed) = composed_by(object, Shape::Claim).into_iter().find(|one| one.namespace.is_none()) else {
            return Ok(None);
        };
        match self.cluster.look_at(&composed).await {
            Look::There(composite) if is_bound(object, &composite) => Ok(Some((composed, composite))),
            Look::There(_) | Look::Absent => Ok(None),
            Look::Unseen(why) => Err(Error::new(ErrorKind::Unavailable, "read", composed.title(), why)),
        }
    }

    /// What became of a request.
    async fn handled(&self, id: &OrderId, sealed: Option<&Teardown>, token: &str, run: &Run) -> Result<Handled, Error> {
        let watched = async {
            loop {
                let object = self.existing(id, sealed).await?;
                let is_handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == token;
                let composite = self.composite(&object).await?;
                if is_handled(&object) || composite.is_some_and(|(_, composite)| is_handled(&composite)) {
                    return Ok(Handled::Yes);
                }
                if object["metadata"]["annotations"][REQUESTED] != token {
                    return Ok(Handled::Superseded);
                }
                if object["metadata"]["annotations"][PAUSED] == "true" {
                    let message = "it is paused, and Crossplane handles no request before it is resumed";
                    return Err(Error::new(ErrorKind::Invalid, "act on", id, message));
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            handled = watched => handled,
            () = run.stop.cancelled() => Ok(Handled::Untold),
            () = tokio::time::sleep(PATIENCE) => Ok(Handled::Untold),
        }
    }

    /// The object of an order, which has to be there.
    async fn existing(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Value, Error> {
        let located = self.locate(id, sealed).await?;
        match located.look {
            Look::There(object) => {
                let is_leaving = !object["metadata"]["deletionTimestamp"].is_null();
                if is_leaving {
                    let message = format!("{} is being deleted", place_of(&object).id());
                    return Err(Error::new(ErrorKind::NotFound, "act on", id, message));
                }
                Ok(object)
            }
            Look::Absent => Err(Error::new(ErrorKind::NotFound, "act on", id, "there is nothing to do it with")),
            Look::Unseen(why) => Err(Error::new(ErrorKind::Unavailable, "act on", id, why)),
        }
    }
}

impl Verb {
    fn annotation(self, token: &str) -> (&'static str, Value) {
        match self {
            Self::Pause => (PAUSED, json!("true")),
            Self::Resume => (PAUSED, Value::Null),
            Self::Reconcile => (REQUESTED, json!(token)),
        }
    }
}

/// Refuses what cannot be noted in an annotation, and parameters, which no action has.
fn check_call(id: &OrderId, call: &ActionCall) -> Result<(), Error> {
    let invalid = |message: &str| Err(Error::new(ErrorKind::Invalid, "act on", id, message));
    let is_plain = |character: char| character.is_ascii_graphic() && character != ',';
    if call.id.is_empty() || call.id.len() > LONGEST_ID || !call.id.chars().all(is_plain) {
        return invalid("id: must be up to 128 printable characters without commas and spaces");
    }
    let takes_none = call.parameters.is_null() || call.parameters.as_object().is_some_and(serde_json::Map::is_empty);
    if takes_none { Ok(()) } else { invalid("parameters: the action takes none") }
}
