//! Digests and versions.

use std::rc::Rc;

use sha2::{Digest, Sha256, Sha512};

use super::{Function, encode::to_json, function};
use crate::{
    hash,
    template::{
        semver::{Constraints, Version},
        value::Val,
    },
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("sha1sum", "s", |a| Ok(Val::text(hash::sha1(a.text(0))))),
    function("sha256sum", "s", |a| Ok(Val::text(hash::hex(&Sha256::digest(a.text(0)))))),
    function("sha512sum", "s", |a| Ok(Val::text(hash::hex(&Sha512::digest(a.text(0)))))),
    function("adler32sum", "s", |a| Ok(Val::text(hash::adler32(a.text(0).as_bytes()).to_string()))),
    function("semver", "s", |a| Ok(Val::Version(Rc::new(Version::parse(a.text(0))?)))),
    function("semverCompare", "ss", |a| {
        let constraints = Constraints::parse(a.text(0))?;
        Ok(Val::Bool(constraints.accept(&Version::parse(a.text(1))?)))
    }),
];

/// Functions of the text dialect only.
pub(super) const NAMING: &[Function] = &[
    function("sha3sum", "s", |a| Ok(Val::text(hash::sha3(a.text(0))))),
    function("sha3short", "si*", |a| {
        let length = match a.rest(1) {
            [] => 20,
            [_] => usize::try_from(a.int(1)).ok().filter(|n| *n > 0).ok_or("the length must be positive")?,
            _ => return Err("takes one length only".into()),
        };
        let mut digest = hash::sha3(a.text(0));
        digest.truncate(length);
        Ok(Val::text(digest))
    }),
    function("shortHash", "a", |a| {
        let digest = match a.any(0) {
            Val::Text(text) => hash::sha1_short(&**text),
            other => hash::sha1_short(to_json(a, other)? + "\n"),
        };
        Ok(Val::text(digest))
    }),
];
