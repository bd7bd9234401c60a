//! `volley audit`: checks a campaign against its recorded facts.

use super::campaign::find;
use super::out::{self, Paint, To};
use super::words::{count, plural, rate, span};
use super::{CommandContext, Exit, progress};
use crate::campaigns::story;
use crate::campaigns::story::{Audit, AuditClaim};

/// Unknown attempts that are listed.
const NAMED: usize = 5;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The audit reads a snapshot of the database, also while a server is running. It writes nothing.

Exit codes: 0 every claim is true; 1 one is refuted, or the audit failed.

Examples:
  volley audit 'November promo'
  volley audit 'November promo' --json | jq '.claims[] | select(.refuted > 0)'")]
pub(super) struct Args {
    /// Name or id of the campaign, or `latest`.
    campaign: String,
    /// Print one JSON object: id, name, state, proven, claims, messages, attempt_count, retried,
    /// receipt_count, unknown, strays, cannot_tell.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let bar = progress::bar("audit", args.json);
    let began = context.now();
    let audit = story::audit(store.as_ref(), batch.id, |seen, all| {
        progress::over_messages(&bar, seen, all, "message", "messages");
    });
    let audit = audit.await;
    bar.finish_and_clear();
    let Some(audit) = audit? else { anyhow::bail!("\"{}\" is no longer in the database", args.campaign) };
    let took = context.now().since(began);
    if args.json {
        out::json(&audit)?;
    } else {
        out::lines(lines(&audit, To::Stdout.paint()))?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with two digits")]
    let each_second = audit.messages as f64 * 1_000.0 / took.millis().max(1) as f64;
    out::talk(format_args!(
        "Checked {} in {}, {}.",
        plural(i128::from(audit.messages), "message", "messages"),
        span(took),
        rate(each_second)
    ));
    Ok(if audit.proven { Exit::Done } else { Exit::Failed })
}

fn lines(audit: &Audit, paint: Paint) -> Vec<String> {
    let mut lines = vec![
        format!("{}  {}", paint.bold(&audit.name), paint.dim(audit.state)),
        paint.dim(format!(
            "{}, {} and {}, all read from one snapshot",
            plural(i128::from(audit.messages), "message", "messages"),
            plural(i128::from(audit.attempt_count), "attempt", "attempts"),
            plural(i128::from(audit.receipt_count), "receipt", "receipts"),
        )),
        String::new(),
    ];
    if let Some(at) = audit.purged_at {
        let at = crate::base::clock::format_time(at, None);
        lines.truncate(1);
        lines.push(format!("Purged at {at}: its messages and their facts are gone, so there is nothing to check."));
        return lines;
    }
    for claim in &audit.claims {
        lines.extend(of_claim(claim, paint));
    }
    lines.push(String::new());
    let refuted = audit.claims.iter().filter(|claim| !claim.holds()).count();
    lines.push(match refuted {
        0 => paint.good(paint.bold("Every statement is true.")),
        some => paint.bad(paint.bold(format!("{} of {} statements are refuted.", some, audit.claims.len()))),
    });
    lines.push(String::new());
    lines.push(match audit.unknown_count {
        0 => "Unknown: none. The result of every submission is known.".to_owned(),
        some => format!("Unknown: {} with an unknown result.", plural(i128::from(some), "submission", "submissions")),
    });
    for unknown in audit.unknown.iter().take(NAMED) {
        lines.push(paint.dim(format!("  {} to {}, step {}", unknown.message, unknown.address, unknown.step)));
    }
    if audit.retried > 0 {
        lines.push(format!(
            "Retried: {}, each after an attempt that the provider refused, that failed, or whose result is unknown.",
            plural(i128::from(audit.retried), "attempt", "attempts")
        ));
    }
    for strays in &audit.strays {
        let webhooks = plural(i128::from(strays.count), "webhook", "webhooks");
        lines.push(format!("In no campaign: {webhooks} ({}), kept and counted.", strays.kind));
    }
    lines.push(String::new());
    lines.push(paint.dim("Not provable from the recorded facts:"));
    lines.extend(audit.cannot_tell.iter().map(|what| paint.dim(format!("  - {what}"))));
    lines
}

fn of_claim(claim: &AuditClaim, paint: Paint) -> Vec<String> {
    let verdict = if claim.holds() { paint.good("true   ") } else { paint.bad("REFUTED") };
    let looked_at = plural(i128::from(claim.checked), claim.unit.trim_end_matches('s'), claim.unit);
    let mut lines = vec![format!("  {verdict}  {}  {}", claim.says, paint.dim(format!("({looked_at})")))];
    for example in &claim.examples {
        let message = example.message.as_deref().map(|id| format!("{id}: ")).unwrap_or_default();
        lines.push(format!("             {message}{}", example.what));
    }
    let more = claim.refuted - claim.examples.len() as u64;
    if more > 0 {
        lines.push(paint.dim(format!("             and {} more", count(i128::from(more)))));
    }
    lines
}
