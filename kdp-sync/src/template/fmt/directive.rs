//! `printf`: directives such as `%-5s`, `%[2]*.3f` and `%+v`.

use super::{
    quote::{is_printable, quote_with},
    write,
};
use crate::template::{
    fuel::{DEEPEST_VALUE, Fuel, Text},
    number,
    value::{IntType, Val},
};

/// Go takes no larger width or precision.
const WIDEST: i64 = 1_000_000;

/// `fmt.Sprintf`
pub(in crate::template) fn sprintf(fuel: &Fuel, format: &str, args: &[Val<'_>]) -> Result<String, String> {
    let mut printer = Printer { out: Text::new(fuel), rest: format, args, next: 0, reordered: false, good_index: true };
    printer.print()?;
    Ok(printer.out.finish())
}

/// Flags, width and precision.
#[derive(Clone, Copy, Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

struct Printer<'p, 'f, 'v> {
    out: Text<'f>,
    rest: &'p str,
    args: &'p [Val<'v>],
    next: usize,
    /// Whether any argument was named by its number.
    reordered: bool,
    good_index: bool,
}

impl Printer<'_, '_, '_> {
    fn print(&mut self) -> Result<(), String> {
        while let Some((before, after)) = self.rest.split_once('%') {
            self.out.push(before)?;
            self.rest = after;
            self.directive()?;
        }
        self.out.push(self.rest)?;
        if !self.reordered && self.next < self.args.len() {
            self.out.push("%!(EXTRA ")?;
            for (at, arg) in self.args[self.next..].iter().enumerate() {
                if at > 0 {
                    self.out.push(", ")?;
                }
                if !arg.is_nil() {
                    self.out.push(arg.type_name())?;
                    self.out.push("=")?;
                }
                write(&mut self.out, arg, 0)?;
            }
            self.out.push(")")?;
        }
        Ok(())
    }

    fn directive(&mut self) -> Result<(), String> {
        let mut spec = Spec::default();
        self.good_index = true;
        loop {
            match self.rest.bytes().next() {
                Some(b'#') => spec.sharp = true,
                Some(b'0') => spec.zero = true,
                Some(b'+') => spec.plus = true,
                Some(b'-') => spec.minus = true,
                Some(b' ') => spec.space = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        let mut after_index = self.index();
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            match self.star() {
                Some(width) => {
                    spec.minus |= width < 0;
                    spec.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.out.push("%!(BADWIDTH)")?,
            }
            after_index = false;
        } else {
            spec.width = self.number();
            if after_index && spec.width.is_some() {
                self.good_index = false;
            }
        }
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if let Some(rest) = self.rest.strip_prefix('*') {
                self.rest = rest;
                match self.star().and_then(|precision| usize::try_from(precision).ok()) {
                    Some(precision) => spec.precision = Some(precision),
                    None => self.out.push("%!(BADPREC)")?,
                }
                after_index = false;
            } else {
                spec.precision = Some(self.number().unwrap_or_default());
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else { return self.out.push("%!(NOVERB)") };
        self.rest = &self.rest[verb.len_utf8()..];
        let mut note = |text: &str| self.out.push(&format!("%!{verb}({text})"));
        match self.args.get(self.next) {
            _ if verb == '%' => self.out.push("%"),
            _ if !self.good_index => note("BADINDEX"),
            None => note("MISSING"),
            Some(arg) => {
                self.next += 1;
                spec.print(&mut self.out, arg, verb)
            }
        }
    }

    /// Takes an argument's number in brackets.
    fn index(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix('[') else { return false };
        self.reordered = true;
        let Some((digits, after)) = rest.split_once(']') else {
            self.good_index = false;
            self.rest = rest;
            return false;
        };
        self.rest = after;
        match digits.parse::<usize>() {
            Ok(at) if at >= 1 && at <= self.args.len() && !digits.starts_with('+') => {
                self.next = at - 1;
                true
            }
            _ => {
                self.good_index = false;
                false
            }
        }
    }

    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        match arg {
            Val::Int(int, _) if (-WIDEST..=WIDEST).contains(int) => Some(*int),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let number: i64 = digits.parse().ok().filter(|number| *number <= WIDEST)?;
        self.rest = rest;
        usize::try_from(number).ok()
    }
}

impl Spec {
    fn print(self, out: &mut Text<'_>, value: &Val<'_>, verb: char) -> Result<(), String> {
        match (verb, value) {
            ('T', _) => self.pad(out, &self.cut(value.type_name())),
            ('v', Val::Nil) => self.pad(out, "<nil>"),
            (_, Val::Nil) => out.push(&format!("%!{verb}(<nil>)")),
            _ => self.print_at(out, value, verb, 0),
        }
    }

    fn print_at(self, out: &mut Text<'_>, value: &Val<'_>, verb: char, depth: usize) -> Result<(), String> {
        if depth > DEEPEST_VALUE {
            return Err("a value nests too deep to be printed".into());
        }
        if verb == 'p' {
            return self.bad_verb(out, value, verb, depth);
        }
        let go_syntax = verb == 'v' && self.sharp;
        match value {
            Val::Root => Err("'.' alone has no value here".into()),
            // Only lists and maps hold nil here.
            Val::Nil => self.pad(out, if go_syntax { "interface {}(nil)" } else { "<nil>" }),
            Val::Bool(truth) if matches!(verb, 't' | 'v') => self.pad(out, if *truth { "true" } else { "false" }),
            Val::Int(int, kind) => {
                self.int(out, *int, *kind, verb).unwrap_or_else(|| self.bad_verb(out, value, verb, depth))
            }
            Val::Float(float) => {
                self.float(out, *float, verb).unwrap_or_else(|| self.bad_verb(out, value, verb, depth))
            }
            Val::Text(text) => self.text(out, text, verb).unwrap_or_else(|| self.bad_verb(out, value, verb, depth)),
            Val::Found(found) => self
                .text(out, &found.text(), verb)
                .unwrap_or_else(|| Err(format!("%{verb} does not print a found value; use .Value.String"))),
            Val::Version(version) => self
                .text(out, &version.to_string(), verb)
                .unwrap_or_else(|| Err(format!("%{verb} does not print a version"))),
            Val::List(list) => {
                out.push(&if go_syntax { format!("{}{{", value.type_name()) } else { "[".into() })?;
                for (at, item) in list.items().iter().enumerate() {
                    if at > 0 {
                        out.push(if go_syntax { ", " } else { " " })?;
                    }
                    self.print_at(out, item, verb, depth + 1)?;
                }
                out.push(if go_syntax { "}" } else { "]" })
            }
            Val::Map(map) => {
                out.push(&if go_syntax { format!("{}{{", value.type_name()) } else { "map[".into() })?;
                for (at, (key, value)) in map.entries().into_iter().enumerate() {
                    if at > 0 {
                        out.push(if go_syntax { ", " } else { " " })?;
                    }
                    self.print_at(out, &Val::Text(key), verb, depth + 1)?;
                    out.push(":")?;
                    self.print_at(out, &value, verb, depth + 1)?;
                }
                out.push(if go_syntax { "}" } else { "]" })
            }
            Val::Bool(_) => self.bad_verb(out, value, verb, depth),
        }
    }

    fn bad_verb(self, out: &mut Text<'_>, value: &Val<'_>, verb: char, depth: usize) -> Result<(), String> {
        out.push(&format!("%!{verb}({}=", value.type_name()))?;
        if verb == 'v' {
            return Err("a value that cannot be printed".into());
        }
        self.print_at(out, value, 'v', depth)?;
        out.push(")")
    }

    fn int(self, out: &mut Text<'_>, int: i64, kind: IntType, verb: char) -> Option<Result<(), String>> {
        let character = || u32::try_from(int).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        let unsigned = matches!(kind, IntType::Uint8 | IntType::Uint64);
        Some(match verb {
            'v' if self.sharp && unsigned => Self { sharp: true, ..self }.digits(out, int, 16, 'x'),
            'v' => Self { sharp: false, ..self }.digits(out, int, 10, 'd'),
            'd' => self.digits(out, int, 10, verb),
            'b' => self.digits(out, int, 2, verb),
            'o' | 'O' => self.digits(out, int, 8, verb),
            'x' | 'X' => self.digits(out, int, 16, verb),
            'c' => self.pad(out, &character().to_string()),
            'q' => self.pad(out, &quote_with(&character().to_string(), '\'', self.plus)),
            'U' => {
                let mut text = format!("U+{int:0width$X}", width = self.precision.unwrap_or_default().max(4));
                if self.sharp && is_printable(character()) {
                    text.push_str(&format!(" '{}'", character()));
                }
                Self { zero: false, ..self }.pad(out, &text)
            }
            _ => return None,
        })
    }

    fn digits(self, out: &mut Text<'_>, int: i64, base: u32, verb: char) -> Result<(), String> {
        if self.precision == Some(0) && int == 0 {
            return out.push_repeated(" ", self.width.unwrap_or_default());
        }
        let magnitude = int.unsigned_abs();
        let mut digits = match base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if verb == 'X' => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let sign = match (int < 0, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (.., true) => " ",
            _ => "",
        };
        let least = match (self.precision, self.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.zero && !self.minus => width.saturating_sub(sign.len()),
            _ => 0,
        };
        let zeros = least.saturating_sub(digits.len());
        out.fuel.burn(zeros)?;
        digits = "0".repeat(zeros) + &digits;
        let prefix = match (verb, self.sharp) {
            ('b', true) => "0b",
            ('o', true) if !digits.starts_with('0') => "0",
            ('O', _) => "0o",
            ('x', true) => "0x",
            ('X', true) => "0X",
            _ => "",
        };
        Self { zero: false, ..self }.pad(out, &format!("{sign}{prefix}{digits}"))
    }

    fn float(self, out: &mut Text<'_>, float: f64, verb: char) -> Option<Result<(), String>> {
        if (self.sharp && verb != 'v') || matches!(verb, 'b' | 'x' | 'X') {
            return Some(Err("floats are printed in decimal only, and without the flag #".into()));
        }
        // More digits than a float has are zeros; they need not be computed.
        let precision = self.precision.unwrap_or(6);
        if precision > 1_100 {
            return Some(Err("a float has no more than 1100 digits".into()));
        }
        let mut text = match (verb, self.precision) {
            _ if !float.is_finite() => number::shortest(float).trim_start_matches('+').into(),
            ('v' | 'g' | 'G', None) => number::shortest(float),
            ('v' | 'g' | 'G', Some(precision)) => general(float, precision.max(1)),
            ('e' | 'E', _) => number::exponent(float, precision),
            ('f' | 'F', _) => format!("{float:.precision$}"),
            _ => return None,
        };
        if matches!(verb, 'E' | 'G') {
            text = text.replace('e', "E");
        }
        if !text.starts_with('-') {
            match (self.plus, self.space) {
                (true, _) => text.insert(0, '+'),
                (_, true) => text.insert(0, ' '),
                _ if float.is_infinite() => text.insert(0, '+'),
                _ => {}
            }
        }
        let zero = self.zero && float.is_finite();
        let width = self.width.unwrap_or_default();
        if zero && !self.minus && text.len() < width && text.starts_with(['-', '+', ' ']) {
            let (sign, digits) = text.split_at(1);
            let zeros = width - text.len();
            let parts = out.push(sign).and_then(|()| out.push_repeated("0", zeros)).and_then(|()| out.push(digits));
            return Some(parts);
        }
        Some(Self { zero, ..self }.pad(out, &text))
    }

    fn text(self, out: &mut Text<'_>, text: &str, verb: char) -> Option<Result<(), String>> {
        Some(match verb {
            'v' if self.sharp => self.pad(out, &quote_with(&self.cut(text), '"', false)),
            'v' | 's' => self.pad(out, &self.cut(text)),
            'q' => {
                let text = self.cut(text);
                let is_plain = |c: char| c == '\t' || (!c.is_control() && c != '`' && c != '\u{feff}');
                if self.sharp && text.chars().all(is_plain) {
                    self.pad(out, &format!("`{text}`"))
                } else {
                    self.pad(out, &quote_with(&text, '"', self.plus))
                }
            }
            'x' | 'X' => self.hex(out, text.as_bytes(), verb == 'X'),
            _ => return None,
        })
    }

    fn hex(self, out: &mut Text<'_>, bytes: &[u8], is_upper: bool) -> Result<(), String> {
        let bytes = &bytes[..bytes.len().min(self.precision.unwrap_or(usize::MAX))];
        out.fuel.burn(bytes.len() * 4)?;
        let prefix = if is_upper { "0X" } else { "0x" };
        let pairs: Vec<_> =
            bytes.iter().map(|byte| if is_upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect();
        let text = match (self.space, self.sharp) {
            (true, true) => pairs.iter().map(|pair| format!("{prefix}{pair}")).collect::<Vec<_>>().join(" "),
            (true, false) => pairs.join(" "),
            (false, true) if !pairs.is_empty() => format!("{prefix}{}", pairs.concat()),
            (false, _) => pairs.concat(),
        };
        self.pad(out, &text)
    }

    fn cut(self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn pad(self, out: &mut Text<'_>, text: &str) -> Result<(), String> {
        let pad = self.width.unwrap_or_default().saturating_sub(text.chars().count());
        if self.minus {
            out.push(text)?;
            return out.push_repeated(" ", pad);
        }
        out.push_repeated(if self.zero { "0" } else { " " }, pad)?;
        out.push(text)
    }
}

/// `%g` with a number of significant digits.
fn general(float: f64, digits: usize) -> String {
    let scientific = number::exponent(float, digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    let trimmed = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    let wanted = i32::try_from(digits).unwrap_or(i32::MAX);
    if power < -4 || power >= wanted {
        return format!("{}e{exponent}", trimmed(mantissa));
    }
    let decimals = usize::try_from(wanted - 1 - power).unwrap_or_default();
    trimmed(&format!("{float:.decimals$}"))
}
