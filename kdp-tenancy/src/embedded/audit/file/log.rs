//! One log: its current file, and the end of its chain.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    super::chain::{ChainKey, Head, Link},
    FileSinkOptions, current_path, old_files,
};

/// How much is read at once when the last line is looked for.
const TAIL_STEP: u64 = 64 * 1024;

/// A log that is open for writing.
#[derive(Debug)]
pub(super) struct Log {
    name: String,
    dir: PathBuf,
    file: File,
    /// Where the last whole line ends.
    len: u64,
    /// The number of the first line of the file.
    first: u64,
    begun: SystemTime,
    head: Head,
}

impl Log {
    /// Opens a log where its last whole line ends. What follows it was cut off by a crash, was
    /// never part of the chain, and is removed.
    pub(super) fn open(dir: &Path, name: &str, key: Option<&ChainKey>) -> io::Result<Self> {
        let path = current_path(dir, name);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let tail = tail(&mut file)?;
        let head = match link(tail.last.as_deref(), key)? {
            Some(link) => link.head(),
            None => old_head(dir, name, key)?,
        };
        let first = match first_line(&mut file)? {
            Some(line) if tail.last.is_some() => sequence(&line, key)?,
            _ => head.sequence + 1,
        };
        file.set_len(tail.end)?;
        let begun = file.metadata()?.created().unwrap_or_else(|_| SystemTime::now());
        Ok(Self { name: name.to_owned(), dir: dir.to_owned(), file, len: tail.end, first, begun, head })
    }

    /// The end of a log as it is on the disk; `None` when there is no log.
    pub(super) fn head(dir: &Path, name: &str, key: Option<&ChainKey>) -> io::Result<Option<Head>> {
        let last = match File::open(current_path(dir, name)) {
            Ok(mut file) => tail(&mut file)?.last,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let head = match link(last.as_deref(), key)? {
            Some(link) => link.head(),
            None => old_head(dir, name, key)?,
        };
        Ok((head.sequence > 0).then_some(head))
    }

    /// Writes the events as lines: all of them, or on an error none.
    pub(super) fn write<'a>(
        &mut self,
        events: impl Iterator<Item = &'a str>,
        options: &FileSinkOptions,
    ) -> io::Result<()> {
        if self.is_full(options) {
            self.put_aside(options)?;
        }
        let (mut head, mut lines) = (self.head, Vec::new());
        for event in events {
            head.append(&mut lines, event, options.key.as_ref());
        }
        let written = self.file.write_all(&lines).and_then(|()| match options.is_durable {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        if let Err(error) = written {
            self.file.set_len(self.len)?;
            return Err(error);
        }
        self.len += lines.len() as u64;
        self.head = head;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn is_full(&self, options: &FileSinkOptions) -> bool {
        let age = self.begun.elapsed().unwrap_or(Duration::ZERO);
        self.len > 0 && (self.len >= options.max_file_bytes || age >= options.max_file_age)
    }

    /// Puts the current file aside. Cut off anywhere, the next opening finds the end of the chain.
    fn put_aside(&mut self, options: &FileSinkOptions) -> io::Result<()> {
        self.file.sync_data()?;
        let (current, old) = (current_path(&self.dir, &self.name), self.dir.join(&self.name));
        fs::create_dir_all(&old)?;
        fs::rename(&current, old.join(format!("{:020}.log", self.first)))?;
        self.file = OpenOptions::new().read(true).append(true).create(true).open(&current)?;
        (self.len, self.first, self.begun) = (0, self.head.sequence + 1, SystemTime::now());
        let files = old_files(&self.dir, &self.name)?;
        for (_, path) in &files[..files.len().saturating_sub(options.max_old_files)] {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// The end of a log whose current file has no line yet.
fn old_head(dir: &Path, name: &str, key: Option<&ChainKey>) -> io::Result<Head> {
    let Some((_, path)) = old_files(dir, name)?.pop() else { return Ok(Head::start(name)) };
    let last = tail(&mut File::open(path)?)?.last;
    Ok(link(last.as_deref(), key)?.map_or_else(|| Head::start(name), |link| link.head()))
}

/// A line that is whole but no longer what was written must not be built upon.
fn link(line: Option<&[u8]>, key: Option<&ChainKey>) -> io::Result<Option<Link>> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the last line of the log was tampered with");
    line.map(|line| Link::read(line, key).ok_or_else(broken)).transpose()
}

fn sequence(line: &[u8], key: Option<&ChainKey>) -> io::Result<u64> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the first line of the log was tampered with");
    Link::read(line, key).map(|link| link.sequence).ok_or_else(broken)
}

fn first_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    io::BufRead::read_until(&mut io::BufReader::new(file), b'\n', &mut line)?;
    Ok(line.strip_suffix(b"\n").map(<[u8]>::to_vec))
}

struct Tail {
    /// The last whole line, without its line break.
    last: Option<Vec<u8>>,
    /// Where it ends.
    end: u64,
}

fn tail(file: &mut File) -> io::Result<Tail> {
    let len = file.seek(SeekFrom::End(0))?;
    let (mut start, mut read) = (len, Vec::new());
    loop {
        let step = TAIL_STEP.min(start);
        start -= step;
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        Read::by_ref(file).take(step).read_to_end(&mut block)?;
        block.append(&mut read);
        read = block;
        let mut breaks = read.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(i, _)| i);
        match (breaks.next(), breaks.next()) {
            (Some(end), Some(before)) => {
                return Ok(Tail { last: Some(read[before + 1..end].to_vec()), end: start + end as u64 + 1 });
            }
            (Some(end), None) if start == 0 => {
                return Ok(Tail { last: Some(read[..end].to_vec()), end: end as u64 + 1 });
            }
            (None, _) if start == 0 => return Ok(Tail { last: None, end: 0 }),
            _ => {}
        }
    }
}
