//! A campaign file as it is sent to a server, which has none of the files that it names.

use std::path::Path;

use anyhow::bail;
use serde_json::Value;

use crate::campaigns::campaign::{Draft, DraftRoute};
use crate::cli::SharedCommand;
use crate::cli::campaign::Command;
use crate::cli::template;

impl SharedCommand {
    /// The campaign file of this computer that the command names.
    pub(super) fn campaign_file(&self) -> Option<&Path> {
        match self {
            Self::Campaign(Command::Plan(args)) => Some(args.file()),
            Self::Campaign(Command::Launch(args)) => Some(args.file()),
            Self::Template(template::Command::Preview(args)) => args.file(),
            Self::Campaign(Command::Test(args)) => Some(args.campaign_or_file()).filter(|path| path.is_file()),
            _ => None,
        }
    }
}

/// Reads a campaign file as JSON. Refuses one that names other files of this computer.
pub(super) fn read(path: &Path) -> anyhow::Result<Value> {
    let (draft, value) = Draft::load_as_json(path)?;
    let (file, folder) = (path.display(), draft.folder.as_deref().unwrap_or(Path::new("")));
    if let Some(name) = draft.audience.iter().chain(&draft.exclude).find(|name| folder.join(name).is_file()) {
        bail!(
            "{file}: \"{name}\" is a file of this computer, which the server does not have; import it there (`volley audience \
             import`), and write the name of the audience"
        );
    }
    let DraftRoute::Own(steps) = &draft.route else { return Ok(value) };
    for (index, step) in steps.iter().enumerate() {
        if let Some(media) = step.content.media().into_iter().find(|address| address.is_path()) {
            bail!(
                "{file}: step {}: \"{}\" is a file of this computer, which the server does not have; write its web address",
                index + 1,
                media.text
            );
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\nsource = \"ACME\"\n";

    fn read_in(folder: &Path, campaign: &str) -> Result<Value, String> {
        let path = folder.join("promo.toml");
        std::fs::write(&path, campaign).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_campaign_is_sent_as_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let value = read_in(folder.path(), &format!("name = \"Promo\"\naudience = \"members\"\n{STEP}")).unwrap();
        assert_eq!((&value["name"], &value["audience"]), (&Value::from("Promo"), &Value::from("members")));
        assert_eq!(value["step"][0]["source"], Value::from("ACME"));
    }

    #[test]
    fn files_of_this_computer_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("members.csv"), "msisdn\n+6591234567\n").unwrap();
        for key in ["audience = \"members.csv\"", "numbers = [\"+6591234567\"]\nexclude = [\"members.csv\"]"] {
            let error = read_in(folder.path(), &format!("{key}\n{STEP}")).unwrap_err();
            assert!(error.contains("\"members.csv\" is a file of this computer"), "{error}");
        }
    }
}
