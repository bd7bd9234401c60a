//! Tests opt-outs of different subjects: they stand beside each other, and each ends by what covers it.

use super::*;
use crate::base::domain::{Address, ChannelUser, Keyword, OptOutOf, OptOutSource, WishSubject};
use crate::store::{Alias, OptIn, OptOut};

for_every_store!(
    opt_outs_of_several_subjects_are_kept_and_listed_apart,
    an_opt_in_ends_the_opt_outs_that_it_covers,
    of_a_recipients_own_requests_the_later_one_wins_for_what_it_covers,
    a_reported_opt_out_of_everything_is_narrowed_unless_the_recipient_asked_for_one,
    messages_to_opted_out_recipients_are_found_in_pieces,
);

fn marketing() -> WishSubject {
    WishSubject { of: OptOutOf::Marketing, senders: None }
}

fn on_whatsapp() -> WishSubject {
    WishSubject::marketing_on(Channel::WhatsApp, None)
}

fn of_acme() -> WishSubject {
    WishSubject::marketing_on(Channel::WhatsApp, Some("acme".to_owned()))
}

fn out(n: u32, of: WishSubject, second: i64, from: OptOutSource) -> OptOut {
    OptOut { address: msisdn(n).into(), of, since: at(second), from, source: "words".to_owned() }
}

fn back(n: u32, of: WishSubject, second: i64, from: OptOutSource) -> OptIn {
    OptIn { address: msisdn(n).into(), of, at: at(second), from, source: "words".to_owned() }
}

impl Desk {
    async fn subjects_of(&self, n: u32) -> Vec<WishSubject> {
        self.opt_outs_of(msisdn(n).into()).await.unwrap().into_iter().map(|opt_out| opt_out.of).collect()
    }
}

async fn opt_outs_of_several_subjects_are_kept_and_listed_apart(desk: Desk) {
    let operator = OptOutSource::Operator;
    let all = [of_acme(), marketing(), WishSubject::EVERYTHING, on_whatsapp()];
    for (n, count) in [(1, 4), (2, 1), (3, 2)] {
        let wishes = all.iter().take(count).map(|of| out(n, of.clone(), 1, operator));
        assert_eq!(desk.opt_out(wishes.collect()).await.unwrap(), 1, "so many addresses");
    }
    assert_eq!(desk.subjects_of(1).await, [WishSubject::EVERYTHING, marketing(), on_whatsapp(), of_acme()]);
    assert_eq!(desk.opt_out_of(msisdn(3).into()).await.unwrap(), None);
    let numbers = |of| desk.opted_out_numbers(None, 9, of);
    let users = |of| desk.opted_out_users(of);
    assert_eq!(numbers(OptOutOf::Everything).await.unwrap(), [msisdn(1)]);
    assert_eq!(numbers(OptOutOf::Marketing).await.unwrap(), [msisdn(1), msisdn(3)]);
    let asked = [1, 2, 3].map(msisdn).to_vec();
    assert_eq!(desk.opted_out(asked.clone(), OptOutOf::Everything).await.unwrap(), [msisdn(1)]);
    assert_eq!(desk.opted_out(asked, OptOutOf::Marketing).await.unwrap(), [msisdn(1), msisdn(3)]);
    let line = Address::User(ChannelUser { channel: Channel::Line, id: "U1".to_owned() });
    assert_eq!(users(OptOutOf::Marketing).await.unwrap(), []);
    for of in [marketing(), WishSubject::EVERYTHING] {
        let is_of_all = of == WishSubject::EVERYTHING;
        let wish = OptOut { address: line.clone(), of, since: at(1), from: operator, source: String::new() };
        desk.opt_out(vec![wish]).await.unwrap();
        let ids: &[ChannelUser] = &[line.user().cloned().unwrap()];
        assert_eq!(users(OptOutOf::Marketing).await.unwrap(), ids);
        assert_eq!(users(OptOutOf::Everything).await.unwrap(), &ids[..usize::from(is_of_all)]);
    }
    // A page of any length leaves none out, and shows none twice.
    let whole: Vec<_> = desk.opt_outs(Cursor::START, 99).await.unwrap().into_iter().map(|(_, it)| it).collect();
    assert_eq!(whole.len(), 9);
    for length in 1..9 {
        let (mut pages, mut after) = (Vec::new(), Cursor::START);
        loop {
            let page = desk.opt_outs(after, length).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            after = *last;
            pages.extend(page.into_iter().map(|(_, it)| it));
        }
        assert_eq!(pages, whole, "in pages of {length}");
    }
}

async fn an_opt_in_ends_the_opt_outs_that_it_covers(desk: Desk) {
    let provider = OptOutSource::Provider;
    let all = [WishSubject::EVERYTHING, marketing(), on_whatsapp(), of_acme()];
    for (n, of, left) in [
        (1, WishSubject::EVERYTHING, &[][..]),
        (2, marketing(), &all[..1]),
        (3, on_whatsapp(), &all[..2]),
        (4, of_acme(), &all[..3]),
    ] {
        desk.opt_out(all.iter().map(|of| out(n, of.clone(), 1, provider)).collect()).await.unwrap();
        assert_eq!(desk.opt_in(vec![back(n, of.clone(), 2, provider)]).await.unwrap(), 1);
        assert_eq!(desk.subjects_of(n).await, left, "{of}");
    }
    // What an operator said of everything, a recipient cannot end; what the provider said of marketing, the recipient can.
    desk.opt_out(vec![out(5, WishSubject::EVERYTHING, 1, OptOutSource::Operator), out(5, of_acme(), 1, provider)])
        .await
        .unwrap();
    desk.opt_in(vec![back(5, WishSubject::EVERYTHING, 2, OptOutSource::Recipient)]).await.unwrap();
    assert_eq!(desk.subjects_of(5).await, [WishSubject::EVERYTHING]);
}

async fn of_a_recipients_own_requests_the_later_one_wins_for_what_it_covers(desk: Desk) {
    let own = OptOutSource::Recipient;
    // An opt-in that arrives first outweighs an older opt-out, unless that is about more.
    desk.opt_in(vec![back(1, marketing(), 5, own)]).await.unwrap();
    desk.opt_out(vec![out(1, WishSubject::EVERYTHING, 3, own), out(1, marketing(), 4, own)]).await.unwrap();
    assert_eq!(desk.subjects_of(1).await, [WishSubject::EVERYTHING]);
    // A later opt-out of something else does not keep an opt-out alive.
    desk.opt_out(vec![out(2, marketing(), 1, own), out(2, of_acme(), 9, own)]).await.unwrap();
    desk.opt_in(vec![back(2, WishSubject::EVERYTHING, 5, own)]).await.unwrap();
    assert_eq!(desk.subjects_of(2).await, [of_acme()]);
}

async fn a_reported_opt_out_of_everything_is_narrowed_unless_the_recipient_asked_for_one(desk: Desk) {
    let (own, provider) = (OptOutSource::Recipient, OptOutSource::Provider);
    let everything = || WishSubject::EVERYTHING;
    desk.opt_out(vec![out(1, everything(), 1, provider), out(4, of_acme(), 1, provider)]).await.unwrap();
    for (n, requests) in [(2, &[2][..]), (3, &[2, 8][..])] {
        for second in requests {
            desk.opt_out(vec![out(n, everything(), *second, own)]).await.unwrap();
            if *second == 2 && n == 3 {
                desk.opt_in(vec![back(n, everything(), 3, own)]).await.unwrap();
            }
        }
        desk.opt_out(vec![out(n, everything(), 9, provider)]).await.unwrap();
    }
    // This one opted out, and in again, before the provider reported something.
    desk.opt_out(vec![out(5, everything(), 2, own)]).await.unwrap();
    desk.opt_in(vec![back(5, everything(), 3, own)]).await.unwrap();
    desk.opt_out(vec![out(5, everything(), 9, provider)]).await.unwrap();
    // This one's "stop" came under an id of WhatsApp, before that was known to be theirs.
    let id = Alias { channel: Channel::WhatsApp, called: "SG.6".to_owned(), msisdn: msisdn(6) };
    let user = Address::User(ChannelUser { channel: Channel::WhatsApp, id: "SG.6".to_owned() });
    desk.opt_out(vec![OptOut { address: user, ..out(6, everything(), 2, own) }]).await.unwrap();
    desk.opt_out(vec![out(6, everything(), 9, provider)]).await.unwrap();
    desk.learn_users(vec![id]).await.unwrap();
    let reported = desk.reported_opt_outs(Cursor::START, 9).await.unwrap().0;
    let mut numbers: Vec<Address> = reported.iter().map(|opt_out| opt_out.address.clone()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 5].map(|n| Address::from(msisdn(n))));
    let how = || "by Ann".to_owned();
    desk.opt_out(vec![out(5, marketing(), 10, OptOutSource::Operator)]).await.unwrap();
    // A piece may consist of recipients who stay as they are, and more follow it.
    let (mut narrowed, mut after) = (0, Some(Cursor::START));
    while let Some(from) = after {
        let (some, next) = desk.narrow_opt_outs((from, 1), on_whatsapp(), at(20), how()).await.unwrap();
        (narrowed, after) = (narrowed + some, next);
    }
    assert_eq!(narrowed, 2);
    assert_eq!(desk.reported_opt_outs(Cursor::START, 9).await.unwrap().0, []);
    for (n, left) in [
        (1, vec![on_whatsapp()]),
        (2, vec![everything()]),
        (3, vec![everything()]),
        (4, vec![of_acme()]),
        (5, vec![marketing(), on_whatsapp()]),
        (6, vec![everything()]),
    ] {
        assert_eq!(desk.subjects_of(n).await, left, "number {n}");
    }
    let narrowed = desk.opt_outs_of(msisdn(1).into()).await.unwrap();
    assert_eq!((narrowed[0].since, narrowed[0].from), (at(1), provider));
    let history = desk.wishes(msisdn(1).into()).await.unwrap();
    let entries: Vec<_> = history.iter().map(|wish| (wish.wants, &wish.of, wish.source.as_str())).collect();
    let expected = [
        (Keyword::Stop, &WishSubject::EVERYTHING, "words"),
        (Keyword::Start, &WishSubject::EVERYTHING, "by Ann"),
        (Keyword::Stop, &on_whatsapp(), "words"),
    ];
    assert_eq!(entries, expected);
}

async fn messages_to_opted_out_recipients_are_found_in_pieces(desk: Desk) {
    let batch = desk.batch_of(10).await;
    let claimed = messages(&desk.claimed(batch, 3).await);
    desk.record(vec![accepted(&claimed[1], at(1))]).await.unwrap();
    let outs = [0, 1, 4, 9].map(|n| out(n, WishSubject::EVERYTHING, 1, OptOutSource::Recipient));
    desk.opt_out(outs.to_vec()).await.unwrap();
    let (first, next) = desk.opted_out_messages(batch, OptOutOf::Everything, 0, 5).await.unwrap();
    assert_eq!((first.iter().map(|m| m.key.n).collect::<Vec<_>>(), next), (vec![0, 1, 4], Some(5)));
    let (second, next) = desk.opted_out_messages(batch, OptOutOf::Everything, 5, 5).await.unwrap();
    assert_eq!((second.iter().map(|m| m.key.n).collect::<Vec<_>>(), next), (vec![9], None));
    // A message that is marked already, or has an outcome, is not found.
    let marks = second[0].present.marks.with_cut().with_opted_out();
    desk.record(vec![change(&second[0], Present { marks, ..second[0].present })]).await.unwrap();
    assert_eq!(desk.opted_out_messages(batch, OptOutOf::Everything, 5, 5).await.unwrap().0.len(), 0);
}
