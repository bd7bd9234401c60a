//! A web address: looked at as the provider will fetch it, and held against the rules of its channel.

use super::format::Wanted;
use crate::base::config::Network;
use crate::base::domain::{Reachable, Span};
use crate::provider::client::{Looked, Unseen, look_at};

/// Longer than this, and the provider may give up fetching a file.
const SLOW: Span = Span::from_secs(2);

/// What is wrong or doubtful about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// The provider sends the file, but each of these sentences advises against it.
    Doubtful(Vec<String>),
    /// The provider could not send the file.
    Wrong(String),
}

pub(super) async fn look(address: &str, wanted: Wanted, network: &Network, reachable: Reachable) -> Verdict {
    match look_at(address, network, reachable).await {
        Ok(looked) => judge(&looked, wanted, reachable),
        Err(Unseen::Private { host }) => Verdict::Wrong(format!(
            "{host} is in a private network, where the provider cannot fetch a file; use a public web address"
        )),
        Err(why @ Unseen::Redirects) => Verdict::Wrong(format!("{address} cannot be fetched: {why}; correct it")),
        // The provider may reach it nevertheless: this machine may be offline, or behind a firewall.
        Err(why) => Verdict::Doubtful(vec![format!("{address} cannot be fetched from here: {why}")]),
    }
}

fn judge(looked: &Looked, wanted: Wanted, reachable: Reachable) -> Verdict {
    let Looked { status, content_type, bytes, took, address } = looked;
    let wrong = |sentence: String| Verdict::Wrong(format!("{address} {sentence}"));
    if !(200..300).contains(status) {
        return wrong(format!("answers HTTP status {status}; the provider needs the file itself, without a login"));
    }
    if reachable == Reachable::Public && !address.starts_with("https://") {
        return wrong("is not encrypted; the provider fetches files from https:// addresses alone".to_owned());
    }
    let checked = match content_type {
        Some(served) => wanted.check_type(served),
        None if !wanted.has_formats() => Ok(()),
        None => Err("is served without a Content-Type; add it on its server".to_owned()),
    };
    let checked = checked.and_then(|()| bytes.map_or(Ok(()), |bytes| wanted.check_size(bytes)));
    if let Err(sentence) = checked {
        return wrong(sentence);
    }
    let slow = (*took > SLOW).then(|| {
        let seconds = took.millis() / 1_000;
        format!("answers after {seconds} s, and the provider wants an answer within 2 s; use a faster server")
    });
    let large = bytes.and_then(|bytes| wanted.doubt_size(bytes));
    let doubts: Vec<String> =
        [slow, large].into_iter().flatten().map(|sentence| format!("{address} {sentence}")).collect();
    if doubts.is_empty() { Verdict::Good } else { Verdict::Doubtful(doubts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, MediaKind};

    #[test]
    fn each_fault_of_an_address_has_its_sentence() {
        let good = Looked {
            status: 200,
            content_type: Some("image/png".to_owned()),
            bytes: Some(1_000_000),
            took: SLOW,
            address: "https://h.example/a.png".to_owned(),
        };
        let wanted = Wanted::of(Channel::WhatsApp, MediaKind::Image);
        let judged = |looked: &Looked| judge(looked, wanted, Reachable::Public);
        assert_eq!(judged(&good), Verdict::Good);
        assert_eq!(judged(&Looked { bytes: None, ..good.clone() }), Verdict::Good);
        for (looked, expected) in [
            (Looked { status: 404, ..good.clone() }, "answers HTTP status 404"),
            (Looked { status: 302, ..good.clone() }, "answers HTTP status 302"),
            (Looked { address: "http://h.example/a.png".to_owned(), ..good.clone() }, "is not encrypted"),
            (Looked { content_type: None, ..good.clone() }, "without a Content-Type"),
            (Looked { content_type: Some("text/html".to_owned()), ..good.clone() }, "is served as text/html"),
            (Looked { bytes: Some(5_000_001), ..good.clone() }, "WhatsApp takes images of at most 5.0 MB"),
        ] {
            let Verdict::Wrong(sentence) = judged(&looked) else { panic!("{looked:?}") };
            assert!(sentence.starts_with(&looked.address) && sentence.contains(expected), "{sentence}");
        }
        let slow = Looked { took: Span::from_millis(3_400), ..good.clone() };
        let large = Looked { bytes: Some(1_000_001), ..good.clone() };
        let both = Looked { took: slow.took, ..large.clone() };
        for (looked, expected) in [
            (slow, &["answers after 3 s"][..]),
            (large, &["has 1.0 MB, and the provider recommends images of less than 1 MB"]),
            (both, &["answers after 3 s", "has 1.0 MB"]),
        ] {
            let Verdict::Doubtful(sentences) = judged(&looked) else { panic!("{looked:?}") };
            assert_eq!(sentences.len(), expected.len(), "{sentences:?}");
            for (sentence, expected) in sentences.iter().zip(expected) {
                assert!(sentence.starts_with(&looked.address) && sentence.contains(expected), "{sentence}");
            }
        }
        // The practice provider fetches also without TLS.
        let plain = Looked { address: "http://127.0.0.1:8690/files/a.png".to_owned(), ..good };
        assert_eq!(judge(&plain, wanted, Reachable::Any), Verdict::Good);
    }
}
