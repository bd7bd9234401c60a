//! `volley campaign rename` and `delete`: rename a campaign, and delete a draft.

use anyhow::{Context, bail};
use serde_json::json;

use super::find;
use crate::base::domain::BatchState;
use crate::campaigns::campaign::{self, Deleted, RenameView, why_not};
use crate::cli::words::{plural, shell};
use crate::cli::{CommandContext, Exit, out};

pub(super) async fn rename(context: &CommandContext, text: &str, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), text).await?;
    let before = batch.display_name();
    let renamed = campaign::rename(store.as_ref(), &batch, name, &context.origin(None), context.now()).await;
    renamed.with_context(|| format!("\"{before}\" cannot be renamed"))?;
    store.close().await;
    if json {
        out::json(&RenameView::new(&batch, name.to_owned()))?;
    } else {
        let did = if before == name { "already has that name".to_owned() } else { format!("is renamed to \"{name}\"") };
        out::data(format_args!("\"{before}\" {did}"))?;
    }
    Ok(Exit::Done)
}

pub(super) async fn delete(context: &CommandContext, text: &str, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), text).await?;
    let name = batch.display_name();
    match campaign::delete_draft(store.as_ref(), &batch, &context.origin(None), context.now()).await? {
        Deleted::Gone => {}
        Deleted::Refused(state) if BatchState::OPEN.contains(&state) => bail!(
            "\"{name}\" cannot be deleted: only a draft can, and it is {state}; to stop it: volley campaign cancel {}",
            shell(&name)
        ),
        Deleted::Refused(state) => bail!(
            "\"{name}\" cannot be deleted: only a draft can, and {}; `volley purge` removes campaigns that settled long \
             ago",
            why_not(state)
        ),
    }
    store.close().await;
    if json {
        out::json(&json!({ "id": batch.public_id().to_string(), "name": name, "messages": batch.messages }))?;
    } else {
        let messages = plural(batch.messages, "message", "messages");
        out::data(format_args!("\"{name}\" is deleted: {messages}, of which nothing was sent"))?;
    }
    Ok(Exit::Done)
}
