//! The tour: what two tenants do, and what each of them sees.

use std::{future::Future, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kdp_catalog::{CatalogEntry, ClaimPolicy};
use kdp_core::{Endpoint, Error, ErrorKind, condition::find_condition};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    runtime::watcher,
};
use serde_json::json;

use super::{consumer::Credentials, data_dir::DataDir, manifest, screen, site::Site, steps::Steps, tenant::Tenant};
use crate::database::{Database, Engine, spec::GROUP};

/// Where tenants order.
pub(super) const NAMESPACE: &str = "default";

const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Walks tenant `a` through the life of one database of each engine, and makes sure that tenant
/// `b` sees nothing of it.
pub(super) async fn walk(
    site: &Site,
    data_dir: &DataDir,
    [a, b]: &[Tenant; 2],
    entry: &CatalogEntry,
    steps: &mut Steps,
) -> Result<(), Error> {
    let tenant = a.client(&site.control_plane)?;
    let bind = kdp_catalog::bind(&tenant, entry, ClaimPolicy::AcceptAll);
    steps.take(format!("{} binds the service {}", a.name, entry.name), async { bind.await.map(|_| ()) }).await?;
    for engine in site.engines() {
        let order = Order::new(engine)?;
        let file = data_dir.write(&format!("manifests/{}", order.file), order.yaml)?;
        let title = format!("{} orders {engine} with {}", a.name, order.file);
        screen::line(format_args!("\n  kubectl apply -f {}", file.display()));
        steps.take(title, order.place(&tenant, a.name)).await?;

        let credentials = Credentials::read(&tenant, &order.name).await?;
        steps.take(format!("{engine}: a row written and read back"), credentials.write_and_read()).await?;
        if engine == Engine::Sqlite {
            steps.take(format!("{engine}: more than ordered is refused"), refuse_overflow(&credentials)).await?;
        }
        steps.take(format!("{engine}: {} sees nothing of it", b.name), order.is_hidden_from(site, a, b)).await?;
        steps.take(format!("{engine}: storage grows to {}", order.grown), order.grow(&tenant)).await?;
        steps.take(format!("{engine}: deleted, everything released"), order.release(site, &tenant)).await?;
    }
    Ok(())
}

async fn refuse_overflow(credentials: &Credentials) -> Result<(), Error> {
    ensure(credentials.overflow_is_refused().await?, || "the database took more than its storage".into())
}

/// What a tenant orders on the tour.
struct Order {
    file: &'static str,
    yaml: &'static str,
    name: String,
    grown: &'static str,
}

impl Order {
    fn new(engine: Engine) -> Result<Self, Error> {
        let (file, yaml, grown) = match engine {
            Engine::Sqlite => ("database.yaml", include_str!("../../manifests/database.yaml"), "32Mi"),
            Engine::Postgres => {
                ("database-postgres.yaml", include_str!("../../manifests/database-postgres.yaml"), "128Mi")
            }
        };
        let object = manifest::parse(yaml)?.into_iter().next();
        let name = object.as_ref().map(DynamicObject::name_any).unwrap_or_default();
        Ok(Self { file, yaml, name, grown })
    }

    /// Applies the manifest and waits until the database is ready, showing what is heard of it.
    async fn place(&self, tenant: &Client, manager: &str) -> Result<(), Error> {
        manifest::apply(tenant, self.yaml, manager).await?;
        self.wait(tenant, |database| {
            database.is_some_and(|database| {
                let conditions = database.status.as_ref().map_or(&[][..], |status| &status.conditions);
                find_condition(conditions, "Ready").is_some_and(|ready| ready.is_true())
            })
        })
        .await?;
        // The copy of the Secret travels by itself.
        until("deliver", &self.name, "its credentials did not arrive", || async {
            Ok(Credentials::read(tenant, &self.name).await.is_ok())
        })
        .await
    }

    /// Asks as `b` in every way there is.
    async fn is_hidden_from(&self, site: &Site, a: &Tenant, b: &Tenant) -> Result<(), Error> {
        let plane = &site.control_plane;
        let own = b.client(plane)?;
        let groups = own.list_api_groups().await.map_err(|e| Error::from_kube("discover as", b.name, e))?;
        let seen = groups.groups.iter().any(|group| group.name == GROUP);
        ensure(!seen, || format!("{} has the kind in its discovery", b.name))?;
        screen::line("  no such kind in its discovery");

        let foreign = b.client_in(plane, &a.workspace.clone().into())?;
        for (what, client) in [("in its own workspace", &own), ("in the other workspace", &foreign)] {
            let databases = Api::<Database>::namespaced(client.clone(), NAMESPACE);
            refused(what, databases.get(&self.name).await)?;
            refused(what, databases.list(&ListParams::default()).await)?;
        }
        let secrets = |client: &Client| Api::<Secret>::all(client.clone());
        refused("in the other workspace", secrets(&foreign).list(&ListParams::default()).await)?;
        let everywhere = b.client_in(plane, &Endpoint::AllWorkspaces)?;
        refused("in all workspaces", secrets(&everywhere).list(&ListParams::default()).await)?;
        screen::line("  GET and LIST are refused, here, there and everywhere");

        let own = secrets(&own).list(&ListParams::default()).await;
        let own = own.map_err(|e| Error::from_kube("list secrets as", b.name, e))?;
        let seen = own.iter().any(|secret| secret.name_any().contains(&self.name));
        ensure(!seen, || format!("{} has the credentials among its own secrets", b.name))
    }

    /// Asks for more storage, and makes sure that it is granted and that nothing is lost.
    async fn grow(&self, tenant: &Client) -> Result<(), Error> {
        let patch = Patch::Merge(json!({"spec": {"storage": self.grown}}));
        let patched = databases(tenant).patch(&self.name, &PatchParams::default(), &patch).await;
        patched.map_err(|e| Error::from_kube("grow", &self.name, e))?;
        self.wait(tenant, |database| {
            let status = database.and_then(|database| database.status.as_ref());
            status.is_some_and(|status| status.storage == self.grown && status.phase == "Ready")
        })
        .await?;
        Credentials::read(tenant, &self.name).await?.expect_row().await
    }

    /// Deletes the order, and makes sure that nothing of it is left on either side.
    async fn release(&self, site: &Site, tenant: &Client) -> Result<(), Error> {
        let credentials = Credentials::read(tenant, &self.name).await?;
        let deleted = databases(tenant).delete(&self.name, &DeleteParams::default()).await;
        deleted.map_err(|e| Error::from_kube("delete", &self.name, e))?;
        self.wait(tenant, |database| database.is_none()).await?;
        ensure(credentials.lead_nowhere().await, || "the database is still where its credentials lead".into())?;
        screen::line("  the database is gone");
        for (where_, client) in [("tenant", tenant.clone()), ("service cluster", site.cluster()?)] {
            let message = format!("something of it is left on the side of the {where_}");
            until("release", &self.name, &message, || self.has_vanished(&client)).await?;
            screen::line(format_args!("  {where_}: no order, no Secret"));
        }
        Ok(())
    }

    async fn has_vanished(&self, client: &Client) -> Result<bool, Error> {
        let failed = |e| Error::from_kube("look for", &self.name, e);
        let every = ListParams::default();
        let orders = Api::<Database>::all(client.clone()).list(&every).await.map_err(failed)?;
        let secrets = Api::<Secret>::all(client.clone()).list(&every).await.map_err(failed)?;
        let secret_name = format!("{}-credentials", self.name);
        let order = orders.iter().any(|order| order.name_any() == self.name);
        Ok(!order && !secrets.iter().any(|secret| secret.name_any() == secret_name))
    }

    /// Follows the order until `is_done`, and prints each news of it.
    async fn wait(&self, tenant: &Client, is_done: impl Fn(Option<&Database>) -> bool) -> Result<(), Error> {
        let mut changes = std::pin::pin!(watcher::watch_object(databases(tenant), &self.name));
        let mut told = String::new();
        let follow = async {
            while let Some(change) = changes.next().await {
                let database = match change {
                    Ok(database) => database,
                    Err(error) => {
                        tracing::info!(%error, "tour.watch");
                        continue;
                    }
                };
                let news = database.as_ref().map(news).unwrap_or_default();
                if !news.is_empty() && news != told {
                    screen::line(format_args!("  {}: {news}", self.name));
                    told = news;
                }
                if is_done(database.as_ref()) {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, follow).await.map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                "wait for",
                &self.name,
                format!("nothing came of it within {DEADLINE:?}"),
            )
        })
    }
}

/// What is new about an order, in one line.
fn news(database: &Database) -> String {
    if database.metadata.deletion_timestamp.is_some() {
        return "being deleted".into();
    }
    let Some(status) = &database.status else { return "accepted".into() };
    let message = find_condition(&status.conditions, "Ready").map_or("", |ready| &ready.message);
    let facts = [("at", &*status.endpoint), ("storage", &*status.storage), ("", message)];
    let facts = facts.iter().filter(|(_, fact)| !fact.is_empty()).map(|(what, fact)| format!(" {what} {fact}"));
    let phase = if status.phase.is_empty() { "accepted" } else { &status.phase };
    format!("{phase}{}", facts.collect::<String>())
}

fn databases(client: &Client) -> Api<Database> {
    Api::namespaced(client.clone(), NAMESPACE)
}

/// Fails unless the server refused: what may not be seen is forbidden, or not there at all.
fn refused<T>(where_: &str, result: kube::Result<T>) -> Result<(), Error> {
    match result {
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(()),
        Err(error) => Err(Error::from_kube("ask", where_, error)),
        Ok(_) => ensure(false, || format!("a stranger was answered {where_}")),
    }
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::new(ErrorKind::Internal, "go on with", "the tour", message())) }
}

/// Asks again and again until the answer is yes.
async fn until<F: Future<Output = Result<bool, Error>>>(
    op: &'static str,
    subject: &str,
    otherwise: &str,
    question: impl Fn() -> F,
) -> Result<(), Error> {
    let ask = async {
        while !question().await? {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    };
    match tokio::time::timeout(DEADLINE, ask).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(ErrorKind::Unavailable, op, subject, format!("{otherwise} within {DEADLINE:?}"))),
    }
}
