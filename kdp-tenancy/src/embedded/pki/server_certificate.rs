//! The certificate of the server.

use std::{
    collections::BTreeSet,
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use kdp_core::{Error, ErrorKind};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

use super::{
    CLOCK_SKEW, DAY, Problem,
    authority::{Authority, parse, private_key, system_time},
    pem, signing_failed,
};

const LIFETIME_DAYS: u32 = 365;

/// A server's certificate and private key.
pub struct ServerCertificate {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    names: BTreeSet<String>,
    renew_at: SystemTime,
}

impl ServerCertificate {
    /// The certificates to send, the server's own first.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// From when on it is to be replaced; it is valid for some time after that.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        self.renew_at
    }

    pub(super) fn has_names(&self, names: &[String]) -> bool {
        self.names == normal(names)
    }

    fn new(authority: &Authority, certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, Problem> {
        let parsed = parse(&certificate)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(Problem::new("the private key does not belong to the certificate"));
        }
        let signer = parse(authority.certificate())?;
        if parsed.verify_signature(Some(signer.public_key())).is_err() {
            return Err(Problem::new(
                "the certificate is signed by another authority; remove the file to have a new one made",
            ));
        }
        let names = subject_names(&parsed)?;
        let (from, until) = (system_time(parsed.validity().not_before), system_time(parsed.validity().not_after));
        let lifetime = until.duration_since(from).unwrap_or_default();
        Ok(Self { certificate, key, names, renew_at: until - lifetime / 3 })
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

/// The certificate in a file's contents.
pub(super) fn read(authority: &Authority, text: &[u8]) -> Result<ServerCertificate, Problem> {
    let certificate = CertificateDer::from_pem_slice(text)
        .map_err(|_| Problem::new("the file holds no certificate in PEM; remove it to have a new one made"))?;
    ServerCertificate::new(authority, certificate, private_key(text)?)
}

/// A new certificate, and the file contents that [`read`] makes it from.
pub(super) fn issue(authority: &Authority, names: &[String]) -> Result<(ServerCertificate, String), Error> {
    let failed = |error| signing_failed("the server certificate", error);
    let mut params = CertificateParams::new(normal(names).into_iter().collect::<Vec<_>>()).map_err(|error| {
        Error::new(
            ErrorKind::Invalid,
            "issue",
            "the server certificate",
            format!("one of its names is neither a DNS name nor an IP address: {}", names.join(", ")),
        )
        .with_source(error)
    })?;
    let now = SystemTime::now();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "kdp-server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + lifetime(authority, now)).into();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let certificate = params.signed_by(&key, authority.issuer()).map_err(failed)?.der().clone();
    let text = pem::encode("CERTIFICATE", &certificate) + &key.serialize_pem();
    let certificate = ServerCertificate::new(authority, certificate, key)
        .map_err(|problem| problem.in_new("the server certificate"))?;
    Ok((certificate, text))
}

/// A certificate that outlives its authority would only look valid.
fn lifetime(authority: &Authority, now: SystemTime) -> Duration {
    (DAY * LIFETIME_DAYS).min(authority.not_after().duration_since(now).unwrap_or_default())
}

/// One spelling for each name, so that sets of names can be compared.
fn normal(names: &[String]) -> BTreeSet<String> {
    names
        .iter()
        .map(|name| name.parse::<IpAddr>().map_or_else(|_| name.to_ascii_lowercase(), |address| address.to_string()))
        .collect()
}

fn subject_names(certificate: &X509Certificate<'_>) -> Result<BTreeSet<String>, Problem> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| Problem(format!("the certificate's names cannot be read: {error}")))?
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default();
    Ok(names.iter().filter_map(name_text).collect())
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from).ok();
            v4.or_else(|| <[u8; 16]>::try_from(*octets).map(IpAddr::from).ok()).map(|address| address.to_string())
        }
        _ => None,
    }
}
