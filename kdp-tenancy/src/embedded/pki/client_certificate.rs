//! Certificates of clients, and the identity they state.
//!
//! A member of several groups has several organizations in its subject. rcgen's names hold one
//! value of each type, so these certificates are put together here, field by field as RFC 5280
//! lists them.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use kdp_core::{Error, ErrorKind, Identity};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SigningKey};
use rustls::pki_types::CertificateDer;
use x509_parser::x509::AttributeTypeAndValue;
use yasna::{
    DERWriter, Tag,
    models::{GeneralizedTime, ObjectIdentifier, UTCTime},
};

use super::{
    CLOCK_SKEW,
    authority::{Authority, parse, system_time},
    pem, signing_failed,
};

const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
/// Where Kubernetes looks for a user's uid.
const UID: &[u64] = &[1, 3, 6, 1, 4, 1, 57683, 2];
const ECDSA_WITH_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
const CLIENT_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const AUTHORITY_KEY_ID: &[u64] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const DIGITAL_SIGNATURE: u8 = 0x80;

/// RFC 5280 writes years from 2050 on with four digits; this is their first second.
const YEAR_2050: Duration = Duration::from_secs(2_524_608_000);

/// A client's certificate and private key, in PEM.
#[derive(Clone)]
pub struct ClientCertificate {
    certificate_pem: String,
    key_pem: String,
}

impl ClientCertificate {
    /// The certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key; a secret.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// What a client certificate states.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientSubject {
    /// Who the client is.
    pub(crate) identity: Identity,
    /// From when on the statement no longer holds.
    pub(crate) not_after: SystemTime,
}

/// What a certificate, already verified, states about its holder; `None` when it has no common
/// name and so speaks of nobody.
///
/// # Errors
/// Says why the subject cannot be understood.
pub(crate) fn read_client_subject(certificate: &CertificateDer<'_>) -> Result<Option<ClientSubject>, String> {
    let parsed = parse(certificate).map_err(|problem| problem.0)?;
    let text = |attribute: &AttributeTypeAndValue<'_>| {
        attribute.as_str().map(str::to_owned).map_err(|error| format!("the subject cannot be read: {error}"))
    };
    let mut identity = Identity::default();
    for attribute in parsed.subject().iter_attributes() {
        let Some(oid) = attribute.attr_type().iter().map(Iterator::collect::<Vec<u64>>) else { continue };
        match oid.as_slice() {
            COMMON_NAME if identity.username.is_empty() => identity.username = text(attribute)?,
            COMMON_NAME => return Err("the subject has more than one common name".into()),
            ORGANIZATION => identity.groups.push(text(attribute)?),
            UID if identity.uid.is_none() => identity.uid = Some(text(attribute)?),
            UID => return Err("the subject has more than one uid".into()),
            _ => {}
        }
    }
    let not_after = system_time(parsed.validity().not_after);
    Ok((!identity.username.is_empty()).then_some(ClientSubject { identity, not_after }))
}

/// Makes a key and a certificate for it.
pub(super) fn issue(
    authority: &Authority,
    identity: &Identity,
    validity: Duration,
) -> Result<ClientCertificate, Error> {
    let refuse = |kind, message: &str| Error::new(kind, "issue", "the client certificate", message);
    if identity.username.is_empty() {
        return Err(refuse(ErrorKind::Invalid, "the identity has no username"));
    }
    if !identity.extra.is_empty() {
        return Err(refuse(ErrorKind::Unsupported, "a certificate cannot carry the identity's extra fields"));
    }
    let failed = |error| signing_failed("the client certificate", error);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let now = SystemTime::now();
    let latest = authority.not_after();
    let not_after = now.checked_add(validity).unwrap_or(latest).min(latest);
    let statement = statement(authority, identity, &key, (now - CLOCK_SKEW, not_after));
    let signature = authority.key().sign(&statement).map_err(failed)?;
    let certificate = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_der(&statement);
            write_signature_algorithm(writer.next());
            writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
        });
    });
    Ok(ClientCertificate { certificate_pem: pem::encode("CERTIFICATE", &certificate), key_pem: key.serialize_pem() })
}

/// The part of the certificate that is signed.
fn statement(
    authority: &Authority,
    identity: &Identity,
    key: &KeyPair,
    (not_before, not_after): (SystemTime, SystemTime),
) -> Vec<u8> {
    yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_tagged(Tag::context(0), |writer| writer.write_u8(2));
            writer.next().write_bigint_bytes(&rand::random::<[u8; 16]>(), true);
            write_signature_algorithm(writer.next());
            writer.next().write_der(authority.subject());
            writer.next().write_sequence(|writer| {
                write_time(writer.next(), not_before);
                write_time(writer.next(), not_after);
            });
            write_subject(writer.next(), identity);
            writer.next().write_der(&key.subject_public_key_info());
            writer.next().write_tagged(Tag::context(3), |writer| write_extensions(writer, authority.key_id()));
        });
    })
}

fn write_subject(writer: DERWriter<'_>, identity: &Identity) {
    writer.write_sequence(|writer| {
        let mut write_attribute = |oid, value: &str| {
            writer.next().write_set(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
                    writer.next().write_utf8_string(value);
                });
            });
        };
        for group in &identity.groups {
            write_attribute(ORGANIZATION, group);
        }
        write_attribute(COMMON_NAME, &identity.username);
        if let Some(uid) = &identity.uid {
            write_attribute(UID, uid);
        }
    });
}

fn write_extensions(writer: DERWriter<'_>, authority_key_id: &[u8]) {
    writer.write_sequence(|writer| {
        write_critical_extension(writer.next(), BASIC_CONSTRAINTS, |writer| writer.write_sequence(|_| {}));
        write_critical_extension(writer.next(), KEY_USAGE, |writer| {
            writer.write_bitvec_bytes(&[DIGITAL_SIGNATURE], 1);
        });
        write_critical_extension(writer.next(), EXTENDED_KEY_USAGE, |writer| {
            writer.write_sequence(|writer| writer.next().write_oid(&ObjectIdentifier::from_slice(CLIENT_AUTH)));
        });
        writer.next().write_sequence(|writer| {
            writer.next().write_oid(&ObjectIdentifier::from_slice(AUTHORITY_KEY_ID));
            writer.next().write_bytes(&yasna::construct_der(|writer| {
                writer.write_sequence(|writer| {
                    writer.next().write_tagged_implicit(Tag::context(0), |writer| writer.write_bytes(authority_key_id));
                });
            }));
        });
    });
}

fn write_critical_extension(writer: DERWriter<'_>, oid: &[u64], value: impl FnOnce(DERWriter<'_>)) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
        writer.next().write_bool(true);
        writer.next().write_bytes(&yasna::construct_der(value));
    });
}

fn write_signature_algorithm(writer: DERWriter<'_>) {
    writer.write_sequence(|writer| writer.next().write_oid(&ObjectIdentifier::from_slice(ECDSA_WITH_SHA256)));
}

fn write_time(writer: DERWriter<'_>, time: SystemTime) {
    // DER has no fractions of a second here.
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let whole_seconds = SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs());
    if since_epoch < YEAR_2050 {
        writer.write_utctime(&UTCTime::from_datetime(whole_seconds.into()));
    } else {
        writer.write_generalized_time(&GeneralizedTime::from_datetime(whole_seconds.into()));
    }
}
