//! Status goes from the origin to the copy, and never back.

use serde_json::{Value, json};

use super::{Command, ObjectKey, policies::Generations};
use crate::object;

/// The write that gives `target` the status of `source`; none if it has it, or there is none: no
/// status is no evidence of anything.
pub(super) fn copy_status(source: &Value, target: &Value, key: ObjectKey, generations: Generations) -> Option<Command> {
    let status = source.get("status").filter(|status| !status.is_null())?;
    let status = match generations {
        Generations::Verbatim => status.clone(),
        Generations::Translate => translate(status, source, target),
    };
    if target.get("status") == Some(&status) {
        return None;
    }
    let mut object = target.clone();
    object["status"] = status;
    Some(Command::ReplaceStatus { key, object })
}

/// The status, with the generations that were observed of `source` told as generations of `target`.
///
/// It is only asked when the specification of both is the same, so what has observed the source as
/// it is has observed the target as it is. Anything else stays behind the target's generation.
fn translate(status: &Value, source: &Value, target: &Value) -> Value {
    let (Some(from), Some(to)) = (object::generation(source), object::generation(target)) else {
        return status.clone();
    };
    let told = |observed: &Value, shown: &Value| match observed.as_i64() {
        Some(observed) if observed >= from => json!(to),
        // What was shown before stays, so that nothing is written again and again.
        Some(_) => json!(shown.as_i64().filter(|shown| *shown < to).unwrap_or(to - 1)),
        None => observed.clone(),
    };
    let mut status = status.clone();
    let before = &target["status"];
    if let Some(observed) = status.get_mut("observedGeneration") {
        *observed = told(observed, &before["observedGeneration"]);
    }
    for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        let same = before["conditions"].as_array().into_iter().flatten().find(|old| old["type"] == condition["type"]);
        let shown = same.map_or(Value::Null, |old| old["observedGeneration"].clone());
        if let Some(observed) = condition.get_mut("observedGeneration") {
            *observed = told(observed, &shown);
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(copy: (i64, Option<i64>), order: (i64, Option<i64>), expected: i64) {
        let object = |(generation, observed): (i64, Option<i64>)| {
            let condition = json!({"type": "Ready", "observedGeneration": observed});
            json!({
                "metadata": {"generation": generation},
                "status": {"observedGeneration": observed, "conditions": [condition]},
            })
        };
        let (copy, order) = (object(copy), object(order));
        let status = translate(&copy["status"], &copy, &order);
        assert_eq!(status["observedGeneration"], expected, "{copy} {order}");
        assert_eq!(status["conditions"][0]["observedGeneration"], expected);
        let again = json!({"metadata": order["metadata"], "status": status});
        assert_eq!(translate(&copy["status"], &copy, &again), again["status"], "nothing changes the second time");
    }

    #[test]
    fn what_was_observed_of_the_copy_is_told_of_the_order() {
        check((3, Some(3)), (7, None), 7);
        check((3, Some(4)), (7, Some(2)), 7);
        check((3, Some(2)), (7, None), 6);
        check((3, Some(2)), (7, Some(7)), 6);
        check((3, Some(2)), (7, Some(5)), 5);
    }

    #[test]
    fn what_does_not_count_generations_stays_as_it_is() {
        let status = json!({"observedGeneration": "x", "conditions": [{"type": "Ready"}], "phase": "Ready"});
        let object = json!({"metadata": {"generation": 2}});
        assert_eq!(translate(&status, &object, &object), status);
        let counted = json!({"observedGeneration": 5});
        assert_eq!(translate(&counted, &json!({}), &object), counted);
    }
}
