//! A text on the web: where it is, how it is told from others, how it is downloaded.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use super::corpus::sha256_hex;
use crate::files;

/// A text that everybody can download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedText {
    /// What results and folders call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// How large it is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl PublishedText {
    /// The megabyte of Shakespeare that nanoGPT's first example learns.
    pub fn shakespeare_char() -> Self {
        let repository = "https://raw.githubusercontent.com/karpathy/char-rnn/master";
        Self {
            name: "shakespeare_char".to_owned(),
            url: format!("{repository}/data/tinyshakespeare/input.txt"),
            bytes: 1_115_394,
            sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed".to_owned(),
        }
    }

    /// Whether these are its bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        sha256_hex(bytes) == self.sha256
    }

    /// What to tell the user before a download.
    pub(super) fn announcement(&self, path: &Path) -> String {
        let (name, url, path) = (&self.name, &self.url, path.display());
        let megabytes = self.bytes as f64 / 1e6;
        format!("downloading {name} ({megabytes:.1} MB) from {url} to {path}")
    }

    /// Downloads the text and puts it at `path`, whole and checked or not at all.
    pub(super) fn download(&self, agent: &Agent, path: &Path) -> anyhow::Result<Vec<u8>> {
        let (url, expected) = (&self.url, self.bytes);
        let request = agent.get(url);
        let response = request.call().with_context(|| format!("no download from {url}"))?;
        let mut bytes = Vec::new();
        let mut body = response.into_body().into_reader().take(expected + 1);
        let end = body.read_to_end(&mut bytes);
        end.with_context(|| format!("the download from {url} broke off"))?;
        let received = bytes.len() as u64;
        ensure!(received <= expected, "{url} is larger than the {expected} bytes published");
        ensure!(received == expected, "{url} has {received} bytes instead of {expected}");
        ensure!(self.is(&bytes), "{url} is not the text published there: its checksum differs");
        files::write_whole(path, &bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(bytes)
    }
}

/// Downloads with limits in time: a slow line is good enough, a dead one does not hold up a run.
pub fn downloader() -> Agent {
    time_limits().build().into()
}

fn time_limits() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .timeout_resolve(Some(Duration::from_secs(10)))
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_global(Some(Duration::from_secs(120)))
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is published as `play`.
    pub const TEXT: &str = "First Citizen:\nBefore we proceed any further, hear me speak.\n";

    /// The play at an address where nobody listens.
    pub fn out_of_reach() -> PublishedText {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        PublishedText {
            name: "play".to_owned(),
            url: format!("http://{address}/input.txt"),
            bytes: TEXT.len() as u64,
            sha256: sha256_hex(TEXT.as_bytes()),
        }
    }

    /// The play on a server that gives this answer, once.
    pub fn served(answer: String) -> PublishedText {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/input.txt", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = BufReader::new(stream.try_clone().unwrap()).lines();
            request.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        PublishedText { url, ..out_of_reach() }
    }

    /// The answer of a server that has the file and says that it is `length` bytes long.
    pub fn ok(length: usize, body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
    }

    /// A downloader without the proxy that the environment may name: it does not know this
    /// machine's ports.
    pub fn direct() -> Agent {
        time_limits().proxy(None).build().into()
    }

    #[test]
    fn a_download_is_the_only_file_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("play/input.txt");

        let bytes = served(ok(TEXT.len(), TEXT)).download(&direct(), &path).unwrap();

        assert_eq!(bytes, TEXT.as_bytes());
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_download_says_why_and_leaves_what_was_there() {
        fn check(text: PublishedText, expected: &str) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("input.txt");
            fs::write(&path, "before").unwrap();

            let error = text.download(&direct(), &path).unwrap_err();

            assert!(format!("{error:#}").contains(expected), "{error:#}");
            assert!(format!("{error:#}").contains(&text.url), "{error:#}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "before");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        let half = &TEXT[..TEXT.len() / 2];
        let (upper, twice) = (TEXT.to_uppercase(), TEXT.repeat(2));
        let not_found = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();

        check(out_of_reach(), "no download from ");
        check(served(not_found), "404");
        check(served("nonsense\r\n\r\n".to_owned()), "no download from ");
        check(served(ok(TEXT.len(), &upper)), "its checksum differs");
        check(served(ok(TEXT.len(), half)), "broke off");
        check(served(ok(half.len(), half)), "has 30 bytes instead of 61");
        check(served(ok(twice.len(), &twice)), "is larger than the 61 bytes published");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("play"), "a file where the folder should be").unwrap();
        let path = folder.path().join("play/input.txt");

        let error = served(ok(TEXT.len(), TEXT)).download(&direct(), &path).unwrap_err();

        assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
    }
}
