//! Regular expressions in CEL: what the engine and Kubernetes' library have, for patterns of tenants.
//!
//! A pattern is compiled anew at each evaluation. The engine's own functions take any, so that a few
//! letters such as `\pL{200}` cost megabytes and a good part of a second; and they do not read it as Go.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands arguments over")]

use std::sync::Arc;

use kube_cel::cel::{
    Context, ExecutionError, ResolveResult, Value,
    extractors::{Arguments, This},
};
use regex::Regex;

use super::pattern;

/// How many bytes a compiled pattern may take, which bounds how long that is compiled.
const MOST_BYTES: usize = 128 * 1024;

/// Takes the place of the functions of the same names.
pub(crate) fn register(library: &mut Context<'_>) {
    library.add_function("matches", matches);
    library.add_function("find", find);
    library.add_function("findAll", find_all);
}

fn compiled(function: &str, source: &str) -> Result<Regex, ExecutionError> {
    pattern::compile_within(source, MOST_BYTES)
        .map_err(|error| ExecutionError::function_error(function, format!("'{source}' not a valid regex:\n{error}")))
}

fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> ResolveResult {
    Ok(compiled("matches", &pattern)?.is_match(&text).into())
}

fn find(This(text): This<Arc<String>>, pattern: Arc<String>) -> ResolveResult {
    Ok(compiled("find", &pattern)?.find(&text).map_or("", |found| found.as_str()).into())
}

/// All that the first argument matches, or as many as the second one says; -1 for all.
fn find_all(This(text): This<Arc<String>>, Arguments(arguments): Arguments) -> ResolveResult {
    let (pattern, most) = match arguments.as_slice() {
        [Value::String(pattern)] => (pattern, usize::MAX),
        [Value::String(pattern), Value::Int(most)] => (pattern, usize::try_from(*most).unwrap_or(usize::MAX)),
        _ => return Err(ExecutionError::NoSuchOverload),
    };
    let pattern = compiled("findAll", pattern)?;
    let found = pattern.find_iter(&text).take(most).map(|found| Value::from(found.as_str()));
    Ok(Value::List(Arc::new(found.collect())))
}
