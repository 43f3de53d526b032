//! Functions of sprig on numbers. Whole numbers overflow as in Go, by wrapping around.

mod decimal;

use decimal::Decimal;

use super::{Args, Function, function};
use crate::template::{
    number::{self, to_float, to_int},
    value::{Element, IntType, List, Val},
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("int", "a", |a| Ok(Val::Int(to_int(a.any(0)), IntType::Int))),
    function("int64", "a", |a| Ok(int64(to_int(a.any(0))))),
    function("float64", "a", |a| Ok(Val::Float(to_float(a.any(0))))),
    function("atoi", "s", |a| {
        // Base 10, and neither prefix nor underscore.
        Ok(Val::Int(a.text(0).parse().unwrap_or_default(), IntType::Int))
    }),
    function("toDecimal", "a", |a| {
        let text = a.strval(a.any(0))?;
        Ok(int64(i64::from_str_radix(&text, 8).unwrap_or_default()))
    }),
    function("add1", "a", |a| Ok(int64(to_int(a.any(0)).wrapping_add(1)))),
    function("add", "a*", |a| Ok(int64(a.values.iter().map(to_int).fold(0, i64::wrapping_add)))),
    function("sub", "aa", |a| Ok(int64(to_int(a.any(0)).wrapping_sub(to_int(a.any(1)))))),
    function("mul", "aa*", |a| Ok(int64(a.values.iter().map(to_int).fold(1, i64::wrapping_mul)))),
    function("div", "aa", |a| match to_int(a.any(1)) {
        0 => Err("cannot divide by zero".into()),
        by => Ok(int64(to_int(a.any(0)).wrapping_div(by))),
    }),
    function("mod", "aa", |a| match to_int(a.any(1)) {
        0 => Err("cannot divide by zero".into()),
        by => Ok(int64(to_int(a.any(0)).wrapping_rem(by))),
    }),
    function("max", "aa*", |a| Ok(int64(a.values.iter().map(to_int).max().unwrap_or_default()))),
    function("biggest", "aa*", |a| Ok(int64(a.values.iter().map(to_int).max().unwrap_or_default()))),
    function("min", "aa*", |a| Ok(int64(a.values.iter().map(to_int).min().unwrap_or_default()))),
    function("maxf", "aa*", |a| Ok(extreme(a, f64::max))),
    function("minf", "aa*", |a| Ok(extreme(a, f64::min))),
    function("ceil", "a", |a| Ok(Val::Float(to_float(a.any(0)).ceil()))),
    function("floor", "a", |a| Ok(Val::Float(to_float(a.any(0)).floor()))),
    function("round", "aif*", round),
    function("add1f", "a", |a| decimals(&[a.any(0).clone(), Val::Float(1.0)], Decimal::add)),
    function("addf", "a*", |a| {
        let mut values = vec![Val::Float(0.0)];
        values.extend_from_slice(a.values);
        decimals(&values, Decimal::add)
    }),
    function("subf", "aa*", |a| decimals(a.values, Decimal::sub)),
    function("mulf", "aa*", |a| decimals(a.values, Decimal::mul)),
    function("divf", "aa*", |a| decimals(a.values, Decimal::div)),
    function("until", "i", |a| steps(a, 0, a.int(0), if a.int(0) < 0 { -1 } else { 1 }).map(list)),
    function("untilStep", "iii", |a| steps(a, a.int(0), a.int(1), a.int(2)).map(list)),
    function("seq", "i*", seq),
];

fn int64<'v>(int: i64) -> Val<'v> {
    Val::Int(int, IntType::Int64)
}

fn extreme<'v>(args: &Args<'_, 'v>, choose: fn(f64, f64) -> f64) -> Val<'v> {
    let values = args.values.iter().map(to_float);
    // Go's extremes of something that is not a number are not a number either.
    let choose = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { choose(a, b) };
    Val::Float(values.reduce(choose).unwrap_or_default())
}

fn round<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let up_from = match args.rest(2).first() {
        Some(Val::Float(up_from)) => *up_from,
        _ => 0.5,
    };
    let places = i32::try_from(args.int(1)).map_err(|_| "has too many places")?;
    let power = 10f64.powi(places);
    let shifted = power * to_float(args.any(0));
    let rounded = if shifted.fract() >= up_from { shifted.ceil() } else { shifted.floor() };
    Ok(Val::Float(rounded / power))
}

fn decimals<'v>(values: &[Val<'v>], act: fn(Decimal, Decimal) -> Option<Decimal>) -> Result<Val<'v>, String> {
    let decimal = |value| Decimal::of(to_float(value)).ok_or("a number is too large or none at all");
    let (first, rest) = values.split_first().ok_or("an argument is missing")?;
    let result = rest.iter().try_fold(decimal(first)?, |sum, value| {
        act(sum, decimal(value)?).ok_or("a result is too large, too precise or no number")
    })?;
    number::float(&result.to_string()).map(Val::Float).ok_or_else(|| "a result is too large".into())
}

fn list<'v>(numbers: Vec<i64>) -> Val<'v> {
    Val::List(List::new(numbers.into_iter().map(|int| Val::Int(int, IntType::Int)).collect(), Element::Int))
}

fn steps(args: &Args<'_, '_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, String> {
    let mut numbers = Vec::new();
    let goes_on = |at: i64| if stop < start { step < 0 && at > stop } else { step > 0 && at < stop };
    let mut next = Some(start);
    while let Some(at) = next.filter(|at| goes_on(*at)) {
        args.making(8)?;
        numbers.push(at);
        next = at.checked_add(step);
    }
    Ok(numbers)
}

/// Numbers as `seq` of a shell prints them.
fn seq<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let direction = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, end, step) = match *args.values {
        [Val::Int(end, _)] => (1, end, direction(1, end)),
        [Val::Int(start, _), Val::Int(end, _)] => (start, end, direction(start, end)),
        [Val::Int(start, _), Val::Int(step, _), Val::Int(end, _)] => {
            if end < start && step > 0 {
                return Ok(Val::text(""));
            }
            (start, end, step)
        }
        _ => return Ok(Val::text("")),
    };
    let numbers = steps(args, start, end.saturating_add(direction(start, end)), step)?;
    let texts: Vec<_> = numbers.iter().map(i64::to_string).collect();
    Ok(Val::text(texts.join(" ")))
}
