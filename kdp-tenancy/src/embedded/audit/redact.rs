//! What a client says, made fit for a log.

/// Parameters whose values are kept: those the API knows. Anything else could be a secret that
/// somebody put into a URL, such as a token.
const KNOWN: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "dryRun",
    "fieldManager",
    "fieldSelector",
    "fieldValidation",
    "force",
    "gracePeriodSeconds",
    "includeObject",
    "labelSelector",
    "limit",
    "orphanDependents",
    "pretty",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeout",
    "timeoutSeconds",
    "watch",
];

const REDACTED: &str = "REDACTED";

/// The longest user agent that is kept whole, in bytes, as in Kubernetes.
const MAX_USER_AGENT: usize = 1024;
const TRUNCATED: &str = "...TRUNCATED";

/// Path and query of a URI, without the values of parameters that the API does not know.
pub(crate) fn redacted_uri(uri: &http::Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if !KNOWN.contains(&name) => format!("{name}={REDACTED}"),
        // A parameter without a name and value could be the secret itself.
        None if !KNOWN.contains(&parameter) && !parameter.is_empty() => REDACTED.to_owned(),
        _ => parameter.to_owned(),
    });
    format!("{}?{}", uri.path(), parameters.collect::<Vec<_>>().join("&"))
}

/// The user agent, cut off when it is too long.
pub(crate) fn redacted_user_agent(agent: &[u8]) -> String {
    let text = String::from_utf8_lossy(agent);
    if text.len() <= MAX_USER_AGENT {
        return text.into_owned();
    }
    let end = text.floor_char_boundary(MAX_USER_AGENT);
    format!("{}{TRUNCATED}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_unknown_query_parameters_are_left_out() {
        for (uri, expected) in [
            ("/api/v1/secrets", "/api/v1/secrets"),
            ("/api/v1/secrets?limit=5&watch", "/api/v1/secrets?limit=5&watch"),
            ("/x?access_token=hunter2&limit=5", "/x?access_token=REDACTED&limit=5"),
            ("/x?hunter2", "/x?REDACTED"),
            ("/x?a=b=hunter2", "/x?a=REDACTED"),
            ("/x?%6cimit=hunter2", "/x?%6cimit=REDACTED"),
            ("/x?", "/x?"),
        ] {
            assert_eq!(redacted_uri(&uri.parse().unwrap()), expected, "{uri}");
        }
    }

    #[test]
    fn a_long_user_agent_is_cut_off_between_characters() {
        let long = "ä".repeat(MAX_USER_AGENT);
        let kept = redacted_user_agent(long.as_bytes());
        assert_eq!(kept.len(), MAX_USER_AGENT + TRUNCATED.len());
        assert_eq!(redacted_user_agent(b"kubectl/v1"), "kubectl/v1");
        assert_eq!(redacted_user_agent(b"a\xff"), "a\u{fffd}");
    }
}
