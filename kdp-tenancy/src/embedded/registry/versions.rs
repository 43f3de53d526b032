//! A place in the version that was asked for, and in the one that is stored.

use serde_json::{Value, json};

use super::{Place, rules::invalid};
use crate::embedded::{conversion, status::Result, surface::Surface};

impl Place {
    /// A stored object in the version that was asked for.
    pub(crate) fn served_form(&self, mut object: Value) -> Value {
        conversion::from_stored(&self.served.resource, &mut object);
        object["apiVersion"] = json!(self.api_version);
        object
    }

    /// Brings an object of the version that was asked for into the one that is stored.
    pub(super) fn stored_form(&self, name: &str, object: &mut Value) -> Result<()> {
        conversion::to_stored(&self.served.resource, object).map_err(|errors| invalid(self, name, errors))?;
        object["apiVersion"] = self.storage_api_version().into();
        Ok(())
    }

    /// The same place in the version that is stored, when its objects have other fields than this one's.
    pub(super) fn stored(&self) -> Option<Self> {
        let resource = &self.served.resource;
        if !conversion::is_needed(resource) {
            return None;
        }
        let served = Surface::base().find(&resource.group, &resource.storage_version, &resource.plural).cloned()?;
        Some(Self { api_version: self.storage_api_version(), served, ..self.clone() })
    }
}
