//! SQLite databases: one file for each order.

use std::{fs, io, path::Path, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use kdp_core::{
    Error, ErrorKind, Provider,
    provider::{
        Change, ChangeAction, Lease, Observation, Order, OrderId, Output, Phase, Plan, PlanHash, Run, Teardown,
    },
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{
    place::{Found, Place, Record, blocking, check_teardown, teardown, unavailable},
    quantity::Bytes,
    spec::{DatabaseSpec, Engine, Offer},
};

pub mod connection;

use connection::PAGE_SIZE;

const NAME: &str = "sqlite";
const KIND: &str = "sqlite-file";
const FILE: &str = "database.sqlite";
/// The major version of the SQLite file format and library.
const VERSION: &str = "3";
/// Room for a few tables; below, not even the schema of an ordinary program fits.
const SMALLEST: Bytes = Bytes(64 << 10);
const NEXT_LOOK: Duration = Duration::from_secs(30);

/// Makes SQLite databases, each a file in a directory of its own.
///
/// The limit is SQLite's own `max_page_count`. SQLite does not store it in the file: a connection
/// sets it, so it is part of what is delivered. The output `uri` carries it for
/// [`connection::open`], the output `init-sql` for every other client. Writing past it fails with
/// `SQLITE_FULL`. Somebody who opens the file in another way is not stopped, but seen: the order
/// turns [`Phase::Degraded`] when the file is larger than ordered.
#[derive(Clone, Debug)]
pub struct SqliteProvider {
    place: Arc<Place>,
}

/// What is written down about an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    limit: Bytes,
    /// Whether the file was finished once; if it is missing after that, its content is lost.
    made: bool,
}

impl SqliteProvider {
    /// A provider that keeps its files in `directory`, which is made when it does not exist.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be used; `Invalid` when it is another provider's.
    pub async fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        let directory = directory.into();
        let place = blocking(move || Place::open(&directory, NAME, 0o700)).await?;
        Ok(Self { place: Arc::new(place) })
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.place.base()
    }

    /// What this provider offers.
    #[must_use]
    pub fn offer(&self) -> Offer {
        Offer { engine: Engine::Sqlite, versions: vec![VERSION.into()] }
    }

    fn plan_now(&self, order: &Order) -> Result<Plan, Error> {
        let limit = limit_of(order)?;
        let create = || Change::new(ChangeAction::Create, FILE).with_detail(format!("at most {limit}"));
        let changes = match self.place.look::<State>(&order.id)? {
            Found::Nothing | Found::Begun => vec![create()],
            Found::Recorded(Record { state, .. }) if state.limit > limit => {
                let message = format!("storage: it is {} and may grow but not shrink", state.limit);
                return Err(Error::new(ErrorKind::Invalid, "plan", &order.id, message));
            }
            Found::Recorded(Record { state, .. }) if !state.made => vec![create()],
            Found::Recorded(Record { state, .. }) if state.limit < limit => {
                let detail = format!("storage {} → {limit}", state.limit);
                vec![Change::new(ChangeAction::Update, FILE).with_detail(detail)]
            }
            Found::Recorded(_) => Vec::new(),
            Found::Deleting => return Err(being_removed(&order.id)),
        };
        Ok(Plan::new(order, changes, teardown(&order.id, KIND)))
    }

    fn apply_now(&self, order: &Order, plan: &PlanHash, lease: Lease) -> Result<Observation, Error> {
        let turn = self.place.turn(&order.id, lease)?;
        let limit = limit_of(order)?;
        let record = match self.place.look::<State>(&order.id)? {
            Found::Recorded(record) => Some(record),
            Found::Nothing | Found::Begun => None,
            Found::Deleting => return Err(being_removed(&order.id)),
        };
        if record.as_ref().is_none_or(|record| record.plan != *plan) && self.plan_now(order)?.hash() != *plan {
            return Err(Error::new(ErrorKind::Stale, "apply", &order.id, "the plan is no longer current"));
        }
        let made = record.is_some_and(|record| record.state.made);
        turn.record(plan, &State { limit, made })?;
        if !made {
            create(&self.place.directory(&order.id).join(FILE))
                .map_err(|e| Error::new(ErrorKind::Unavailable, "create", &order.id, e.to_string()).with_source(e))?;
            turn.record(plan, &State { limit, made: true })?;
        }
        self.observe_now(&order.id)
    }

    fn observe_now(&self, id: &OrderId) -> Result<Observation, Error> {
        let found = match self.place.look::<State>(id) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                return Ok(Observation::new(Phase::Unknown).with_message(error.to_string()));
            }
            Err(error) => return Err(error),
        };
        let observation = match found {
            Found::Nothing => return Ok(Observation::new(Phase::Gone)),
            Found::Begun => Observation::new(Phase::Progressing).with_message("the file is being made"),
            Found::Deleting => Observation::new(Phase::Deleting).with_message("the file is being removed"),
            Found::Recorded(record) => self.observe_file(&record),
        };
        Ok(observation.with_teardown(teardown(id, KIND)))
    }

    /// Looks at the file from outside only: closing it, having opened it, would drop the locks
    /// that a SQLite connection of this process holds on it.
    fn observe_file(&self, record: &Record<State>) -> Observation {
        let State { limit, made } = record.state;
        let path = self.place.directory(&record.id).join(FILE);
        let observation = match fs::metadata(&path) {
            _ if !made => return Observation::new(Phase::Progressing).with_message("the file is being made"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = format!("{} was removed; restore it, or delete the order", path.display());
                return Observation::new(Phase::Blocked).with_message(message);
            }
            Err(error) => return Observation::new(Phase::Unknown).with_message(error.to_string()),
            Ok(file) if file.len() > limit.0 => Observation::new(Phase::Degraded).with_message(format!(
                "the file has {}, more than the {limit} ordered: it was opened without its limit",
                Bytes(file.len())
            )),
            Ok(_) => Observation::new(Phase::Ready),
        };
        observation
            .with_output("uri", Output::sensitive(connection::uri(&path, limit)))
            .with_output("path", Output::plain(path.to_string_lossy()))
            .with_output("init-sql", Output::plain(connection::init_sql(limit)))
            .with_output("endpoint", Output::plain(path.to_string_lossy()))
            .with_output("version", Output::plain(VERSION))
            .with_output("storage", Output::plain(limit.to_string()))
            .with_next_look(NEXT_LOOK)
    }

    fn delete_now(&self, record: &Teardown, lease: Lease) -> Result<Observation, Error> {
        check_teardown(record, KIND)?;
        self.place.turn(&record.id, lease)?.remove()?;
        self.observe_now(&record.id)
    }
}

#[async_trait]
impl Provider for SqliteProvider {
    fn name(&self) -> &str {
        NAME
    }

    async fn plan(&self, order: &Order, _: &Run) -> Result<Plan, Error> {
        let (this, order) = (self.clone(), order.clone());
        blocking(move || this.plan_now(&order)).await
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let lease = run.lease;
        let (this, order, plan) = (self.clone(), order.clone(), plan.clone());
        blocking(move || this.apply_now(&order, &plan, lease)).await
    }

    async fn observe(&self, order: &OrderId, _: Option<&Teardown>) -> Result<Observation, Error> {
        let (this, order) = (self.clone(), order.clone());
        blocking(move || this.observe_now(&order)).await
    }

    async fn delete(&self, teardown: &Teardown, run: &Run) -> Result<Observation, Error> {
        let lease = run.lease;
        let (this, teardown) = (self.clone(), teardown.clone());
        blocking(move || this.delete_now(&teardown, lease)).await
    }
}

fn limit_of(order: &Order) -> Result<Bytes, Error> {
    let invalid = |message: String| Error::new(ErrorKind::Invalid, "plan", &order.id, message);
    let spec: DatabaseSpec = serde_json::from_value(order.spec.clone()).map_err(|e| invalid(format!("spec: {e}")))?;
    if spec.engine != Engine::Sqlite {
        return Err(invalid(format!("engine: {} is not made here", spec.engine)));
    }
    if let Some(version) = spec.version.as_ref().filter(|version| *version != VERSION) {
        return Err(invalid(format!("version: {version} is not offered, only {VERSION}")));
    }
    let limit = spec.storage_bytes()?;
    let largest = Bytes(u64::from(connection::MOST_PAGES) * u64::from(PAGE_SIZE));
    if !(SMALLEST..=largest).contains(&limit) {
        return Err(invalid(format!("storage: {limit} is not between {SMALLEST} and {largest}")));
    }
    Ok(limit)
}

fn being_removed(id: &OrderId) -> Error {
    Error::new(ErrorKind::Unavailable, "change", id, "it is being removed")
}

/// Makes an empty database. SQLite writes it in one transaction, so it can be repeated.
fn create(path: &Path) -> Result<(), Error> {
    let write = || -> rusqlite::Result<()> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", PAGE_SIZE)?;
        // An empty file becomes a database with its first page, which this writes.
        connection.pragma_update(None, "user_version", 0)?;
        connection.close().map_err(|(_, error)| error)
    };
    write().map_err(|e| Error::new(ErrorKind::Unavailable, "create", path.display(), e.to_string()).with_source(e))?;
    restrict(path).map_err(|e| unavailable("restrict", path.display(), e))
}

fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}
