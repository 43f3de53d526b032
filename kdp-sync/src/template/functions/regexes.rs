//! Functions of sprig on regular expressions.

use regex::Regex;

use super::{Args, Function, function};
use crate::{
    rewrite::pattern,
    template::{
        fuel::Text,
        value::{Element, List, Val},
    },
};

/// What compiling a pattern costs.
const COMPILING: usize = 10_000;

pub(super) const FUNCTIONS: &[Function] = &[
    // Without "must", a wrong pattern does not match.
    function("regexMatch", "ss", |a| Ok(Val::Bool(compile(a).is_ok_and(|regex| regex.is_match(a.text(1)))))),
    function("mustRegexMatch", "ss", |a| Ok(Val::Bool(compile(a)?.is_match(a.text(1))))),
    function("regexFind", "ss", find),
    function("mustRegexFind", "ss", find),
    function("regexFindAll", "ssi", find_all),
    function("mustRegexFindAll", "ssi", find_all),
    function("regexReplaceAll", "sss", |a| replace(a, true)),
    function("mustRegexReplaceAll", "sss", |a| replace(a, true)),
    function("regexReplaceAllLiteral", "sss", |a| replace(a, false)),
    function("mustRegexReplaceAllLiteral", "sss", |a| replace(a, false)),
    function("regexSplit", "ssi", split),
    function("mustRegexSplit", "ssi", split),
    function("regexQuoteMeta", "s", |a| {
        Ok(Val::text(
            a.text(0)
                .chars()
                .flat_map(|c| {
                    let escape = r"\.+*?()|[]{}^$".contains(c).then_some('\\');
                    escape.into_iter().chain([c])
                })
                .collect::<String>(),
        ))
    }),
];

fn compile(args: &Args<'_, '_>) -> Result<Regex, String> {
    args.making(COMPILING)?;
    pattern::compile(args.text(0))
}

fn find<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    Ok(Val::text(compile(args)?.find(args.text(1)).map_or("", |found| found.as_str())))
}

fn find_all<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let most = usize::try_from(args.int(2)).unwrap_or(usize::MAX);
    let regex = compile(args)?;
    let mut found = Vec::new();
    for item in regex.find_iter(args.text(1)).take(most) {
        args.making(item.len() + 8)?;
        found.push(item.as_str());
    }
    Ok(if found.is_empty() { Val::List(List::nil(Element::Text)) } else { Val::texts(found) })
}

fn replace<'v>(args: &Args<'_, 'v>, expands: bool) -> Result<Val<'v>, String> {
    let (text, replacement) = (args.text(1), args.text(2));
    let regex = compile(args)?;
    let mut out = Text::new(args.fuel);
    let mut copied = 0;
    for groups in regex.captures_iter(text) {
        let Some(whole) = groups.get(0) else { continue };
        out.push(&text[copied..whole.start()])?;
        copied = whole.end();
        if expands {
            pattern::expand(replacement, &groups, &mut |piece| out.push(piece))?;
        } else {
            out.push(replacement)?;
        }
    }
    out.push(&text[copied..])?;
    Ok(Val::text(out.finish()))
}

fn split<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let text = args.text(1);
    let most = usize::try_from(args.int(2)).unwrap_or(usize::MAX);
    let regex = compile(args)?;
    if most == 0 {
        return Ok(Val::List(List::nil(Element::Text)));
    }
    if text.is_empty() && !args.text(0).is_empty() {
        return Ok(Val::texts([""]));
    }
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in regex.find_iter(text) {
        if parts.len() + 1 == most {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            args.making(8)?;
            parts.push(&text[start..end]);
        }
        start = found.end();
    }
    if end != text.len() {
        parts.push(&text[start..]);
    }
    Ok(Val::texts(parts))
}
