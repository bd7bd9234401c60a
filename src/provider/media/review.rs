//! Reviews the media of a campaign's steps, and replaces local files by the addresses at which the provider hosts them.

use std::path::Path;

use url::Url;

use super::address::{Verdict, look};
use super::file::LocalFile;
use super::format::Wanted;
use crate::base::clock::Clock;
use crate::base::config::{Config, DraftStep, Lane, Problem};
use crate::base::domain::text::hex;
use crate::base::domain::{Channel, MediaAddress, Plan, StepIndex};
use crate::provider::client::{FileToUpload, Http, look_at};
use crate::store::{self, UploadedFile, Uploads};

/// When media are reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Nothing is uploaded: a local file gets the address that it has, or will have.
    Plan,
    /// The same, before an upload that follows at once.
    BeforeLaunch,
    /// Local files are uploaded.
    Launch,
}

/// Something doubtful about a file, or good to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub step: StepIndex,
    pub sentence: String,
}

/// The result of a review.
#[derive(Debug, Default)]
pub struct Found {
    pub problems: Vec<Problem>,
    pub notes: Vec<Note>,
}

/// What a review needs.
#[derive(Debug)]
pub struct Review<'a> {
    pub store: &'a dyn Uploads,
    pub clock: &'a dyn Clock,
    pub config: &'a Config,
    /// Relative paths start here.
    pub folder: &'a Path,
    pub at: At,
    /// Whether web addresses are looked at.
    pub looks: bool,
}

impl Review<'_> {
    /// Reviews each address that is the same for all recipients.
    pub async fn of(&self, steps: &mut [DraftStep]) -> store::Result<Found> {
        let mut found = Found::default();
        for (index, step) in StepIndex::all().zip(steps) {
            // A step without a lane is a problem that the plan reports.
            let Some(lane) = first_lane(self.config, step) else { continue };
            let channel = step.channel;
            for address in step.content.media() {
                if address.is_path() {
                    let hosted = self.local(&address, (index, channel), lane, &mut found).await?;
                    if let Some(hosted) = hosted {
                        step.content.set_media(&address.part, &hosted);
                    }
                } else if !address.has_variables() && !address.text.trim().is_empty() {
                    self.web(&address, (index, channel), lane, &mut found).await;
                }
            }
        }
        Ok(found)
    }

    /// Looks at the addresses of a plan whose content is fixed: the provider does not say how long it hosts a file.
    pub async fn of_plan(&self, plan: &Plan) -> Found {
        let mut found = Found::default();
        for (index, step) in plan.indexed_steps() {
            let mut lanes = step.lanes.names();
            let Some(lane) = lanes.next().and_then(|name| self.config.lane(name)) else { continue };
            for address in step.content.media().iter().filter(|address| !address.has_variables()) {
                self.web(address, (index, step.channel), lane, &mut found).await;
            }
        }
        found
    }

    async fn web(&self, address: &MediaAddress, (step, channel): (StepIndex, Channel), lane: &Lane, found: &mut Found) {
        let is_web = address.text.starts_with("https://") || address.text.starts_with("http://");
        // Another scheme is a problem that the check of the content reports.
        if !is_web {
            return;
        }
        if !self.looks {
            let sentence = format!("{} was not checked (--offline)", address.text);
            return found.notes.push(Note { step, sentence });
        }
        let provider = &lane.provider;
        match look(&address.text, Wanted::at(channel, address), &provider.network, provider.reachable()).await {
            Verdict::Good => {}
            Verdict::Doubtful(sentences) => {
                found.notes.extend(sentences.into_iter().map(|sentence| Note { step, sentence }));
            }
            Verdict::Wrong(sentence) => found.problems.push(Problem::new(Some(step), address.part.in_step(), sentence)),
        }
    }

    async fn local(
        &self,
        address: &MediaAddress,
        (step, channel): (StepIndex, Channel),
        lane: &Lane,
        found: &mut Found,
    ) -> store::Result<Option<String>> {
        let path = self.folder.join(address.text.trim());
        let problem = |sentence: String| Problem::new(Some(step), address.part.in_step(), sentence);
        let file = match read(path, Wanted::at(channel, address)).await {
            Ok(file) => file,
            Err(sentence) => {
                found.problems.push(problem(sentence));
                // The check of the content has no second problem with it.
                return Ok(Some(hosted(lane, "file")));
            }
        };
        let large = Wanted::at(channel, address).doubt_size(file.bytes.len() as u64);
        found.notes.extend(large.map(|sentence| Note { step, sentence: format!("{} {sentence}", file.name) }));
        let known = self.known(lane, &file).await?;
        if self.at != At::Launch {
            if known.is_none() && self.at == At::Plan {
                let sentence = format!("{} is uploaded to the provider at the launch", file.name);
                found.notes.push(Note { step, sentence });
            }
            return Ok(Some(known.unwrap_or_else(|| hosted(lane, &file.name))));
        }
        if let Some(url) = known
            && is_hosted(&url, lane).await
        {
            return Ok(Some(url));
        }
        match upload(lane, &file).await {
            Ok(url) => {
                self.record(lane, &file, &url).await?;
                Ok(Some(url))
            }
            Err(why) => {
                found.problems.push(problem(format!("{} cannot be uploaded: {why}", file.name)));
                Ok(None)
            }
        }
    }

    /// Where the provider hosts a file that was uploaded before.
    async fn known(&self, lane: &Lane, file: &LocalFile) -> store::Result<Option<String>> {
        let provider = &lane.provider;
        let (base_url, sub_account) = (provider.base_url.clone(), provider.sub_account.clone());
        let found = self.store.uploaded_files(base_url, sub_account, vec![file.digest]).await?;
        Ok(found.into_iter().next().map(|uploaded| uploaded.url))
    }

    async fn record(&self, lane: &Lane, file: &LocalFile, url: &str) -> store::Result<()> {
        let uploaded = UploadedFile {
            base_url: lane.provider.base_url.clone(),
            sub_account: lane.provider.sub_account.clone(),
            digest: file.digest,
            url: url.to_owned(),
            uploaded_at: self.clock.now(),
        };
        self.store.record_uploads(vec![uploaded]).await
    }
}

/// The lane whose subaccount hosts the files of a step. Other lanes may use them too, because their URL needs no key.
fn first_lane<'a>(config: &'a Config, step: &DraftStep) -> Option<&'a Lane> {
    match step.lanes.first() {
        Some(name) => config.lane(name),
        None => config.lanes_on(step.channel).next(),
    }
}

/// Reads a file on a thread of its own: it may be large.
async fn read(path: std::path::PathBuf, wanted: Wanted) -> Result<LocalFile, String> {
    let reading = tokio::task::spawn_blocking(move || LocalFile::read(&path, wanted));
    reading.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The form of the address that a file has once it is uploaded.
fn hosted(lane: &Lane, name: &str) -> String {
    let Ok(mut url) = Url::parse(&lane.provider.base_url) else { return lane.provider.base_url.clone() };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["files", name]);
    }
    url.into()
}

/// Whether the provider still hosts a file: its pages do not say for how long it does.
async fn is_hosted(url: &str, lane: &Lane) -> bool {
    let looked = look_at(url, &lane.provider.network, lane.provider.reachable()).await;
    looked.is_ok_and(|looked| (200..300).contains(&looked.status))
}

async fn upload(lane: &Lane, file: &LocalFile) -> Result<String, String> {
    if lane.provider.api_key.is_none() {
        return Err(format!("lane {} has no API key; set api_key_file or api_key", lane.name));
    }
    let http = Http::new(&lane.name, &lane.provider).map_err(|error| error.to_string())?;
    let boundary = format!("volley-{}", hex(file.digest));
    let LocalFile { name, media_type, bytes, .. } = file;
    let file = FileToUpload { name, media_type, bytes, boundary: &boundary };
    http.upload(file).await.map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
