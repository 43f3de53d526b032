use proptest::prelude::*;

use super::*;

/// The bytes of a log of `count` lines called `a`, and its head.
fn log(count: usize) -> (Vec<u8>, Head) {
    let (mut head, mut lines) = (Head::start("a"), Vec::new());
    for i in 0..count {
        head.append(&mut lines, &format!(r#"{{"kind":"Event","n":{i},"annotations":{{}}}}"#), None);
    }
    (lines, head)
}

fn verify(bytes: &[u8], verifier: &Verifier) -> Result<Report, VerifyError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    std::fs::write(&path, bytes).unwrap();
    verifier.verify(&path)
}

fn is_tampering(result: &Result<Report, VerifyError>) -> bool {
    matches!(result, Err(VerifyError::Tampering(_)))
}

#[test]
fn a_log_as_it_was_written_is_good() {
    let (bytes, head) = log(5);
    let report = verify(&bytes, &Verifier::new().with_head(head)).unwrap();
    assert_eq!(report, Report { first: 1, head: Some(head), unfinished_bytes: 0 });
    assert_eq!(verify(b"", &Verifier::new()).unwrap().head, None);
}

#[test]
fn an_unfinished_last_line_is_told_from_tampering() {
    let (bytes, _) = log(5);
    let report = verify(&bytes[..bytes.len() - 20], &Verifier::new()).unwrap();
    assert_eq!(report.head.unwrap().sequence, 4);
    assert!(report.unfinished_bytes > 0);
}

#[test]
fn cutting_off_whole_lines_is_seen_with_a_head_that_was_kept_elsewhere() {
    let ((bytes, _), (_, head)) = (log(4), log(5));
    assert!(verify(&bytes, &Verifier::new()).is_ok());
    assert!(is_tampering(&verify(&bytes, &Verifier::new().with_head(head))));
}

#[test]
fn the_log_of_another_workspace_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.log");
    std::fs::write(&path, log(3).0).unwrap();
    assert!(is_tampering(&Verifier::new().verify(&path)));
}

#[test]
fn a_log_may_begin_late_only_when_that_is_expected() {
    let (bytes, head) = log(5);
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert!(is_tampering(&verify(&bytes[second..], &Verifier::new())));
    let report = verify(&bytes[second..], &Verifier::new().after_removal()).unwrap();
    assert_eq!((report.first, report.head), (2, Some(head)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_changed_byte_is_seen(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let (mut bytes, _) = log(6);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(is_tampering(&verify(&bytes, &Verifier::new())));
    }

    #[test]
    fn any_removed_repeated_or_swapped_line_is_seen(from in 0usize..6, to in 0usize..6, what in 0..3) {
        let (bytes, head) = log(6);
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        match what {
            0 => drop(lines.remove(from)),
            1 => lines.insert(to, lines[from]),
            _ if from == to => return Ok(()),
            _ => lines.swap(from, to),
        }
        prop_assert!(is_tampering(&verify(&lines.concat(), &Verifier::new().with_head(head))));
    }
}
