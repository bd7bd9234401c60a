//! What a demonstration that stays has besides its campaign, so that each page has something to show.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::VISITOR;
use crate::base::clock::day_of;
use crate::base::domain::{SketchId, Span};
use crate::campaigns::campaign::{Draft, HowToLaunch};
use crate::cli::CommandContext;
use crate::cli::campaign::launch;
use crate::recipients::audience::{self, Keep, Options, Source, SourceFilter};
use crate::store::{Sketch, Store};

const AUDIENCE: &str = "Members";
/// The valid rows of its file.
const MEMBERS: u32 = 40;
/// Rows that an import rejects, each for another reason.
const REJECTED: &str = "+65 9123,Too Short\n,No Number\n+6591400000,Twice\nunknown,Words\n+999 1234567,No Country\n";
const DAY: Span = Span::from_secs(86_400);

/// Adds an audience with rejected rows, a campaign for tomorrow, a draft, and a campaign that is being written. A folder that
/// has them already stays as it is.
pub(super) async fn add(context: &CommandContext, store: &Arc<dyn Store>, folder: &Path) -> anyhow::Result<()> {
    if store.audience_named(AUDIENCE).await?.is_some() {
        return Ok(());
    }
    let file = folder.join("members.csv");
    std::fs::write(&file, members()).with_context(|| format!("cannot write {}", file.display()))?;
    let (keep, options) = (Keep::Named(AUDIENCE), Options::default());
    let (source, filter) = (Source::File(file), SourceFilter::load(store.as_ref()).await?);
    audience::import(store.as_ref(), context.clock.as_ref(), source, keep, options, filter, None).await?;
    launched(context, store, scheduled(context), false).await?;
    launched(context, store, json!({ "name": "Survey", "audience": AUDIENCE, "step": [step()] }), true).await?;
    store.create_sketch(unfinished(context)).await?;
    Ok(())
}

fn members() -> String {
    let mut text = "Mobile,FirstName\n".to_owned();
    for (number, name) in (0..MEMBERS).zip(["Hui Min", "Farid", "Priya", "Jun Jie"].iter().cycle()) {
        // Writing to a text does not fail.
        let _ = writeln!(text, "+6591{:06},{name}", 400_000 + number);
    }
    text + REJECTED
}

fn step() -> Value {
    json!({ "channel": "SMS", "text": "Hi {{FirstName|there}}, the new collection is here." })
}

/// A campaign for tomorrow, in office hours, with a holiday: the calendar shows all of it.
fn scheduled(context: &CommandContext) -> Value {
    let now = context.now();
    json!({
        "name": "New collection",
        "audience": AUDIENCE,
        "at": (now + DAY).rfc3339(),
        "send_window": ["Mon-Fri 09:00-18:00"],
        "holidays": [day_of(now + Span::from_secs(5 * 86_400), None).to_string()],
        "step": [step()],
    })
}

async fn launched(
    context: &CommandContext,
    store: &Arc<dyn Store>,
    campaign: Value,
    is_draft: bool,
) -> anyhow::Result<()> {
    let draft = match Draft::from_json(campaign) {
        Ok(draft) => draft,
        Err(problems) => bail!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    launch::launch(
        context,
        store.as_ref(),
        &draft,
        (HowToLaunch { is_draft, ..HowToLaunch::default() }, true),
        async |_| Ok(()),
    )
    .await?;
    Ok(())
}

fn unfinished(context: &CommandContext) -> Sketch {
    Sketch {
        id: SketchId::new(context.chance.bits()),
        campaign: json!({ "name": "Anniversary", "audience": [AUDIENCE] }).to_string(),
        version: 1,
        created_at: context.now(),
        changed_at: context.now(),
        changed_by: VISITOR.to_owned(),
        launch: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Config;
    use crate::base::domain::{BatchState, Channel};
    use crate::cli::demo::setup::{Configuration, configuration, profile};

    /// The configuration of a demonstration in this folder.
    fn context(folder: &Path) -> CommandContext {
        let address = "127.0.0.1:9".parse().unwrap();
        let text = configuration(&Configuration {
            api_key: "key",
            authorization: "Bearer key",
            server: address,
            provider: address,
            rate: 250,
            tier: "10K",
        });
        std::fs::write(folder.join("hook.key"), "key").unwrap();
        let path = folder.join("volley.toml");
        CommandContext::on(Config::read(Some((&path, &text)), std::iter::empty(), []).unwrap())
    }

    #[test]
    fn a_reply_to_the_demonstration_opens_the_window_of_its_lane() {
        let folder = tempfile::tempdir().unwrap();
        let config = context(folder.path()).config;
        let lane = config.lanes.iter().find(|lane| lane.channel == Channel::WhatsApp).unwrap();
        let practice = &profile(true).channels[&Channel::WhatsApp].channel_id;
        assert_eq!(lane.channel_id.as_ref(), Some(practice));
    }

    #[tokio::test]
    async fn the_samples_of_a_demonstration_are_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(folder.path());
        let store = context.store().await.unwrap();
        for _ in 0..2 {
            add(&context, &store, folder.path()).await.unwrap();
        }
        let audience = store.audience_named(AUDIENCE).await.unwrap().unwrap();
        assert_eq!(audience.recipients(), MEMBERS);
        let batches = store.batches(None).await.unwrap();
        let states: Vec<_> = batches.iter().map(|batch| (batch.display_name(), batch.state)).collect();
        let wanted = [("New collection", BatchState::Scheduled), ("Survey", BatchState::Draft)];
        assert_eq!(states, wanted.map(|(name, state)| (name.to_owned(), state)));
        assert_eq!(store.sketches(None, 9).await.unwrap().len(), 1);
    }
}
