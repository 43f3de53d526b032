//! PostgreSQL server programs on this machine, and the account they run as.

use std::{
    env, fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use kdp_core::{Error, ErrorKind};

/// The programs an instance needs.
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_ctl"];
/// Where distributions keep them: each entry is a directory of installations, the beginning of an
/// installation's name, and where its programs are.
const USUAL: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/local", "pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// One version of the server programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installation {
    /// Major version, such as 15.
    pub(super) major: u32,
    bin: PathBuf,
}

impl Installation {
    /// All on this machine, the newest first, one for each major version: those on `PATH`, and
    /// those in the usual directories, since distributions keep servers out of `PATH`.
    pub(super) fn find() -> Vec<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let usual = USUAL.iter().flat_map(|(parent, prefix, bin)| {
            let children = fs::read_dir(parent).into_iter().flatten().flatten();
            children
                .filter(move |child| child.file_name().to_string_lossy().starts_with(prefix))
                .map(move |child| child.path().join(bin))
        });
        let mut found: Vec<_> = env::split_paths(&path).chain(usual).filter_map(|bin| Self::at(&bin)).collect();
        found.sort_by_key(|installation| std::cmp::Reverse(installation.major));
        found.dedup_by_key(|installation| installation.major);
        found
    }

    fn at(bin: &Path) -> Option<Self> {
        if !PROGRAMS.iter().all(|program| bin.join(program).is_file()) {
            return None;
        }
        // Links such as /usr/local/bin/postgres lead to the directory with the rest of the server.
        let bin = fs::canonicalize(bin.join("postgres")).ok()?.parent()?.to_owned();
        let output = Command::new(bin.join("postgres")).arg("--version").stdin(Stdio::null()).output().ok()?;
        Some(Self { major: major(&String::from_utf8(output.stdout).ok()?)?, bin })
    }

    /// A command that runs `program` as `account`, with nothing of this process's environment.
    pub(super) fn command(&self, program: &str, account: Option<&Account>) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().env("LC_ALL", "C").env("PATH", &self.bin).stdin(Stdio::null());
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }
}

/// The major version in what `postgres --version` prints.
fn major(output: &str) -> Option<u32> {
    let version = output.strip_prefix("postgres (PostgreSQL) ")?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).map_or(version, |end| &version[..end]);
    digits.parse().ok()
}

/// An account of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    name: String,
}

impl Account {
    /// Who is to run the server, given a file this process has made: PostgreSQL refuses to run as
    /// root, so a root process hands it to `postgres` or else `nobody`; anybody else runs it
    /// himself, which is `None`.
    pub(super) fn for_server(made_by_us: &Path) -> Result<Option<Self>, Error> {
        let unsupported = |message: String| Error::new(ErrorKind::Unsupported, "run", "postgres", message);
        let owner = fs::metadata(made_by_us).map_err(|e| unsupported(e.to_string()))?.uid();
        if owner != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").map_err(|e| unsupported(e.to_string()))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| Self::parse(&accounts, name))
            .map(Some)
            .ok_or_else(|| unsupported("it does not run as root, and there is no account postgres or nobody".into()))
    }

    fn parse(accounts: &str, name: &str) -> Option<Self> {
        let mut fields =
            accounts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (uid != 0).then(|| Self { uid, gid, name: name.into() })
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_prints() {
        for (output, expected) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres (PostgreSQL) 17\n", Some(17)),
            ("postgres (Something else) 17\n", None),
            ("", None),
        ] {
            assert_eq!(major(output), expected, "{output:?}");
        }
    }

    #[test]
    fn an_account_is_found_by_its_whole_name_and_never_root() {
        let accounts = "root:x:0:0::/root:/bin/sh\npostgresql:x:5:5::/:/bin/sh\npostgres:x:101:104:,,,:/var:/bin/sh\n";
        let postgres = Account { uid: 101, gid: 104, name: "postgres".into() };
        assert_eq!(Account::parse(accounts, "postgres"), Some(postgres));
        assert_eq!(Account::parse(accounts, "root"), None);
        assert_eq!(Account::parse(accounts, "nobody"), None);
    }
}
