//! Files and addresses of media, with a provider that hosts files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::base::clock::ManualClock;
use crate::base::domain::Timestamp;
use crate::store::Store;

const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\x00\x00\x00\rIHDR";

/// A provider that hosts files, and a web server.
#[derive(Default)]
struct Hosting {
    uploads: Mutex<Vec<Vec<u8>>>,
    /// Whether it has deleted its files.
    forgot: AtomicBool,
}

impl Hosting {
    async fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hosting = Arc::new(Self::default());
        let serving = Arc::clone(&hosting);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(Arc::clone(&serving).serve(socket));
            }
        });
        (hosting, url)
    }

    async fn serve(self: Arc<Self>, mut socket: TcpStream) {
        let mut request = Vec::new();
        let head = loop {
            if let Some(at) = request.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            if socket.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
        };
        let words = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = words.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        while request.len() < head + length {
            assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
        }
        let answer = self.answer(&words, &request);
        socket.write_all(answer.as_bytes()).await.unwrap();
    }

    fn answer(&self, head: &str, request: &[u8]) -> String {
        let served = |kind: &str| format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: 0\r\n\r\n");
        let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
        match head.split(' ').nth(1).unwrap() {
            "/api/v1/subaccounts/acme/files" => {
                let mut uploads = self.uploads.lock();
                uploads.push(request.to_vec());
                let body = format!(r#"{{"fileName":"f{}.png","token":"t"}}"#, uploads.len());
                format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
            path if path.starts_with("/files/") && self.forgot.load(Ordering::Relaxed) => missing,
            path if path.starts_with("/files/") => served("image/png"),
            "/page" => served("text/html"),
            "/moved.png" => "HTTP/1.1 302 Found\r\nlocation: /files/x.png\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "/loop.png" => "HTTP/1.1 302 Found\r\nlocation: /loop.png\r\ncontent-length: 0\r\n\r\n".to_owned(),
            _ => missing,
        }
    }

    fn uploads(&self) -> usize {
        self.uploads.lock().len()
    }
}

struct Site {
    config: Config,
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl Site {
    async fn of(url: &str) -> Self {
        let text = format!(
            "[provider]\nbase_url = \"{url}\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
             [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\n\
             [[route]]\nname = \"promo\"\n[[route.step]]\nchannel = \"WhatsApp\"\n\
             template = {{ name = \"t\", language = \"en\", category = \"MARKETING\", header = {{ image = \"x\" }} }}\n"
        );
        let file = Path::new("volley.toml");
        let none = std::iter::empty::<(&str, String)>();
        let config = Config::read(Some((file, &text)), std::iter::empty(), none).unwrap().config;
        let clock = Arc::new(ManualClock::at(Timestamp::default()));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        Self { config, store, clock, folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    /// Reviews a header with this image; returns its address, the problems and the notes.
    async fn review(&self, image: &str, at: At, looks: bool) -> (String, Vec<String>, Vec<String>) {
        let mut steps = self.config.routes[0].steps.clone();
        let part = steps[0].content.media()[0].part.clone();
        steps[0].content.set_media(&part, image);
        let (store, folder): (&dyn Uploads, _) = (self.store.as_ref(), self.folder.path());
        let review = Review { store, clock: self.clock.as_ref(), config: &self.config, folder, at, looks };
        let Found { problems, notes } = review.of(&mut steps).await.unwrap();
        let address = steps[0].content.media()[0].text.clone();
        let problems = problems.iter().map(ToString::to_string).collect();
        (address, problems, notes.into_iter().map(|note| note.sentence).collect())
    }
}

#[tokio::test]
async fn a_local_file_is_uploaded_once_for_all_campaigns() {
    let (hosting, url) = Hosting::start().await;
    let site = Site::of(&url).await;
    site.write("a.png", PNG);
    let (address, problems, notes) = site.review("./a.png", At::Plan, true).await;
    assert_eq!((address, problems), (format!("{url}/files/a.png"), vec![]));
    assert_eq!(
        (&notes[..], hosting.uploads()),
        (&["a.png is uploaded to the provider at the launch".to_owned()][..], 0)
    );

    let hosted = format!("{url}/files/f1.png?token=t");
    for _ in 0..2 {
        assert_eq!(site.review("./a.png", At::Launch, true).await, (hosted.clone(), vec![], vec![]));
        assert_eq!(hosting.uploads(), 1);
    }
    // A plan shows where the file is already.
    assert_eq!(site.review("a.png", At::Plan, true).await, (hosted, vec![], vec![]));
    let request = hosting.uploads.lock()[0].clone();
    assert!(request.windows(PNG.len()).any(|bytes| bytes == PNG));
    let head = String::from_utf8_lossy(&request).into_owned();
    assert!(head.contains("name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n"), "{head}");
    assert!(head.to_lowercase().contains("\r\nauthorization: bearer k\r\n"), "{head}");
}

#[tokio::test]
async fn a_file_that_the_provider_has_deleted_is_uploaded_again() {
    let (hosting, url) = Hosting::start().await;
    let site = Site::of(&url).await;
    site.write("a.png", PNG);
    site.review("a.png", At::Launch, true).await;
    hosting.forgot.store(true, Ordering::Relaxed);
    let (address, ..) = site.review("a.png", At::Launch, true).await;
    assert_eq!((address, hosting.uploads()), (format!("{url}/files/f2.png?token=t"), 2));
}

#[tokio::test]
async fn a_file_that_whatsapp_does_not_take_is_refused_before_it_is_uploaded() {
    let (hosting, url) = Hosting::start().await;
    let site = Site::of(&url).await;
    site.write("a.gif", b"GIF89a\x01\x00");
    site.write("b.png", b"\xFF\xD8\xFF\xE0\x00\x10JFIF");
    site.write("empty.png", b"");
    site.write("large.png", &[PNG, &vec![0; 5_000_001 - PNG.len()]].concat());
    std::fs::create_dir(site.folder.path().join("folder.png")).unwrap();
    site.write("full.png", &[PNG, &vec![0; 5_000_000 - PNG.len()]].concat());
    for (name, sentence) in [
        ("none.png", "none.png cannot be read (No such file or directory"),
        ("a.gif", "a.gif is a GIF image, and WhatsApp takes jpeg, jpg, png as image; convert it"),
        ("b.png", "b.png is a JPEG image, but its name does not end in .jpeg or .jpg; rename it"),
        ("empty.png", "empty.png is empty"),
        // As a pipe or a device, whose end may never come.
        ("folder.png", "folder.png is not a regular file; name a file"),
        ("/dev/zero", "/dev/zero is not a regular file; name a file"),
        ("large.png", "large.png has 5.0 MB, and WhatsApp takes images of at most 5.0 MB; make it smaller"),
    ] {
        let (_, problems, _) = site.review(name, At::Launch, true).await;
        assert_eq!(problems.len(), 1, "{name}");
        assert!(
            problems[0].starts_with("step 1, template, header image: ") && problems[0].contains(sentence),
            "{problems:?}"
        );
    }
    assert_eq!(hosting.uploads(), 0);
    let (_, problems, _) = site.review("full.png", At::Launch, true).await;
    assert_eq!((problems, hosting.uploads()), (vec![], 1));
}

#[tokio::test]
async fn a_local_image_of_more_than_a_megabyte_has_a_note() {
    let (_, url) = Hosting::start().await;
    let site = Site::of(&url).await;
    site.write("light.png", &[PNG, &vec![0; 1_000_000 - PNG.len()]].concat());
    site.write("heavy.png", &[PNG, &vec![0; 1_000_001 - PNG.len()]].concat());
    assert_eq!(site.review("light.png", At::Launch, true).await.2, [""; 0]);
    let (_, problems, notes) = site.review("heavy.png", At::Launch, true).await;
    assert_eq!(problems, [""; 0]);
    let said =
        "heavy.png has 1.0 MB, and the provider recommends images of less than 1 MB on WhatsApp; make it smaller";
    assert_eq!(notes, [said]);
}

#[tokio::test]
async fn a_refused_upload_is_a_problem_of_its_step() {
    // Not the subaccount whose files the provider hosts.
    let (_, url) = Hosting::start().await;
    let mut site = Site::of(&url).await;
    site.config.lanes[0].provider.sub_account = "other".to_owned();
    site.write("a.png", PNG);
    let (_, problems, _) = site.review("a.png", At::Launch, true).await;
    assert_eq!(
        problems,
        ["step 1, template, header image: a.png cannot be uploaded: the provider refuses it (HTTP status 404)"]
    );
}

#[tokio::test]
async fn a_web_address_is_looked_at_unless_offline() {
    let (_, url) = Hosting::start().await;
    let site = Site::of(&url).await;
    for (path, expected) in [
        ("/files/a.png", None),
        ("/moved.png", None),
        ("/none.png", Some("answers HTTP status 404; the provider needs the file itself, without a login")),
        ("/page", Some("is served as text/html, and WhatsApp takes image/jpeg, image/png as image")),
        ("/loop.png", Some("cannot be fetched: it redirects more than 5 times; correct it")),
    ] {
        let address = format!("{url}{path}");
        let (same, problems, notes) = site.review(&address, At::Plan, true).await;
        assert_eq!((same.as_str(), notes), (address.as_str(), vec![]), "{path}");
        match expected {
            None => assert!(problems.is_empty(), "{problems:?}"),
            Some(sentence) => assert!(problems.len() == 1 && problems[0].contains(sentence), "{problems:?}"),
        }
        let (_, problems, notes) = site.review(&address, At::Plan, false).await;
        assert_eq!((problems, notes), (vec![], vec![format!("{address} was not checked (--offline)")]));
    }
    // One for each recipient.
    assert_eq!(site.review("https://h/{{Pic}}.png", At::Plan, true).await.1, [""; 0]);
}

#[tokio::test]
async fn no_private_address_is_requested_for_a_provider_on_the_internet() {
    let (_, url) = Hosting::start().await;
    let site = Site::of("https://chatapps.8x8.com").await;
    let private =
        [format!("{url}/none.png"), url.replace("127.0.0.1", "localhost"), "https://10.1.2.3/a.png".to_owned()];
    for address in private {
        let (_, problems, notes) = site.review(&address, At::Plan, true).await;
        assert!(notes.is_empty(), "{notes:?}");
        assert!(problems.len() == 1 && problems[0].contains("is in a private network"), "{problems:?}");
    }
}
