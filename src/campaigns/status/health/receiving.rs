//! Checks what Volley receives: gaps in which no receipt could arrive, webhooks, and events of accounts.

use std::collections::BTreeSet;

use super::{Findings, Health};
use crate::base::config::{Config, Lane};
use crate::base::domain::text::{grouped, list, one_line, plural, span};
use crate::base::domain::{Channel, Span, Timestamp, without_numbers};
use crate::recipients::optout;
use crate::rules::engine::Gap;
use crate::rules::wire::parse_events;
use crate::store::{Cursor, KeptGap, Lanes, RejectionReason, Result, Store, StrayKind};

const A_DAY: Span = Span::from_secs(86_400);
/// More gaps in a day are a warning. A healthy server has one for each restart, and ten restarts a day are no routine.
const MANY_GAPS: usize = 10;
/// Made-up numbers that are listed.
const STAND_INS: usize = 20;
/// The webhooks for other subaccounts whose names are shown: those of this time before the latest, and this many.
const NAMED_WITHIN: Span = Span::from_secs(3_600);
const NAMED: u32 = 1_000;
/// Names that are shown, and characters of each.
const NAMES: usize = 5;
const NAME_LONGEST: usize = 60;
/// Older events of unknown accounts are not shown.
const A_MONTH: Span = Span::from_secs(30 * 86_400);

/// What to do about requests of one caller that reached a limit.
const CLOSE: &str = "`volley events` names the caller that has most; let it close what it does not need";

/// Each kind of stray webhook: one, several, and what to do.
const STRAYS: [(StrayKind, &str, &str, &str); 4] = [
    (
        StrayKind::NoAttempt,
        "receipt matches no message",
        "receipts match no message",
        "another system may send with this subaccount; `volley message strays` lists them",
    ),
    (
        StrayKind::OtherSubaccount,
        "webhook is for another subaccount",
        "webhooks are for another subaccount",
        "if it is yours, write it in volley.toml as the provider does: sub_account = \"…\"; opt-outs among them are obeyed",
    ),
    (
        StrayKind::OtherType,
        "webhook has an unknown type",
        "webhooks have an unknown type",
        "`volley message strays` lists them for 30 days; select at the provider which events it posts here",
    ),
    (
        StrayKind::Unreadable,
        "webhook could not be read",
        "webhooks could not be read",
        "the provider may have changed its format; report it",
    ),
];

/// Reports the gaps of the last day, in which no receipt could arrive, and failing status queries about them.
pub(super) async fn check_gaps(store: &dyn Store, now: Timestamp, findings: &mut Findings) -> Result<()> {
    let mut recent = store.gaps().await?;
    recent.retain(|gap| now.since(gap.until) <= A_DAY);
    if let Some((health, text)) = gaps(&recent, now) {
        let advice = "the server restarts or stalls often, and each gap delays fallbacks; `volley events` lists them, and the \
                      server's log may say why";
        findings.add("gaps", health, text, (health == Health::Warning).then_some(advice));
    }
    for query in store.query_states().await? {
        if let Some(trouble) = query.trouble_now(now) {
            let text = format!("subaccount {}: the status of messages cannot be queried: {trouble}", query.sub_account);
            let advice = "check the key and the provider; until then, deadlines that fell into a gap are postponed";
            findings.add("gaps", Health::Warning, text, Some(advice));
        }
    }
    Ok(())
}

/// Describes the gaps of the last day. Gaps of several causes at the same time count as one.
fn gaps(recent: &[KeptGap], now: Timestamp) -> Option<(Health, String)> {
    let mut all: Vec<Gap> = recent.iter().map(|gap| Gap { from: gap.from, until: gap.until }).collect();
    all.sort_unstable_by_key(|gap| gap.from);
    // A gap whose length is unknown overlaps nothing for certain.
    all.dedup_by(|next, last| {
        let is_joined = next.length().is_some() && last.length().is_some() && next.from <= last.until;
        if is_joined {
            last.until = last.until.max(next.until);
        }
        is_joined
    });
    // A gap of unknown length may be the longest.
    let longest = all.iter().max_by_key(|gap| (gap.length().is_none(), gap.length()))?;
    let length = longest.length().map_or_else(|| "an unknown time (the clock was set back)".to_owned(), span);
    let addresses: BTreeSet<&str> = recent.iter().filter_map(|gap| gap.address.as_deref()).collect();
    let addresses: Vec<&str> = addresses.into_iter().collect();
    let doubted = match &addresses[..] {
        [] => String::new(),
        some => format!("; some because it was in doubt whether receipts from {} arrive", list(some)),
    };
    let text = format!(
        "{} in the last day, in which receipts may be missing{doubted}; the longest lasted {length} and ended {} ago",
        plural(all.len() as u64, "gap", "gaps"),
        span(now.since(longest.until))
    );
    Some((if all.len() > MANY_GAPS { Health::Warning } else { Health::Ok }, text))
}

/// Reports what the door turned away, and webhooks that were no receipts for messages of this installation.
pub(super) async fn check_webhooks(
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<()> {
    let provider = &config.provider;
    let (has_authorization, has_secret) = (provider.webhook_authorization.is_some(), provider.webhook_secret.is_some());
    for rejected in store.turned_away().await? {
        let (what, (one, several), advice) = match rejected.why {
            RejectionReason::Signature => (
                "webhooks",
                ("webhook with a wrong signature was rejected", "webhooks with a wrong signature were rejected"),
                "compare webhook_secret_file with the provider's secret",
            ),
            RejectionReason::Nothing => (
                "webhooks",
                (
                    "webhook without valid authentication was rejected",
                    "webhooks without valid authentication were rejected",
                ),
                authentication_advice(has_authorization, has_secret),
            ),
            RejectionReason::TooLarge => (
                "webhooks",
                ("webhook that was too large was rejected", "webhooks that were too large were rejected"),
                "the provider posts at most a few thousand events at once; check the sender",
            ),
            RejectionReason::Connections => (
                "connections",
                (
                    "connection was closed or refused, because all were in use or one address had its share,",
                    "connections were closed or refused, because all were in use or one address had its share,",
                ),
                "`volley events` names the address that has most; block it before the server, or close its connections",
            ),
            RejectionReason::EventStreams => (
                "connections",
                (
                    "event stream was refused, because of their limit,",
                    "event streams were refused, because of their limit,",
                ),
                CLOSE,
            ),
            RejectionReason::LongOperations => (
                "connections",
                (
                    "upload, download or long operation was refused, because of their limit,",
                    "uploads, downloads and long operations were refused, because of their limit,",
                ),
                CLOSE,
            ),
        };
        if what == "connections" && now.since(rejected.latest) > A_DAY {
            continue;
        }
        let (since, latest) = (span(now.since(rejected.since)), span(now.since(rejected.latest)));
        let turned_away = plural(rejected.count, one, several);
        let text = format!("{turned_away} in the last {since}, the latest {latest} ago");
        findings.add(what, Health::Warning, text, Some(advice));
    }
    let counts = store.stray_counts().await?;
    for (kind, one, many, advice) in STRAYS {
        let Some(found) = counts.iter().find(|found| found.kind == kind) else { continue };
        let (since, latest) = (span(now.since(found.earliest)), span(now.since(found.latest)));
        let named = match kind {
            StrayKind::OtherSubaccount => other_subaccounts(store, found.latest).await?,
            StrayKind::NoAttempt | StrayKind::OtherType | StrayKind::Unreadable => String::new(),
        };
        let what = format!("{}{named}", plural(found.count, one, many));
        let text = match found.count {
            1 => format!("{what} ({latest} ago)"),
            _ => format!("{what} in the last {since}, the latest {latest} ago"),
        };
        findings.add("webhooks", Health::Warning, text, Some(advice));
    }
    Ok(())
}

/// Reports made-up numbers of an earlier version that the provider may have.
pub(super) async fn check_stand_ins(store: &dyn Store, findings: &mut Findings) -> Result<()> {
    let found = store.stand_ins().await?;
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(STAND_INS);
    let rest = (more > 0).then(|| format!("{} more", grouped(more as u64)));
    let named: Vec<String> = found.iter().take(STAND_INS).map(ToString::to_string).chain(rest).collect();
    let count = plural(found.len() as u64, "made-up number", "made-up numbers");
    let text = format!("an earlier version opted out {count} that stood for LINE ids: {}", list(&named));
    let advice = "if `opt-out push` has added them to a group of the provider's contacts, remove them there; they are no \
                  recipients of yours";
    findings.add("opt-outs", Health::Ok, text, Some(advice));
    Ok(())
}

/// Reports opt-outs that an earlier version took for more than they were.
pub(super) async fn check_reported_opt_outs(store: &dyn Store, findings: &mut Findings) -> Result<()> {
    if !optout::is_any_to_narrow(store).await? {
        return Ok(());
    }
    let text = "recipients are opted out of everything because the provider had reported an opt-out; it reports opt-outs \
                of marketing on WhatsApp alone";
    let advice = "to list them: volley opt-out narrow --list; to narrow them to that: volley opt-out narrow";
    findings.add("opt-outs", Health::Ok, text, Some(advice));
    Ok(())
}

/// The subaccounts that the latest webhooks for others name, in brackets.
async fn other_subaccounts(store: &dyn Store, latest: Timestamp) -> Result<String> {
    let since = latest - NAMED_WITHIN;
    let strays = store.strays(StrayKind::OtherSubaccount, since, Cursor::START, NAMED).await?;
    let mut names = BTreeSet::new();
    for (_, stray) in &strays {
        let events = parse_events(stray.raw.as_bytes());
        let named = events.first().and_then(|event| event.sub_account()).filter(|name| !name.is_empty());
        names.extend(named.map(|name| format!("\"{}\"", one_line(&without_numbers(name), NAME_LONGEST))));
    }
    let names: Vec<String> = names.into_iter().take(NAMES).collect();
    Ok(if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) })
}

/// Reports events of accounts and numbers that no lane has now.
pub(super) async fn check_account_events(
    config: &Config,
    store: &dyn Lanes,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<()> {
    let lanes: Vec<&Lane> = config.lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp).collect();
    for said in store.provider_reports().await?.iter().filter(|said| now.since(said.at) <= A_MONTH) {
        let (ago, kind) = (span(now.since(said.at)), &said.value);
        // A lane without an account_id, or with one of another form, accepts the events of every account.
        let is_unknown = |account: &&str| {
            let ours: Vec<_> = lanes.iter().map(|lane| lane.provider.is_account(account)).collect();
            ours.contains(&Some(false)) && !ours.contains(&Some(true))
        };
        if let Some(account) = said.unknown_account().filter(is_unknown) {
            let text = format!(
                "no lane has account_id \"{account}\"; of its events, only restrictions take effect (the latest: {kind}, \
                 {ago} ago)"
            );
            let advice = "if it is your account, set account_id to this name, or remove account_id; `volley events` shows its \
                          events";
            findings.add("account events", Health::Warning, text, Some(advice));
        }
        let is_configured =
            |digits: &str| lanes.iter().any(|lane| lane.number.is_some_and(|own| own.get().to_string() == digits));
        if let Some(digits) = said.unknown_number().filter(|digits| !is_configured(digits)) {
            let text = format!("no lane has the number +{digits}, but the provider reports on it ({kind}, {ago} ago)");
            let advice = "if a lane sends from it, set it there: number = \"+…\"";
            findings.add("account events", Health::Warning, text, Some(advice));
        }
    }
    Ok(())
}

/// What to do if webhooks carry neither a valid `Authorization` nor a signature, depending on which are configured.
const fn authentication_advice(authorization: bool, signature: bool) -> &'static str {
    match (authorization, signature) {
        (false, true) => "the provider sends no signature: configure the secret of webhook_secret_file at the provider",
        (true, true) => {
            "compare webhook_authorization with the provider's, or configure the secret of webhook_secret_file at the \
             provider: it sends no signature"
        }
        (true | false, false) => "compare webhook_authorization with the provider's",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from: i64, until: i64, address: Option<&str>) -> KeptGap {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        KeptGap { from: at(from), until: at(until), address: address.map(str::to_owned) }
    }

    #[test]
    fn gaps_at_the_same_time_count_once_and_many_are_a_warning() {
        let now = Timestamp::from_millis(10_000_000);
        assert_eq!(gaps(&[], now), None);
        let of_both = [gap(100, 130, None), gap(120, 150, Some("https://a")), gap(500, 510, None)];
        let text = "2 gaps in the last day, in which receipts may be missing; some because it was in doubt whether receipts \
                    from https://a arrive; the longest lasted 50 s and ended 2 h 44 min ago";
        assert_eq!(gaps(&of_both, now), Some((Health::Ok, text.to_owned())));
        let many = |number: i64| (0..number).map(|n| gap(n * 100, n * 100 + 10, None)).collect::<Vec<_>>();
        assert_eq!(gaps(&many(10), now).unwrap().0, Health::Ok);
        assert_eq!(gaps(&many(11), now).unwrap().0, Health::Warning);
        let set_back = [gap(500, 400, None), gap(100, 200, None)];
        assert!(
            gaps(&set_back, now).unwrap().1.contains("2 gaps") && gaps(&set_back, now).unwrap().1.contains("unknown")
        );
    }

    #[test]
    fn advice_on_webhook_authentication_names_the_configured_keys() {
        for (authorization, signature) in [(true, false), (false, true), (true, true)] {
            let advice = authentication_advice(authorization, signature);
            assert_eq!(advice.contains("webhook_authorization"), authorization, "{advice}");
            assert_eq!(advice.contains("webhook_secret_file"), signature, "{advice}");
        }
    }
}
