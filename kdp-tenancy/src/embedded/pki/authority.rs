//! The key that signs, and the certificate that says so.

use std::time::SystemTime;

use kdp_core::Error;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, prelude::FromDer, time::ASN1Time};

use super::{CLOCK_SKEW, DAY, Problem, pem, signing_failed};

const LIFETIME_DAYS: u32 = 3650;

/// The authority's certificate together with its private key.
pub(super) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    subject: Vec<u8>,
    key_id: Vec<u8>,
    not_after: SystemTime,
}

impl Authority {
    /// A new authority with a new key.
    pub(super) fn generate() -> Result<Self, Error> {
        let failed = |error| signing_failed("the certificate authority", error);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let now = SystemTime::now();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        // Distinct names keep a client that trusts two installations from mixing them up.
        params.distinguished_name.push(DnType::CommonName, format!("kdp-ca-{:016x}", rand::random::<u64>()));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.not_before = (now - CLOCK_SKEW).into();
        params.not_after = (now + DAY * LIFETIME_DAYS).into();
        let certificate = params.self_signed(&key).map_err(failed)?.der().clone();
        Self::new(certificate, key).map_err(|problem| problem.in_new("the certificate authority"))
    }

    /// The authority in a file's contents.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, Problem> {
        let certificate = CertificateDer::from_pem_slice(text)
            .map_err(|_| Problem::new("the file holds no certificate in PEM; restore it from a backup"))?;
        Self::new(certificate, private_key(text)?)
    }

    /// What [`Authority::from_pem`] reads.
    pub(super) fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.certificate) + &self.key().serialize_pem()
    }

    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    pub(super) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// The subject's name in DER, as the certificates it signs must repeat it.
    pub(super) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The identifier of the key in the certificates it signs.
    pub(super) fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// From when on nothing it signed is valid.
    pub(super) fn not_after(&self) -> SystemTime {
        self.not_after
    }

    fn new(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, Problem> {
        let parsed = parse(&certificate)?;
        if !parsed.is_ca() {
            return Err(Problem::new("the certificate is not one of an authority"));
        }
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(Problem::new("the private key does not belong to the certificate"));
        }
        let not_after = parsed.validity().not_after;
        if not_after < ASN1Time::now() {
            return Err(Problem(format!(
                "the authority expired at {not_after}; remove the file to start with a new one that no existing client \
                 trusts"
            )));
        }
        let subject = parsed.subject().as_raw().to_vec();
        let key_id = key_id(&parsed).ok_or_else(|| Problem::new("the certificate has no subject key identifier"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| Problem(format!("the certificate cannot be used to sign: {error}")))?;
        Ok(Self { certificate, issuer, subject, key_id, not_after: system_time(not_after) })
    }
}

/// The private key in a file's contents.
pub(super) fn private_key(text: &[u8]) -> Result<KeyPair, Problem> {
    let key = PrivateKeyDer::from_pem_slice(text)
        .map_err(|_| Problem::new("the file holds no private key in PEM; restore it from a backup"))?;
    let key = KeyPair::try_from(&key).map_err(|error| Problem(format!("the private key cannot be used: {error}")))?;
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return Err(Problem::new("the private key is not an ECDSA key on the curve P-256"));
    }
    Ok(key)
}

/// The fields of a certificate.
pub(super) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Problem> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err(Problem::new("bytes follow the certificate")),
        Err(error) => Err(Problem(format!("the certificate cannot be parsed: {error}"))),
    }
}

/// The same moment; one before 1970 becomes 1970, which is as expired.
pub(super) fn system_time(time: ASN1Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0))
}

fn key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}
