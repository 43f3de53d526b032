//! Takes over an object that exists already.

use super::{
    CrossplaneProvider, TRIES,
    cluster::{Effect, Look},
    desired::{self, Place, Whose, whose},
    draft::is_leaving,
    look::Located,
    record::Memory,
};
use crate::{
    Error, ErrorKind,
    provider::{OrderId, Run},
};

impl CrossplaneProvider {
    /// Makes the object of this name the order's, which changes nothing but whose it is.
    ///
    /// It is a name alone: what is in the namespace of another workspace cannot even be asked for.
    pub(super) async fn take_over(&self, id: &OrderId, name: &str, run: &Run) -> Result<Located, Error> {
        let resource = &self.options.target.resource;
        let usual = desired::place(&self.options, id)?;
        let error = |kind, message: String| Error::new(kind, "import", id, message);
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        if !is_name {
            return Err(error(ErrorKind::Invalid, format!("{name:?} is no name of a {}", resource.kind)));
        }
        let place = Place { name: name.into(), ..usual };
        let title = format!("{} {}", resource.kind, place.id());
        let mut refused = None;
        for _ in 0..TRIES {
            let object = match self.cluster.look(resource, &place).await {
                Look::There(object) => object,
                Look::Absent => return Err(error(ErrorKind::NotFound, format!("there is no {title}"))),
                Look::Unseen(why) => return Err(error(ErrorKind::Unavailable, why)),
            };
            let taken = match whose(&object, id, None) {
                Whose::Ours => Ok(object),
                Whose::Foreign => return Err(error(ErrorKind::Forbidden, format!("{title} is another order's"))),
                Whose::Unclear if is_leaving(&object) => {
                    return Err(error(ErrorKind::NotFound, format!("{title} is being deleted")));
                }
                Whose::Unclear => {
                    let mut ownership = desired::ownership(&self.options, id, &place, run.lease);
                    // Of two orders that want it at once, one comes too late.
                    ownership["metadata"]["uid"] = object["metadata"]["uid"].clone();
                    ownership["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
                    self.cluster.apply(resource, &ownership, Effect::Real).await
                }
            };
            match taken {
                Ok(_) => {
                    let look = self.cluster.look(resource, &place).await;
                    return Ok(Located { place, memory: self.fresh_memory().await?, look, is_taken: false });
                }
                // Crossplane writes it as well, and whose it is may have changed.
                Err(changed) if changed.kind() == ErrorKind::Stale => {
                    self.fence.check(id, run).await?;
                    refused = Some(changed);
                }
                Err(failed) => return Err(failed),
            }
        }
        Err(refused.unwrap_or_else(|| error(ErrorKind::Stale, "it keeps changing meanwhile".into())))
    }

    /// What is remembered of an object that nothing was known of.
    async fn fresh_memory(&self) -> Result<Memory, Error> {
        let cluster = self.cluster.namespace_uid(&self.home).await?;
        Ok(Memory { cluster, ..Memory::default() })
    }
}
