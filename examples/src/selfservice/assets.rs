//! The files of the page. They are part of the program and the same for everybody.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Path, type and content.
pub(super) const FILES: [(&str, &str, &str); 9] = [
    ("/", HTML, include_str!("../../assets/selfservice/index.html")),
    ("/app.js", SCRIPT, include_str!("../../assets/selfservice/app.js")),
    ("/api.js", SCRIPT, include_str!("../../assets/selfservice/api.js")),
    ("/dom.js", SCRIPT, include_str!("../../assets/selfservice/dom.js")),
    ("/form.js", SCRIPT, include_str!("../../assets/selfservice/form.js")),
    ("/orders.js", SCRIPT, include_str!("../../assets/selfservice/orders.js")),
    ("/topology.js", SCRIPT, include_str!("../../assets/selfservice/topology.js")),
    ("/icon.svg", "image/svg+xml", include_str!("../../assets/selfservice/icon.svg")),
    ("/style.css", STYLE, include_str!("../../assets/selfservice/style.css")),
];

/// One of them.
pub(super) fn serve(content_type: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], content).into_response()
}
