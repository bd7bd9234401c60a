//! Whether a request comes from one of our own pages, and not from a page of another site.

use axum::http::{HeaderMap, HeaderName, header};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the browser says that a page of ours, or its user, has sent the request.
///
/// - Every browser of today sends `Sec-Fetch-Site` to a trustworthy address; else `Origin` must be our host.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(SITE) {
        Some(site) => site == "same-origin" || site == "none",
        None => match (text(header::ORIGIN), text(header::HOST)) {
            (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, of)| of == host),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_our_own_pages_send_forms() {
        let is_own = |pairs: &[(&'static str, &'static str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_own(&headers.collect())
        };
        assert!(is_own(&[("sec-fetch-site", "same-origin")]) && is_own(&[("sec-fetch-site", "none")]));
        assert!(is_own(&[("origin", "https://volley.example"), ("host", "volley.example")]));
        for wrong in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")],
            &[("origin", "https://evil.example"), ("host", "volley.example")],
            &[("origin", "null"), ("host", "volley.example")],
            &[("host", "volley.example")],
            &[],
        ] {
            assert!(!is_own(wrong), "{wrong:?}");
        }
    }
}
