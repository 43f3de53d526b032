//! Functions of sprig that look at types, and those that choose between values.

use super::{Function, builtin::equal_deeply, function};
use crate::template::value::Val;

pub(super) const FUNCTIONS: &[Function] = &[
    function("default", "aa*", |a| {
        let given = a.rest(1).first().filter(|given| !is_empty(given));
        Ok(given.unwrap_or_else(|| a.any(0)).clone())
    }),
    function("empty", "a", |a| Ok(Val::Bool(is_empty(a.any(0))))),
    function("coalesce", "a*", |a| Ok(a.values.iter().find(|value| !is_empty(value)).cloned().unwrap_or(Val::Nil))),
    function("all", "a*", |a| Ok(Val::Bool(!a.values.iter().any(is_empty)))),
    function("any", "a*", |a| Ok(Val::Bool(!a.values.iter().all(is_empty)))),
    function("ternary", "aab", |a| Ok(if a.any(2).is_true() { a.any(0) } else { a.any(1) }.clone())),
    function("typeOf", "a", |a| Ok(Val::text(a.any(0).type_name()))),
    function("typeIs", "sa", |a| Ok(Val::Bool(a.any(1).type_name() == a.text(0)))),
    function("typeIsLike", "sa", |a| {
        let name = a.any(1).type_name();
        Ok(Val::Bool(name == a.text(0) || name.strip_prefix('*') == Some(a.text(0))))
    }),
    function("kindOf", "a", |a| Ok(Val::text(a.any(0).kind()))),
    function("kindIs", "sa", |a| Ok(Val::Bool(a.any(1).kind() == a.text(0)))),
    function("deepEqual", "aa", |a| equal_deeply(a.fuel, a.any(0), a.any(1), 0).map(Val::Bool)),
];

/// Whether sprig takes the default instead.
pub(super) fn is_empty(value: &Val<'_>) -> bool {
    !value.is_true()
}
