//! Tests the addresses of recipients: spellings of their numbers, and the names that channels give them.

use super::inbound::{alias, called, out, start, stop, user, wrote};
use super::*;
use crate::base::domain::{
    Address, AddressKey, ChannelUser, Keyword, Marks, OptOutOf, OptOutSource, Outcome, WishSubject,
};
use crate::store::{Addresses, Alias, Inbound, InboundOf, Joined, Joining, OptIn, OptOut, Sender, Whom};

for_every_store!(
    a_reported_name_stays_with_its_first_number,
    an_opt_out_reaches_every_spelling_of_a_number,
    a_number_that_a_channel_uses_for_another_one_is_an_alias,
    numbers_that_a_channel_uses_for_others_are_listed,
    the_number_of_a_recipient_is_no_name_of_another,
    addresses_are_linked_along_every_name,
    an_opt_out_reaches_a_name_of_either_spelling,
    a_stop_reaches_the_recipient_of_a_message_that_is_known_later,
    windows_and_replies_belong_to_every_spelling_of_a_number,
    an_opt_out_reaches_every_address_of_its_recipient,
    an_opt_out_reaches_an_address_that_is_known_later,
    an_address_of_an_address_is_reached_too,
    an_opt_out_is_in_the_history_whenever_it_holds,
    a_start_under_a_number_says_nothing_for_others_of_its_id,
    opt_outs_are_listed_in_pages_numbers_first,
    a_recipient_is_found_by_either_spelling_of_the_number,
    recipients_without_a_number_are_kept_apart_by_their_ids,
    messages_to_users_begin_with_their_own_step_and_name_them,
    an_opt_out_of_an_id_reaches_the_messages_to_it,
    an_erased_id_leaves_only_its_opt_out,
    an_id_is_kept_as_long_as_something_has_it,
);

async fn a_reported_name_stays_with_its_first_number(desk: Desk) {
    let report = async |aliases: Vec<Alias>| {
        desk.take(WebhookGroup { aliases, ..WebhookGroup::default() }).await.unwrap().taken_names
    };
    assert_eq!(report(vec![alias("SG.1", 1), alias("SG.2", 2), alias("SG.2", 3)]).await, [alias("SG.2", 3)]);
    assert_eq!(report(vec![alias("SG.1", 1), alias("SG.1", 2)]).await, [alias("SG.1", 2)]);
    desk.take_inbound(vec![called("a", "SG.1", 1, Some(Keyword::Stop))]).await.unwrap();
    assert_eq!(out(&desk).await, [msisdn(1)]);
}

fn number(text: &str) -> Msisdn {
    text.parse().unwrap()
}

/// Each number as it is dialled, and as WhatsApp names its recipient.
const SPELLINGS: [[&str; 2]; 3] =
    [["+5511987654321", "+551187654321"], ["+525512345678", "+5215512345678"], ["+5491123456789", "+541123456789"]];

async fn an_opt_out_reaches_every_spelling_of_a_number(desk: Desk) {
    let (stop, start) = (Some(Keyword::Stop), Some(Keyword::Start));
    for (n, spellings) in SPELLINGS.into_iter().enumerate() {
        let both = spellings.map(number);
        for (from, other) in [(0, 1), (1, 0)] {
            let wrote = |word: &str, second, keyword| {
                let umid = format!("{word}-{n}-{from}");
                Inbound { msisdn: Some(both[from]), ..wrote(&umid, 0, second, keyword) }
            };
            let second = i64::try_from(from).unwrap() * 2;
            desk.take_inbound(vec![wrote("stop", second + 1, stop)]).await.unwrap();
            let mut all = both.to_vec();
            all.sort_unstable();
            assert_eq!(desk.opted_out(both.to_vec(), OptOutOf::Everything).await.unwrap(), all, "{spellings:?}");
            let wish = OptIn {
                address: both[other].into(),
                of: WishSubject::EVERYTHING,
                at: at(second + 2),
                from: OptOutSource::Operator,
                source: String::new(),
            };
            desk.take_inbound(vec![wrote("start", second + 2, start)]).await.unwrap();
            assert_eq!(desk.opted_out(both.to_vec(), OptOutOf::Everything).await.unwrap(), [], "{spellings:?}");
            // An operator's opt-in of either spelling counts for both.
            desk.take_inbound(vec![wrote("stop again", second + 2, stop)]).await.unwrap();
            desk.opt_in(vec![wish]).await.unwrap();
            assert_eq!(desk.opted_out(both.to_vec(), OptOutOf::Everything).await.unwrap(), [], "{spellings:?}");
        }
    }
}

async fn a_number_that_a_channel_uses_for_another_one_is_an_alias(desk: Desk) {
    let (id, recipient) = (number("+447700900001"), number("+447700900002"));
    let known = Alias::of_number(Channel::WhatsApp, id, recipient).unwrap();
    let abroad = number("+4915112345678");
    assert_eq!(Alias::of_number(Channel::WhatsApp, abroad, recipient), None, "another country");
    // A "stop" from the number before it is known to be an alias, and one afterwards.
    let from_id = |umid: &str, second, keyword| Inbound { msisdn: Some(id), ..wrote(umid, 0, second, keyword) };
    desk.take_inbound(vec![from_id("a", 1, Some(Keyword::Stop))]).await.unwrap();
    assert_eq!(desk.opted_out(vec![recipient], OptOutOf::Everything).await.unwrap(), []);
    assert_eq!(desk.learn_aliases(vec![known]).await.unwrap(), [recipient]);
    assert_eq!(desk.opted_out(vec![id, recipient], OptOutOf::Everything).await.unwrap(), [id, recipient]);
    let of_recipient = desk.inbound(InboundOf::Recipient(recipient.into()), Cursor::START, 9).await.unwrap();
    assert_eq!(of_recipient.iter().map(|(_, it)| it.address()).collect::<Vec<_>>(), [Some(Address::Number(id))]);
    desk.take_inbound(vec![from_id("b", 2, Some(Keyword::Start))]).await.unwrap();
    assert_eq!(desk.opted_out(vec![id, recipient], OptOutOf::Everything).await.unwrap(), []);
    let writers = desk.take_inbound(vec![from_id("c", 3, Some(Keyword::Stop))]).await.unwrap();
    assert!(writers[0].contains(&recipient.into()), "{writers:?}");
    assert_eq!(desk.opted_out(vec![id, recipient], OptOutOf::Everything).await.unwrap(), [id, recipient]);
}

async fn numbers_that_a_channel_uses_for_others_are_listed(desk: Desk) {
    let [name, recipient, shared, other] =
        ["+447700900001", "+447700900002", "+447700900003", "+447700900004"].map(number);
    let on = |channel, name, recipient| Alias::of_number(channel, name, recipient).unwrap();
    desk.learn_users(vec![alias("SG.1", 1), on(Channel::WhatsApp, name, recipient)]).await.unwrap();
    // A name of two numbers says nothing of either, on one channel or on two.
    let twice = |channels: [Channel; 2], name| vec![on(channels[0], name, recipient), on(channels[1], name, other)];
    desk.learn_users(twice([Channel::Rcs, Channel::Rcs], shared)).await.unwrap();
    desk.learn_users(twice([Channel::Sms, Channel::Viber], number("+447700900005"))).await.unwrap();
    assert_eq!(desk.numbers_called_by_others().await.unwrap(), [(name, recipient)]);
}

async fn the_number_of_a_recipient_is_no_name_of_another(desk: Desk) {
    desk.audience(Some("members"), 2).await;
    let [own, other, free] = [msisdn(0), msisdn(1), msisdn(5)];
    let on = |name| Alias::of_number(Channel::WhatsApp, name, own).unwrap();
    let reported = WebhookGroup { aliases: vec![on(other), on(free)], ..WebhookGroup::default() };
    assert_eq!(desk.take(reported).await.unwrap().taken_names, [on(other)]);
    assert_eq!(desk.numbers_called_by_others().await.unwrap(), [(free, own)]);
    // A search for a name finds its recipient: messages, and what was written under it.
    let places = async |number: Msisdn| desk.find_recipient(Whom::Address(number.into()), None).await.unwrap();
    assert_eq!((places(free).await, places(free).await.len()), (places(own).await, 1));
    desk.take_inbound(vec![Inbound { msisdn: Some(free), ..wrote("a", 0, 1, None) }]).await.unwrap();
    for number in [free, own] {
        let written = desk.inbound(InboundOf::Recipient(number.into()), Cursor::START, 9).await.unwrap();
        assert_eq!(written.len(), 1, "{number}");
    }
}

/// Names of names, and numbers that share an id: an opt-out of any of them is one of all.
async fn addresses_are_linked_along_every_name(desk: Desk) {
    let [first, second, third, fourth] =
        ["+447700900001", "+447700900002", "+447700900003", "+447700900004"].map(number);
    let on = |name, recipient| Alias::of_number(Channel::WhatsApp, name, recipient).unwrap();
    let id = |msisdn| Alias { msisdn, ..alias("SG.1", 1) };
    desk.learn_users(vec![on(second, first), on(third, second), id(third), id(fourth)]).await.unwrap();
    let all = vec![first, second, third, fourth];
    let every: Vec<Address> = all.iter().copied().map(Address::Number).chain([user("SG.1")]).collect();
    for one in &every {
        let wish = OptOut {
            address: one.clone(),
            of: WishSubject::EVERYTHING,
            since: at(1),
            from: OptOutSource::Operator,
            source: String::new(),
        };
        desk.opt_out(vec![wish]).await.unwrap();
        assert_eq!(desk.opted_out(all.clone(), OptOutOf::Everything).await.unwrap(), all, "{one:?}");
        let wish = OptIn {
            address: one.clone(),
            of: WishSubject::EVERYTHING,
            at: at(2),
            from: OptOutSource::Operator,
            source: String::new(),
        };
        desk.opt_in(vec![wish]).await.unwrap();
        assert_eq!(desk.opted_out(all.clone(), OptOutOf::Everything).await.unwrap(), [], "{one:?}");
    }
}

async fn an_opt_out_reaches_a_name_of_either_spelling(desk: Desk) {
    for (n, [spelled, other]) in (1..).zip(SPELLINGS) {
        // A file spells the number either way, and WhatsApp calls the recipient by a third one.
        for (m, own) in (1..).zip([spelled, other]) {
            let name = Msisdn::try_from(number(own).canonical().get() / 100 * 100 + n * 10 + m).unwrap();
            let known = Alias::of_number(Channel::WhatsApp, name, number(own)).unwrap();
            desk.learn_aliases(vec![known]).await.unwrap();
            let wish = OptOut {
                address: number(spelled).into(),
                of: WishSubject::EVERYTHING,
                since: at(1),
                from: OptOutSource::Operator,
                source: String::new(),
            };
            desk.opt_out(vec![wish]).await.unwrap();
            assert_eq!(desk.opted_out(vec![name], OptOutOf::Everything).await.unwrap(), [name], "{own}");
        }
    }
}

async fn a_stop_reaches_the_recipient_of_a_message_that_is_known_later(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let early = Inbound { msisdn: Some(number("+4915112345678")), ..wrote("early", 0, 1, Some(Keyword::Stop)) };
    desk.take_inbound(vec![early.clone()]).await.unwrap();
    assert_eq!(desk.opted_out(vec![msisdn(1)], OptOutOf::Everything).await.unwrap(), []);
    let on = Some((MessageKey { batch, n: 1 }, StepIndex::FIRST));
    desk.take_inbound(vec![Inbound { msisdn: Some(msisdn(1)), on, ..early }]).await.unwrap();
    assert_eq!(desk.opted_out(vec![msisdn(1)], OptOutOf::Everything).await.unwrap(), [msisdn(1)]);
    let of_recipient = desk.inbound(InboundOf::Recipient(msisdn(1).into()), Cursor::START, 9).await.unwrap();
    assert_eq!(of_recipient.len(), 1, "the reply is the recipient's");
}

async fn windows_and_replies_belong_to_every_spelling_of_a_number(desk: Desk) {
    let sender = Sender { sub_account: "acme".to_owned(), channel_id: None };
    for (n, spellings) in SPELLINGS.into_iter().enumerate() {
        let both = spellings.map(number);
        let message = Inbound {
            msisdn: Some(both[1]),
            window: Some(at(100)),
            sub_account: "acme".to_owned(),
            ..wrote(&format!("w-{n}"), 0, 1, None)
        };
        desk.take_inbound(vec![message]).await.unwrap();
        let open = desk.open_windows(both.map(AddressKey::from).to_vec(), sender.clone(), at(2)).await.unwrap();
        assert_eq!(open, both.map(|number| (AddressKey::from(number), at(100))), "{spellings:?}");
        for number in both {
            let replies = desk.inbound(InboundOf::Recipient(number.into()), Cursor::START, 9).await.unwrap();
            assert_eq!(replies.len(), 1, "{number}");
        }
    }
}

async fn a_recipient_is_found_by_either_spelling_of_the_number(desk: Desk) {
    let audience = desk.begin(Some("members")).await;
    let stored: Vec<Recipient> = SPELLINGS
        .into_iter()
        .zip(recipients(0..3))
        .map(|([spelled, _], recipient)| Recipient { address: Some(number(spelled).into()), ..recipient })
        .collect();
    desk.add_recipients(audience, 0, stored).await.unwrap();
    desk.publish_audience(audience, 3, "{}".to_owned()).await.unwrap();
    for (n, spellings) in (0..).zip(SPELLINGS) {
        for spelling in spellings {
            let found = desk.find_recipient(Whom::Address(number(spelling).into()), None).await.unwrap();
            assert_eq!(found, [(audience, n)], "{spelling}");
        }
    }
}

async fn an_opt_out_reaches_every_address_of_its_recipient(desk: Desk) {
    let line = Address::User(ChannelUser { channel: Channel::Line, id: "U1".to_owned() });
    let on_line = Alias { channel: Channel::Line, called: "U1".to_owned(), msisdn: msisdn(1) };
    desk.learn_users(vec![alias("SG.1", 1), on_line, alias("SG.2", 2)]).await.unwrap();
    let all = [msisdn(1).into(), user("SG.1"), line];
    for (n, address) in (0..).zip(all.clone()) {
        let wish = OptOut {
            address: address.clone(),
            of: WishSubject::EVERYTHING,
            since: at(2 * n),
            from: OptOutSource::Operator,
            source: String::new(),
        };
        assert_eq!(desk.opt_out(vec![wish]).await.unwrap(), 1, "{address}");
        for other in &all {
            assert!(desk.opt_out_of(other.clone()).await.unwrap().is_some(), "{address} reaches {other}");
        }
        let wish = OptIn {
            address: address.clone(),
            of: WishSubject::EVERYTHING,
            at: at(2 * n + 1),
            from: OptOutSource::Operator,
            source: String::new(),
        };
        assert_eq!(desk.opt_in(vec![wish]).await.unwrap(), 1, "{address}");
        assert_eq!(desk.opt_outs(Cursor::START, 9).await.unwrap(), [], "{address}");
    }
    for address in all {
        assert_eq!(desk.wishes(address.clone()).await.unwrap().len(), 6, "{address}");
    }
    assert_eq!(desk.wishes(user("SG.2")).await.unwrap(), [], "another recipient's");
}

async fn an_opt_out_reaches_an_address_that_is_known_later(desk: Desk) {
    let own = msisdn(1);
    let name = Msisdn::try_from(own.get() + 500).unwrap();
    desk.opt_out(vec![stop(1, 1, OptOutSource::Recipient)]).await.unwrap();
    let number = Alias::of_number(Channel::WhatsApp, name, own).unwrap();
    assert_eq!(desk.learn_users(vec![alias("SG.1", 1), number]).await.unwrap(), [name]);
    for address in [user("SG.1"), name.into()] {
        assert!(desk.opt_out_of(address.clone()).await.unwrap().is_some(), "{address}");
    }
    // The id is that of another number of the same recipient, too.
    assert_eq!(desk.learn_users(vec![alias("SG.1", 2)]).await.unwrap(), [msisdn(2)]);
}

async fn an_address_of_an_address_is_reached_too(desk: Desk) {
    let own = msisdn(1);
    let name = Msisdn::try_from(own.get() + 500).unwrap();
    desk.learn_users(vec![alias("SG.1", 1), Alias::of_number(Channel::WhatsApp, name, own).unwrap()]).await.unwrap();
    desk.take_inbound(vec![called("a", "SG.1", 1, Some(Keyword::Stop))]).await.unwrap();
    assert_eq!(desk.opted_out(vec![own, name], OptOutOf::Everything).await.unwrap(), [own, name]);
    let wish = OptIn {
        address: name.into(),
        of: WishSubject::EVERYTHING,
        at: at(2),
        from: OptOutSource::Operator,
        source: String::new(),
    };
    assert_eq!(desk.opt_in(vec![wish]).await.unwrap(), 1);
    assert_eq!(desk.opt_outs(Cursor::START, 9).await.unwrap(), [], "also that of the number's id");
    assert_eq!(desk.other_addresses(name.into()).await.unwrap(), [own.into(), user("SG.1")]);
}

async fn an_opt_out_is_in_the_history_whenever_it_holds(desk: Desk) {
    let (out, back) = (stop(1, 1, OptOutSource::Recipient), start(1, 2, OptOutSource::Operator));
    desk.opt_out(vec![out.clone()]).await.unwrap();
    desk.opt_in(vec![back]).await.unwrap();
    // It comes again, as from an id that is learned.
    assert_eq!(desk.opt_out(vec![out.clone()]).await.unwrap(), 1);
    let wants: Vec<_> = desk.wishes(msisdn(1).into()).await.unwrap().into_iter().map(|wish| wish.wants).collect();
    assert_eq!(wants, [Keyword::Stop, Keyword::Start, Keyword::Stop]);
    assert_eq!(desk.opt_out(vec![out]).await.unwrap(), 0);
    assert_eq!(desk.wishes(msisdn(1).into()).await.unwrap().len(), 3);
}

async fn a_start_under_a_number_says_nothing_for_others_of_its_id(desk: Desk) {
    desk.learn_users(vec![alias("SG.1", 1), alias("SG.1", 2)]).await.unwrap();
    desk.take_inbound(vec![wrote("a", 1, 12, Some(Keyword::Start))]).await.unwrap();
    // The "stop" of the other one is older, and arrives later.
    desk.take_inbound(vec![called("b", "SG.1", 11, Some(Keyword::Stop))]).await.unwrap();
    assert!(desk.opt_out_of(user("SG.1")).await.unwrap().is_some());
    assert_eq!(desk.learn_users(vec![alias("SG.1", 3)]).await.unwrap(), [msisdn(3)]);
}

async fn opt_outs_are_listed_in_pages_numbers_first(desk: Desk) {
    let addresses = [user("SG.2"), msisdn(3).into(), user("SG.1"), msisdn(2).into(), user("SG.3")];
    let stop = |address| OptOut {
        address,
        of: WishSubject::EVERYTHING,
        since: at(1),
        from: OptOutSource::Operator,
        source: String::new(),
    };
    desk.opt_out(addresses.into_iter().map(stop).collect()).await.unwrap();
    for limit in 1..=6 {
        let (mut listed, mut after) = (Vec::new(), Cursor::START);
        loop {
            let page = desk.opt_outs(after, limit).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            after = *last;
            assert!(page.len() <= limit as usize);
            listed.extend(page.into_iter().map(|(_, entry)| entry.address.to_string()));
        }
        let numbers = [msisdn(2), msisdn(3)].map(|number| number.to_string());
        assert_eq!(listed[..2], numbers);
        assert_eq!(listed[2..], ["SG.2", "SG.1", "SG.3"], "in pages of {limit}");
    }
}

/// Messages of the API to ids of LINE.
async fn joined_by_ids(desk: &Desk, ids: &[&str]) -> Joined {
    let recipients: Vec<Recipient> = ids
        .iter()
        .zip(recipients(0..100))
        .map(|(id, recipient)| Recipient { address: Some(line(id)), ..recipient })
        .collect();
    desk.join(Joining { recipients, ..desk.joining(0..0).await }).await.unwrap()
}

fn line(id: &str) -> Address {
    Address::User(ChannelUser { channel: Channel::Line, id: id.to_owned() })
}

async fn recipients_without_a_number_are_kept_apart_by_their_ids(desk: Desk) {
    let joined = joined_by_ids(&desk, &["U1", "U2", "U1"]).await;
    let all = desk.all(joined.batch, 3).await;
    let keys: Vec<AddressKey> = all.iter().map(|message| message.address).collect();
    assert!(keys.iter().all(|key| key.is_user() && key.number().is_none()), "{keys:?}");
    assert_eq!((keys[0] == keys[1], keys[0] == keys[2]), (false, true));
    let addresses = Addresses::read(desk.store.as_ref(), keys.iter().copied()).await.unwrap();
    assert_eq!(
        keys.iter().map(|key| addresses.of(*key)).collect::<Vec<_>>(),
        ["U1", "U2", "U1"].map(|id| Some(line(id)))
    );
    let audience = desk.batch(joined.batch).await.unwrap().unwrap().audience_ids[0];
    let stored = desk.recipients(audience, 0, 9).await.unwrap();
    assert_eq!(
        stored.into_iter().map(|one| one.address).collect::<Vec<_>>(),
        ["U1", "U2", "U1"].map(|id| Some(line(id)))
    );
    for (id, places) in [("U1", vec![0, 2]), ("U2", vec![1]), ("U3", vec![])] {
        let found = desk.find_recipient(Whom::Address(line(id)), None).await.unwrap();
        assert_eq!(found, places.iter().map(|n| (audience, *n)).collect::<Vec<_>>(), "{id}");
        let page = desk.find_recipient_from(Whom::Address(line(id)), None).await.unwrap();
        assert_eq!((page.places.len(), page.next), (places.len(), None), "{id}");
    }
}

async fn an_opt_out_of_an_id_reaches_the_messages_to_it(desk: Desk) {
    let written = |umid: &str, second, keyword| Inbound {
        msisdn: None,
        channel: Some(Channel::Line),
        called: Some("U1".to_owned()),
        ..wrote(umid, 0, second, keyword)
    };
    // Nothing was sent to the id yet.
    assert_eq!(
        desk.take_inbound(vec![written("a", 1, Some(Keyword::Stop))]).await.unwrap(),
        [Vec::<AddressKey>::new()]
    );
    desk.take_inbound(vec![written("b", 2, Some(Keyword::Start))]).await.unwrap();
    let joined = joined_by_ids(&desk, &["U1", "U2"]).await;
    let seen = desk.last_stop().await.unwrap();
    let key = desk.one(joined.batch, 0).await.address;
    assert_eq!(desk.take_inbound(vec![written("c", 3, Some(Keyword::Stop))]).await.unwrap(), [[key]], "its writer");
    let stops = desk.stops(seen, 9).await.unwrap();
    assert_eq!(stops.into_iter().map(|(_, who)| who).collect::<Vec<_>>(), [key], "every server is told");
    let (found, _) = desk.opted_out_messages(joined.batch, OptOutOf::Everything, 0, 100).await.unwrap();
    assert_eq!(numbers(&found), [0]);
    let claimed = desk.claimed(joined.batch, 9).await;
    assert_eq!(claimed.messages.iter().map(|of| of.unwanted.is_some()).collect::<Vec<_>>(), [true, false]);
    let whole = desk.message_facts(MessageKey { batch: joined.batch, n: 0 }).await.unwrap().unwrap();
    assert_eq!(whole.opted_out, Some(at(4)), "from when it came");
    // What is accepted later is skipped.
    let later = joined_by_ids(&desk, &["U1", "U2"]).await;
    let later = desk.load([2, 3].map(|n| MessageKey { batch: later.batch, n }).to_vec()).await.unwrap();
    assert_eq!(later[0].address, key);
    let outcomes = later.iter().map(|message| message.present.outcome());
    assert_eq!(outcomes.collect::<Vec<_>>(), [Some(Outcome::Skipped), None]);
    desk.take_inbound(vec![written("d", 4, Some(Keyword::Start))]).await.unwrap();
    assert_eq!(desk.opt_out_of(line("U1")).await.unwrap(), None);
}

async fn an_erased_id_leaves_only_its_opt_out(desk: Desk) {
    let joined = joined_by_ids(&desk, &["U1", "U2"]).await;
    let audience = desk.batch(joined.batch).await.unwrap().unwrap().audience_ids[0];
    let said = |umid: &str, id: &str| Inbound {
        msisdn: None,
        channel: Some(Channel::Line),
        called: Some(id.to_owned()),
        ..wrote(umid, 0, 1, Some(Keyword::Stop))
    };
    desk.take_inbound(vec![said("a", "U1"), said("b", "U2")]).await.unwrap();
    let (place, known) = (vec![(audience, 0)], vec![(joined.batch, 2)]);
    assert!(!desk.erase(vec![line("U1")], place.clone(), Vec::new(), vec![(joined.batch, 0)]).await.unwrap());
    // Its message has no outcome here; the caller looks for that.
    assert!(desk.erase(vec![line("U1")], place, Vec::new(), known).await.unwrap());
    assert_eq!(desk.recipients(audience, 0, 9).await.unwrap()[0].address, None);
    assert_eq!(desk.find_recipient(Whom::Address(line("U1")), None).await.unwrap(), []);
    let texts = desk.inbound(InboundOf::All, Cursor::START, 9).await.unwrap();
    assert_eq!(texts.iter().map(|(_, text)| text.called.as_deref()).collect::<Vec<_>>(), [None, Some("U2")]);
    assert!(desk.opt_out_of(line("U1")).await.unwrap().is_some());
    assert_eq!(desk.wishes(line("U1")).await.unwrap().len(), 1);
}

async fn an_id_is_kept_as_long_as_something_has_it(desk: Desk) {
    let kept = joined_by_ids(&desk, &["U1"]).await;
    let key = desk.one(kept.batch, 0).await.address;
    let recipients: Vec<Recipient> = recipients(0..2)
        .into_iter()
        .zip(["U2", "U3"])
        .map(|(one, id)| Recipient { address: Some(line(id)), ..one })
        .collect();
    let other = desk.begin(Some("ids")).await;
    desk.add_recipients(other, 0, recipients).await.unwrap();
    desk.publish_audience(other, 2, "{}".to_owned()).await.unwrap();
    let stop = OptOut {
        address: line("U3"),
        of: WishSubject::EVERYTHING,
        since: at(1),
        from: OptOutSource::Operator,
        source: "by ann".to_owned(),
    };
    desk.opt_out(vec![stop]).await.unwrap();
    desk.remove_audience(other).await.unwrap();
    desk.forget_channel_users().await.unwrap();
    assert!(Addresses::read(desk.store.as_ref(), [key]).await.unwrap().user(key).is_some());
    assert!(desk.opt_out_of(line("U3")).await.unwrap().is_some());
    let keys: Vec<i64> = (1..4).map(|n| -n).collect();
    let keys = keys.into_iter().map(|key| AddressKey::try_from(key).unwrap());
    let left = Addresses::read(desk.store.as_ref(), keys.clone()).await.unwrap();
    assert_eq!(keys.filter(|key| left.user(*key).is_some()).count(), 2);
}

async fn messages_to_users_begin_with_their_own_step_and_name_them(desk: Desk) {
    let audience = desk.begin(None).await;
    let [of_id, elsewhere] = [user("SG.1"), user("MY.2")];
    let countries = ["SG", "SG", "MY"].map(|code| code.parse().unwrap());
    let addresses = [Some(msisdn(1).into()), Some(of_id), Some(elsewhere)];
    let stored = recipients(0..3).into_iter().zip(addresses).zip(countries);
    let stored = stored.map(|((recipient, address), country)| Recipient { address, country, ..recipient }).collect();
    desk.add_recipients(audience, 0, stored).await.unwrap();
    desk.publish_audience(audience, 3, "{}".to_owned()).await.unwrap();
    let batch = desk.begin_batch_of(None, audience).await;
    let spread = desk.spread_of(batch, audience, 3).await;
    let step = |index| StepIndex::new(index).unwrap();
    let passing = |index| Start { marks: Marks::default().with_passed_over(step(index)), ..spread.start.clone() };
    let users = vec![(None, passing(1)), (Some("MY".parse().unwrap()), passing(2))];
    desk.write_messages(PieceOfMessages { users, ..spread }).await.unwrap();
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();

    let all = desk.all(batch, 3).await;
    let passed_over = |message: &Loaded| (0..3).find(|index| message.present.marks.passed_over(step(*index)));
    assert_eq!(all.iter().map(passed_over).collect::<Vec<_>>(), [None, Some(1), Some(2)]);
    let claimed = desk.claimed(batch, 3).await.messages;
    let ids: Vec<Option<&str>> = claimed.iter().map(|it| it.user.as_ref().map(|user| user.id.as_str())).collect();
    assert_eq!(ids, [None, Some("SG.1"), Some("MY.2")]);
}
