//! The value of silence in times without receipts and without proof of a provider address.

use super::*;

const LANE: LaneId = LaneId(1);
const OTHER: LaneId = LaneId(2);

/// Two lanes at two addresses.
fn at_two_addresses(now: Timestamp) -> Gaps {
    let mut addresses = Addresses::default();
    addresses.add(LANE, "https://one", "acme");
    addresses.add(OTHER, "https://other", "beta");
    Gaps::new(now, addresses)
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

/// The state of the doubt about the first address.
#[derive(Debug, PartialEq, Eq)]
enum DoubtState {
    Since(Timestamp, DoubtCause),
    EndedDoubt(Gap, Option<Timestamp>),
}

impl Gaps {
    fn first_doubt(&self, now: Timestamp) -> Option<DoubtState> {
        let (doubts, over) = self.look(now);
        let since = doubts.into_iter().map(|doubt| DoubtState::Since(doubt.since, doubt.cause));
        since.chain(over.into_iter().map(|over| DoubtState::EndedDoubt(over.gap, over.filled))).next()
    }

    /// The gaps as the next node restores them.
    fn restored(&self, now: Timestamp) -> Self {
        let next = at_two_addresses(now);
        self.links(now).iter().for_each(|link| next.go_on_from(link, now));
        next
    }

    fn plain(&self, accepted: Timestamp, due: Timestamp, now: Timestamp) -> Silence {
        self.silence(LANE, AfterGap::Ask, (accepted, due), now)
    }
}

#[test]
fn receipts_lost_in_a_gap_may_be_repeated_into_a_later_doubt() {
    let gaps = at_two_addresses(second(90));
    gaps.add(Gap { from: second(60), until: second(90) }, None);
    let (accepted, due) = (second(50), second(80));
    assert!(matches!(gaps.plain(accepted, due, second(91)), Silence::Held { .. }));
    // All missed receipts have been repeated by 41 s after its end, except those that could not be stored then.
    assert_eq!(gaps.plain(accepted, due, second(140)), Silence::Trusted);
    gaps.doubt_since(second(100));
    assert_eq!(gaps.plain(accepted, due, second(140)), Silence::Held { until: second(141) });
    assert_eq!(gaps.plain(second(10), second(50), second(140)), Silence::Trusted, "it was due before either");
    let rejecting = at_two_addresses(second(90));
    rejecting.add(Gap { from: second(60), until: second(90) }, None);
    rejecting.turned_away(LANE, second(100));
    assert!(matches!(rejecting.plain(accepted, due, second(140)), Silence::Held { .. }));
}

#[test]
fn no_deadline_fires_while_writes_fail_nor_before_the_repeats_after() {
    let gaps = at_two_addresses(second(90));
    assert_eq!(gaps.sure(second(100)), None);
    assert_eq!(gaps.plain(second(50), second(103), second(105)), Silence::Trusted);
    gaps.doubt();
    assert!(matches!(gaps.plain(second(50), second(103), second(105)), Silence::Held { .. }));
    assert_eq!(gaps.plain(second(50), second(99), second(105)), Silence::Trusted, "due while we listened");
    assert_eq!(gaps.listening_until(second(105)), second(100), "a process that stops now has stored no later receipt");
    let (gap, filled) = gaps.sure(second(110)).unwrap();
    assert_eq!((gap.from, gap.until), (second(100), second(110)));
    let filled = filled.unwrap();
    assert_eq!(gaps.plain(second(50), second(103), second(111)), Silence::Held { until: filled });
    assert_eq!(gaps.plain(second(50), second(103), filled), Silence::Trusted);
    assert_eq!(gaps.sure(second(120)), None);
}

#[test]
fn a_doubt_about_unstored_receipts_begins_at_their_arrival() {
    let gaps = at_two_addresses(second(90));
    gaps.sure(second(100));
    // They waited for ten seconds while other writes succeeded.
    gaps.doubt_since(second(95));
    assert!(matches!(gaps.plain(second(50), second(96), second(105)), Silence::Held { .. }));
    assert_eq!(gaps.plain(second(50), second(94), second(105)), Silence::Trusted);
    let (gap, _) = gaps.sure(second(106)).unwrap();
    assert_eq!((gap.from, gap.until), (second(95), second(106)));
}

#[test]
fn silence_decides_nothing_while_receipts_are_rejected() {
    let gaps = at_two_addresses(second(0));
    assert_eq!(gaps.first_doubt(second(1)), None);
    gaps.turned_away(LANE, second(100));
    gaps.turned_away(LANE, second(150));
    assert_eq!(gaps.first_doubt(second(160)), Some(DoubtState::Since(second(100), DoubtCause::SecretMismatch)));
    assert_eq!(
        gaps.restored(second(161)).first_doubt(second(161)),
        Some(DoubtState::Since(second(100), DoubtCause::SecretMismatch))
    );
    assert_eq!(gaps.plain(second(50), second(99), second(160)), Silence::Trusted, "due while we listened");
    assert!(matches!(gaps.plain(second(50), second(120), second(160)), Silence::Held { .. }));
    // Their repeats are rejected as well, so the provider has to be queried.
    assert_eq!(gaps.plain(second(50), second(120), second(232)), Silence::Lost);
    // A plan that falls back after a gap waits for its end.
    let falls_back = gaps.silence(LANE, AfterGap::FallBack, (second(50), second(120)), second(9_999));
    assert!(matches!(falls_back, Silence::Held { .. }));
}

#[test]
fn an_authentic_webhook_ends_a_doubt_unless_others_are_still_rejected() {
    let gaps = at_two_addresses(second(0));
    gaps.turned_away(LANE, second(100));
    gaps.webhook_arrived(&[], second(101));
    gaps.turned_away(LANE, second(102));
    gaps.webhook_arrived(&[], second(104));
    assert_eq!(
        gaps.first_doubt(second(111)),
        Some(DoubtState::Since(second(100), DoubtCause::SecretMismatch)),
        "some are accepted and some are rejected"
    );
    let Some(DoubtState::EndedDoubt(gap, filled)) = gaps.first_doubt(second(112)) else { panic!("still in doubt") };
    assert_eq!((gap.from, gap.until), (second(100), second(104)));
    assert!(filled.is_some_and(|filled| filled > second(104)), "the repeats are waited for");
    assert_eq!(gaps.first_doubt(second(113)), None);
    assert_eq!(gaps.plain(second(105), second(120), second(130)), Silence::Trusted);
}

#[test]
fn each_doubt_about_webhooks_has_an_end_even_if_its_gap_is_brief() {
    let gaps = at_two_addresses(second(0));
    for begins in [100, 200] {
        gaps.turned_away(LANE, second(begins));
        gaps.webhook_arrived(&[], second(begins) + Span::from_millis(400));
        assert!(matches!(gaps.first_doubt(second(begins + 5)), Some(DoubtState::Since(..))), "it may be reported now");
        assert!(matches!(gaps.first_doubt(second(begins + 10)), Some(DoubtState::EndedDoubt(..))));
    }
}

#[test]
fn statuses_repeatedly_known_only_by_query_show_missing_webhooks() {
    let gaps = at_two_addresses(second(0));
    gaps.webhook_arrived(&[], second(100));
    gaps.webhook_missing(0, second(110), second(160));
    gaps.webhook_missing(0, second(112), second(161));
    gaps.webhook_missing(0, second(130), second(162));
    assert_eq!(gaps.first_doubt(second(163)), None, "one is young enough to be repeated, and proves nothing");
    gaps.webhook_arrived(&[], second(101));
    for reported in [110, 111, 112] {
        assert_eq!(gaps.first_doubt(second(164)), None, "{reported}: a webhook arrived after the earlier ones");
        gaps.webhook_missing(0, second(130), second(164));
        gaps.webhook_missing(0, second(reported), second(164));
    }
    assert_eq!(gaps.first_doubt(second(165)), Some(DoubtState::Since(second(101), DoubtCause::NoWebhooks)));
    assert!(matches!(gaps.plain(second(50), second(120), second(165)), Silence::Held { .. }));
    gaps.webhook_arrived(&[], second(170));
    assert!(matches!(gaps.first_doubt(second(175)), Some(DoubtState::EndedDoubt(gap, _)) if gap.until == second(170)));
    for reported in [110, 111, 112] {
        gaps.webhook_missing(0, second(reported), second(180));
    }
    assert_eq!(gaps.first_doubt(second(180)), None, "webhooks come, and some were lost");
}

#[test]
fn a_doubt_about_webhooks_without_further_signs_ends_after_an_hour() {
    let gaps = at_two_addresses(second(0));
    gaps.turned_away(LANE, second(100));
    assert_eq!(gaps.first_doubt(second(3_699)), Some(DoubtState::Since(second(100), DoubtCause::SecretMismatch)));
    assert!(
        matches!(gaps.first_doubt(second(3_700)), Some(DoubtState::EndedDoubt(gap, None)) if gap.until == second(3_700))
    );
}

#[test]
fn a_failed_request_holds_the_deadlines_of_its_address_since_its_proof() {
    let gaps = at_two_addresses(second(0));
    gaps.reached(0, second(100));
    gaps.reached(1, second(130));
    gaps.not_reached(0, second(130));
    let of = |lane, due| gaps.silence(lane, AfterGap::Ask, (second(50), second(due)), second(140));
    assert!(matches!(of(LANE, 100), Silence::Held { .. }), "from the last proof on, not from the failure");
    assert_eq!(of(LANE, 99), Silence::Trusted, "due before");
    assert_eq!(of(OTHER, 135), Silence::Trusted, "another address");
    assert_eq!(of(LaneId(9), 135), Silence::Trusted, "a lane that is not configured any more");
    gaps.reached(1, second(150));
    assert!(matches!(of(LANE, 135), Silence::Held { .. }), "proof of another address ends nothing");
    let (doubts, _) = gaps.look(second(150));
    let unreachable = Doubt { address: "https://one".to_owned(), cause: DoubtCause::Unreachable, since: second(100) };
    assert_eq!(doubts, [unreachable]);
    gaps.reached(0, second(160));
    let (doubts, over) = gaps.look(second(160));
    let gap = Gap { from: second(100), until: second(160) };
    assert_eq!(doubts, []);
    assert_eq!(over.iter().map(|over| (over.gap, over.filled)).collect::<Vec<_>>(), [(gap, Some(second(160 + 92)))]);
    // As after any other gap, the repeats have their time first.
    assert!(matches!(of(LANE, 135), Silence::Held { until } if until == second(252)));
    assert_eq!(gaps.plain(second(50), second(135), second(252)), Silence::Trusted);
}

#[test]
fn a_long_doubt_loses_receipts_and_survives_a_restart() {
    let gaps = at_two_addresses(second(0));
    gaps.reached(0, second(100));
    gaps.not_reached(0, second(130));
    let next = gaps.restored(second(150));
    assert!(matches!(next.plain(second(50), second(120), second(150)), Silence::Held { .. }));
    assert_eq!(next.plain(second(50), second(120), second(240)), Silence::Lost);
    next.reached(0, second(250));
    assert_eq!(next.plain(second(50), second(120), second(250)), Silence::Lost);
    assert_eq!(next.lost(0), [Gap { from: second(100), until: second(250) }]);
    assert_eq!(next.lost(1), []);
    // The next node also knows the last proof.
    let next = gaps.restored(second(150)).restored(second(160));
    next.reached(0, second(170));
    let next = next.restored(second(200));
    next.not_reached(0, second(201));
    assert_eq!(next.first_doubt(second(202)), Some(DoubtState::Since(second(170), DoubtCause::Unreachable)));
}

#[test]
fn fallbacks_are_taken_back_during_a_doubt_and_after_its_end() {
    let gaps = at_two_addresses(second(0));
    assert_eq!(gaps.to_take_back(second(5)), []);
    gaps.reached(0, second(100));
    gaps.not_reached(0, second(130));
    gaps.turned_away(OTHER, second(140));
    assert_eq!(gaps.to_take_back(second(140)), [(0, second(100)), (1, second(140))]);
    assert_eq!(gaps.to_take_back(second(144)), []);
    assert_eq!(gaps.to_take_back(second(145)), [(0, second(100)), (1, second(140))]);
    gaps.reached(0, second(146));
    assert_eq!(gaps.to_take_back(second(146)), [(0, second(100))], "claimed messages may have been requeued meanwhile");
    assert_eq!(gaps.to_take_back(second(150)), [(1, second(140))]);
}

#[test]
fn a_suspicion_holds_deadlines_for_a_second_and_leaves_no_gap() {
    let at = |millis| Timestamp::from_millis(millis);
    let gaps = at_two_addresses(second(0));
    gaps.reached(0, at(100_000));
    gaps.not_reached(0, at(100_200));
    assert_eq!(gaps.plain(second(50), at(100_100), at(100_300)), Silence::Held { until: at(101_200) });
    assert_eq!(gaps.plain(second(50), at(99_999), at(100_300)), Silence::Trusted, "due before the last proof");
    assert_eq!(gaps.first_doubt(at(101_199)), None);
    assert!(gaps.links(at(101_199)).iter().all(|link| link.doubt.is_none()), "the next node needs no suspicion");
    gaps.reached(0, at(101_199));
    assert_eq!(gaps.plain(second(50), at(100_100), at(101_199)), Silence::Trusted);
    assert_eq!(gaps.first_doubt(at(101_200)), None);
    // Without a proof in time it is a doubt.
    gaps.not_reached(0, at(102_000));
    assert_eq!(gaps.first_doubt(at(103_000)), Some(DoubtState::Since(at(101_199), DoubtCause::Unreachable)));
    // The last proof may be older than the provider repeats receipts: the first failure alone loses none.
    gaps.reached(0, at(104_000));
    gaps.not_reached(0, at(400_000));
    assert_eq!(gaps.plain(second(390), at(399_000), at(400_001)), Silence::Held { until: at(401_000) });
}

#[test]
fn failures_among_answers_lose_no_receipt_however_many() {
    let gaps = at_two_addresses(second(0));
    for index in 0..10_000 {
        let at = Timestamp::from_millis(20 * index);
        if index % 10 == 0 {
            gaps.not_reached(0, at);
        } else {
            gaps.reached(0, at);
        }
        let silence = gaps.plain(at - Span::from_secs(20), at, at);
        let bound = at + Span::from_secs(1);
        assert!(
            matches!(silence, Silence::Trusted) || silence == Silence::Held { until: bound },
            "{index}: {silence:?}"
        );
    }
    assert_eq!(gaps.lost(0), []);
}

#[test]
fn a_read_is_wanted_soon_after_a_failure_and_seldom_otherwise() {
    let gaps = at_two_addresses(second(0));
    gaps.reached(0, second(100));
    assert_eq!(gaps.proof_wanted_at(0), second(130));
    gaps.not_reached(0, second(110));
    assert_eq!(gaps.proof_wanted_at(0), Timestamp::from_millis(110_400));
    gaps.reached(0, second(111));
    assert_eq!(gaps.proof_wanted_at(0), second(141));
}

#[test]
fn waived_deadlines_are_decided_once_a_doubt_has_lost_nothing() {
    let gaps = at_two_addresses(second(0));
    gaps.webhook_arrived(&[], second(100));
    for reported in [110, 111, 112] {
        gaps.webhook_missing(0, second(reported), second(164));
    }
    let (accepted, due) = (second(50), second(130));
    assert_eq!(gaps.plain(accepted, due, second(240)), Silence::Lost);
    assert_eq!(gaps.to_release(second(240)), (vec![], None));
    // One arrived when nobody had noted it.
    gaps.webhook_confirmed(0, second(120));
    assert!(matches!(gaps.first_doubt(second(240)), Some(DoubtState::EndedDoubt(_, Some(_)))));
    assert_eq!(gaps.plain(accepted, due, second(240)), Silence::Trusted);
    assert_eq!(gaps.to_release(second(240)), (vec![0], None));
    gaps.not_released(&[0], second(240));
    assert_eq!(gaps.to_release(second(241)), (vec![0], None));
    // A lost gap releases nothing.
    gaps.reached(0, second(300));
    gaps.not_reached(0, second(310));
    gaps.reached(0, second(500));
    assert_eq!(gaps.to_release(second(600)), (vec![], None));
}

/// Thirty deadlines.
fn thirty(accepted: Timestamp) -> Vec<Due> {
    let key = |n| MessageKey { batch: crate::base::domain::BatchId(1), n };
    (0..30).map(|n| Due { key: key(n), step: StepIndex::FIRST, accepted, can_be_asked: true }).collect()
}

#[test]
fn a_new_status_in_an_inquiry_begins_a_doubt_at_once() {
    let gaps = at_two_addresses(second(0));
    gaps.webhook_arrived(&["acme".to_owned()], second(99));
    gaps.webhook_arrived(&["beta".to_owned()], second(110));
    let due = thirty(second(100));
    assert_eq!(gaps.hold_for_inquiry(1, &due, second(120)), None, "its webhooks arrive");
    assert!(matches!(gaps.hold_for_inquiry(0, &due, second(120)), Some(Silence::Held { .. })));
    let (asked, _) = gaps.inquiry(0).unwrap();
    gaps.record_inquiry(0, asked, Some(second(121)), second(122));
    assert_eq!(gaps.first_doubt(second(122)), Some(DoubtState::Since(second(99), DoubtCause::NoWebhooks)));
    assert!(matches!(gaps.plain(second(100), second(120), second(123)), Silence::Held { .. }));
}

#[test]
fn a_status_that_a_webhook_is_about_to_report_begins_no_doubt() {
    for arrived in [118, 121] {
        let gaps = at_two_addresses(second(0));
        assert!(gaps.hold_for_inquiry(0, &thirty(second(100)), second(117)).is_some());
        gaps.webhook_arrived(&["acme".to_owned()], second(arrived));
        while let Some((about, _)) = gaps.inquiry(0) {
            gaps.record_inquiry(0, about, Some(second(120)), second(122));
        }
        assert_eq!(gaps.first_doubt(second(122)), None, "{arrived}");
        assert_eq!(gaps.hold_for_inquiry(0, &thirty(second(arrived)), second(122)), None, "{arrived}");
        // It proves nothing about the webhooks since.
        assert!(gaps.hold_for_inquiry(0, &thirty(second(arrived + 1)), second(123)).is_some(), "{arrived}");
    }
}

#[test]
fn fallbacks_not_taken_back_are_returned_again_also_of_an_earlier_node() {
    let gaps = at_two_addresses(second(90));
    gaps.not_reached(0, second(100));
    gaps.reached(0, second(110));
    let named = gaps.to_take_back(second(111));
    assert_eq!(named, [(0, second(90))]);
    gaps.not_taken_back(named.clone());
    assert_eq!(gaps.to_take_back(second(112)), named);
    assert_eq!(gaps.to_take_back(second(113)), []);
    gaps.add(Gap { from: second(20), until: second(60) }, Some("https://other"));
    assert_eq!(gaps.to_take_back(second(114)), [(1, second(20))]);
}
