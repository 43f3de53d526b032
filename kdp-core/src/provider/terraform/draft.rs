//! Planning: what applying an order would change.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{
    Shop,
    engine::{failure, unavailable},
    inputs::Inputs,
    notes::Notes,
    place::{self, ModulePlace},
    planned,
    process::{self, RunFiles},
    state::{Snapshot, StateSession},
    stored::{self, Stored},
};
use crate::{
    Error, ErrorKind,
    provider::{Change, ChangeAction, Order, OrderId, Plan, PlanHash, Run},
};

/// So many plans of an order are kept to be carried out; any other is made again.
const MOST_PLANS: usize = 3;
/// Exit code of a plan with changes.
const HAS_CHANGES: i32 = 2;

/// A plan, and the file from which the engine carries it out.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) plan: Plan,
    pub(super) file: PathBuf,
}

impl Shop {
    /// Plans an order.
    pub(super) async fn draft(&self, order: &Order, inputs: &Inputs, run: &Run) -> Result<Draft, Error> {
        let id = &order.id;
        let failed = |e: io::Error| unavailable("plan", id, e);
        let before = self.states.latest(id).await?;
        let reader = self.states.reader(id).await?;
        let module = self.engine.prepare(&inputs.module, &inputs.sensitive, id, &reader.environment()).await?;
        let order_place = self.engine.base.order(id);
        let scratch = order_place.scratch().map_err(failed)?;
        let file = scratch.path().join("plan.tfplan");
        let variables = write_variables(scratch.path(), &inputs.variables).map_err(failed)?;

        let command = |arguments: &[&str]| -> Result<_, Error> {
            let environment = reader.environment();
            let mut command =
                self.engine.command_for(&order_place, &module, scratch.path(), &environment).map_err(failed)?;
            command.args(arguments).kill_on_drop(true);
            Ok(command)
        };
        let mut planning =
            command(&["plan", "-json", "-input=false", "-no-color", "-detailed-exitcode", "-lock=false"])?;
        planning.arg(format!("-parallelism={}", self.options.parallelism));
        planning.arg(format!("-var-file={}", variables.display())).arg(format!("-out={}", file.display()));
        let ended = self.read(planning, scratch.path(), "plan-run", run).await.map_err(failed)?;
        let state = read_state(before.as_ref(), id)?;
        if !matches!(ended.status.code(), Some(0 | HAS_CHANGES)) {
            return Err(failure("plan", id, &ended, &inputs.redactor(state.as_ref())));
        }
        let mut showing = command(&["show", "-json", "-no-color"])?;
        showing.arg(&file);
        let ended = self.read(showing, scratch.path(), "show-run", run).await.map_err(failed)?;
        if !ended.status.success() {
            return Err(failure("plan", id, &ended, &inputs.redactor(state.as_ref())));
        }
        let shown: Value = serde_json::from_str(&ended.output).map_err(|e| failed(io::Error::other(e)))?;
        let after = self.states.latest(id).await?;
        if version(before.as_ref()) != version(after.as_ref()) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "plan",
                id,
                "its state was changed meanwhile; plan it again",
            ));
        }
        let plan = self.plan_of(order, inputs, &shown, before.as_ref(), state.as_ref());
        let file = keep(&order_place.plans(), &plan, &file).map_err(failed)?;
        Ok(Draft { plan, file })
    }

    fn plan_of(
        &self,
        order: &Order,
        inputs: &Inputs,
        shown: &Value,
        snapshot: Option<&Snapshot>,
        state: Option<&Stored>,
    ) -> Plan {
        let mut changes = planned::changes(shown);
        let is_complete = snapshot.is_some_and(|snapshot| Notes::of(&snapshot.notes).complete.is_some());
        if changes.is_empty() && !is_complete {
            // A module may make nothing at all; that it was carried out is then all there is.
            changes.push(Change::new(ChangeAction::Create, "state"));
        }
        let known = state.map(Stored::inventory).unwrap_or_default();
        let teardown = stored::teardown(&order.id, planned::inventory(shown, &known));
        let teardown = self.sealed(teardown, snapshot.is_some());
        let Basis { module, engine, state } = self.basis(inputs, snapshot);
        Plan::new(order, changes, teardown)
            .with_basis("module", module)
            .with_basis(self.engine.binary.name(), engine)
            .with_basis("state", state)
    }

    /// The plan with this hash, if it was kept and is what would be planned now, as far as that can be told
    /// without the engine.
    pub(super) fn kept_draft(
        &self,
        order: &Order,
        inputs: &Inputs,
        snapshot: Option<&Snapshot>,
        hash: &PlanHash,
    ) -> Option<Draft> {
        if !hash.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let plans = self.engine.base.order(&order.id).plans();
        let plan: Plan = serde_json::from_slice(&fs::read(plans.join(format!("{hash}.json"))).ok()?).ok()?;
        let Basis { module, engine, state } = self.basis(inputs, snapshot);
        let facts = [("module", module), (self.engine.binary.name(), engine), ("state", state)];
        let is_current = plan.inputs == Plan::new(order, vec![], plan.teardown.clone()).inputs
            && facts.iter().all(|(name, fact)| plan.basis.get(*name) == Some(fact))
            && plan.hash() == *hash;
        let file = plans.join(format!("{hash}.tfplan"));
        (is_current && file.exists()).then_some(Draft { plan, file })
    }

    /// Where the engine is to work on a module, for whoever has the turn.
    pub(super) async fn prepared(
        &self,
        session: &StateSession,
        inputs: &Inputs,
        id: &OrderId,
    ) -> Result<ModulePlace, Error> {
        self.engine.prepare(&inputs.module, &inputs.sensitive, id, &session.environment()).await
    }

    fn basis(&self, inputs: &Inputs, snapshot: Option<&Snapshot>) -> Basis {
        let module = self.engine.base.module(&inputs.module, &self.engine.binary, &self.engine.plugins).key;
        Basis { module, engine: self.engine.binary.version().to_owned(), state: version(snapshot) }
    }

    /// Runs a command that changes nothing.
    async fn read(
        &self,
        command: tokio::process::Command,
        scratch: &Path,
        name: &str,
        run: &Run,
    ) -> io::Result<process::Ended> {
        let files = RunFiles(scratch.join(name));
        place::make_directory(&files.0)?;
        let stop: &CancellationToken = &run.stop;
        let patience = self.engine.patience(stop, Some(run), self.options.plan_timeout);
        process::run(command, &files, patience, |_| {}).await
    }
}

/// What a plan is decided on.
struct Basis {
    module: String,
    engine: String,
    state: String,
}

/// Which state it is.
fn version(snapshot: Option<&Snapshot>) -> String {
    match snapshot {
        Some(Snapshot { serial: Some(serial), lineage: Some(lineage), .. }) => format!("{serial} of {lineage}"),
        _ => "none".into(),
    }
}

/// The state of a snapshot, if there is one.
pub(super) fn read_state(snapshot: Option<&Snapshot>, id: &OrderId) -> Result<Option<Stored>, Error> {
    let state = snapshot.and_then(|snapshot| snapshot.state.as_ref());
    let state = state.map(|state| Stored::parse(state)).transpose();
    state.map_err(|message| Error::new(ErrorKind::Internal, "read the state of", id, message))
}

/// Writes the variables for the engine, which reads no text in them as an expression.
pub(super) fn write_variables(directory: &Path, variables: &Map<String, Value>) -> io::Result<PathBuf> {
    let path = directory.join("variables.tfvars.json");
    place::replace(&path, &serde_json::to_vec(variables)?)?;
    Ok(path)
}

/// Keeps a plan under its hash, and only the latest few.
fn keep(plans: &Path, plan: &Plan, file: &Path) -> io::Result<PathBuf> {
    place::make_directory(plans)?;
    let hash = plan.hash();
    let kept = plans.join(format!("{hash}.tfplan"));
    fs::rename(file, &kept)?;
    place::replace(&plans.join(format!("{hash}.json")), &serde_json::to_vec(plan)?)?;
    let mut all: Vec<_> = fs::read_dir(plans)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .filter(|(_, path)| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    all.sort();
    all.reverse();
    for (_, path) in all.into_iter().skip(MOST_PLANS) {
        place::remove(&path.with_extension("tfplan"))?;
        place::remove(&path)?;
    }
    Ok(kept)
}
