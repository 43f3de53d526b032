//! The copies of schemas that bindings use: made by the first binding, collected after the last.
//!
//! Beside each copy stands a mark that every transaction writes which begins to use the copy. Whoever
//! collects reads the mark, then asks the index for users, then deletes both if the mark is still the
//! same: a binding made in between has written it, and one made later has to find the copy.

use serde_json::{Value, json};

use crate::{
    embedded::{
        index::{BOUND_SCHEMAS, bound_schema_key},
        key::ResourceKey,
        object::{self, str_at},
        registry::{Extra, Registry},
        status::Result,
    },
    store::{Change, Transaction},
};

/// Lets a binding use a schema, making the copy if it is not there.
pub(super) async fn keep(registry: &Registry, schema: &Value, extra: &mut Extra) -> Result<()> {
    let home = BOUND_SCHEMAS.parse().expect("it is a system cluster name");
    let uid = str_at(schema, &["metadata", "uid"]);
    let key = bound_schema_key(uid);
    let found = registry.store.get(&key).await?;
    extra.conditions.push((key.clone(), found.as_ref().map(|entry| entry.modified)));
    if found.is_none() {
        extra.changes.push(Change::Put(key, object::encode(&home, schema.clone())?));
    }
    let mark = json!({"kind": "SchemaUse", "metadata": {"name": uid}});
    extra.changes.push(Change::Put(mark_key(uid), object::encode(&home, mark)?));
    Ok(())
}

/// Removes the copy of a schema unless a binding uses it.
pub(crate) async fn collect(registry: &Registry, uid: &str) -> Result<()> {
    let (copy, mark) = (bound_schema_key(uid), mark_key(uid));
    loop {
        let Some(found) = registry.store.get(&copy).await? else { return Ok(()) };
        let marked = registry.store.get(&mark).await?.map(|entry| entry.modified);
        registry.index.seen(registry.store.revision()).await;
        if registry.index.uses_schema(uid) {
            return Ok(());
        }
        let transaction = Transaction {
            conditions: vec![(copy.clone(), Some(found.modified)), (mark.clone(), marked)],
            changes: vec![Change::Delete(copy.clone()), Change::Delete(mark.clone())],
        };
        if registry.commit(transaction, false).await?.is_some() {
            return Ok(());
        }
    }
}

fn mark_key(uid: &str) -> String {
    let home = BOUND_SCHEMAS.parse().expect("it is a system cluster name");
    ResourceKey::new(&home, "apis.kcp.io", "schemauses").object(None, uid)
}
