//! Functions of sprig on lists.

use super::{Args, Function, builtin::equal_deeply, function, reflect::is_empty};
use crate::template::{
    number::to_int,
    value::{Element, List, Val},
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("list", "a*", |a| Ok(Val::list(a.values.to_vec()))),
    function("tuple", "a*", |a| Ok(Val::list(a.values.to_vec()))),
    function("append", "aa", push),
    function("push", "aa", push),
    function("mustAppend", "aa", push),
    function("mustPush", "aa", push),
    function("prepend", "aa", prepend),
    function("mustPrepend", "aa", prepend),
    function("first", "a", first),
    function("mustFirst", "a", first),
    function("last", "a", last),
    function("mustLast", "a", last),
    function("rest", "a", rest),
    function("mustRest", "a", rest),
    function("initial", "a", initial),
    function("mustInitial", "a", initial),
    function("reverse", "a", reverse),
    function("mustReverse", "a", reverse),
    function("compact", "a", compact),
    function("mustCompact", "a", compact),
    function("uniq", "a", uniq),
    function("mustUniq", "a", uniq),
    function("without", "aa*", without),
    function("mustWithout", "aa*", without),
    function("has", "aa", has),
    function("mustHas", "aa", has),
    function("slice", "aa*", slice),
    function("mustSlice", "aa*", slice),
    function("chunk", "ia", chunk),
    function("mustChunk", "ia", chunk),
    function("concat", "a*", |a| {
        let mut all = Vec::new();
        for at in 0..a.values.len() {
            all.extend_from_slice(a.list(at)?.items());
        }
        Ok(if all.is_empty() { Val::List(List::nil(Element::Any)) } else { Val::list(all) })
    }),
    function("sortAlpha", "a", |a| {
        let mut texts = a.strings(a.any(0))?;
        if a.any(0).is_nil() {
            texts.push("<nil>".into());
        }
        texts.sort();
        Ok(Val::texts(texts))
    }),
];

fn push<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let mut items = args.list(0)?.items().to_vec();
    items.push(args.any(1).clone());
    Ok(Val::list(items))
}

fn prepend<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let mut items = vec![args.any(1).clone()];
    items.extend_from_slice(args.list(0)?.items());
    Ok(Val::list(items))
}

fn first<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    Ok(args.list(0)?.items().first().cloned().unwrap_or(Val::Nil))
}

fn last<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    Ok(args.list(0)?.items().last().cloned().unwrap_or(Val::Nil))
}

fn rest<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    Ok(match args.list(0)?.items().split_first() {
        Some((_, rest)) => Val::list(rest.to_vec()),
        None => Val::List(List::nil(Element::Any)),
    })
}

fn initial<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    Ok(match args.list(0)?.items().split_last() {
        Some((_, initial)) => Val::list(initial.to_vec()),
        None => Val::List(List::nil(Element::Any)),
    })
}

fn reverse<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    Ok(Val::list(args.list(0)?.items().iter().rev().cloned().collect()))
}

fn compact<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    Ok(Val::list(args.list(0)?.items().iter().filter(|item| !is_empty(item)).cloned().collect()))
}

fn uniq<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let mut found = Vec::new();
    for item in args.list(0)?.items() {
        if !is_in(args, &found, item)? {
            found.push(item.clone());
        }
    }
    Ok(Val::list(found))
}

fn without<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let mut left = Vec::new();
    for item in args.list(0)?.items() {
        if !is_in(args, args.rest(1), item)? {
            left.push(item.clone());
        }
    }
    Ok(Val::list(left))
}

fn has<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    if args.any(1).is_nil() {
        return Ok(Val::Bool(false));
    }
    is_in(args, args.list(1)?.items(), args.any(0)).map(Val::Bool)
}

fn is_in<'v>(args: &Args<'_, 'v>, items: &[Val<'v>], wanted: &Val<'v>) -> Result<bool, String> {
    for item in items {
        if equal_deeply(args.fuel, wanted, item, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn slice<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let list = args.list(0)?;
    let items = list.items();
    if items.is_empty() {
        return Ok(Val::Nil);
    }
    let place = |at: usize, default: usize| match args.rest(1).get(at) {
        Some(index) => usize::try_from(to_int(index)).map_err(|_| "an index must not be negative"),
        None => Ok(default),
    };
    let piece = items.get(place(0, 0)?..place(1, items.len())?).ok_or("out of range")?;
    Ok(Val::List(List::new(piece.to_vec(), list.element)))
}

fn chunk<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let items = args.list(1)?.items();
    let size = usize::try_from(args.int(0)).ok().filter(|size| *size > 0).ok_or("a size must be positive")?;
    let chunks = items.chunks(size).map(|chunk| Val::list(chunk.to_vec())).collect();
    Ok(Val::List(List::new(chunks, Element::List)))
}
