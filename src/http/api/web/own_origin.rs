//! Whether a request comes from one of our own pages, and not from a page of another site.

use axum::http::{HeaderMap, HeaderName, header};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the browser says that a page of ours, or its user, has sent the request.
///
/// - Every browser of today sends `Sec-Fetch-Site` to a trustworthy address; else `Origin` must be our host, over `https` if
///   that is how browsers reach it.
pub(super) fn is_own(headers: &HeaderMap, is_secure: bool) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(SITE) {
        Some(site) => site == "same-origin" || site == "none",
        None => match (text(header::ORIGIN), text(header::HOST)) {
            (Some(origin), Some(host)) => {
                let scheme = if is_secure { "https" } else { "http" };
                origin.split_once("://") == Some((scheme, host))
            }
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
        let is_own = |is_secure: bool, pairs: &[(&'static str, &'static str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_own(&headers.collect(), is_secure)
        };
        for is_secure in [true, false] {
            assert!(is_own(is_secure, &[("sec-fetch-site", "same-origin")]));
            assert!(is_own(is_secure, &[("sec-fetch-site", "none")]));
        }
        let of = |origin| [("origin", origin), ("host", "volley.example")];
        assert!(is_own(true, &of("https://volley.example")) && is_own(false, &of("http://volley.example")));
        assert!(!is_own(true, &of("http://volley.example")) && !is_own(false, &of("https://volley.example")));
        for wrong in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")],
            &[("origin", "https://evil.example"), ("host", "volley.example")],
            &[("origin", "null"), ("host", "volley.example")],
            &[("host", "volley.example")],
            &[],
        ] {
            assert!(!is_own(true, wrong) && !is_own(false, wrong), "{wrong:?}");
        }
    }
}
