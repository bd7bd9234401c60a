//! The style sheet and the script of the pages, under names that change with their content.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::base::domain::text::hex;

/// A file that pages load.
#[derive(Debug)]
pub struct Asset {
    /// Its whole path. It contains a digest of the content, so a browser may keep the file for ever.
    pub path: String,
    pub media_type: &'static str,
    pub content: &'static [u8],
}

/// Every file that pages load.
#[derive(Debug)]
pub struct Assets {
    pub style: Asset,
    pub script: Asset,
    pub icon: Asset,
}

/// Where the files are.
pub const ASSETS: &str = "/assets/";

/// The style of the pages, with that of the messages on them, which the page of a preview has too.
const STYLE: &str =
    concat!(include_str!("assets/volley.css"), "\n@layer handset {\n", include_str!("html/handset.css"), "}\n");

static ALL: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new("volley", "css", "text/css; charset=utf-8", STYLE.as_bytes()),
    script: Asset::new("volley", "js", "text/javascript; charset=utf-8", include_bytes!("assets/volley.js")),
    icon: Asset::new("icon", "svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
});

impl Assets {
    pub fn all() -> &'static Self {
        &ALL
    }

    /// The file with this path.
    pub fn find(&self, path: &str) -> Option<&Asset> {
        [&self.style, &self.script, &self.icon].into_iter().find(|asset| asset.path == path)
    }
}

impl Asset {
    fn new(name: &str, ending: &str, media_type: &'static str, content: &'static [u8]) -> Self {
        let digest = hex(&Sha256::digest(content)[..8]);
        Self { path: format!("{ASSETS}{name}-{digest}.{ending}"), media_type, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_exact_path() {
        let all = Assets::all();
        assert_eq!(all.find(&all.style.path).map(|asset| asset.media_type), Some("text/css; charset=utf-8"));
        assert!(all.find("/assets/volley.css").is_none() && all.find("").is_none());
        assert_ne!(all.style.path, all.script.path);
    }
}
