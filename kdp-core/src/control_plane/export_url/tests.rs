use super::*;

#[test]
fn the_url_of_an_export_is_taken_apart() {
    let check = |text: &str, expected: (&str, &str, &str)| {
        let url: ExportUrl = text.parse().unwrap();
        assert_eq!((url.server(), url.cluster().as_str(), url.export()), expected, "{text}");
        assert_eq!(url.to_string().parse::<ExportUrl>().unwrap(), url);
    };
    check("https://kcp.example.com/services/apiexport/c1/e", ("https://kcp.example.com", "c1", "e"));
    check("https://KCP.example.com:6443/services/apiexport/c1/e.x/", ("https://kcp.example.com:6443", "c1", "e.x"));
    check("https://shard/p/services/apiexport/root/e-1", ("https://shard/p", "root", "e-1"));
}

#[test]
fn what_is_not_the_url_of_an_export_is_refused() {
    for text in [
        "",
        "/services/apiexport/c/e",
        "https://kcp.example.com",
        "https://kcp.example.com/services/apiexport/c",
        "https://kcp.example.com/services/apiexport/c/",
        "https://kcp.example.com/services/apiexport/C/e",
        "https://kcp.example.com/services/apiexport/c/e/clusters/other",
        "https://kcp.example.com/services/apiexport/c/..",
        "https://kcp.example.com/services/apiexport/c/e?x=/clusters/root",
        "https://kcp.example.com@evil.example.com/services/apiexport/c/e",
        "https://kcp.example.com/services/initializingworkspaces/c/e",
    ] {
        assert_eq!(text.parse::<ExportUrl>().unwrap_err().kind(), ErrorKind::Invalid, "{text}");
    }
}
