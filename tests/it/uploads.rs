//! `volley upload`: the uploads of a server, while it runs and while it does not.

use serde_json::{Value, json};

use super::cli::{installation, interrupt, run, serve};
use super::documents::json::check;

#[tokio::test]
async fn uploads_are_listed_and_deleted_beside_a_server_and_without_one() {
    let folder = installation();
    let at = folder.path();
    let key = run(at, &["key", "create", "--name", "shop", "--scope", "manage"]).ended(0).stdout;
    assert_eq!(run(at, &["upload", "list", "--json"]).ended(0).stdout, "");
    let (mut server, listening) = serve(at, &[]);
    let address = listening["listen"].as_str().unwrap().to_owned();
    let http = reqwest::Client::new();
    let uploads = format!("{address}/v1/uploads");
    let begin = async |name: &str| {
        let begun = http.post(&uploads).bearer_auth(key.trim()).header("content-type", "application/json");
        let begun = begun.body(json!({"name": name}).to_string()).send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&begun).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (begin("a.csv").await, begin("b.csv").await);
    let listed = || {
        let lines = run(at, &["upload", "list", "--json"]).ended(0).stdout;
        if !lines.is_empty() {
            check(&lines);
        }
        let ids =
            lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let mut both = listed();
    both.sort();
    let mut expected = [first.clone(), second.clone()];
    expected.sort();
    assert_eq!(both, expected);

    // The server notices at once.
    assert_eq!(run(at, &["upload", "delete", &first, "--json"]).ended(0).json()["id"], first.as_str());
    let gone = http.get(format!("{uploads}/{first}")).bearer_auth(key.trim()).send().await.unwrap();
    assert_eq!((gone.status().as_u16(), listed()), (404, vec![second.clone()]));

    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let table = run(at, &["upload", "list"]).ended(0).stdout;
    assert!(table.contains(&second) && table.contains("b.csv"), "{table}");
    assert!(run(at, &["upload", "delete", &second]).ended(0).stderr.contains("Deleted upload"));
    assert!(listed().is_empty());
    run(at, &["upload", "delete", &second]).ended(1).says(&["unknown upload"]);
    run(at, &["upload", "delete", "upl_x"]).ended(2).says(&["32 hexadecimal digits"]);
}
