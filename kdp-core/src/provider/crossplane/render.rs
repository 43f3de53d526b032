//! Renders what Crossplane would compose, with Crossplane's own program.
//!
//! `crossplane internal render` (since 2.3) runs the real reconciler once over what it is given: a
//! `crossplane.render.v1alpha1.RenderRequest` on its input, the response on its output. It calls the
//! functions of the pipeline over plain gRPC at addresses it is told.

use std::{collections::BTreeMap, path::PathBuf, process::Stdio, time::Duration};

use prost::Message;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

use crate::{
    Error, ErrorKind,
    protobuf::{Struct, from_struct, to_struct},
    provider::OrderId,
};

/// A pipeline ended fatally: what it made of it is not the whole.
const FATAL: i32 = 3;
/// The most that is read of an answer.
const LARGEST: u64 = 32 << 20;
/// The most of a complaint that is passed on, in characters.
const LONGEST: usize = 512;

/// How plans learn what Crossplane would compose: see
/// [`CrossplaneOptions::with_renderer`](super::CrossplaneOptions::with_renderer).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Renderer {
    program: PathBuf,
    functions: BTreeMap<String, String>,
    patience: Duration,
}

impl Renderer {
    /// The program `crossplane` on the path, which knows no function yet.
    #[must_use]
    pub fn new() -> Self {
        Self { program: "crossplane".into(), functions: BTreeMap::new(), patience: Duration::from_secs(60) }
    }

    /// The same with the program at this path, version 2.3 or later.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// The same; the function of this name answers plain gRPC at this address, such as `localhost:9443`.
    #[must_use]
    pub fn with_function(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.functions.insert(name.into(), address.into());
        self
    }

    /// The same; rendering may take this long, instead of a minute.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Renders one composite resource. Dropping the future ends the program.
    ///
    /// `Unsupported` when there is no such program, or it knows no address of a function;
    /// `Unavailable` when it fails, with what it says.
    pub(super) async fn render(&self, id: &OrderId, input: Input<'_>) -> Result<Rendered, Error> {
        let functions = self.functions_of(id, input.composition)?;
        let request = RenderRequest {
            composite: Some(CompositeInput {
                composite_resource: Some(to_struct(input.composite)),
                composition: Some(to_struct(input.composition)),
                functions,
                observed_resources: input.observed.iter().map(to_struct).collect(),
                definition: Some(to_struct(input.definition)),
            }),
        };
        let ran = tokio::time::timeout(self.patience, self.run(id, request.encode_to_vec())).await;
        let answer = ran.map_err(|_| unavailable(id, &format!("it takes longer than {:?}", self.patience)))??;
        let response = RenderResponse::decode(answer.as_slice())
            .map_err(|error| unavailable(id, "its answer is none, use version 2.3 or later").with_source(error))?;
        let Some(output) = response.composite else { return Err(unavailable(id, "its answer is empty")) };
        Ok(Rendered {
            composed: output.composed_resources.into_iter().map(from_struct).collect(),
            deleted: output.deleted_resources.into_iter().map(from_struct).collect(),
        })
    }

    async fn run(&self, id: &OrderId, request: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut child = Command::new(&self.program)
            .args(["internal", "render"])
            // It needs nothing of this process, least of all its credentials; only to be found.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let message = format!("the program {} cannot be run", self.program.display());
                Error::new(ErrorKind::Unsupported, "render", id, message).with_source(error)
            })?;
        let failed = |error: std::io::Error| unavailable(id, "its answer cannot be read").with_source(error);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(Error::new(ErrorKind::Internal, "render", id, "the program has no pipes"));
        };
        let ask = async move {
            // A program that ends without reading says why.
            drop(stdin.write_all(&request).await);
            drop(stdin);
        };
        let (mut answer, mut complaint) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(LARGEST), stderr.take(LARGEST));
        let ((), heard, complained) =
            tokio::join!(ask, stdout.read_to_end(&mut answer), stderr.read_to_end(&mut complaint));
        heard.and(complained).map_err(failed)?;
        let status = child.wait().await.map_err(failed)?;
        if status.success() {
            return Ok(answer);
        }
        let complaint = String::from_utf8_lossy(&complaint);
        let complaint: String = complaint.trim().chars().take(LONGEST).collect();
        let what = if status.code() == Some(FATAL) { "a function refuses it" } else { "it failed" };
        Err(unavailable(id, &format!("{what}: {complaint}")))
    }

    /// The functions that a Composition calls.
    fn functions_of(&self, id: &OrderId, composition: &Value) -> Result<Vec<FunctionInput>, Error> {
        let steps = composition["spec"]["pipeline"].as_array().into_iter().flatten();
        let names = steps.filter_map(|step| step["functionRef"]["name"].as_str());
        let named: std::collections::BTreeSet<_> = names.collect();
        let address = |name: &str| match self.functions.get(name) {
            Some(address) => Ok(FunctionInput { name: name.into(), address: address.clone() }),
            None => {
                let message = format!("the renderer knows no address of the function {name}");
                Err(Error::new(ErrorKind::Unsupported, "render", id, message))
            }
        };
        named.into_iter().map(address).collect()
    }
}

impl Default for Renderer {
    fn default() -> Self {
        Self::new()
    }
}

/// What is rendered.
pub(super) struct Input<'a> {
    pub(super) composite: &'a Value,
    pub(super) composition: &'a Value,
    pub(super) definition: &'a Value,
    /// What it is composed of now.
    pub(super) observed: &'a [Value],
}

/// What it would be composed of.
pub(super) struct Rendered {
    pub(super) composed: Vec<Value>,
    pub(super) deleted: Vec<Value>,
}

fn unavailable(id: &OrderId, message: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "render", id, format!("crossplane internal render: {message}"))
}

// The part of `crossplane/render/v1alpha1/render.proto` and of `google/protobuf/struct.proto` that is needed.

#[derive(Clone, PartialEq, Message)]
struct RenderRequest {
    #[prost(message, optional, tag = "2")]
    composite: Option<CompositeInput>,
}

#[derive(Clone, PartialEq, Message)]
struct CompositeInput {
    #[prost(message, optional, tag = "1")]
    composite_resource: Option<Struct>,
    #[prost(message, optional, tag = "2")]
    composition: Option<Struct>,
    #[prost(message, repeated, tag = "3")]
    functions: Vec<FunctionInput>,
    #[prost(message, repeated, tag = "4")]
    observed_resources: Vec<Struct>,
    #[prost(message, optional, tag = "8")]
    definition: Option<Struct>,
}

#[derive(Clone, PartialEq, Message)]
struct FunctionInput {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    address: String,
}

#[derive(Clone, PartialEq, Message)]
struct RenderResponse {
    #[prost(message, optional, tag = "2")]
    composite: Option<CompositeOutput>,
}

#[derive(Clone, PartialEq, Message)]
struct CompositeOutput {
    #[prost(message, repeated, tag = "2")]
    composed_resources: Vec<Struct>,
    #[prost(message, repeated, tag = "3")]
    deleted_resources: Vec<Struct>,
}

#[cfg(test)]
mod tests;
