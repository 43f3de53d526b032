//! Parsing what anybody may have written.
//!
//! The parser descends once for each bracket, with much stack, and does not stop before the stack ends;
//! and what goes through a tree descends once for each operator of a chain. So texts are looked at first, and
//! what is not plainly harmless is parsed where there is room.

use kube_cel::cel::{
    common::ast::{EntryExpr, Expr, IdedExpr},
    parser::Parser,
};

/// How long an expression may be, in bytes.
const MAX_LENGTH: usize = 8192;
/// How deep brackets may be nested.
const MAX_NESTING: usize = 48;
/// How many question marks there may be, each of which may nest what follows.
const MAX_CHOICES: usize = 64;
/// How deep the tree may be, which bounds the stack of an evaluation.
const MAX_DEPTH: usize = 40;
const TOO_DEEP: &str = "it is nested too deep";
/// Room for the deepest expression that is tried, without optimization.
const STACK_BYTES: usize = 64 << 20;

/// Parses an expression, with optional selections.
pub(super) fn parse(text: &str) -> Result<IdedExpr, String> {
    let shape = Shape::of(text);
    if text.len() > MAX_LENGTH {
        return Err(format!("it is longer than {MAX_LENGTH} bytes"));
    }
    if shape.nesting > MAX_NESTING || shape.choices > MAX_CHOICES {
        return Err(TOO_DEEP.into());
    }
    if shape.is_small() {
        return parse_here(text);
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || parse_here(text));
        thread.map_err(|e| e.to_string())?.join().unwrap_or_else(|_| Err("it cannot be parsed".into()))
    })
}

fn parse_here(text: &str) -> Result<IdedExpr, String> {
    // The first line says what is wrong; those after it draw the expression.
    let first_line = |message: String| message.lines().next().unwrap_or_default().to_owned();
    let tree = Parser::new().enable_optional_syntax(true).parse(text).map_err(|e| first_line(e.to_string()))?;
    if depth(&tree) > MAX_DEPTH { Err(TOO_DEEP.into()) } else { Ok(tree) }
}

/// What a text looks like. Texts in quotes count like all else: how the parser recovers from a quote that
/// is not closed is its own business.
#[derive(Debug, Default)]
struct Shape {
    nesting: usize,
    choices: usize,
    operators: usize,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self::default();
        let mut open = 0_usize;
        for byte in text.bytes() {
            match byte {
                b'(' | b'[' | b'{' => open += 1,
                b')' | b']' | b'}' => open = open.saturating_sub(1),
                b'?' => shape.choices += 1,
                _ => {}
            }
            shape.operators += usize::from(byte.is_ascii_punctuation());
            shape.nesting = shape.nesting.max(open);
        }
        shape
    }

    fn is_small(&self) -> bool {
        self.nesting <= 4 && self.choices <= 8 && self.operators <= 200
    }
}

/// How many expressions are around the innermost one.
fn depth(tree: &IdedExpr) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(depth).max().unwrap_or_default();
    let in_entry = |entry: &EntryExpr| match entry {
        EntryExpr::StructField(field) => depth(&field.value),
        EntryExpr::MapEntry(entry) => depth(&entry.key).max(depth(&entry.value)),
    };
    let below = match &tree.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => 0,
        Expr::Select(select) => depth(&select.operand),
        Expr::Call(call) => deepest(&mut call.args.iter().chain(call.target.as_deref())),
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => map.entries.iter().map(|entry| in_entry(&entry.expr)).max().unwrap_or_default(),
        Expr::Struct(value) => value.entries.iter().map(|entry| in_entry(&entry.expr)).max().unwrap_or_default(),
        Expr::Comprehension(comprehension) => {
            let comprehension = comprehension.as_ref();
            deepest(
                &mut [
                    &comprehension.iter_range,
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ]
                .into_iter(),
            )
        }
    };
    below + 1
}
