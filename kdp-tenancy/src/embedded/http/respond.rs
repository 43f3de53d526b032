//! Answers in the form the client asked for.

use std::{io::Write, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    negotiate::{Encoding, Format, Shape},
    query::Query,
};
use crate::{
    embedded::{
        object,
        registry::{
            Place, Saved,
            list::Page,
            watch::{Render, render_stored},
        },
        serve::{Body, BoxError},
        status::{Result, StatusError},
        table::{self, IncludeObject},
    },
    store::{Entry, Revision},
};

/// Answers larger than this are compressed when the client accepts it, as in Kubernetes.
const COMPRESS_FROM: u64 = 128 * 1024;

pub(super) fn full(code: StatusCode, content_type: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = code;
    let content_type = HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

pub(super) fn text(code: StatusCode, text: &'static str) -> Response<Body> {
    full(code, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

pub(super) fn failure(error: &StatusError) -> Response<Body> {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = full(code, Encoding::Json.content_type(), error.to_value().to_string().into());
    let retry_after = error.status().details.as_ref().and_then(|details| details.retry_after_seconds);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(super) fn value(format: Format, code: StatusCode, value: &Value) -> Result<Response<Body>> {
    let body = match format.encoding {
        Encoding::Json => Bytes::from(value.to_string()),
        Encoding::Yaml => Bytes::from(serde_saphyr::to_string(value).map_err(StatusError::internal)?),
    };
    Ok(full(code, format.encoding.content_type(), body))
}

/// A stored object.
pub(super) fn entry(format: Format, place: &Place, query: &Query, entry: &Entry) -> Result<Response<Body>> {
    if is_plain(format) && place.serves_what_is_stored() {
        return Ok(full(StatusCode::OK, "application/json", object::to_json(entry)));
    }
    object(format, place, query, object::decode(entry)?)
}

/// An object.
pub(super) fn object(format: Format, place: &Place, query: &Query, object: Value) -> Result<Response<Body>> {
    value(format, StatusCode::OK, &shaped(format, place, query, place.served_form(object)))
}

/// An object after a write.
pub(super) fn saved(format: Format, place: &Place, query: &Query, saved: &Saved) -> Result<Response<Body>> {
    let code = if saved.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = match saved.revision {
        Some(revision) if is_plain(format) => {
            let mut body = BytesMut::new();
            object::write_json_at(&mut body, &saved.stored, revision);
            full(code, "application/json", body.freeze())
        }
        revision => {
            let mut object = object::decode_at(&saved.stored, revision.unwrap_or_default())?;
            if revision.is_none() {
                object::metadata_mut(&mut object).remove("resourceVersion");
            }
            value(format, code, &shaped(format, place, query, object))?
        }
    };
    for warning in &saved.warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(header) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(header::WARNING, header);
        }
    }
    Ok(response)
}

/// A page of a list.
pub(super) fn list(format: Format, place: &Place, query: &Query, page: &Page) -> Result<Response<Body>> {
    let mut metadata = json!({"resourceVersion": page.revision.to_string()});
    if let Some(token) = &page.continue_token {
        metadata["continue"] = token.as_str().into();
        if let Some(remaining) = page.remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    if !is_plain(format) || !place.serves_what_is_stored() {
        let items = page.entries.iter().map(object::decode).collect::<Result<Vec<_>>>()?;
        return shaped_list(format, place, query, items, &metadata);
    }
    let resource = &place.served.resource;
    let head = json!({"kind": resource.list_kind, "apiVersion": place.api_version, "metadata": metadata}).to_string();
    let size: usize = page.entries.iter().map(|entry| entry.value.len() + 64).sum();
    let mut body = BytesMut::with_capacity(head.len() + size);
    body.put_slice(&head.as_bytes()[..head.len() - 1]);
    body.put_slice(b",\"items\":[");
    for (i, entry) in page.entries.iter().enumerate() {
        if i > 0 {
            body.put_u8(b',');
        }
        object::write_json(&mut body, entry);
    }
    body.put_slice(b"]}");
    Ok(full(StatusCode::OK, "application/json", body.freeze()))
}

/// A list of objects that are already apart.
pub(super) fn objects(
    format: Format,
    place: &Place,
    query: &Query,
    items: Vec<Value>,
    revision: Revision,
) -> Result<Response<Body>> {
    shaped_list(format, place, query, items, &json!({"resourceVersion": revision.to_string()}))
}

fn shaped_list(
    format: Format,
    place: &Place,
    query: &Query,
    items: Vec<Value>,
    metadata: &Value,
) -> Result<Response<Body>> {
    let items: Vec<Value> = items.into_iter().map(|item| place.served_form(item)).collect();
    let list = match format.shape {
        Shape::Object => json!({
            "kind": place.served.resource.list_kind, "apiVersion": place.api_version, "metadata": metadata, "items": items,
        }),
        Shape::Table => table::table(&place.served.resource, &items, include(query), metadata, Timestamp::now()),
        Shape::Partial => table::partial_list(&items, metadata),
    };
    value(format, StatusCode::OK, &list)
}

/// What a delete answers when the object is gone.
pub(super) fn deleted(place: &Place, object: &Value) -> Value {
    let resource = &place.served.resource;
    let mut details = json!({
        "name": object["metadata"]["name"], "kind": resource.plural, "uid": object["metadata"]["uid"],
    });
    if !resource.group.is_empty() {
        details["group"] = resource.group.as_str().into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// Writes the objects of a watch.
pub(super) fn renderer(format: Format, place: &Place, query: &Query) -> Render {
    if is_plain(format) && place.serves_what_is_stored() {
        return Arc::new(|entry, revision| Ok(render_stored(entry, revision)));
    }
    let (place, query) = (place.clone(), query.clone());
    Arc::new(move |entry, revision| {
        let object = place.served_form(object::decode_at(&entry.value, revision)?);
        Ok(shaped(format, &place, &query, object).to_string().into())
    })
}

/// An answer that goes on until its stream ends.
pub(super) fn stream(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = lines.map(|line| Ok::<_, BoxError>(Frame::data(line)));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// The answer, compressed if it is large and the client accepts that.
pub(super) fn compressed(headers: &HeaderMap, response: Response<Body>) -> Response<Body> {
    use http_body::Body as _;
    let accepts = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip"));
    let size = response.body().size_hint().exact();
    if !accepts || size.is_none_or(|size| size < COMPRESS_FROM) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body of known size is one whole piece that is ready already.
    let Some(Ok(collected)) = futures::FutureExt::now_or_never(body.collect()) else {
        return failure(&StatusError::internal("the answer could not be compressed"));
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let Ok(()) = encoder.write_all(&collected.to_bytes()) else {
        return failure(&StatusError::internal("the answer could not be compressed"));
    };
    let compressed = encoder.finish().unwrap_or_default();
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(parts, Full::new(Bytes::from(compressed)).map_err(|never| match never {}).boxed_unsync())
}

fn is_plain(format: Format) -> bool {
    format.shape == Shape::Object && format.encoding == Encoding::Json
}

fn shaped(format: Format, place: &Place, query: &Query, object: Value) -> Value {
    match format.shape {
        Shape::Object => object,
        Shape::Partial => table::partial(&object),
        Shape::Table => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table::table(&place.served.resource, &[object], include(query), &metadata, Timestamp::now())
        }
    }
}

fn include(query: &Query) -> IncludeObject {
    match &*query.include_object {
        "None" => IncludeObject::None,
        "Object" => IncludeObject::Object,
        _ => IncludeObject::Metadata,
    }
}
