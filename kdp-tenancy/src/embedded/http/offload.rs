//! Work that takes a processor for long goes to threads of its own, so that the requests of others
//! get theirs. How many do so at once is bounded by the turns that requests take.

use http::{HeaderMap, Response};
use http_body::Body as _;

use super::{
    negotiate::{Encoding, Format, Shape},
    query::Query,
    respond,
};
use crate::embedded::{
    registry::{Place, list::Page},
    serve::Body,
    status::{Result, StatusError},
};

/// From so many bytes on, parsing or compressing takes a millisecond and more.
const HEAVY: usize = 128 * 1024;
/// Copying is so much cheaper than parsing.
const COPIES: usize = 16;

/// Does `work` on `bytes` bytes, elsewhere if that is a lot.
pub(super) async fn heavy<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if bytes < HEAVY {
        return work();
    }
    // Only a panic is no answer: then the request has failed, and nothing else.
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(StatusError::internal("the request failed")))
}

/// A page of a list.
pub(super) async fn list(format: Format, place: Place, query: Query, page: Page) -> Result<Response<Body>> {
    let bytes: usize = page.entries.iter().map(|entry| entry.value.len()).sum();
    let is_copied = format.shape == Shape::Object && format.encoding == Encoding::Json && place.serves_what_is_stored();
    let bytes = if is_copied { bytes / COPIES } else { bytes };
    heavy(bytes, move || respond::list(format, &place, &query, &page)).await
}

/// The answer, compressed if it is large and the client accepts that.
pub(super) async fn compressed(headers: HeaderMap, answer: Response<Body>) -> Response<Body> {
    let bytes = answer.body().size_hint().exact().and_then(|bytes| bytes.try_into().ok()).unwrap_or(0);
    heavy(bytes, move || Ok(respond::compressed(&headers, answer)))
        .await
        .unwrap_or_else(|error| respond::failure(&error))
}
