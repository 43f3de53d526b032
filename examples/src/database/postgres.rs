//! PostgreSQL databases: one server for each order.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use kdp_core::{
    Error, ErrorKind, Provider,
    provider::{
        Change, ChangeAction, Lease, Observation, Order, OrderId, Output, Phase, Plan, PlanHash, Run, Teardown,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    place::{Found, Place, blocking, check_teardown, teardown, unavailable},
    quantity::Bytes,
    spec::{DatabaseSpec, Engine, Offer},
};

mod installation;
mod probe;
mod server;

use installation::{Account, Installation};
use probe::Answer;
use server::{ANY_PORT, APP, Server, free_port};

const NAME: &str = "postgres";
const KIND: &str = "postgres-instance";
const HOST: &str = "127.0.0.1";
/// An empty database has about 7 MiB.
const SMALLEST: Bytes = Bytes(16 << 20);
const BEING_MADE: &str = "the instance is being made";
const NEXT_LOOK: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(100);
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// Makes PostgreSQL instances, each a server of its own with a port on the loopback interface, a
/// role with a random password, and a database.
///
/// Servers live on when this process ends or is killed, and are found again by the record and the
/// pid file in the directory of their order. [`PostgresProvider::stop_servers`] ends them.
///
/// PostgreSQL has no quota for a database, so the storage ordered is watched, not enforced: an
/// order whose database is larger turns [`Phase::Degraded`].
#[derive(Clone, Debug)]
pub struct PostgresProvider(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    place: Place,
    installations: Vec<Installation>,
    newest: Installation,
    account: Option<Account>,
}

/// What is written down about an order.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    storage: Bytes,
    major: u32,
    port: u16,
    password: String,
    /// Whether the data directory was finished once; if it is missing after that, it is lost.
    made: bool,
}

/// What the disk and the process table say of an order.
enum Evidence {
    Sure(Box<Observation>),
    /// The server process is there; what it answers decides.
    Running(State),
}

impl PostgresProvider {
    /// A provider that keeps its instances in `directory`, which is made when it does not exist.
    ///
    /// # Errors
    /// `Unsupported`, saying why, when this machine cannot run a server: no PostgreSQL server
    /// programs, or no account to run them that can reach the directory. `Unavailable` when the
    /// directory cannot be used; `Invalid` when it is another provider's.
    pub async fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = directory.into();
        blocking(move || Shared::open(&directory)).await.map(|shared| Self(Arc::new(shared)))
    }

    /// Where it keeps its instances.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.0.place.base()
    }

    /// What this provider offers.
    #[must_use]
    pub fn offer(&self) -> Offer {
        let versions = self.0.installations.iter().map(|installation| installation.major.to_string()).collect();
        Offer { engine: Engine::Postgres, versions }
    }

    /// Stops every server, as before a shutdown of the machine; applying the orders starts them
    /// again.
    ///
    /// # Errors
    /// `Unavailable` when one cannot be stopped.
    pub async fn stop_servers(&self) -> Result<(), Error> {
        let shared = self.0.clone();
        blocking(move || shared.stop_servers()).await
    }
}

#[async_trait]
impl Provider for PostgresProvider {
    fn name(&self) -> &str {
        NAME
    }

    async fn plan(&self, order: &Order, _: &Run) -> Result<Plan, Error> {
        let (shared, order) = (self.0.clone(), order.clone());
        blocking(move || shared.plan(&order)).await
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let lease = run.lease;
        let (shared, work, plan) = (self.0.clone(), order.clone(), plan.clone());
        blocking(move || shared.apply(&work, &plan, lease)).await?;
        self.observe(&order.id, None).await
    }

    async fn observe(&self, order: &OrderId, _: Option<&Teardown>) -> Result<Observation, Error> {
        let (shared, id) = (self.0.clone(), order.clone());
        match blocking(move || shared.evidence(&id)).await? {
            Evidence::Sure(observation) => Ok(*observation),
            Evidence::Running(state) => {
                let answer = probe::ask(state.port, &state.password).await;
                Ok(judge(answer, &state).with_teardown(teardown(order, KIND)))
            }
        }
    }

    async fn delete(&self, record: &Teardown, run: &Run) -> Result<Observation, Error> {
        let lease = run.lease;
        let (shared, record) = (self.0.clone(), record.clone());
        blocking(move || shared.delete(&record, lease)).await
    }
}

impl Shared {
    fn open(directory: &Path) -> Result<Self, Error> {
        let unsupported = |message: String| Error::new(ErrorKind::Unsupported, "offer", NAME, message);
        let installations = Installation::find();
        let Some(newest) = installations.first().cloned() else {
            return Err(unsupported("there are no PostgreSQL server programs (initdb, postgres, pg_ctl)".into()));
        };
        // Others may pass through to the data directories, which only their owner may read.
        let place = Place::open(directory, NAME, 0o711)?;
        let account = Account::for_server(&place.base().join("provider"))?;
        let mut reach = newest.command("postgres", account.as_ref());
        let reached = reach.arg("--version").current_dir(place.base()).stdout(Stdio::null()).status();
        if let (Err(error), Some(account)) = (reached, &account) {
            let base = place.base().display();
            return Err(unsupported(format!(
                "the account {account}, which runs the server, cannot reach {base}: {error}"
            )));
        }
        Ok(Self { place, installations, newest, account })
    }

    fn plan(&self, order: &Order) -> Result<Plan, Error> {
        let wish = self.wish(order)?;
        let invalid = |message| Error::new(ErrorKind::Invalid, "plan", &order.id, message);
        let changes = match self.place.look::<State>(&order.id)? {
            Found::Recorded(record) if record.state.made => {
                let state = record.state;
                if state.storage > wish.storage {
                    return Err(invalid(format!("storage: it is {} and may grow but not shrink", state.storage)));
                }
                if wish.major.is_some_and(|major| major != state.major) {
                    return Err(invalid(format!("version: it is {} and cannot be changed", state.major)));
                }
                self.changes(&order.id, &state, &wish)?
            }
            Found::Nothing | Found::Begun | Found::Recorded(_) => vec![
                Change::new(ChangeAction::Create, "server").with_detail("a PostgreSQL instance of its own"),
                Change::new(ChangeAction::Create, format!("database {APP}"))
                    .with_detail(format!("storage {}, watched", wish.storage)),
            ],
            Found::Deleting => return Err(being_removed(&order.id)),
        };
        Ok(Plan::new(order, changes, teardown(&order.id, KIND)))
    }

    fn changes(&self, id: &OrderId, state: &State, wish: &Wish) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::new();
        if state.storage < wish.storage {
            let detail = format!("storage {} → {}", state.storage, wish.storage);
            changes.push(Change::new(ChangeAction::Update, format!("database {APP}")).with_detail(detail));
        }
        let server = self.server(id, state.major)?;
        let failed = |e| unavailable("look at", id, e);
        if server.has_data().map_err(failed)? && !server.is_running().map_err(failed)? {
            changes.push(Change::new(ChangeAction::Update, "server").with_detail("start"));
        }
        Ok(changes)
    }

    fn apply(&self, order: &Order, plan: &PlanHash, lease: Lease) -> Result<(), Error> {
        let turn = self.place.turn(&order.id, lease)?;
        let wish = self.wish(order)?;
        let record = match self.place.look::<State>(&order.id)? {
            Found::Recorded(record) => Some(record),
            Found::Nothing | Found::Begun => None,
            Found::Deleting => return Err(being_removed(&order.id)),
        };
        if record.as_ref().is_none_or(|record| record.plan != *plan) && self.plan(order)?.hash() != *plan {
            return Err(Error::new(ErrorKind::Stale, "apply", &order.id, "the plan is no longer current"));
        }
        let failed = |e| unavailable("make", &order.id, e);
        let mut state = match record {
            Some(record) => record.state,
            None => self.fresh(&wish).map_err(failed)?,
        };
        state.storage = wish.storage;
        turn.record(plan, &state)?;

        let server = self.server(&order.id, state.major)?;
        if !state.made {
            if !server.has_data().map_err(failed)? {
                server.init(&state.password).map_err(failed)?;
            }
            state.made = true;
            turn.record(plan, &state)?;
        }
        if server.has_data().map_err(failed)? && !server.is_running().map_err(failed)? {
            state.port = free_port(state.port).map_err(failed)?;
            turn.record(plan, &state)?;
            server.start(state.port).map_err(failed)?;
        }
        Ok(())
    }

    fn evidence(&self, id: &OrderId) -> Result<Evidence, Error> {
        let (phase, message) = match self.place.look::<State>(id) {
            Ok(Found::Nothing) => return Ok(Evidence::Sure(Observation::new(Phase::Gone).into())),
            Ok(Found::Begun) => (Phase::Progressing, BEING_MADE.into()),
            Ok(Found::Deleting) => (Phase::Deleting, "the instance is being removed".into()),
            Ok(Found::Recorded(record)) => match self.fault(id, &record.state) {
                Ok(None) => return Ok(Evidence::Running(record.state)),
                Ok(Some(fault)) => fault,
                Err(error) => (Phase::Unknown, error.to_string()),
            },
            Err(error) if error.kind() == ErrorKind::Unavailable => (Phase::Unknown, error.to_string()),
            Err(error) => return Err(error),
        };
        let next_look = if phase == Phase::Progressing { SOON } else { AFTER_A_FAILURE };
        let observation = Observation::new(phase).with_message(message).with_next_look(next_look);
        Ok(Evidence::Sure(observation.with_teardown(teardown(id, KIND)).into()))
    }

    /// Why there is no server process; nothing when there is one.
    fn fault(&self, id: &OrderId, state: &State) -> Result<Option<(Phase, String)>, Error> {
        let failed = |e| unavailable("look at", id, e);
        let server = self.server(id, state.major)?;
        if !state.made {
            return Ok(Some((Phase::Progressing, BEING_MADE.into())));
        }
        if !server.has_data().map_err(failed)? {
            let message = "the data directory was removed; restore it, or delete the order";
            return Ok(Some((Phase::Blocked, message.into())));
        }
        if server.is_running().map_err(failed)? {
            return Ok(None);
        }
        let words = server.last_words().map_or_else(|_| String::new(), |words| format!(": {words}"));
        Ok(Some((Phase::Failing, format!("the server is not running{words}"))))
    }

    fn delete(&self, record: &Teardown, lease: Lease) -> Result<Observation, Error> {
        check_teardown(record, KIND)?;
        let id = &record.id;
        let turn = self.place.turn(id, lease)?;
        if let Found::Recorded(found) = self.place.look::<State>(id)? {
            self.stoppable(id, found.state.major).stop().map_err(|e| unavailable("stop", id, e))?;
        }
        turn.remove()?;
        Ok(Observation::new(Phase::Gone))
    }

    fn stop_servers(&self) -> Result<(), Error> {
        for id in self.place.orders()? {
            if let Found::Recorded(record) = self.place.look::<State>(&id)? {
                self.stoppable(&id, record.state.major).stop().map_err(|e| unavailable("stop", &id, e))?;
            }
        }
        Ok(())
    }

    fn server(&self, id: &OrderId, major: u32) -> Result<Server<'_>, Error> {
        let Some(installation) = self.installations.iter().find(|installation| installation.major == major) else {
            let message = format!("the server programs of PostgreSQL {major} are no longer on this machine");
            return Err(Error::new(ErrorKind::Unavailable, "run", id, message));
        };
        Ok(self.server_of(installation, id))
    }

    /// The server, for stopping it: any version does, so an order outlives the programs it was
    /// made with.
    fn stoppable(&self, id: &OrderId, major: u32) -> Server<'_> {
        let same = self.installations.iter().find(|installation| installation.major == major);
        self.server_of(same.unwrap_or(&self.newest), id)
    }

    fn server_of<'a>(&'a self, installation: &'a Installation, id: &OrderId) -> Server<'a> {
        let directory = self.place.directory(id);
        Server { installation, account: self.account.as_ref(), directory }
    }

    fn fresh(&self, wish: &Wish) -> io::Result<State> {
        Ok(State {
            storage: wish.storage,
            major: wish.major.unwrap_or(self.newest.major),
            port: free_port(ANY_PORT)?,
            password: format!("{:032x}", rand::random::<u128>()),
            made: false,
        })
    }

    fn wish(&self, order: &Order) -> Result<Wish, Error> {
        let invalid = |message: String| Error::new(ErrorKind::Invalid, "plan", &order.id, message);
        let spec: DatabaseSpec =
            serde_json::from_value(order.spec.clone()).map_err(|e| invalid(format!("spec: {e}")))?;
        if spec.engine != Engine::Postgres {
            return Err(invalid(format!("engine: {} is not made here", spec.engine)));
        }
        let storage = spec.storage_bytes()?;
        if storage < SMALLEST {
            return Err(invalid(format!("storage: {storage} is less than {SMALLEST}")));
        }
        let offered = |version: &String| self.installations.iter().find(|i| i.major.to_string() == *version);
        let major = match &spec.version {
            None => None,
            Some(version) => {
                Some(offered(version).ok_or_else(|| invalid(format!("version: {version} is not offered")))?.major)
            }
        };
        Ok(Wish { storage, major })
    }
}

/// An order as far as it concerns this provider.
struct Wish {
    storage: Bytes,
    /// The newest unless given.
    major: Option<u32>,
}

fn judge(answer: Answer, state: &State) -> Observation {
    let observation = match answer {
        Answer::Size(size) if size > state.storage => Observation::new(Phase::Degraded)
            .with_message(format!("the database has {} bytes, more than the {} ordered", size.0, state.storage))
            .with_next_look(NEXT_LOOK),
        Answer::Size(_) => Observation::new(Phase::Ready).with_next_look(NEXT_LOOK),
        Answer::NotYet => {
            Observation::new(Phase::Progressing).with_message("the server is starting").with_next_look(SOON)
        }
        Answer::Refusal(message) => {
            Observation::new(Phase::Failing).with_message(message).with_next_look(AFTER_A_FAILURE)
        }
    };
    let port = state.port;
    let uri = format!("postgresql://{APP}:{}@{HOST}:{port}/{APP}", state.password);
    observation
        .with_output("uri", Output::sensitive(uri))
        .with_output("host", Output::plain(HOST))
        .with_output("port", Output::plain(port.to_string()))
        .with_output("username", Output::plain(APP))
        .with_output("password", Output::sensitive(&*state.password))
        .with_output("database", Output::plain(APP))
        .with_output("endpoint", Output::plain(format!("{HOST}:{port}")))
        .with_output("version", Output::plain(state.major.to_string()))
        .with_output("storage", Output::plain(state.storage.to_string()))
}

fn being_removed(id: &OrderId) -> Error {
    Error::new(ErrorKind::Unavailable, "change", id, "it is being removed")
}
