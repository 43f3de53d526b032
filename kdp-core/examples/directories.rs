//! A plugin that makes directories. A platform starts it; its first argument is where they are.

use std::{fs, io, path::PathBuf};

use async_trait::async_trait;
use kdp_core::{Error, ErrorKind, Provider, plugin, provider::*};

#[derive(Debug)]
struct Directories {
    base: PathBuf,
}

impl Directories {
    /// Named by the UID, so that no other order, now or later, meets this one's.
    fn path(&self, id: &OrderId) -> PathBuf {
        self.base.join(&id.uid)
    }

    fn teardown(&self, id: &OrderId) -> Teardown {
        Teardown::new(id).with_item("directory", self.path(id).to_string_lossy())
    }

    /// Lets nobody in who holds an older lease than one that was seen.
    fn enter(&self, id: &OrderId, run: &Run) -> Result<(), Error> {
        let fence = self.base.join("fence");
        let seen = fs::read_to_string(&fence).unwrap_or_default().parse().unwrap_or(0);
        if run.lease.0 < seen {
            return Err(Error::new(ErrorKind::Stale, "change", id, "another process has taken over"));
        }
        fs::write(&fence, run.lease.0.to_string()).map_err(|e| unavailable(id, e))
    }
}

fn unavailable(id: &OrderId, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "reach", id, error.to_string()).with_source(error)
}

#[async_trait]
impl Provider for Directories {
    fn name(&self) -> &str {
        "directories"
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        let Some(note) = order.spec["note"].as_str() else {
            return Err(Error::new(ErrorKind::Invalid, "plan", &order.id, "note: must be a text"));
        };
        run.progress.tell(Step::new(StepState::Done, "note").with_message("was looked at"));
        let changes = match fs::read_to_string(self.path(&order.id).join("note")) {
            Ok(there) if there == note => vec![],
            Ok(_) => vec![Change::new(ChangeAction::Update, "note")],
            Err(error) if error.kind() == io::ErrorKind::NotFound => vec![Change::new(ChangeAction::Create, "note")],
            Err(error) => return Err(unavailable(&order.id, error)),
        };
        Ok(Plan::new(order, changes, self.teardown(&order.id)))
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        self.enter(&order.id, run)?;
        self.plan(order, run).await?.check(plan, &order.id)?;
        let path = self.path(&order.id);
        let note = order.spec["note"].as_str().unwrap_or_default();
        let write = || fs::create_dir_all(&path).and_then(|()| fs::write(path.join("note"), note));
        write().map_err(|e| unavailable(&order.id, e))?;
        self.observe(&order.id, None).await
    }

    async fn observe(&self, id: &OrderId, _: Option<&Teardown>) -> Result<Observation, Error> {
        let note = self.path(id).join("note");
        let there = self.base.try_exists().and_then(|base| Ok((base, note.try_exists()?)));
        let observation = match there {
            Ok((true, true)) => Observation::new(Phase::Ready),
            Ok((true, false)) => return Ok(Observation::new(Phase::Gone)),
            // A disk that is not mounted is no evidence that anything is gone.
            _ => return Ok(Observation::new(Phase::Unknown).with_message("the disk cannot be read")),
        };
        let path = Output::plain(self.path(id).to_string_lossy());
        Ok(observation.with_output("path", path).with_teardown(self.teardown(id)))
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.enter(&sealed.id, run)?;
        match fs::remove_dir_all(self.path(&sealed.id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(&sealed.id, error)),
            _ => self.observe(&sealed.id, None).await,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let base = std::env::args_os().nth(1).map_or_else(|| "directories".into(), PathBuf::from);
    plugin::serve(Directories { base }).await
}
