use proptest::prelude::*;

use super::*;

const NAME: &str = "order/head";

proptest! {
    #[test]
    fn what_was_sealed_is_opened_and_not_seen(content in prop::collection::vec(any::<u8>(), 16..200)) {
        let key = StateKey::new([7; 32]);
        let sealed = key.seal(NAME, &content).unwrap();
        prop_assert_eq!(&key.open(NAME, &sealed).unwrap()[..], &content[..]);
        prop_assert!(!sealed.windows(content.len()).any(|part| part == content));
        prop_assert_ne!(sealed, key.seal(NAME, &content).unwrap());
    }

    #[test]
    fn whatever_is_changed_is_noticed(position in any::<prop::sample::Index>(), bit in 0..8u8) {
        let key = StateKey::new([7; 32]);
        let mut sealed = key.seal(NAME, b"a state with a password").unwrap().to_vec();
        let position = position.index(sealed.len());
        sealed[position] ^= 1 << bit;
        prop_assert!(key.open(NAME, &sealed).is_err());
    }

    #[test]
    fn nothing_makes_it_panic(sealed in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(StateKey::new([7; 32]).open(NAME, &sealed).is_err());
    }
}

#[test]
fn contents_cannot_be_swapped() {
    let key = StateKey::new([7; 32]);
    let sealed = key.seal("one/head", b"state of one").unwrap();
    assert!(key.open("two/head", &sealed).is_err());
}

#[test]
fn keys_rotate() {
    let sealed = StateKey::new([1; 32]).seal(NAME, b"state").unwrap();
    let error = StateKey::new([2; 32]).open(NAME, &sealed).unwrap_err();
    assert!(error.message().contains("old key"), "{error}");
    let rotated = StateKey::new([2; 32]).with_old([1; 32]);
    assert_eq!(&rotated.open(NAME, &sealed).unwrap()[..], b"state");
    assert!(StateKey::new([1; 32]).open(NAME, &rotated.seal(NAME, b"state").unwrap()).is_err());
}

#[test]
fn a_key_shows_nothing() {
    assert_eq!(format!("{:?}", StateKey::new([7; 32])), "StateKey { .. }");
}
