//! The bytes of an archive.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use kdp_core::{Error, ErrorKind, WorkspacePath, api::tenancy::WorkspaceTypeReference};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Summary, rules};

/// The version of the format.
const FORMAT: u32 = 1;
/// The largest archive that is read, compressed: it is held in memory.
const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// The longest line: the largest object an API server takes, and its envelope.
const MAX_LINE: u64 = 16 * 1024 * 1024;
/// How many compressed bytes are gathered before they are written.
const CHUNK: usize = 64 * 1024;

/// One line of an archive.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Record {
    Archive { format: u32, source: WorkspacePath, created: String },
    Workspace(Box<Workspace>),
    Object(Box<Object>),
    Manifest(Summary),
}

/// A workspace whose objects follow.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Workspace {
    /// Names from the archived workspace down; none for that itself.
    pub(super) path: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<WorkspaceTypeReference>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, String>,
}

/// An object of the workspace before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Object {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) has_status: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) sensitive: bool,
    pub(super) object: Value,
}

impl Record {
    pub(super) fn begin(source: &WorkspacePath) -> Self {
        Self::Archive { format: FORMAT, source: source.clone(), created: jiff::Timestamp::now().to_string() }
    }
}

/// Writes an archive.
pub(super) struct Writer<W> {
    out: W,
    lines: GzEncoder<Vec<u8>>,
    hash: Sha256,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, lines: GzEncoder::new(Vec::new(), Compression::default()), hash: Sha256::new() }
    }

    pub(super) async fn write(&mut self, record: &Record) -> Result<(), Error> {
        serde_json::to_writer(&mut self.lines, record).map_err(failed)?;
        self.lines.write_all(b"\n").map_err(failed)?;
        if self.lines.get_ref().len() >= CHUNK {
            let bytes = std::mem::take(self.lines.get_mut());
            self.hash.update(&bytes);
            self.out.write_all(&bytes).await.map_err(failed)?;
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<(), Error> {
        let bytes = self.lines.finish().map_err(failed)?;
        self.hash.update(&bytes);
        self.out.write_all(&bytes).await.map_err(failed)?;
        self.out.write_all(&checksum(self.hash)?).await.map_err(failed)?;
        self.out.flush().await.map_err(failed)
    }
}

/// The second member; without compression, so that its length is always the same.
fn checksum(hash: Sha256) -> Result<Vec<u8>, Error> {
    let mut member = GzEncoder::new(Vec::new(), Compression::none());
    writeln!(member, "{{\"checksum\":{{\"sha256\":\"{:x}\"}}}}", hash.finalize()).map_err(failed)?;
    member.finish().map_err(failed)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unavailable, "write", "the archive", "the output failed").with_source(error)
}

/// An archive that was read whole and found sound.
pub(super) struct Archive {
    lines: Vec<u8>,
}

impl Archive {
    /// Reads an archive and checks every byte and every record of it.
    pub(super) async fn read(input: impl AsyncRead + Unpin) -> Result<Self, Error> {
        let mut lines = Vec::new();
        input.take(MAX_BYTES).read_to_end(&mut lines).await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "read", "the archive", "the input failed").with_source(error)
        })?;
        let length = checksum(Sha256::new())?.len();
        let split = lines.len().checked_sub(length).ok_or_else(|| rules::invalid("it is cut off"))?;
        let found = lines.split_off(split);
        if found != checksum(Sha256::new_with_prefix(&lines))? {
            return Err(rules::invalid("it is damaged or cut off: its checksum is wrong"));
        }
        let archive = Self { lines };
        archive.check()?;
        Ok(archive)
    }

    /// Who made the archive may mean harm, so its order and every name in it are checked.
    fn check(&self) -> Result<(), Error> {
        let mut records = self.records();
        match records.next().transpose()? {
            Some(Record::Archive { format: FORMAT, .. }) => {}
            Some(Record::Archive { format, .. }) => {
                return Err(rules::invalid(format!("format {format} is not known")));
            }
            _ => return Err(rules::invalid("it does not begin as an archive")),
        }
        let (mut found, mut known, mut manifest) = (Summary::default(), Vec::<Vec<String>>::new(), None);
        for record in records {
            match record? {
                _ if manifest.is_some() => return Err(rules::invalid("something follows the manifest")),
                Record::Archive { .. } => return Err(rules::invalid("it begins twice")),
                Record::Workspace(workspace) => {
                    rules::workspace_path(&WorkspacePath::root(), &workspace.path)?;
                    let has_parent = match workspace.path.split_last() {
                        Some((_, parent)) => known.iter().any(|path| path == parent),
                        None => known.is_empty(),
                    };
                    if !has_parent || known.contains(&workspace.path) {
                        return Err(rules::invalid("a workspace is out of place"));
                    }
                    known.push(workspace.path);
                    found.workspaces += 1;
                }
                Record::Object(object) => {
                    if known.is_empty() {
                        return Err(rules::invalid("an object is in no workspace"));
                    }
                    rules::check_place([&object.group, &object.version, &object.plural], &object.object)?;
                    found.count(&object.group, &object.plural);
                }
                Record::Manifest(summary) => manifest = Some(summary),
            }
        }
        match manifest {
            Some(Summary { workspaces, objects, .. })
                if (workspaces, &objects) == (found.workspaces, &found.objects) =>
            {
                Ok(())
            }
            Some(_) => Err(rules::invalid("its manifest counts something else than what is there")),
            None => Err(rules::invalid("it has no manifest")),
        }
    }

    pub(super) fn records(&self) -> impl Iterator<Item = Result<Record, Error>> {
        let mut lines = BufReader::new(GzDecoder::new(&self.lines[..]));
        std::iter::from_fn(move || {
            let mut line = Vec::new();
            match Read::by_ref(&mut lines).take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => None,
                Ok(_) => Some(
                    serde_json::from_slice(&line)
                        .map_err(|error| rules::invalid("a line is broken").with_source(error)),
                ),
                Err(error) => Some(Err(rules::invalid("it cannot be unpacked").with_source(error))),
            }
        })
    }
}
