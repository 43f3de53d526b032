//! Functions that no template may call.

const SURROUNDINGS: &str = "it would show the agent's surroundings to tenants";
const CHANGING: &str = "it gives another result each time, so objects would be rewritten forever";
const DATES: &str = "dates are not supported";
const CASES: &str = "guessing the words of a name is not supported";

static REFUSED: &[(&str, &[&str])] = &[
    (SURROUNDINGS, &["env", "expandenv", "getHostByName"]),
    (
        CHANGING,
        &[
            "now",
            "ago",
            "date",
            "date_in_zone",
            "dateInZone",
            "htmlDate",
            "htmlDateInZone",
            "randAlpha",
            "randAlphaNum",
            "randAscii",
            "randNumeric",
            "randBytes",
            "randInt",
            "shuffle",
            "uuidv4",
            "genPrivateKey",
            "buildCustomCert",
            "genCA",
            "genCAWithKey",
            "genSelfSignedCert",
            "genSelfSignedCertWithKey",
            "genSignedCert",
            "genSignedCertWithKey",
            "bcrypt",
            "htpasswd",
            "encryptAES",
        ],
    ),
    ("secrets do not belong into templates", &["decryptAES", "derivePassword"]),
    (
        DATES,
        &[
            "date_modify",
            "dateModify",
            "must_date_modify",
            "mustDateModify",
            "toDate",
            "mustToDate",
            "duration",
            "durationRound",
            "unixEpoch",
        ],
    ),
    (CASES, &["camelcase", "snakecase", "kebabcase"]),
    ("there is no function that a template could get hold of", &["call"]),
];

/// Why the function is refused, if it is.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(_, names)| names.contains(&name)).map(|(reason, _)| *reason)
}
