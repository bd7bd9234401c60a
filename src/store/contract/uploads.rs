//! Files at the provider.

use super::{Desk, at, for_every_store};
use crate::store::UploadedFile;

for_every_store!(a_file_is_known_for_its_subaccount_until_it_is_uploaded_again);

fn uploaded(sub_account: &str, digest: u8, url: &str) -> UploadedFile {
    UploadedFile {
        base_url: "https://provider.example".to_owned(),
        sub_account: sub_account.to_owned(),
        digest: [digest; 32],
        url: url.to_owned(),
        uploaded_at: at(1),
    }
}

async fn a_file_is_known_for_its_subaccount_until_it_is_uploaded_again(desk: Desk) {
    let (first, other) = (uploaded("acme", 1, "https://h/1"), uploaded("other", 1, "https://h/2"));
    desk.record_uploads(vec![first.clone(), other.clone()]).await.unwrap();
    let find = |sub_account: &'static str, digests: Vec<u8>| {
        let digests = digests.into_iter().map(|digest| [digest; 32]).collect();
        desk.uploaded_files("https://provider.example".to_owned(), sub_account.to_owned(), digests)
    };
    assert_eq!(find("acme", vec![1, 2]).await.unwrap(), [first]);
    assert_eq!(find("other", vec![1]).await.unwrap(), [other]);
    assert!(find("acme", vec![2]).await.unwrap().is_empty());
    let again = UploadedFile { uploaded_at: at(2), ..uploaded("acme", 1, "https://h/3") };
    desk.record_uploads(vec![again.clone()]).await.unwrap();
    assert_eq!(find("acme", vec![1]).await.unwrap(), [again]);
}
