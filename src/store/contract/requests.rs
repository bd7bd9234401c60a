//! Requests that are carried out once.

use super::{Desk, at, for_every_store};
use crate::base::domain::Span;
use crate::store::{Begun, NewRequest, RequestKey, StoredAnswer};

for_every_store!(
    a_finished_request_gets_its_first_answer_again,
    a_request_belongs_to_its_caller_and_its_body,
    a_request_of_an_earlier_start_is_interrupted,
    a_forgotten_request_begins_again,
    a_failed_request_is_interrupted,
    an_answer_is_kept_from_its_own_time_on_and_a_request_without_one_longer,
    a_secret_is_made_once,
);

fn of(caller: &str, key: &str) -> RequestKey {
    RequestKey { caller: caller.to_owned(), key: key.to_owned() }
}

fn new(caller: &str, digest: u8, run: u64) -> NewRequest {
    NewRequest { of: of(caller, "k"), digest: [digest; 32], run, now: at(1) }
}

fn answer(body: &str) -> StoredAnswer {
    let headers = vec![("etag".to_owned(), "\"1\"".to_owned())];
    StoredAnswer { status: 201, headers, body: body.as_bytes().to_vec() }
}

async fn a_finished_request_gets_its_first_answer_again(desk: Desk) {
    assert_eq!(desk.begin_request(new("a", 1, 7)).await.unwrap(), Begun::New);
    assert_eq!(desk.begin_request(new("a", 1, 7)).await.unwrap(), Begun::InProgress);
    desk.finish_request(of("a", "k"), answer("first"), at(1)).await.unwrap();
    // A request is finished once: a later answer changes nothing.
    desk.finish_request(of("a", "k"), answer("second"), at(1)).await.unwrap();
    desk.forget_request(of("a", "k")).await.unwrap();
    // Also for the next start of the server.
    assert_eq!(desk.begin_request(new("a", 1, 8)).await.unwrap(), Begun::Finished(answer("first")));
}

async fn a_request_belongs_to_its_caller_and_its_body(desk: Desk) {
    assert_eq!(desk.begin_request(new("a", 1, 7)).await.unwrap(), Begun::New);
    assert_eq!(desk.begin_request(new("b", 1, 7)).await.unwrap(), Begun::New);
    assert_eq!(desk.begin_request(new("a", 2, 7)).await.unwrap(), Begun::Other);
    desk.finish_request(of("a", "k"), answer("first"), at(1)).await.unwrap();
    assert_eq!(desk.begin_request(new("a", 2, 7)).await.unwrap(), Begun::Other);
    assert_eq!(desk.begin_request(new("b", 1, 7)).await.unwrap(), Begun::InProgress);
}

async fn a_request_of_an_earlier_start_is_interrupted(desk: Desk) {
    // The number of a start uses all of its bits.
    assert_eq!(desk.begin_request(new("a", 1, u64::MAX)).await.unwrap(), Begun::New);
    assert_eq!(desk.begin_request(new("a", 1, u64::MAX)).await.unwrap(), Begun::InProgress);
    assert_eq!(desk.begin_request(new("a", 1, 1)).await.unwrap(), Begun::Interrupted { begun_at: at(1) });
}

async fn a_forgotten_request_begins_again(desk: Desk) {
    assert_eq!(desk.begin_request(new("a", 1, 7)).await.unwrap(), Begun::New);
    desk.forget_request(of("a", "k")).await.unwrap();
    assert_eq!(desk.begin_request(new("a", 2, 7)).await.unwrap(), Begun::New);
}

async fn a_failed_request_is_interrupted(desk: Desk) {
    assert_eq!(desk.begin_request(new("a", 1, 7)).await.unwrap(), Begun::New);
    desk.interrupt_request(of("a", "k")).await.unwrap();
    assert_eq!(desk.begin_request(new("a", 1, 7)).await.unwrap(), Begun::Interrupted { begun_at: at(1) });
    desk.begin_request(new("b", 1, 7)).await.unwrap();
    desk.finish_request(of("b", "k"), answer("first"), at(1)).await.unwrap();
    // What is finished stays so.
    desk.interrupt_request(of("b", "k")).await.unwrap();
    assert_eq!(desk.begin_request(new("b", 1, 7)).await.unwrap(), Begun::Finished(answer("first")));
}

async fn an_answer_is_kept_from_its_own_time_on_and_a_request_without_one_longer(desk: Desk) {
    for caller in ["old", "slow", "begun"] {
        desk.begin_request(new(caller, 1, 7)).await.unwrap();
    }
    desk.finish_request(of("old", "k"), answer("first"), at(1)).await.unwrap();
    desk.finish_request(of("slow", "k"), answer("first"), at(2)).await.unwrap();
    desk.forget_old_requests(at(2)).await.unwrap();
    assert_eq!(desk.begin_request(new("old", 1, 7)).await.unwrap(), Begun::New);
    assert_eq!(desk.begin_request(new("slow", 1, 7)).await.unwrap(), Begun::Finished(answer("first")));
    // It may still be carried out.
    assert_eq!(desk.begin_request(new("begun", 1, 7)).await.unwrap(), Begun::InProgress);
    desk.forget_old_requests(at(2) + Span::from_secs(91 * 86_400)).await.unwrap();
    assert_eq!(desk.begin_request(new("begun", 1, 7)).await.unwrap(), Begun::New);
}

async fn a_secret_is_made_once(desk: Desk) {
    assert_eq!(desk.own_secret("cursors", [1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(desk.own_secret("cursors", [2; 32]).await.unwrap(), [1; 32]);
    assert_eq!(desk.own_secret("other", [3; 32]).await.unwrap(), [3; 32]);
}
