//! Observing: what the registry remembers and the server has.

use std::time::Duration;

use kdp_core::{
    Error, ErrorKind,
    provider::{Observation, OrderId, Output, Phase, Teardown},
};

use super::{
    PostgresDatabases, names,
    plan::{is_full, record_of},
    registry::{Entry, Login, Registry},
};

/// How long a quota may be exceeded before that is noticed.
const LONGEST_LOOK: Duration = Duration::from_secs(60);

impl PostgresDatabases {
    pub(super) async fn look(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        if let Some(sealed) = sealed {
            Self::check_record(sealed)?;
        }
        match self.evidence(id, sealed).await {
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal) => {
                Ok(Self::unknown(error.message()))
            }
            outcome => outcome,
        }
    }

    pub(super) fn unknown(message: &str) -> Observation {
        Observation::new(Phase::Unknown).with_message(message)
    }

    async fn evidence(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        let client = self.server.connect_for(&self.server.registry, id).await?;
        let server = Registry::server_id(&client, id).await?;
        if sealed.is_some_and(|sealed| sealed.data["server"] != server.as_str()) {
            return Ok(Self::unknown("this is not the server that its database was made in"));
        }
        let database = names::database(id);
        let is_there = Registry::has_database(&client, &database, id).await?;
        let entry = match Registry::entry(&client, &database, id).await {
            Err(error) if error.kind() == ErrorKind::Forbidden => None,
            entry => entry?,
        };
        let Some(entry) = entry else { return Ok(Observation::new(Phase::Gone)) };
        let record = record_of(id, &entry, &server);
        let seen = |phase, message: &str| {
            Observation::new(phase).with_message(message).with_teardown(record.clone()).with_next_look(LONGEST_LOOK)
        };
        let (Some(generation), Some(owner)) = (entry.generation, &entry.owner) else {
            return Ok(seen(Phase::Progressing, "it is being made"));
        };
        if !is_there {
            return Ok(seen(Phase::Failing, "its database was removed by somebody else; it is made again, and empty"));
        }
        let size = Registry::size_mib(&client, &database, id).await?;
        let observation = if entry.is_full || is_full(size, entry.quota_mib) {
            let message = format!(
                "it takes {} MiB of {}: nothing can be written until there is less, or the order has a larger quota",
                size.unwrap_or_default(),
                entry.quota_mib.unwrap_or_default()
            );
            seen(Phase::Degraded, &message)
        } else {
            seen(Phase::Ready, "")
        };
        Ok(self.with_outputs(observation.with_generation(generation), &database, &entry, owner))
    }

    fn with_outputs(&self, observation: Observation, database: &str, entry: &Entry, owner: &Login) -> Observation {
        let (host, port) = self.server.address();
        let uri = |login: &Login| {
            let Login { role, password, .. } = login;
            Output::sensitive(format!("postgresql://{role}:{password}@{host}:{port}/{database}"))
        };
        let mut observation = observation
            .with_output("host", Output::plain(&host))
            .with_output("port", Output::plain(port.to_string()))
            .with_output("database", Output::plain(database))
            .with_endpoint("database", format!("{host}:{port}"));
        let all = entry.roles.iter().map(|(name, (_, login))| (format!("{name}-"), login));
        for (prefix, login) in std::iter::once((String::new(), owner)).chain(all) {
            observation = observation
                .with_output(format!("{prefix}username"), Output::plain(&login.role))
                .with_output(format!("{prefix}password"), Output::sensitive(&login.password))
                .with_output(format!("{prefix}uri"), uri(login));
        }
        observation
    }

    /// Whether a record was made with this server.
    pub(super) async fn is_server_of(&self, registry: &Registry, sealed: &Teardown) -> Result<bool, Error> {
        Ok(sealed.data["server"] == Registry::server_id(&registry.client, &sealed.id).await?.as_str())
    }
}
