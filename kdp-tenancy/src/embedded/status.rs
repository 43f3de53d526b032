//! Failures as Kubernetes clients know them: a `Status` with reason, code and causes.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause, StatusDetails};
use serde_json::Value;

/// A request failed; what the client gets is [`StatusError::status`].
#[derive(Clone, Debug, PartialEq)]
pub struct StatusError(Box<Status>);

/// The result of handling a request, or a part of it.
pub type Result<T, E = StatusError> = std::result::Result<T, E>;

impl StatusError {
    /// A failure with this code, reason and message.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Status {
            status: Some("Failure".into()),
            code: Some(i32::from(code)),
            reason: Some(reason.into()),
            message: Some(message.into()),
            ..Status::default()
        }))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401: nobody vouches for the caller.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403: the caller lacks the right; `message` follows the resource in the text.
    pub fn forbidden(resource: ResourceRef<'_>, name: &str, message: impl fmt::Display) -> Self {
        let text = match (resource.plural, name) {
            ("", _) => format!("forbidden: {message}"),
            (_, "") => format!("{resource} is forbidden: {message}"),
            _ => format!("{resource} {name:?} is forbidden: {message}"),
        };
        Self::new(403, "Forbidden", text).about(resource, name)
    }

    /// 404: the path is not served.
    #[must_use]
    pub fn page_not_found() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// 404: there is no such object.
    #[must_use]
    pub fn not_found(resource: ResourceRef<'_>, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} {name:?} not found")).about(resource, name)
    }

    /// 405: the resource exists, the verb does not.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    /// 406: none of the media types the client accepts can be made.
    #[must_use]
    pub fn not_acceptable(offered: &str) -> Self {
        Self::new(406, "NotAcceptable", format!("only the following media types are accepted: {offered}"))
    }

    /// 409: an object of that name exists.
    #[must_use]
    pub fn already_exists(resource: ResourceRef<'_>, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{resource} {name:?} already exists")).about(resource, name)
    }

    /// 409: the object was changed meanwhile, or a precondition does not hold.
    pub fn conflict(resource: ResourceRef<'_>, name: &str, message: impl fmt::Display) -> Self {
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {resource} {name:?}: {message}"))
            .about(resource, name)
    }

    /// 409: server-side apply met fields of other managers; one cause for each.
    #[must_use]
    pub fn apply_conflict(message: impl Into<String>, causes: Vec<StatusCause>) -> Self {
        let mut error = Self::new(409, "Conflict", message);
        error.0.details = Some(StatusDetails { causes: Some(causes), ..StatusDetails::default() });
        error
    }

    /// 410: the revision is no longer kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413: the body is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// 415: the body's media type is not understood here.
    #[must_use]
    pub fn unsupported_media_type(accepted: &str) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}"),
        )
    }

    /// 422: the object breaks its schema or a rule of its kind.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, errors: Vec<FieldError>) -> Self {
        let subject = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let list = if let [line] = &lines[..] { line.clone() } else { format!("[{}]", lines.join(", ")) };
        let mut error = Self::new(422, "Invalid", format!("{subject} {name:?} is invalid: {list}"));
        error.0.details = Some(StatusDetails {
            group: (!group.is_empty()).then(|| group.into()),
            kind: Some(kind.into()),
            name: Some(name.into()),
            causes: Some(errors.into_iter().map(FieldError::into_cause).collect()),
            ..StatusDetails::default()
        });
        error
    }

    /// 429: the caller is to come back after `seconds`.
    pub fn too_many_requests(message: impl Into<String>, seconds: i32) -> Self {
        let mut error = Self::new(429, "TooManyRequests", message);
        error.0.details = Some(StatusDetails { retry_after_seconds: Some(seconds), ..StatusDetails::default() });
        error
    }

    /// 500: a fault of this server; the message is safe to show.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// 503: not now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// HTTP code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.0.code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500)
    }

    /// Reason as one CamelCase word.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.0.reason.as_deref().unwrap_or_default()
    }

    /// The object that goes over the wire.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.0
    }

    /// The JSON that goes over the wire.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut value = serde_json::to_value(&*self.0).unwrap_or_default();
        value["metadata"] = serde_json::json!({});
        value
    }

    fn about(mut self, resource: ResourceRef<'_>, name: &str) -> Self {
        self.0.details = Some(StatusDetails {
            group: (!resource.group.is_empty()).then(|| resource.group.into()),
            kind: (!resource.plural.is_empty()).then(|| resource.plural.into()),
            name: (!name.is_empty()).then(|| name.into()),
            ..StatusDetails::default()
        });
        self
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message.as_deref().unwrap_or_default())
    }
}

impl std::error::Error for StatusError {}

/// A resource as messages name it: `databases.example.com`, or `secrets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceRef<'a> {
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Plural name.
    pub plural: &'a str,
}

impl fmt::Display for ResourceRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// One fault of an object, in the words of Kubernetes' `field.Error`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Path such as `spec.ports[0].name`; `<root>` never appears, the root is an empty path.
    pub field: String,
    /// What is wrong with it.
    pub kind: FieldErrorKind,
    /// The offending value; shown for most kinds.
    pub value: Option<Value>,
    /// The rule that is broken.
    pub detail: String,
}

/// What is wrong with a field; the variant names end the `FieldValue…` reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldErrorKind {
    /// Must be present.
    Required,
    /// Breaks a rule of its format or a CEL rule.
    Invalid,
    /// Not one of the allowed values.
    NotSupported,
    /// Occurs twice where it must not.
    Duplicate,
    /// Must not be set here.
    Forbidden,
    /// Too many characters or bytes.
    TooLong,
    /// Too many items.
    TooMany,
    /// Of the wrong JSON type.
    TypeInvalid,
}

impl FieldErrorKind {
    fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
        }
    }
}

impl FieldError {
    /// A fault of the value at `field`.
    pub fn new(field: impl Into<String>, kind: FieldErrorKind, value: Value, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind, value: Some(value), detail: detail.into() }
    }

    /// `field` must be present.
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind: FieldErrorKind::Required, value: None, detail: detail.into() }
    }

    /// The value at `field` breaks the rule `detail`.
    pub fn invalid(field: impl Into<String>, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(field, FieldErrorKind::Invalid, value.into(), detail)
    }

    /// `field` must not be set, or not so.
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind: FieldErrorKind::Forbidden, value: None, detail: detail.into() }
    }

    fn into_cause(self) -> StatusCause {
        StatusCause { reason: Some(self.kind.reason().into()), message: Some(self.text()), field: Some(self.field) }
    }

    fn text(&self) -> String {
        let mut text = self.kind.words().to_owned();
        if let (Some(value), false) =
            (&self.value, matches!(self.kind, FieldErrorKind::Required | FieldErrorKind::Forbidden))
        {
            text = format!("{text}: {value}");
        }
        if self.detail.is_empty() { text } else { format!("{text}: {}", self.detail) }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "<nil>" } else { &self.field };
        write!(f, "{field}: {}", self.text())
    }
}
