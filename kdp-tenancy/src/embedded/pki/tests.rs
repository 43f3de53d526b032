use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use kdp_core::{ErrorKind, Identity};
use proptest::{collection::vec, option, prelude::*};
use rcgen::{CertificateParams, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tempfile::TempDir;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn user(name: &str) -> Identity {
    Identity { username: name.into(), ..Identity::default() }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn directory() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("nested/pki");
    (root, path)
}

/// Loading `contents` as the authority's file fails with `expected`, and leaves the file as it is.
fn check_refused(contents: &str, expected: &str) {
    let (_root, path) = directory();
    fs::create_dir_all(&path).unwrap();
    let file = path.join("ca.pem");
    fs::write(&file, contents).unwrap();
    let error = Pki::load_or_create(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains(file.to_str().unwrap()) && text.contains(expected), "{text}");
    assert_eq!(fs::read_to_string(&file).unwrap(), contents);
}

#[test]
fn reopening_finds_the_same_authority() {
    let (_root, path) = directory();
    let first = Pki::load_or_create(&path).unwrap();
    let second = Pki::load_or_create(&path).unwrap();
    assert_eq!(first.ca_pem(), second.ca_pem());
    let certificate = second.client_certificate(&user("alice"), HOUR).unwrap();
    let der = CertificateDer::from_pem_slice(certificate.certificate_pem().as_bytes()).unwrap();
    let authority = authority::parse(first.ca_certificate()).unwrap_or_else(|problem| panic!("{}", problem.0));
    let parsed = authority::parse(&der).unwrap_or_else(|problem| panic!("{}", problem.0));
    parsed.verify_signature(Some(authority.public_key())).unwrap();
}

#[test]
fn files_are_accessible_by_their_owner_only() {
    let (_root, path) = directory();
    Pki::load_or_create(&path).unwrap().server_certificate(&names(&["localhost"])).unwrap();
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
}

#[test]
fn a_private_file_replaces_a_public_one() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("secret");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    files::write_private(&path, b"new").unwrap();
    assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (&b"new"[..], 0o600));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_authority_is_named_and_never_replaced() {
    let (authority, other) = (Authority::generate().unwrap(), Authority::generate().unwrap());
    let certificate = pem::encode("CERTIFICATE", authority.certificate());
    check_refused("", "no certificate");
    check_refused("garbage", "no certificate");
    check_refused(&certificate, "no private key");
    check_refused(&authority.key().serialize_pem(), "no certificate");
    check_refused(&(certificate.clone() + &other.key().serialize_pem()), "does not belong to the certificate");
    check_refused(&certificate.replace('A', "B"), "no certificate");
    let truncated = authority.to_pem();
    check_refused(&truncated[..truncated.len() / 2], "no ");
}

#[test]
fn an_expired_or_false_authority_is_refused() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = (SystemTime::now() - HOUR).into();
    let expired = params.self_signed(&key).unwrap().pem();
    check_refused(&(expired + &key.serialize_pem()), "expired");
    let leaf = CertificateParams::default().self_signed(&key).unwrap().pem();
    check_refused(&(leaf + &key.serialize_pem()), "not one of an authority");
}

#[test]
fn an_authority_that_went_missing_is_not_made_anew() {
    let (_root, path) = directory();
    Pki::load_or_create(&path).unwrap().server_certificate(&names(&["localhost"])).unwrap();
    fs::remove_file(path.join("ca.pem")).unwrap();
    let error = Pki::load_or_create(&path).unwrap_err();
    assert!(error.to_string().contains("ca.pem: the file is missing although server.pem exists"), "{error}");
    assert!(!path.join("ca.pem").exists());
}

#[test]
fn the_server_certificate_is_kept_until_its_names_change() {
    let (_root, path) = directory();
    let pki = Pki::load_or_create(&path).unwrap();
    let chain = |wanted: &[&str]| pki.server_certificate(&names(wanted)).unwrap().chain();
    let first = chain(&["localhost", "127.0.0.1", "::1"]);
    assert_eq!(first, chain(&["::1", "LOCALHOST", "127.0.0.1", "0:0:0:0:0:0:0:1"]));
    let second = chain(&["localhost", "kdp.example.com"]);
    assert_ne!(first, second);
    assert_eq!(second, chain(&["localhost", "kdp.example.com"]));
}

#[test]
fn an_expired_server_certificate_is_replaced() {
    let (_root, path) = directory();
    let pki = Pki::load_or_create(&path).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names(&["localhost"])).unwrap();
    params.not_before = (SystemTime::now() - HOUR * 2).into();
    params.not_after = (SystemTime::now() - HOUR).into();
    let expired = params.signed_by(&key, pki.authority.issuer()).unwrap();
    fs::write(path.join("server.pem"), expired.pem() + &key.serialize_pem()).unwrap();
    let renewed = pki.server_certificate(&names(&["localhost"])).unwrap();
    assert_ne!(renewed.chain(), [expired.der().clone()]);
    assert!(renewed.renew_at() > SystemTime::now() + HOUR);
}

#[test]
fn a_damaged_or_foreign_server_certificate_is_named() {
    let (_root, path) = directory();
    let pki = Pki::load_or_create(&path).unwrap();
    let foreign = server_certificate::issue(&Authority::generate().unwrap(), &names(&["localhost"])).unwrap().1;
    for (contents, expected) in [("", "no certificate"), (foreign.as_str(), "signed by another authority")] {
        fs::write(path.join("server.pem"), contents).unwrap();
        let error = pki.server_certificate(&names(&["localhost"])).unwrap_err().to_string();
        assert!(error.contains("server.pem") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_name_that_is_none_is_refused() {
    let error = Pki::ephemeral().unwrap().server_certificate(&names(&["näme"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn an_identity_that_a_certificate_cannot_express_is_refused() {
    let pki = Pki::ephemeral().unwrap();
    let mut with_extra = user("alice");
    with_extra.extra.insert("scopes".into(), vec!["cluster:a".into()]);
    let check = |identity: &Identity, expected| {
        assert_eq!(pki.client_certificate(identity, HOUR).unwrap_err().kind(), expected);
    };
    check(&user(""), ErrorKind::Invalid);
    check(&with_extra, ErrorKind::Unsupported);
}

#[test]
fn no_certificate_outlives_the_authority() {
    let pki = Pki::ephemeral().unwrap();
    let certificate = pki.client_certificate(&user("alice"), Duration::MAX).unwrap();
    let der = CertificateDer::from_pem_slice(certificate.certificate_pem().as_bytes()).unwrap();
    let subject = read_client_subject(&der).unwrap().unwrap();
    assert_eq!(subject.not_after, pki.authority.not_after());
}

#[test]
fn debug_output_shows_no_key() {
    let pki = Pki::ephemeral().unwrap();
    let certificate = pki.client_certificate(&user("alice"), HOUR).unwrap();
    let text = format!("{pki:?} {certificate:?} {:?}", pki.server_certificate(&names(&["localhost"])).unwrap());
    assert!(!text.contains("KEY") && text.len() < 200, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_client_certificate_states_the_identity_it_was_made_for(
        username in ".{1,80}", groups in vec(".{0,40}", 0..5), uid in option::of(".{1,40}"),
    ) {
        let identity = Identity { username, groups, uid, ..Identity::default() };
        let pki = Pki::ephemeral().unwrap();
        let certificate = pki.client_certificate(&identity, HOUR).unwrap();
        let der = CertificateDer::from_pem_slice(certificate.certificate_pem().as_bytes()).unwrap();
        prop_assert_eq!(read_client_subject(&der).unwrap().unwrap().identity, identity);
    }
}
