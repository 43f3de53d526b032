use std::{fs, io::Write};

use proptest::{collection::vec, prelude::*};
use tempfile::NamedTempFile;

use super::*;

fn file(payloads: &[&[u8]]) -> (Vec<u8>, Header) {
    let header = Header::new(Kind::Log, Revision(7));
    let mut bytes = header.encode();
    let mut frame = Vec::new();
    for payload in payloads {
        start(&mut frame);
        frame.extend(*payload);
        seal(&mut frame, header.salt);
        bytes.extend(&frame);
    }
    (bytes, header)
}

/// The payloads, and whether the file ends torn.
fn read(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, bool), StoreError> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut reader = Reader::open(Kind::Log, file.path())?;
    let mut payloads = Vec::new();
    loop {
        match reader.next()? {
            Next::Frame(payload) => payloads.push(payload),
            Next::End => return Ok((payloads, false)),
            Next::Torn => return Ok((payloads, true)),
        }
    }
}

#[test]
fn zeros_behind_the_last_frame_are_torn_and_not_empty_frames() {
    let (mut bytes, _) = file(&[b"one"]);
    bytes.extend([0; 4096]);
    assert_eq!(read(&bytes).unwrap(), (vec![b"one".to_vec()], true));
}

#[test]
fn a_value_that_looks_like_a_frame_of_another_file_does_not_pass_for_one() {
    let (other, _) = file(&[b"evil"]);
    let (mut bytes, _) = file(&[b"one", &other[HEADER_LEN..]]);
    bytes.pop();
    let damaged = file(&[b"one"]).0.len();
    bytes[damaged] ^= 1;
    assert_eq!(read(&bytes).unwrap(), (vec![b"one".to_vec()], true));
}

#[test]
fn a_file_is_refused_for_what_is_wrong_with_its_header() {
    fn check(change: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let (mut bytes, _) = file(&[b"one"]);
        change(&mut bytes);
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} does not contain {expected}");
    }
    check(|bytes| bytes.truncate(HEADER_LEN - 1), "too short");
    check(|bytes| bytes.clear(), "too short");
    check(|bytes| bytes[0] = b'K', "does not start as a file of this kind");
    check(|bytes| bytes[8] = 2, "has format version 2; this version reads 1 and older");
    check(|bytes| bytes[12] ^= 1, "the checksum of its header does not match");
    check(|bytes| bytes[24] ^= 1, "the checksum of its header does not match");
}

#[test]
fn a_log_is_no_snapshot() {
    let (bytes, header) = file(&[]);
    let path = NamedTempFile::new().unwrap();
    fs::write(path.path(), bytes).unwrap();
    assert_eq!(Reader::open(Kind::Log, path.path()).unwrap().header(), header);
    assert!(matches!(Reader::open(Kind::Snapshot, path.path()), Err(StoreError::Corrupt { .. })));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(payloads in vec(vec(any::<u8>(), 0..50), 0..10)) {
        let (bytes, _) = file(&payloads.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(read(&bytes).unwrap(), (payloads, false));
    }

    #[test]
    fn a_cut_file_has_its_whole_frames(payloads in vec(vec(any::<u8>(), 0..20), 1..5), cut in any::<prop::sample::Index>()) {
        let slices: Vec<_> = payloads.iter().map(Vec::as_slice).collect();
        let (bytes, _) = file(&slices);
        let len = HEADER_LEN + cut.index(bytes.len() - HEADER_LEN);
        let whole = (0..payloads.len()).rev().find(|count| file(&slices[..*count]).0.len() <= len).unwrap();
        let is_torn = file(&slices[..whole]).0.len() < len;
        prop_assert_eq!(read(&bytes[..len]).unwrap(), (payloads[..whole].to_vec(), is_torn));
    }

    #[test]
    fn a_flipped_bit_before_the_last_frame_is_corruption_and_in_it_a_torn_end(
        payloads in vec(vec(any::<u8>(), 0..20), 1..5),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let slices: Vec<_> = payloads.iter().map(Vec::as_slice).collect();
        let (mut bytes, _) = file(&slices);
        let at = HEADER_LEN + at.index(bytes.len() - HEADER_LEN);
        bytes[at] ^= 1 << bit;
        let (all_but_last, _) = slices.split_at(slices.len() - 1);
        let last_starts = file(all_but_last).0.len();
        match read(&bytes) {
            Ok(read) => {
                prop_assert!(at >= last_starts);
                prop_assert_eq!(read, (payloads[..payloads.len() - 1].to_vec(), true));
            }
            Err(StoreError::Corrupt { offset, .. }) => prop_assert!(at < last_starts && offset <= at as u64),
            Err(error) => panic!("{error}"),
        }
    }
}
