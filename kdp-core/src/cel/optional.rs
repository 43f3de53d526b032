//! The optional selection `a.?b`, in terms of the optional index `a[?"b"]`.
//!
//! The interpreter fails at a selection whose field is missing, and does not select from an optional
//! value; its optional index does both.

use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};

/// Rewrites every selection in the tree that may find nothing; whether the tree itself is one.
pub(super) fn rewrite(tree: &mut IdedExpr) -> bool {
    match &mut tree.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => false,
        Expr::Select(select) => {
            let is_optional = rewrite(&mut select.operand) && !select.test;
            if is_optional {
                let SelectExpr { operand, field, .. } = std::mem::take(select);
                let field = IdedExpr { id: tree.id, expr: Expr::Literal(LiteralValue::String(field.into())) };
                let args = vec![*operand, field];
                tree.expr = Expr::Call(CallExpr { func_name: operators::OPT_INDEX.into(), target: None, args });
            }
            is_optional
        }
        Expr::Call(call) => {
            if call.func_name == operators::OPT_SELECT {
                call.func_name = operators::OPT_INDEX.into();
            }
            call.target.iter_mut().for_each(|target| _ = rewrite(target));
            let is_first_optional = call.args.iter_mut().map(rewrite).fold(None, |first, is| first.or(Some(is)));
            match call.func_name.as_str() {
                operators::OPT_INDEX => true,
                operators::INDEX => is_first_optional == Some(true),
                _ => false,
            }
        }
        Expr::List(list) => {
            list.elements.iter_mut().for_each(|element| _ = rewrite(element));
            false
        }
        Expr::Map(map) => {
            map.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr));
            false
        }
        Expr::Struct(value) => {
            value.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr));
            false
        }
        Expr::Comprehension(comprehension) => {
            let comprehension = comprehension.as_mut();
            for part in [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ] {
                rewrite(part);
            }
            false
        }
    }
}

fn rewrite_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::StructField(field) => _ = rewrite(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            rewrite(&mut entry.key);
            rewrite(&mut entry.value);
        }
    }
}
