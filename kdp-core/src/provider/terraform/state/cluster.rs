//! A store in the Secrets of a namespace.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Namespace, Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use tokio::sync::OnceCell;

use super::{Bytes, StateStore};
use crate::{Error, ErrorKind};

/// Marks the Secrets, with the first part of the name.
const LABEL: &str = "terraform.kdp.k8c.io/state";
/// Marks those that hold a further part of a content.
const PART: &str = "terraform.kdp.k8c.io/part";
const CONTENT: &str = "content";
/// How many parts there are; only where there are several.
const PARTS: &str = "parts";
/// A Secret holds a megabyte, and grows by a third on its way.
const LARGEST_PART: usize = 700 << 10;

/// A [`StateStore`] in the Secrets of a namespace, for platforms of several replicas.
///
/// Nobody but the platform should be able to read or write Secrets there. Contents larger than 700 KiB are
/// stored in several.
#[derive(Clone)]
pub struct ClusterStates {
    namespaces: Api<Namespace>,
    secrets: Api<Secret>,
    namespace: String,
    identity: OnceCell<String>,
}

impl ClusterStates {
    /// The store in this namespace, which exists.
    #[must_use]
    pub fn new(client: Client, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        Self {
            secrets: Api::namespaced(client.clone(), &namespace),
            namespaces: Api::all(client),
            namespace,
            identity: OnceCell::new(),
        }
    }

    /// UID of the namespace: one of the same name that was made later has other Secrets.
    async fn uid(&self) -> Result<String, Error> {
        let namespace =
            self.namespaces.get(&self.namespace).await.map_err(|e| self.unreachable("look at", "the store", e))?;
        Ok(namespace.uid().unwrap_or_default())
    }

    /// Makes sure that what is not there is not there, and not in another namespace of the same name.
    async fn check_absence(&self, op: &'static str, name: &str) -> Result<(), Error> {
        let now = self.uid().await?;
        if *self.identity.get_or_init(|| async { now.clone() }).await == now {
            return Ok(());
        }
        let message = format!("the namespace {} was made anew", self.namespace);
        Err(Error::new(ErrorKind::Unavailable, op, name, message))
    }

    async fn get(&self, op: &'static str, name: &str, secret: &str) -> Result<Option<Secret>, Error> {
        self.secrets.get_opt(secret).await.map_err(|e| self.unreachable(op, name, e))
    }

    /// Whatever the API server refuses, nothing is known of the content.
    fn unreachable(&self, op: &'static str, name: &str, error: kube::Error) -> Error {
        let error = Error::from_kube(op, name, error);
        let message = format!("the Secrets of the namespace {}: {}", self.namespace, error.message());
        Error::new(ErrorKind::Unavailable, op, name, message).with_source(error)
    }

    fn secret(first: &str, secret: String, content: &[u8]) -> Secret {
        let labels = BTreeMap::from([(LABEL.to_owned(), first.to_owned())]);
        let metadata = ObjectMeta { name: Some(secret), labels: Some(labels), ..ObjectMeta::default() };
        let data = BTreeMap::from([(CONTENT.to_owned(), ByteString(content.to_vec()))]);
        Secret { metadata, data: Some(data), ..Secret::default() }
    }

    /// Stores one Secret and returns its version.
    async fn put(&self, name: &str, secret: Secret, expect: Option<&str>) -> Result<String, Error> {
        let params = PostParams::default();
        let stored = match expect {
            None => self.secrets.create(&params, &secret).await,
            Some(version) => {
                let mut secret = secret;
                secret.metadata.resource_version = Some(version.to_owned());
                let secret_name = secret.name_any();
                self.secrets.replace(&secret_name, &params, &secret).await
            }
        };
        match stored {
            Ok(stored) => Ok(stored.resource_version().unwrap_or_default()),
            Err(kube::Error::Api(status)) if status.code == 409 || (status.code == 404 && expect.is_some()) => {
                Err(Error::new(ErrorKind::Stale, "store", name, "somebody else has written it"))
            }
            Err(error) => Err(self.unreachable("store", name, error)),
        }
    }
}

#[async_trait]
impl StateStore for ClusterStates {
    async fn identity(&self) -> Result<String, Error> {
        let now = self.uid().await?;
        self.identity.get_or_init(|| async { now.clone() }).await;
        Ok(now)
    }

    async fn load(&self, name: &str) -> Result<Option<(Bytes, String)>, Error> {
        let (_, base) = names(name);
        let Some(first) = self.get("load", name, &base).await? else {
            self.check_absence("load", name).await?;
            return Ok(None);
        };
        let version = first.resource_version().unwrap_or_default();
        let parts = number_of_parts(&first);
        let mut content = content_of(first);
        for part in 1..parts {
            // The first is written last and removed first, so the others are there while it is.
            let Some(next) = self.get("load", name, &part_name(&base, part)).await? else { return Ok(None) };
            content.extend(content_of(next));
        }
        Ok(Some((content.into(), version)))
    }

    async fn store(&self, name: &str, content: Bytes, expect: Option<&str>) -> Result<String, Error> {
        let (first, base) = names(name);
        let mut parts = content.chunks(LARGEST_PART);
        let mut secret = Self::secret(first, base.clone(), parts.next().unwrap_or_default());
        let mut number = 1;
        for part in parts {
            let mut further = Self::secret(first, part_name(&base, number), part);
            further.labels_mut().insert(PART.into(), number.to_string());
            // What an earlier try has left is replaced.
            let left = self.get("store", name, &further.name_any()).await?.and_then(|left| left.resource_version());
            self.put(name, further, left.as_deref()).await?;
            number += 1;
        }
        if number > 1 {
            if expect.is_some() {
                // Its parts would be those of the old and of the new content.
                let message =
                    format!("what is written again may have {LARGEST_PART} bytes, and it has {}", content.len());
                return Err(Error::new(ErrorKind::Invalid, "store", name, message));
            }
            let data = secret.data.get_or_insert_default();
            data.insert(PARTS.into(), ByteString(number.to_string().into_bytes()));
        }
        self.put(name, secret, expect).await
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        let (_, base) = names(name);
        let Some(first) = self.get("remove", name, &base).await? else { return Ok(()) };
        let parts = (1..number_of_parts(&first)).map(|part| part_name(&base, part));
        for secret in std::iter::once(base.clone()).chain(parts) {
            match self.secrets.delete(&secret, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(self.unreachable("remove", name, error)),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    async fn list(&self, first: &str) -> Result<Vec<String>, Error> {
        let label = if first.is_empty() { LABEL.to_owned() } else { format!("{LABEL}={first}") };
        let mut params = ListParams::default().labels(&format!("{label},!{PART}")).limit(500);
        let mut all = Vec::new();
        loop {
            let page = self.secrets.list_metadata(&params).await.map_err(|e| self.unreachable("list", first, e))?;
            for secret in &page.items {
                let Some(first) = secret.labels().get(LABEL) else { continue };
                if let Some(second) = secret.name_any().strip_prefix(&format!("{PREFIX}-{first}-")) {
                    all.push(format!("{first}/{second}"));
                }
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
        if all.is_empty() {
            self.check_absence("list", first).await?;
        }
        all.sort();
        Ok(all)
    }
}

impl fmt::Debug for ClusterStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterStates").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

const PREFIX: &str = "tfstate";

/// The first part of a name, and the name of the Secret.
fn names(name: &str) -> (&str, String) {
    let (first, second) = name.split_once('/').unwrap_or((name, ""));
    (first, format!("{PREFIX}-{first}-{second}"))
}

fn part_name(base: &str, part: usize) -> String {
    format!("{base}-{part}")
}

fn number_of_parts(secret: &Secret) -> usize {
    let number = secret.data.as_ref().and_then(|data| data.get(PARTS));
    number.and_then(|number| std::str::from_utf8(&number.0).ok()?.parse().ok()).unwrap_or(1)
}

fn content_of(secret: Secret) -> Vec<u8> {
    secret.data.and_then(|mut data| data.remove(CONTENT)).map(|content| content.0).unwrap_or_default()
}
