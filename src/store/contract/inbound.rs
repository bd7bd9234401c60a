//! Tests messages from recipients: each is stored and obeyed once, and every opt-out and opt-in stays listed.

use super::*;
use crate::base::domain::{Address, AddressKey, ChannelUser, Keyword, OptOutOf, OptOutSource, WishSubject};
use crate::store::{Alias, Error, Inbound, InboundOf, Joining, KeptGap, Key, OptIn, OptOut, Sender};

for_every_store!(
    a_repeated_inbound_message_is_stored_and_obeyed_once,
    an_alias_applies_to_earlier_messages_from_that_id,
    an_opt_out_by_an_alias_applies_to_all_its_numbers,
    the_later_of_stop_and_start_applies_in_any_order_of_arrival,
    a_start_older_than_a_repeated_stop_opts_nobody_in,
    a_recipient_cannot_end_an_opt_out_of_an_operator,
    opt_outs_and_opt_ins_are_listed_in_order_with_their_sources,
    an_inbound_id_finds_the_message_it_replied_to,
    replies_are_listed_by_owner_and_counted_once_per_recipient,
    replies_are_counted_by_kind_and_choice,
    an_opt_out_of_a_channel_user_reaches_its_numbers_now_and_later,
    an_operators_opt_out_of_a_channel_user_ends_with_it,
    an_operators_opt_in_of_a_channel_user_holds_at_the_next_launch,
    of_two_keywords_at_one_time_the_later_arrival_applies_to_the_id_too,
    an_opt_out_by_reply_is_confirmed_once,
    a_window_is_open_for_its_sender_until_it_ends,
    a_window_is_known_to_be_closed_only_if_nothing_can_be_missing,
);

pub(super) fn wrote(umid: &str, n: u32, second: i64, keyword: Option<Keyword>) -> Inbound {
    Inbound {
        received: at(second + 1),
        channel_id: "c-1".to_owned(),
        keyword,
        window: Some(at(second) + Span::from_secs(86_400)),
        ..text(umid.to_owned(), n, second)
    }
}

pub(super) fn stop(n: u32, second: i64, from: OptOutSource) -> OptOut {
    OptOut {
        address: msisdn(n).into(),
        of: WishSubject::EVERYTHING,
        since: at(second),
        from,
        source: format!("{from}"),
    }
}

pub(super) fn start(n: u32, second: i64, from: OptOutSource) -> OptIn {
    OptIn { address: msisdn(n).into(), of: WishSubject::EVERYTHING, at: at(second), from, source: format!("{from}") }
}

pub(super) async fn out(desk: &Desk) -> Vec<Msisdn> {
    desk.opted_out_numbers(None, 100, OptOutOf::Everything).await.unwrap()
}

async fn a_repeated_inbound_message_is_stored_and_obeyed_once(desk: Desk) {
    let before = desk.seq().await.unwrap();
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    let all = vec![wrote("a", 1, 1, None), wrote("b", 2, 2, stop), wrote("b", 2, 2, stop)];
    assert_eq!(desk.take_inbound(all).await.unwrap(), [1, 2, 2].map(|n| vec![msisdn(n)]));
    assert_eq!(out(&desk).await, [msisdn(2)]);
    assert!(desk.seq().await.unwrap() > before, "an opt-out makes the servers look");
    desk.take_inbound(vec![wrote("c", 2, 3, start)]).await.unwrap();
    assert!(out(&desk).await.is_empty());
    // The provider repeats the first one.
    desk.take_inbound(vec![wrote("b", 2, 2, stop)]).await.unwrap();
    assert!(out(&desk).await.is_empty());
    assert_eq!(desk.inbound(InboundOf::All, Cursor::START, 100).await.unwrap().len(), 3);
}

/// A message of which only the channel's id for the writer is known.
pub(super) fn called(umid: &str, called: &str, second: i64, keyword: Option<Keyword>) -> Inbound {
    Inbound { msisdn: None, called: Some(called.to_owned()), ..wrote(umid, 0, second, keyword) }
}

pub(super) fn alias(called: &str, n: u32) -> Alias {
    Alias { channel: Channel::WhatsApp, called: called.to_owned(), msisdn: msisdn(n) }
}

/// The numbers among the addresses of each writer.
fn numbers_of(writers: Vec<Vec<AddressKey>>) -> Vec<Vec<Msisdn>> {
    writers.into_iter().map(|keys| keys.into_iter().filter_map(AddressKey::number).collect()).collect()
}

async fn an_alias_applies_to_earlier_messages_from_that_id(desk: Desk) {
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    let before = vec![
        called("a", "SG.1", 1, stop),
        called("b", "SG.2", 1, None),
        called("c", "SG.2", 2, stop),
        called("d", "SG.2", 3, start),
        Inbound { channel: Some(Channel::Viber), ..called("e", "SG.3", 1, stop) },
    ];
    assert_eq!(desk.take_inbound(before).await.unwrap(), vec![Vec::<AddressKey>::new(); 5]);
    assert_eq!(out(&desk).await, []);
    let aliases = vec![alias("SG.1", 1), alias("SG.2", 2), alias("SG.2", 2), alias("SG.3", 3)];
    // One recipient opted in again, and an id of another channel is not an alias on this one.
    assert_eq!(desk.learn_aliases(aliases.clone()).await.unwrap(), [msisdn(1)]);
    assert_eq!(out(&desk).await, [msisdn(1)]);
    let of_second = desk.inbound(InboundOf::Recipient(msisdn(2).into()), Cursor::START, 10).await.unwrap();
    assert_eq!(of_second.iter().map(|(_, message)| message.umid.as_str()).collect::<Vec<_>>(), ["b", "c", "d"]);
    assert!(desk.learn_aliases(aliases).await.unwrap().is_empty(), "the aliases are known");
    // A repeated message, and later ones.
    let after = vec![called("a", "SG.1", 1, stop), called("f", "SG.2", 4, stop), called("g", "SG.9", 4, stop)];
    assert_eq!(numbers_of(desk.take_inbound(after).await.unwrap()), [vec![msisdn(1)], vec![msisdn(2)], vec![]]);
    assert_eq!(out(&desk).await, [msisdn(1), msisdn(2)]);
    assert_eq!(desk.wishes(msisdn(1).into()).await.unwrap().len(), 1, "applied once");
}

async fn an_opt_out_by_an_alias_applies_to_all_its_numbers(desk: Desk) {
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    desk.learn_aliases(vec![alias("SG.1", 1)]).await.unwrap();
    desk.take_inbound(vec![called("a", "SG.1", 1, stop)]).await.unwrap();
    assert_eq!(out(&desk).await, [msisdn(1)]);
    // The earlier opt-out applies to the new number too.
    assert_eq!(desk.learn_users(vec![alias("SG.1", 2)]).await.unwrap(), [msisdn(2)]);
    assert_eq!(out(&desk).await, [msisdn(1), msisdn(2)]);
    // An opt-in without a number is ambiguous and changes nothing.
    let both = vec![msisdn(1), msisdn(2)];
    let writers = desk.take_inbound(vec![called("b", "SG.1", 2, start)]).await.unwrap();
    assert!(writers[0].iter().any(|writer| writer.is_user()), "the id has opted out: {writers:?}");
    assert_eq!(numbers_of(writers), vec![both.clone()]);
    assert_eq!(out(&desk).await, both);
    let with_number = Inbound { msisdn: Some(msisdn(1)), ..called("c", "SG.1", 3, start) };
    desk.take_inbound(vec![with_number]).await.unwrap();
    assert_eq!(out(&desk).await, [msisdn(2)]);
    desk.take_inbound(vec![called("d", "SG.1", 4, stop)]).await.unwrap();
    assert_eq!(out(&desk).await, both);
    // An opt-out that was ended before a number became known does not apply to that number.
    desk.take_inbound(vec![called("e", "SG.1", 5, start)]).await.unwrap();
    assert_eq!(desk.learn_users(vec![alias("SG.1", 3)]).await.unwrap(), []);
    assert_eq!(out(&desk).await, both);
}

async fn the_later_of_stop_and_start_applies_in_any_order_of_arrival(desk: Desk) {
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    // In one webhook, and each in its own.
    desk.take_inbound(vec![wrote("a", 1, 9, start), wrote("b", 1, 8, stop)]).await.unwrap();
    desk.take_inbound(vec![wrote("c", 2, 9, start)]).await.unwrap();
    desk.take_inbound(vec![wrote("d", 2, 8, stop)]).await.unwrap();
    desk.take_inbound(vec![wrote("e", 3, 9, stop)]).await.unwrap();
    desk.take_inbound(vec![wrote("f", 3, 8, start)]).await.unwrap();
    desk.take_inbound(vec![wrote("g", 4, 8, stop), wrote("h", 4, 9, start), wrote("i", 4, 10, stop)]).await.unwrap();
    assert_eq!(out(&desk).await, [msisdn(3), msisdn(4)]);
}

async fn a_start_older_than_a_repeated_stop_opts_nobody_in(desk: Desk) {
    use OptOutSource::{Provider, Recipient};
    let stop_word = Some(Keyword::Stop);
    let late_start = |n| vec![wrote(&format!("late {n}"), n, 2, Some(Keyword::Start))];
    // Two stops in order, one after a report of the provider, and two in one webhook.
    desk.take_inbound(vec![wrote("a", 1, 1, stop_word)]).await.unwrap();
    desk.take_inbound(vec![wrote("b", 1, 3, stop_word)]).await.unwrap();
    desk.opt_out(vec![stop(2, 1, Provider)]).await.unwrap();
    desk.take_inbound(vec![wrote("c", 2, 3, stop_word)]).await.unwrap();
    desk.take_inbound(vec![wrote("d", 3, 3, stop_word), wrote("e", 3, 1, stop_word)]).await.unwrap();
    for n in 1..=3 {
        desk.take_inbound(late_start(n)).await.unwrap();
        assert!(out(&desk).await.contains(&msisdn(n)), "recipient {n} said stop after it");
    }
    // A repeated opt-out counts once, and a start after all of them opts in.
    assert_eq!(desk.opt_out(vec![stop(1, 4, Recipient)]).await.unwrap(), 0);
    assert_eq!(
        desk.opt_in(vec![start(1, 5, Recipient), start(2, 5, Recipient), start(3, 5, Recipient)]).await.unwrap(),
        3
    );
}

async fn a_recipient_cannot_end_an_opt_out_of_an_operator(desk: Desk) {
    use OptOutSource::{Operator, Provider, Recipient};
    let outs = vec![stop(1, 1, Recipient), stop(2, 1, Provider), stop(3, 1, Operator), stop(4, 1, Recipient)];
    assert_eq!(desk.opt_out(outs).await.unwrap(), 4);
    // An operator's opt-out strengthens the recipient's, and is never weakened by it.
    assert_eq!(
        desk.opt_out(vec![stop(4, 2, Operator), stop(3, 2, Recipient), stop(1, 2, Recipient)]).await.unwrap(),
        1
    );
    let words = (1..=4).map(|n| start(n, 5, Recipient)).collect();
    assert_eq!(desk.opt_in(words).await.unwrap(), 2);
    assert_eq!(out(&desk).await, [msisdn(3), msisdn(4)]);
    assert_eq!(desk.opt_in(vec![start(3, 6, Operator), start(9, 6, Operator)]).await.unwrap(), 1);
    let left = desk.opt_outs(Cursor::START, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|(_, entry)| entry).collect::<Vec<_>>(),
        [&OptOut { since: at(1), ..stop(4, 2, Operator) }]
    );
    assert_eq!(desk.opt_outs(left[0].0, 10).await.unwrap(), []);
}

async fn opt_outs_and_opt_ins_are_listed_in_order_with_their_sources(desk: Desk) {
    use OptOutSource::{Operator, Recipient};
    desk.opt_out(vec![stop(1, 1, Recipient), stop(2, 1, Operator)]).await.unwrap();
    desk.opt_out(vec![stop(1, 2, Recipient)]).await.unwrap();
    desk.opt_in(vec![start(1, 3, Recipient), start(2, 3, Recipient)]).await.unwrap();
    desk.opt_out(vec![stop(1, 4, Operator)]).await.unwrap();
    let wishes: Vec<_> =
        desk.wishes(msisdn(1).into()).await.unwrap().into_iter().map(|w| (w.at, w.wants, w.from)).collect();
    let (out, back) = (Keyword::Stop, Keyword::Start);
    assert_eq!(
        wishes,
        [(at(1), out, Recipient), (at(2), out, Recipient), (at(3), back, Recipient), (at(4), out, Operator)]
    );
    // An opt-in that changed nothing is listed too.
    let wishes: Vec<_> = desk.wishes(msisdn(2).into()).await.unwrap().into_iter().map(|w| w.wants).collect();
    assert_eq!(wishes, [out, back]);
    let stops = desk.stops(Cursor::START, 10).await.unwrap();
    assert_eq!(stops.iter().map(|(_, who)| *who).collect::<Vec<_>>(), [1, 2, 1, 1].map(msisdn));
    assert_eq!(desk.last_stop().await.unwrap(), stops[3].0);
    assert_eq!(desk.stops(stops[2].0, 10).await.unwrap(), [stops[3]]);
}

async fn an_inbound_id_finds_the_message_it_replied_to(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let key = MessageKey { batch, n: 1 };
    let on = Inbound { on: Some((key, StepIndex::FIRST)), ..wrote("a", 1, 1, None) };
    desk.take_inbound(vec![on, wrote("b", 1, 2, None)]).await.unwrap();
    let asked = ["b", "a", "unknown"].map(|umid| Key::Inbound(umid.to_owned()));
    let found: Vec<_> =
        desk.find(asked.to_vec()).await.unwrap().into_iter().map(|found| Some(found?.message.key)).collect();
    assert_eq!(found, [None, Some(key), None]);
}

async fn replies_are_listed_by_owner_and_counted_once_per_recipient(desk: Desk) {
    let (batch, other) = (desk.batch_of(3).await, desk.batch_of(1).await);
    let second = StepIndex::new(1).unwrap();
    let on =
        |batch, n, step, umid: &str| Inbound { on: Some((MessageKey { batch, n }, step)), ..wrote(umid, n, 1, None) };
    let first = StepIndex::FIRST;
    let all = vec![
        on(batch, 0, first, "a"),
        on(batch, 0, first, "b"),
        on(batch, 1, first, "c"),
        on(batch, 1, second, "d"),
        on(other, 0, first, "e"),
        Inbound { msisdn: None, channel: None, keyword: None, window: None, ..wrote("f", 7, 2, None) },
    ];
    desk.take_inbound(all.clone()).await.unwrap();
    assert_eq!(desk.replied(batch).await.unwrap(), [(first, 2), (second, 1)]);
    let listed = async |of, after| -> Vec<String> {
        desk.inbound(of, after, 10).await.unwrap().into_iter().map(|(_, inbound)| inbound.umid).collect()
    };
    assert_eq!(listed(InboundOf::Batch(batch), Cursor::START).await, ["a", "b", "c", "d"]);
    assert_eq!(listed(InboundOf::Message(MessageKey { batch, n: 1 }), Cursor::START).await, ["c", "d"]);
    assert_eq!(listed(InboundOf::Recipient(msisdn(0).into()), Cursor::START).await, ["a", "b", "e"]);
    let everybody = desk.inbound(InboundOf::All, Cursor::START, 10).await.unwrap();
    assert_eq!(everybody.iter().map(|(_, inbound)| inbound.clone()).collect::<Vec<_>>(), all);
    assert_eq!(listed(InboundOf::All, everybody[3].0).await, ["e", "f"]);
    let latest = async |of, before| -> Vec<String> {
        desk.inbound_before(of, before, 3).await.unwrap().into_iter().map(|(_, inbound)| inbound.umid).collect()
    };
    assert_eq!(latest(InboundOf::All, None).await, ["f", "e", "d"]);
    assert_eq!(latest(InboundOf::All, Some(everybody[3].0)).await, ["c", "b", "a"]);
    assert_eq!(latest(InboundOf::Batch(batch), None).await, ["d", "c", "b"]);
    assert_eq!(latest(InboundOf::Batch(batch), Some(everybody[1].0)).await, ["a"]);
    assert_eq!(latest(InboundOf::Recipient(msisdn(0).into()), None).await, ["e", "b", "a"]);
    assert_eq!(latest(InboundOf::Message(MessageKey { batch, n: 1 }), None).await, ["d", "c"]);
    assert_eq!(latest(InboundOf::NotReplies, None).await, ["f"]);
}

async fn replies_are_counted_by_kind_and_choice(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let (first, second) = (StepIndex::FIRST, StepIndex::new(1).unwrap());
    let on = |umid: &str, n, step, kind: &str, choice: Option<&str>| Inbound {
        on: Some((MessageKey { batch, n }, step)),
        kind: kind.to_owned(),
        choice: choice.map(str::to_owned),
        ..wrote(umid, n, 1, None)
    };
    let all = vec![
        on("a", 0, first, "button_reply", Some("No")),
        on("b", 1, first, "button_reply", Some("Yes")),
        on("c", 2, first, "button_reply", Some("Yes")),
        on("d", 0, first, "text", None),
        on("e", 0, second, "text", None),
        wrote("f", 0, 1, None),
    ];
    desk.take_inbound(all).await.unwrap();
    let counts = desk.reply_counts(batch, 10).await.unwrap();
    let counted: Vec<_> =
        counts.iter().map(|it| (it.step, it.kind.as_str(), it.choice.as_deref(), it.replies)).collect();
    let wanted = [
        (first, "button_reply", Some("Yes"), 2),
        (first, "button_reply", Some("No"), 1),
        (first, "text", None, 1),
        (second, "text", None, 1),
    ];
    assert_eq!(counted, wanted);
    assert_eq!(desk.reply_counts(batch, 1).await.unwrap(), counts[..1]);
}

pub(super) fn user(id: &str) -> Address {
    Address::User(ChannelUser { channel: Channel::WhatsApp, id: id.to_owned() })
}

async fn users_out(desk: &Desk) -> Vec<String> {
    let listed = desk.opt_outs(Cursor::START, 100).await.unwrap();
    listed
        .into_iter()
        .filter(|(_, entry)| entry.address.user().is_some())
        .map(|(_, it)| it.address.to_string())
        .collect()
}

async fn an_opt_out_of_a_channel_user_reaches_its_numbers_now_and_later(desk: Desk) {
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    desk.learn_users(vec![alias("SG.1", 1)]).await.unwrap();
    desk.take_inbound(vec![called("a", "SG.1", 1, stop), called("b", "SG.2", 1, stop)]).await.unwrap();
    assert_eq!(
        (out(&desk).await, users_out(&desk).await),
        (vec![msisdn(1)], vec!["SG.1".to_owned(), "SG.2".to_owned()])
    );
    assert_eq!(desk.learn_users(vec![alias("SG.2", 2), alias("SG.2", 3)]).await.unwrap(), [msisdn(2), msisdn(3)]);
    assert_eq!(desk.wishes(msisdn(2).into()).await.unwrap().len(), 1, "applied once");
    let others = async |address| desk.other_addresses(address).await.unwrap();
    assert_eq!(others(user("SG.2")).await, [msisdn(2).into(), msisdn(3).into()]);
    assert_eq!(others(msisdn(3).into()).await, [msisdn(2).into(), user("SG.2")]);
    assert_eq!(others(msisdn(4).into()).await, []);
    // An older "start" changes nothing, a later one ends the opt-out, for one number alone if there are several.
    desk.take_inbound(vec![called("c", "SG.1", 0, start)]).await.unwrap();
    assert_eq!(users_out(&desk).await, ["SG.1", "SG.2"]);
    desk.take_inbound(vec![called("d", "SG.1", 2, start), called("e", "SG.2", 2, start)]).await.unwrap();
    assert_eq!((out(&desk).await, users_out(&desk).await), (vec![msisdn(2), msisdn(3)], Vec::new()));
    let wishes: Vec<_> = desk.wishes(user("SG.1")).await.unwrap().into_iter().map(|it| (it.at, it.wants)).collect();
    assert_eq!(wishes, [(at(1), Keyword::Stop), (at(0), Keyword::Start), (at(2), Keyword::Start)]);
    // A "stop" that was written before the last "start" comes too late.
    desk.take_inbound(vec![called("f", "SG.1", 1, stop)]).await.unwrap();
    assert!(users_out(&desk).await.is_empty());
}

async fn an_operators_opt_out_of_a_channel_user_ends_with_it(desk: Desk) {
    let stop_of = |id: &str| OptOut {
        address: user(id),
        of: WishSubject::EVERYTHING,
        since: at(1),
        from: OptOutSource::Operator,
        source: "a list".to_owned(),
    };
    desk.learn_users(vec![alias("SG.1", 1)]).await.unwrap();
    assert_eq!(desk.opt_out(vec![stop_of("SG.1"), stop_of("SG.2")]).await.unwrap(), 2);
    assert_eq!(desk.opt_out(vec![stop_of("SG.1")]).await.unwrap(), 0);
    assert_eq!(desk.opt_out_of(user("SG.2")).await.unwrap(), Some(stop_of("SG.2")));
    desk.take_inbound(vec![called("a", "SG.1", 5, Some(Keyword::Start))]).await.unwrap();
    assert_eq!((out(&desk).await, users_out(&desk).await.len()), (vec![msisdn(1)], 2), "a recipient cannot end it");
    let start_of = |id: &str| OptIn {
        address: user(id),
        of: WishSubject::EVERYTHING,
        at: at(6),
        from: OptOutSource::Operator,
        source: "a call".to_owned(),
    };
    assert_eq!(desk.opt_in(vec![start_of("SG.1"), start_of("SG.3")]).await.unwrap(), 1);
    assert_eq!((out(&desk).await, users_out(&desk).await), (Vec::new(), vec!["SG.2".to_owned()]));
    // An opt-in of the number ends the opt-out of its id.
    desk.learn_users(vec![alias("SG.2", 2)]).await.unwrap();
    assert_eq!(desk.opt_in(vec![start(2, 7, OptOutSource::Operator)]).await.unwrap(), 1);
    assert!(users_out(&desk).await.is_empty());
}

async fn an_operators_opt_in_of_a_channel_user_holds_at_the_next_launch(desk: Desk) {
    desk.take_inbound(vec![called("a", "SG.1", 1, Some(Keyword::Stop))]).await.unwrap();
    let start = OptIn {
        address: user("SG.1"),
        of: WishSubject::EVERYTHING,
        at: at(6),
        from: OptOutSource::Operator,
        source: "a call".to_owned(),
    };
    assert_eq!(desk.opt_in(vec![start]).await.unwrap(), 1);
    // The launch tells the number of the id.
    assert_eq!(desk.learn_users(vec![alias("SG.1", 1)]).await.unwrap(), []);
    assert_eq!((out(&desk).await, users_out(&desk).await), (Vec::new(), Vec::new()));
    desk.take_inbound(vec![called("b", "SG.1", 7, Some(Keyword::Stop))]).await.unwrap();
    assert_eq!(out(&desk).await, [msisdn(1)]);
}

async fn of_two_keywords_at_one_time_the_later_arrival_applies_to_the_id_too(desk: Desk) {
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    desk.learn_users(vec![alias("SG.1", 1), alias("SG.2", 2)]).await.unwrap();
    desk.take_inbound(vec![called("a", "SG.1", 1, start), called("b", "SG.1", 1, stop)]).await.unwrap();
    desk.take_inbound(vec![called("c", "SG.2", 1, stop), called("d", "SG.2", 1, start)]).await.unwrap();
    assert_eq!((out(&desk).await, users_out(&desk).await), (vec![msisdn(1)], vec!["SG.1".to_owned()]));
}

async fn an_opt_out_by_reply_is_confirmed_once(desk: Desk) {
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    let due = async || -> Vec<(Cursor, String)> {
        let due = desk.due_confirmations(10).await.unwrap();
        due.into_iter().map(|(position, inbound)| (position, inbound.umid)).collect()
    };
    let umids = async || -> Vec<String> { due().await.into_iter().map(|(_, umid)| umid).collect() };
    desk.take_inbound(vec![wrote("z", 4, 1, stop)]).await.unwrap();
    assert!(umids().await.is_empty(), "not in an installation that confirms none");
    // Twice in one group, by an operator before, and without a number.
    desk.opt_out(vec![self::stop(2, 0, OptOutSource::Operator)]).await.unwrap();
    desk.take_confirming(vec![
        wrote("a", 1, 1, stop),
        wrote("b", 1, 2, stop),
        wrote("c", 2, 1, stop),
        called("d", "SG.9", 1, stop),
        wrote("e", 3, 1, None),
    ])
    .await
    .unwrap();
    assert_eq!(umids().await, ["a"]);
    let lane = desk.lane("wa", Channel::WhatsApp).await;
    let confirms = due().await.into_iter().map(|(position, _)| position).collect();
    let joining = Joining {
        plan: Plan { confirms_opt_out: true, ..plan() },
        recipients: recipients(1..2),
        start: Start::of(&Present::queued(desk.now(), None), vec![lane]),
        elsewhere: Vec::new(),
        own_times: Vec::new(),
        client_ids: None,
        tag: tag(),
        audience: "confirmations".to_owned(),
        open_until: Some(desk.now() + Span::from_secs(60)),
        confirms,
        now: desk.now(),
    };
    let joined = desk.join(joining.clone()).await.unwrap();
    assert!(umids().await.is_empty());
    // A server that was superseded after it had read the same confirmations queues none.
    assert!(matches!(desk.join(joining).await, Err(Error::Superseded)));
    assert_eq!(desk.batches(None).await.unwrap().iter().map(|batch| batch.messages).collect::<Vec<_>>(), [1]);
    desk.counters_equal_rows(joined.batch, 1).await;
    // Repeated, it stays confirmed; a new opt-out is confirmed again.
    desk.take_confirming(vec![wrote("a", 1, 1, stop), wrote("f", 1, 3, stop)]).await.unwrap();
    assert!(umids().await.is_empty());
    desk.take_confirming(vec![wrote("g", 1, 4, start)]).await.unwrap();
    desk.take_confirming(vec![wrote("h", 1, 5, stop)]).await.unwrap();
    assert_eq!(umids().await, ["h"]);
    desk.forget_confirmations(due().await.into_iter().map(|(position, _)| position).collect()).await.unwrap();
    assert!(umids().await.is_empty());
}

async fn a_window_is_open_for_its_sender_until_it_ends(desk: Desk) {
    let closed = Inbound { window: Some(at(5)), ..wrote("b", 2, 1, None) };
    let elsewhere = Inbound { channel_id: "c-2".to_owned(), ..wrote("c", 3, 1, None) };
    let without_sender = Inbound { channel_id: String::new(), ..wrote("d", 4, 1, None) };
    let foreign = Inbound { sub_account: "other".to_owned(), ..wrote("e", 5, 1, None) };
    let none = Inbound { window: None, ..wrote("f", 6, 1, None) };
    desk.take_inbound(vec![wrote("a", 1, 1, None), closed, elsewhere, without_sender, foreign, none]).await.unwrap();
    // A later message extends the window.
    desk.take_inbound(vec![wrote("g", 1, 7, None)]).await.unwrap();
    let asked: Vec<AddressKey> = (0..8).map(|n| msisdn(n).into()).collect();
    let open = async |channel_id: Option<&str>, now| -> Vec<AddressKey> {
        let sender = Sender { sub_account: "acme".to_owned(), channel_id: channel_id.map(str::to_owned) };
        let open = desk.open_windows(asked.clone(), sender, now).await.unwrap();
        open.into_iter().map(|(who, _)| who).collect()
    };
    assert_eq!(open(Some("c-1"), at(10)).await, [msisdn(1), msisdn(4)]);
    assert_eq!(open(None, at(10)).await, [msisdn(1), msisdn(3), msisdn(4)]);
    assert_eq!(open(Some("c-1"), at(86_405)).await, [msisdn(1)]);
    assert!(open(Some("c-1"), at(86_407)).await.is_empty());
    let sender = Sender { sub_account: "acme".to_owned(), channel_id: None };
    let holders = async |after, limit| desk.window_holders(sender.clone(), at(10), after, limit).await.unwrap();
    assert_eq!(holders(None, 2).await, [msisdn(1), msisdn(3)]);
    assert_eq!(holders(Some(msisdn(3)), 2).await, [msisdn(4)]);
}

async fn a_window_is_known_to_be_closed_only_if_nothing_can_be_missing(desk: Desk) {
    const DAY: i64 = 86_400;
    let asked: Vec<AddressKey> = (1..=4).map(|n| msisdn(n).into()).collect();
    let closed = async |now| -> Vec<AddressKey> {
        let sender = Sender { sub_account: "acme".to_owned(), channel_id: Some("c-1".to_owned()) };
        desk.closed_windows(asked.clone(), sender, now).await.unwrap()
    };
    let take = async |inbound: Inbound| desk.take_inbound(vec![inbound]).await.unwrap();
    assert!(closed(at(10 * DAY)).await.is_empty(), "nobody has ever written");
    take(wrote("a", 1, 1, None)).await;
    assert!(closed(at(10 * DAY)).await.is_empty(), "nothing shows that messages still arrive");
    take(Inbound { sub_account: "other".to_owned(), ..wrote("b", 3, 9 * DAY, None) }).await;
    take(Inbound { channel_id: "c-2".to_owned(), ..wrote("c", 3, 9 * DAY, None) }).await;
    assert!(closed(at(10 * DAY)).await.is_empty(), "those are of other senders");
    take(wrote("d", 2, 9 * DAY, None)).await;
    // Number 2 wrote within 72 hours: its window may be one of an ad.
    let all_but = |n: u32| asked.iter().copied().filter(|it| *it != AddressKey::from(msisdn(n))).collect::<Vec<_>>();
    assert_eq!(closed(at(10 * DAY)).await, all_but(2));
    assert_eq!(closed(at(12 * DAY - 1)).await, all_but(2));
    assert!(closed(at(12 * DAY + 1)).await.is_empty(), "nobody has written for as long as a window can last");
    assert!(closed(at(3 * DAY)).await.is_empty(), "the first message is not old enough");
    let gap = |from, until| KeptGap { from: at(from), until: at(until), address: None };
    desk.keep_gap(gap(6 * DAY, 7 * DAY), at(0)).await.unwrap();
    assert_eq!(closed(at(10 * DAY)).await, all_but(2));
    desk.keep_gap(gap(8 * DAY, 8 * DAY + 5), at(0)).await.unwrap();
    assert!(closed(at(10 * DAY)).await.is_empty(), "a message may have been lost");
    assert_eq!(closed(at(11 * DAY + 5)).await, all_but(2));
}
