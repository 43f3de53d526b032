//! What can go wrong with the measures.

/// Why something cannot be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InsightError {
    /// An object has not what every object of an API server has.
    #[error("{kind} {name:?} has no {field}")]
    Incomplete {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What it lacks.
        field: &'static str,
    },
    /// What was kept of earlier days cannot be read.
    #[error("what was kept in {object:?} cannot be read")]
    Damaged {
        /// Name of the ConfigMap.
        object: String,
        /// Why.
        source: serde_json::Error,
    },
    /// What is to be kept cannot be written as JSON.
    #[error("page {page} of the journal cannot be written")]
    Unwritable {
        /// Number of the page.
        page: usize,
        /// Why.
        source: serde_json::Error,
    },
}
