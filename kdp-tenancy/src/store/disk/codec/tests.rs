use proptest::{collection::vec, prelude::*};

use super::*;

fn any_change() -> impl Strategy<Value = Change> {
    (any::<String>(), prop::option::of(vec(any::<u8>(), 0..20))).prop_map(|(key, value)| match value {
        Some(value) => Change::Put(key, value.into()),
        None => Change::Delete(key),
    })
}

proptest! {
    #[test]
    fn transactions_are_read_back_and_their_length_is_foretold(
        all in vec((any::<u64>().prop_map(Revision), vec(any_change(), 0..4)), 0..4),
    ) {
        let mut buffer = Vec::new();
        for (revision, changes) in &all {
            put_transaction(&mut buffer, *revision, changes);
        }
        prop_assert_eq!(buffer.len(), all.iter().map(|(_, changes)| transaction_len(changes)).sum::<usize>());
        prop_assert_eq!(transactions(&buffer), Some(all));
    }

    #[test]
    fn entries_are_read_back(
        all in vec((any::<String>(), any::<[u64; 2]>(), vec(any::<u8>(), 0..20)), 0..4),
    ) {
        let all: Vec<_> = all
            .into_iter()
            .map(|(key, [created, modified], value)| Entry {
                key: key.into(),
                value: value.into(),
                created: Revision(created),
                modified: Revision(modified),
            })
            .collect();
        let mut buffer = Vec::new();
        all.iter().for_each(|entry| put_entry(&mut buffer, entry));
        prop_assert_eq!(entries(&buffer), Some(all));
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in vec(any::<u8>(), 0..100)) {
        let _ = (transactions(&bytes), entries(&bytes));
    }
}

#[test]
fn a_huge_count_is_refused_without_making_room_for_it() {
    let mut bytes = 1u64.to_le_bytes().to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    assert_eq!(transactions(&bytes), None);
}
