//! Tests joins: messages join an open batch of their plan, and begin one if none is open.

use super::*;
use crate::base::domain::{ApiCalls, Count, Heeds, OptOutSource, Outcome, Progress, SkipReason, WishSubject};
use crate::base::events::Origin;
use crate::store::{Amendment, Call, ClientIds, Joined, Joining, NewCall, Observed, OptOut, OwnTimes, Signal, Whom};

for_every_store!(
    messages_of_a_plan_join_one_batch_while_it_is_open,
    joined_messages_equal_launched_messages,
    nothing_joins_a_cancelled_or_finished_batch,
    messages_join_a_paused_batch_and_wait_with_it,
    messages_of_another_plan_join_another_batch,
    a_call_with_many_messages_is_batches_of_its_own,
    a_message_is_accepted_once_under_its_callers_id,
    observers_of_a_message_learn_its_call,
    recipients_who_opted_out_are_skipped_when_they_join,
    a_confirmation_is_queued_for_a_recipient_who_opted_out,
    recipients_who_joined_are_found_by_number_and_by_their_own_id,
    a_batch_that_was_opened_in_the_future_is_not_joined,
    a_launched_batch_is_never_joined,
    a_recipient_who_joined_meanwhile_is_not_erased,
    messages_with_times_of_their_own_keep_them_and_are_claimed_in_their_order,
    a_join_signals_the_first_time_at_which_it_has_something_to_do,
    an_own_expiry_outlives_every_change_of_its_row,
    an_expiring_message_that_is_brought_forward_keeps_the_earlier_limit,
);

impl Desk {
    pub(super) async fn joining(&self, numbers: std::ops::Range<u32>) -> Joining {
        let lane = self.lane("wa", Channel::WhatsApp).await;
        Joining {
            plan: plan(),
            recipients: recipients(numbers),
            start: Start::of(&Present::queued(self.now(), None), vec![lane]),
            elsewhere: Vec::new(),
            own_times: Vec::new(),
            client_ids: None,
            tag: tag(),
            audience: "singles".to_owned(),
            open_until: Some(self.now() + Span::from_secs(60)),
            confirms: Vec::new(),
            now: self.now(),
        }
    }

    async fn joined(&self, numbers: std::ops::Range<u32>) -> Joined {
        self.join(self.joining(numbers).await).await.unwrap()
    }
}

async fn messages_of_a_plan_join_one_batch_while_it_is_open(desk: Desk) {
    let first = desk.joined(0..2).await;
    let found = desk.batch(first.batch).await.unwrap().unwrap();
    assert_eq!((found.state, found.tag, found.messages), (BatchState::Running, first.tag, 2));
    assert_eq!((found.open_until, found.started_at, found.name), (Some(at(60)), Some(at(0)), None));
    desk.clock.advance(Span::from_secs(59));
    let second = desk.joined(2..5).await;
    assert_eq!(second, Joined { first: 2, added: 3, ..first.clone() });
    assert_eq!(desk.joined(5..5).await, Joined { first: 5, added: 0, ..first.clone() });
    let found = desk.batch(first.batch).await.unwrap().unwrap();
    // A join does not move the close.
    assert_eq!((found.messages, found.open_until), (5, Some(at(60))));
    desk.clock.advance(Span::from_secs(1));
    let later = desk.joined(5..6).await;
    assert_ne!(later.batch, first.batch);
    assert_eq!(later.first, 0);
    assert_eq!(desk.batches(None).await.unwrap().len(), 2);
}

/// The original adds messages to the same batch, and a message of the copy must not get the id of one of them.
/// On a file alone: a database in memory has no backup.
#[tokio::test]
async fn an_accepted_copy_adds_nothing_to_the_batches_that_were_open() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::at(&format!("sqlite://{}", folder.path().join("volley.db").display()), None).await;
    let open = desk.joined(0..2).await;
    let path = folder.path().join("copy.db");
    desk.back_up(&path).await.unwrap();
    let copy = Desk::at(&format!("sqlite://{}", path.display()), None).await;
    copy.accept_copy().await.unwrap();
    let of_copy = copy.joined(5..6).await;
    assert!(of_copy.batch != open.batch && of_copy.first == 0, "{of_copy:?}");
    assert_eq!(copy.joined(6..7).await, Joined { first: 1, ..of_copy });
    // Receipts of its messages are still found by its tag.
    assert_eq!(copy.batch(open.batch).await.unwrap().unwrap().tag, open.tag);
    assert_eq!(desk.joined(2..3).await, Joined { first: 2, added: 1, ..open });
}

async fn a_call_with_many_messages_is_batches_of_its_own(desk: Desk) {
    let open = desk.joined(0..1).await;
    let parts = vec![
        desk.joining(1..3).await,
        Joining { plan: Plan { end: Some(at(1_000)), ..plan() }, ..desk.joining(3..4).await },
    ];
    let begun = desk.begin_call(NewCall { client_batch_id: Some("mine".to_owned()), parts }).await.unwrap();
    let [first, second] = &begun[..] else { panic!("{begun:?}") };
    assert!(first.batch != open.batch && second.batch != first.batch, "{begun:?}");
    assert_eq!((first.first, second.first), (0, 0));
    let call = Call { batches: vec![first.batch, second.batch], client_batch_id: Some("mine".to_owned()) };
    for batch in [first.batch, second.batch] {
        assert_eq!(desk.call_of(batch).await.unwrap(), Some(call.clone()));
        assert_eq!(desk.batch(batch).await.unwrap().unwrap().open_until, None);
    }
    assert_eq!(desk.call_of(open.batch).await.unwrap(), None);
    // Another message with the same plan joins none of them.
    assert_eq!(desk.joined(4..5).await.batch, open.batch);
    desk.counters_equal_rows(first.batch, 2).await;
    // A part that cannot be stored keeps the others out, too.
    let confirms = vec![Cursor::of_id(1)];
    let parts = vec![desk.joining(5..6).await, Joining { confirms, ..desk.joining(6..7).await }];
    let before = desk.batches(None).await.unwrap().len();
    desk.begin_call(NewCall { client_batch_id: None, parts }).await.unwrap_err();
    assert_eq!(desk.batches(None).await.unwrap().len(), before);
}

impl Desk {
    /// Joins messages of calls of the API, with ids of the caller.
    pub(super) async fn joining_once(&self, numbers: std::ops::Range<u32>, ids: &[&str], since: i64) -> Joining {
        let api =
            Some(ApiCalls { sub_account: "acme".to_owned(), caller: String::new(), callback: None, extras: None });
        let of = (0..).zip(ids).map(|(position, id)| (position, (*id).to_owned())).collect();
        let client_ids = Some(ClientIds { of, since: at(since) });
        Joining { plan: Plan { api, ..plan() }, client_ids, ..self.joining(numbers).await }
    }
}

async fn a_message_is_accepted_once_under_its_callers_id(desk: Desk) {
    let first = desk.join(desk.joining_once(0..3, &["a", "b", "a"], 0).await).await.unwrap();
    let ids: Vec<u32> = (0..3).map(|position| first.message_id(position).key.n).collect();
    assert_eq!((first.added, ids), (2, vec![0, 1, 0]), "twice in one call");
    desk.clock.advance(Span::from_secs(10));
    let again = desk.join(desk.joining_once(3..6, &["c", "b", "d"], 0).await).await.unwrap();
    let ids: Vec<u32> = (0..3).map(|position| again.message_id(position).key.n).collect();
    assert_eq!((again.batch, again.added, ids), (first.batch, 2, vec![2, 1, 3]));
    // All of them are known: no batch begins.
    let call = NewCall { client_batch_id: None, parts: vec![desk.joining_once(6..8, &["d", "a"], 0).await] };
    let begun = desk.begin_call(call).await.unwrap();
    assert_eq!(
        (begun[0].added, begun[0].message_id(0), begun[0].message_id(1)),
        (0, again.message_id(2), first.message_id(0))
    );
    assert_eq!(desk.batches(None).await.unwrap().len(), 1);
    // Another subaccount has ids of its own.
    let mut other = desk.joining_once(8..9, &["a"], 0).await;
    other.plan.api =
        Some(ApiCalls { sub_account: "other".to_owned(), caller: String::new(), callback: None, extras: None });
    assert_eq!(desk.join(other).await.unwrap().added, 1);
    // The first are forgotten, and so is what was pruned.
    let later = desk.join(desk.joining_once(9..11, &["a", "c"], 10).await).await.unwrap();
    assert_eq!((later.added, later.message_id(1)), (1, again.message_id(0)));
    desk.forget_old_requests(at(11)).await.unwrap();
    assert_eq!(desk.join(desk.joining_once(11..12, &["d"], 0).await).await.unwrap().added, 1);
    desk.counters_equal_rows(first.batch, 6).await;
}

async fn observers_of_a_message_learn_its_call(desk: Desk) {
    let other = desk.joining_once(1..2, &[], 0).await;
    let other = Joining { plan: Plan { end: Some(at(1_000)), ..other.plan }, ..other };
    let parts = vec![desk.joining_once(0..1, &[], 0).await, other];
    let begun = desk.begin_call(NewCall { client_batch_id: Some("mine".to_owned()), parts }).await.unwrap();
    let single = desk.join(desk.joining_once(2..3, &[], 0).await).await.unwrap();
    for batch in [begun[1].batch, single.batch] {
        let row = desk.one(batch, 0).await;
        let progress = Progress::Reached { step: StepIndex::FIRST, status: Status::Sent };
        let observed = vec![Observed { progress, at: desk.now(), code: None, detail: None, message: None }];
        desk.record(vec![Change { observed, ..change(&row, row.present) }]).await.unwrap();
    }
    let told = desk.observed_after(Cursor::START, 9).await.unwrap();
    let [(_, of_call), (_, of_single)] = &told[..] else { panic!("{told:?}") };
    let call = of_call.call.as_ref().unwrap();
    // The first batch of the call names it.
    assert_eq!((call.id, call.client_batch_id.as_deref()), (begun[0].batch_id(), Some("mine")));
    assert!(of_single.call.is_none());
}

async fn joined_messages_equal_launched_messages(desk: Desk) {
    let joined = desk.joined(0..3).await;
    let seq = desk.seq().await.unwrap();
    desk.claimed(joined.batch, 2).await;
    desk.clock.advance(Span::from_secs(5));
    desk.joined(3..5).await;
    // A join is no decision, because the nodes know the batch.
    assert_eq!(desk.seq().await.unwrap(), seq);
    desk.counters_equal_rows(joined.batch, 5).await;
    let all = desk.all(joined.batch, 5).await;
    for (n, message) in (0..).zip(&all) {
        assert_eq!((message.key.n, message.address), (n, msisdn(n).into()));
        let whole = desk.message_facts(message.key).await.unwrap().unwrap();
        assert_eq!(whole.recipient.as_ref(), rows(n..n + 1).first());
    }
    assert_eq!(all[4].present, Present::queued(at(5), None));
    let parts = desk.parts_of(joined.batch).await.unwrap();
    assert_eq!(parts.iter().map(|part| (part.recipients, part.source.as_str())).collect::<Vec<_>>(), [(5, "singles")]);
    assert_eq!(numbers(&messages(&desk.claimed(joined.batch, 9).await)), [2, 3, 4]);
}

async fn nothing_joins_a_cancelled_or_finished_batch(desk: Desk) {
    for to in [BatchState::Cancelling, BatchState::Finished] {
        let before = desk.joined(0..1).await;
        desk.move_batch(before.batch, vec![BatchState::Running], to, None, desk.now()).await.unwrap();
        let after = desk.joined(1..2).await;
        assert_ne!(before.batch, after.batch, "{to}");
        desk.move_batch(after.batch, vec![BatchState::Running], BatchState::Settled, None, desk.now()).await.unwrap();
    }
}

async fn messages_join_a_paused_batch_and_wait_with_it(desk: Desk) {
    let joined = desk.joined(0..1).await;
    let (running, paused) = (BatchState::Running, BatchState::Paused);
    desk.move_batch(joined.batch, vec![running], paused, None, desk.now()).await.unwrap();
    assert_eq!(desk.joined(1..2).await.batch, joined.batch);
    assert!(desk.claimed(joined.batch, 9).await.messages.is_empty());
    desk.move_batch(joined.batch, vec![paused], running, None, desk.now()).await.unwrap();
    assert_eq!(desk.claimed(joined.batch, 9).await.messages.len(), 2);
}

async fn messages_of_another_plan_join_another_batch(desk: Desk) {
    let joined = desk.joined(0..1).await;
    let other = Plan { end: Some(at(1_000)), ..plan() };
    let elsewhere = desk.join(Joining { plan: other, ..desk.joining(1..2).await }).await.unwrap();
    assert_ne!(elsewhere.batch, joined.batch);
    // An amended batch has another plan.
    let plan = Plan { end: Some(at(500)), ..plan() };
    let amendment = Amendment {
        batch: joined.batch,
        edition: 0,
        plan,
        starts_at: None,
        origin: Origin::SERVER,
        changes: Vec::new(),
        now: desk.now(),
    };
    desk.amend(amendment).await.unwrap().unwrap();
    let again = desk.joined(2..3).await;
    assert!(again.batch != joined.batch && again.batch != elsewhere.batch);
}

async fn recipients_who_opted_out_are_skipped_when_they_join(desk: Desk) {
    let (since, source) = (desk.now(), "STOP".to_owned());
    desk.opt_out(vec![OptOut {
        address: msisdn(1).into(),
        of: WishSubject::EVERYTHING,
        since,
        from: OptOutSource::Operator,
        source,
    }])
    .await
    .unwrap();
    let joined = desk.joined(0..3).await;
    let skipped = State::Done { outcome: Outcome::Skipped, skipped: Some(SkipReason::OptedOut), at: at(0) };
    assert_eq!(desk.one(joined.batch, 1).await.present.state, skipped);
    let tallies = desk.tallies(joined.batch).await.unwrap();
    assert_eq!((tallies.total(Count::Queued), tallies.total(Count::SkippedOptedOut)), (2, 1));
    desk.counters_equal_rows(joined.batch, 3).await;
}

async fn a_confirmation_is_queued_for_a_recipient_who_opted_out(desk: Desk) {
    let (since, source) = (desk.now(), "STOP".to_owned());
    desk.opt_out(vec![OptOut {
        address: msisdn(1).into(),
        of: WishSubject::EVERYTHING,
        since,
        from: OptOutSource::Recipient,
        source,
    }])
    .await
    .unwrap();
    let confirming = Plan { confirms_opt_out: true, ..plan() };
    let joined = desk.join(Joining { plan: confirming, ..desk.joining(1..2).await }).await.unwrap();
    assert!(matches!(desk.one(joined.batch, 0).await.present.state, State::Queued { .. }));
    assert_eq!(desk.tallies(joined.batch).await.unwrap().total(Count::Queued), 1);
    let claim = desk.claim_of(joined.batch, 1).await;
    let heeds = Heeds { message: None, step: OptOutOf::Everything };
    let heeds = claim.queues.iter().map(|queue| ((queue.batch, queue.step), heeds)).collect();
    let set = desk.claim(Claim { heeds, ..claim }).await.unwrap();
    assert_eq!(set.messages[0].unwanted, None, "the worker sends it because of the opt-out");
    desk.counters_equal_rows(joined.batch, 1).await;
}

/// The groups have all sizes, and together are longer than several of the largest pieces.
async fn recipients_who_joined_are_found_by_number_and_by_their_own_id(desk: Desk) {
    let sizes = [1, 1, 1, 1, 1, 2, 3, 1, 700, 1, 4_000, 90, 1, 5_000, 2, 1];
    let mut first = 0;
    let mut audience = AudienceId(0);
    for size in sizes {
        let joined = desk.joined(first..first + size).await;
        assert_eq!(joined.first, first);
        audience = desk.batch(joined.batch).await.unwrap().unwrap().audience_ids[0];
        first += size;
        for n in [0, first / 2, first - size, first - 1] {
            let places = desk.find_recipient(Whom::Address(msisdn(n).into()), None).await.unwrap();
            assert_eq!(places, [(audience, n)], "of {first}");
        }
    }
    let by_id = desk.find_recipient(Whom::ClientId("theirs-708".to_owned()), Some(vec![audience])).await.unwrap();
    assert_eq!(by_id, [(audience, 708)]);
    assert!(desk.find_recipient(Whom::Address(msisdn(first).into()), None).await.unwrap().is_empty());
}

async fn a_batch_that_was_opened_in_the_future_is_not_joined(desk: Desk) {
    let later = desk.joined(0..1).await;
    let earlier = desk.join(Joining { now: at(-1), ..desk.joining(1..2).await }).await.unwrap();
    assert_ne!(earlier.batch, later.batch);
}

async fn a_launched_batch_is_never_joined(desk: Desk) {
    let launched = desk.batch_of(2).await;
    assert_eq!(desk.batch(launched).await.unwrap().unwrap().open_until, None);
    assert_ne!(desk.joined(2..3).await.batch, launched);
}

/// A join may read its clock before the close, and wait for the writer until after it.
/// The caller knows the number of messages from an earlier look, and nothing about a batch that opened since.
async fn a_recipient_who_joined_meanwhile_is_not_erased(desk: Desk) {
    let joined = desk.joined(0..3).await;
    for (known, is_erased) in [(3, true), (2, false), (0, false)] {
        let erased =
            desk.erase(vec![msisdn(2).into()], Vec::new(), Vec::new(), vec![(joined.batch, known)]).await.unwrap();
        assert_eq!(erased, is_erased, "{known} known");
    }
    assert!(!desk.erase(vec![msisdn(2).into()], Vec::new(), Vec::new(), Vec::new()).await.unwrap());
    assert!(
        desk.erase(vec![msisdn(3).into()], Vec::new(), Vec::new(), Vec::new()).await.unwrap(),
        "a recipient who has not joined"
    );
}

impl Desk {
    /// Joins messages, some with times of their own: by position, when it starts and when it expires, in seconds.
    async fn joined_at(&self, messages: u32, times: &[(u32, i64, Option<i64>)]) -> Joined {
        let own_times = times.iter().map(|(index, starts, expires)| {
            let expires = expires.map(at);
            OwnTimes { index: *index, not_before: at(*starts), gives_up: expires, expires }
        });
        let own_times = own_times.collect();
        self.join(Joining { own_times, ..self.joining(0..messages).await }).await.unwrap()
    }
}

async fn messages_with_times_of_their_own_keep_them_and_are_claimed_in_their_order(desk: Desk) {
    let (since, source) = (desk.now(), "STOP".to_owned());
    desk.opt_out(vec![OptOut {
        address: msisdn(4).into(),
        of: WishSubject::EVERYTHING,
        since,
        from: OptOutSource::Recipient,
        source,
    }])
    .await
    .unwrap();
    desk.joined(5..7).await;
    let times = [(0, 30, None), (1, 20, Some(40)), (3, 0, Some(25)), (4, 0, Some(25))];
    let joined = desk.joined_at(5, &times).await;
    assert_eq!(joined.first, 2);
    let present = desk.all(joined.batch, 7).await.into_iter().map(|row| row.present).collect::<Vec<_>>();
    let queued = |starts, expires: Option<i64>| Present {
        expires: expires.map(at),
        ..Present::queued(at(starts), expires.map(at))
    };
    let expected = [(0, None), (0, None), (30, None), (20, Some(40)), (0, None), (0, Some(25))];
    assert_eq!(present[..6], expected.map(|(starts, expires)| queued(starts, expires)));
    assert_eq!(present[6].outcome(), Some(Outcome::Skipped), "it has opted out");
    desk.counters_equal_rows(joined.batch, 7).await;
    // The timers see each expiry, and claims take what has started, in the order of their starts.
    assert_eq!(desk.next_due(vec![joined.batch]).await.unwrap().remove(&joined.batch), Some(at(25)));
    assert_eq!(numbers(&desk.due(joined.batch, at(40), None, 9).await.unwrap()), [5, 3]);
    let first = messages(&desk.claimed(joined.batch, 2).await);
    assert_eq!(numbers(&first), [0, 1]);
    let second = messages(&desk.claimed(joined.batch, 9).await);
    assert_eq!((numbers(&second), second[1].present.expires), (vec![4, 5], Some(at(25))));
    desk.clock.advance(Span::from_secs(20));
    let third = messages(&desk.claimed(joined.batch, 9).await);
    assert_eq!((numbers(&third), third[0].present.expires), (vec![3], Some(at(40))));
    desk.clock.advance(Span::from_secs(10));
    assert_eq!(numbers(&messages(&desk.claimed(joined.batch, 9).await)), [2]);
}

async fn a_join_signals_the_first_time_at_which_it_has_something_to_do(desk: Desk) {
    let signals = async |messages, times: &[(u32, i64, Option<i64>)]| {
        let mut heard = desk.signals().subscribe();
        desk.joined_at(messages, times).await;
        let all: Vec<Signal> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        let queued =
            all.iter().find_map(|signal| if let Signal::Queued { at, .. } = signal { Some(*at) } else { None });
        let due = all.iter().find_map(|signal| if let Signal::Due { at, .. } = signal { Some(*at) } else { None });
        (queued, due)
    };
    assert_eq!(signals(2, &[]).await, (Some(at(0)), None));
    assert_eq!(signals(2, &[(1, 30, None)]).await, (Some(at(0)), None));
    assert_eq!(signals(2, &[(0, 30, Some(50)), (1, 20, Some(60))]).await, (Some(at(20)), Some(at(50))));
}

async fn an_own_expiry_outlives_every_change_of_its_row(desk: Desk) {
    let joined = desk.joined_at(1, &[(0, 0, Some(90))]).await;
    let expires = async || desk.one(joined.batch, 0).await.present.expires;
    let claimed = messages(&desk.claimed(joined.batch, 1).await);
    assert_eq!((claimed[0].present.expires, expires().await), (Some(at(90)), Some(at(90))));
    desk.record(vec![accepted(&claimed[0], at(1))]).await.unwrap();
    let awaiting = desk.one(joined.batch, 0).await;
    assert_eq!((awaiting.present.timer(), awaiting.present.expires), (Some(at(901)), Some(at(90))));
    let done = State::Done { outcome: Outcome::Expired, skipped: None, at: at(901) };
    desk.record(vec![change(&awaiting, Present { state: done, ..awaiting.present })]).await.unwrap();
    assert_eq!(expires().await, Some(at(90)));
}

async fn an_expiring_message_that_is_brought_forward_keeps_the_earlier_limit(desk: Desk) {
    // Put off until second 100, with a `leave_within` of ten seconds from there, unless it expires before.
    let joined = desk.joined_at(3, &[(0, 100, Some(105)), (1, 100, Some(12)), (2, 100, None)]).await;
    let queue = desk.claim_of(joined.batch, 1).await.queues[0];
    assert_eq!(desk.bring_forward(queue, at(5), Some(Span::from_secs(10)), 9).await.unwrap(), 3);
    let due: Vec<_> = desk.all(joined.batch, 3).await.iter().map(|row| row.present.timer()).collect();
    assert_eq!(due, [Some(at(15)), Some(at(12)), None]);
}
