//! Which form of an answer the client wants.

use http::{HeaderMap, header};

use super::super::status::{Result, StatusError};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) shape: Shape,
    pub(crate) encoding: Encoding,
}

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The object itself.
    #[default]
    Object,
    /// `meta.k8s.io` Table.
    Table,
    /// `meta.k8s.io` PartialObjectMetadata, or a list of it.
    Partial,
}

/// In which syntax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/json`
    #[default]
    Json,
    /// `application/yaml`
    Yaml,
}

impl Encoding {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
        }
    }
}

const OFFERED: &str = "application/json, application/yaml";

/// One media range of an Accept header.
#[derive(Debug)]
pub(crate) struct MediaRange<'a> {
    pub(crate) name: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl MediaRange<'_> {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// The media ranges the client accepts, best first; `*/*` when it does not say.
pub(crate) fn accepted(headers: &HeaderMap) -> Vec<MediaRange<'_>> {
    let mut ranges: Vec<_> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().filter(|name| !name.is_empty())?;
            let parameters: Vec<_> = parts.filter_map(|p| p.split_once('=')).collect();
            let quality =
                parameters.iter().find(|(key, _)| *key == "q").and_then(|(_, q)| q.parse().ok()).unwrap_or(1.0);
            Some(MediaRange { name, parameters, quality })
        })
        .filter(|range| range.quality > 0.0)
        .collect();
    ranges.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    if ranges.is_empty() {
        ranges.push(MediaRange { name: "*/*", parameters: Vec::new(), quality: 1.0 });
    }
    ranges
}

/// The format of an answer that holds objects.
pub(crate) fn format(headers: &HeaderMap) -> Result<Format> {
    accepted(headers)
        .iter()
        .find_map(|range| {
            let encoding = match range.name {
                "application/json" | "*/*" | "application/*" => Encoding::Json,
                "application/yaml" => Encoding::Yaml,
                _ => return None,
            };
            let shape = match (range.parameter("as"), range.parameter("g"), range.parameter("v")) {
                ("", _, _) => Shape::Object,
                ("Table", "meta.k8s.io", "v1") => Shape::Table,
                ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => Shape::Partial,
                _ => return None,
            };
            Some(Format { shape, encoding })
        })
        .ok_or_else(|| StatusError::not_acceptable(OFFERED))
}

/// How the body of a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyType {
    Json,
    Yaml,
    /// Kubernetes' protobuf, which only builtin kinds have.
    Protobuf,
    JsonPatch,
    MergePatch,
    StrategicMergePatch,
    ApplyPatch,
}

/// How the body of a request is written, by its Content-Type; JSON when it does not say.
pub(crate) fn body_type(headers: &HeaderMap) -> Result<BodyType> {
    let value = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    Ok(match value.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" => BodyType::Json,
        "application/yaml" => BodyType::Yaml,
        "application/vnd.kubernetes.protobuf" => BodyType::Protobuf,
        "application/json-patch+json" => BodyType::JsonPatch,
        "application/merge-patch+json" => BodyType::MergePatch,
        "application/strategic-merge-patch+json" => BodyType::StrategicMergePatch,
        "application/apply-patch+yaml" => BodyType::ApplyPatch,
        _ => return Err(StatusError::unsupported_media_type(OFFERED)),
    })
}

/// How an object in the body of a request is written.
pub(crate) fn object_type(headers: &HeaderMap) -> Result<BodyType> {
    match body_type(headers)? {
        kind @ (BodyType::Json | BodyType::Yaml | BodyType::Protobuf) => Ok(kind),
        _ => Err(StatusError::unsupported_media_type(OFFERED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> Result<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        format(&headers)
    }

    #[test]
    fn the_first_form_that_can_be_made_is_taken() {
        let object = Format { shape: Shape::Object, encoding: Encoding::Json };
        assert_eq!(accept("application/vnd.kubernetes.protobuf, application/json").unwrap(), object);
        assert_eq!(accept("*/*").unwrap(), object);
        assert_eq!(
            accept("application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json").unwrap().shape,
            Shape::Table
        );
        assert_eq!(accept("application/json;q=0.1,application/yaml").unwrap().encoding, Encoding::Yaml);
        assert_eq!(accept("application/json;as=Table;v=v9;g=meta.k8s.io").unwrap_err().code(), 406);
        assert_eq!(accept("text/html").unwrap_err().code(), 406);
    }
}
