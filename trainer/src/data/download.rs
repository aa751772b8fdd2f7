//! Large files from the web: said before, resumed where they broke off, whole and checked or not there.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use shared::bundle::hex;
use ureq::Agent;

use crate::interrupt;

/// How much is held in memory.
const AT_ONCE: usize = 64 * 1024;

/// A file that everybody can download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Where it is.
    pub url: String,
    /// How large it is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Download {
    /// Puts the file at `path`. What an earlier call has received stands beside it and is not asked
    /// for again, if the server lets one go on. `announce` is told before anything is asked for.
    ///
    /// # Errors
    /// There is no answer, or another file, or the disk is full, or the user stops it.
    pub fn fetch(&self, agent: &Agent, path: &Path, announce: &mut dyn FnMut(&str)) -> Result<()> {
        let part = beside(path);
        let length = |part: &Path| part.metadata().map_or(0, |data| data.len());
        let mut received = length(&part);
        if received > self.bytes {
            fs::remove_file(&part)?;
            received = 0;
        }
        announce(&self.announcement(path, received));
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        while received != self.bytes {
            let before = received;
            let broken = self.go_on(agent, &part, before).err();
            interrupt::check()?;
            received = length(&part);
            match broken {
                Some(error) if received <= before => return Err(error),
                None if received <= before => bail!("the download from {} broke off", self.url),
                _ => ensure!(
                    received <= self.bytes,
                    "{} is larger than the {} bytes published",
                    self.url,
                    self.bytes
                ),
            }
        }
        if checksum(&part)? != self.sha256 {
            fs::remove_file(&part)?;
            bail!("{} is not the file published there: its checksum differs", self.url);
        }
        fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn announcement(&self, path: &Path, received: u64) -> String {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let (url, path, whole) = (&self.url, path.display(), megabytes(self.bytes));
        match received {
            0 => format!("downloading {whole:.1} MB from {url} to {path}"),
            _ => format!(
                "downloading the rest of {whole:.1} MB from {url} to {path}; {:.1} MB are there",
                megabytes(received)
            ),
        }
    }

    /// Asks for what follows after `before` bytes, and for all of it if the server gives only that.
    fn go_on(&self, agent: &Agent, part: &Path, before: u64) -> Result<()> {
        let url = &self.url;
        // As it is: a part of what was packed on the way could not be gone on with.
        let mut request = agent.get(url).header("Accept-Encoding", "identity");
        if before > 0 {
            request = request.header("Range", format!("bytes={before}-"));
        }
        let response = request.call().with_context(|| format!("no download from {url}"))?;
        let range = response.headers().get("content-range");
        let range = range.and_then(|range| range.to_str().ok()).unwrap_or_default();
        let goes_on = range.starts_with(&format!("bytes {before}-"));
        ensure!(goes_on || response.status() != 206, "{url} sends another part than asked for");
        let mut file = own(part)?;
        if !goes_on {
            file.set_len(0).with_context(|| format!("cannot write {}", part.display()))?;
        }
        let most = self.bytes + 1 - if goes_on { before } else { 0 };
        let mut body = response.into_body().into_reader().take(most);
        let mut some = vec![0; AT_ONCE];
        loop {
            interrupt::check()?;
            let count = body
                .read(&mut some)
                .with_context(|| format!("the download from {url} broke off"))?;
            if count == 0 {
                return file.sync_all().with_context(|| format!("cannot write {}", part.display()));
            }
            file.write_all(&some[..count])
                .with_context(|| format!("cannot write {}", part.display()))?;
        }
    }
}

/// The file to write on at its end, for one trainer at a time.
fn own(part: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(part);
    let file = file.with_context(|| format!("cannot write {}", part.display()))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        bail!("another trainer is downloading to {}: wait for it", part.display());
    }
    Ok(file)
}

/// Where what has been received stands until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".part");
    name.into()
}

/// The SHA-256 of a file, in hexadecimal digits.
fn checksum(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let (mut digest, mut some) = (Sha256::new(), vec![0; AT_ONCE]);
    loop {
        match file.read(&mut some)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&some[..count]),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use tempfile::TempDir;

    use super::super::corpus::sha256_hex;
    use super::super::published::tests::direct;
    use super::*;

    const FILE: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

    /// A server that gives these answers, one to each request, and the ranges that were asked for.
    pub fn server(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file.zip", listener.local_addr().unwrap());
        let handle = thread::spawn(move || {
            let answer = |answer: Vec<u8>| {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let lines: Vec<String> =
                    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                stream.write_all(&answer).unwrap();
                let range = lines.iter().find(|line| line.to_lowercase().starts_with("range"));
                range.map_or(String::new(), |line| line.to_lowercase())
            };
            answers.into_iter().map(answer).collect()
        });
        (url, handle)
    }

    /// The whole file, of which only `sent` bytes arrive.
    pub fn whole(file: &[u8], sent: usize) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", file.len());
        [head.as_bytes(), b"Connection: close\r\n\r\n", &file[..sent]].concat()
    }

    /// What follows after `before` bytes, of which only those before `until` arrive.
    fn rest(file: &[u8], before: usize, until: usize) -> Vec<u8> {
        let (length, last) = (file.len(), file.len() - 1);
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\
             Content-Range: bytes {before}-{last}/{length}\r\nConnection: close\r\n\r\n",
            length - before
        );
        [head.as_bytes(), &file[before..until]].concat()
    }

    struct Scene {
        folder: TempDir,
        announced: Vec<String>,
    }

    impl Scene {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), announced: vec![] }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("play/file.zip")
        }

        fn fetch(&mut self, answers: Vec<Vec<u8>>) -> (Result<()>, Vec<String>) {
            let (url, asked) = server(answers);
            let download = Download { url, bytes: FILE.len() as u64, sha256: sha256_hex(FILE) };
            let path = self.path();
            let announce = &mut |line: &str| self.announced.push(line.to_owned());
            let result = download.fetch(&direct(), &path, announce);
            (result, asked.join().unwrap())
        }
    }

    #[test]
    fn a_download_is_announced_with_its_size_and_is_the_only_file() {
        let mut scene = Scene::new();

        let (result, asked) = scene.fetch(vec![whole(FILE, 26)]);

        result.unwrap();
        assert_eq!(fs::read(scene.path()).unwrap(), FILE);
        assert_eq!(fs::read_dir(scene.path().parent().unwrap()).unwrap().count(), 1);
        assert_eq!(asked, [""]);
        assert!(scene.announced[0].starts_with("downloading 0.0 MB from http://127.0.0.1"));
    }

    #[test]
    fn what_broke_off_goes_on_where_it_was() {
        let mut scene = Scene::new();
        let answers = vec![whole(FILE, 10), rest(FILE, 10, 15), rest(FILE, 15, 26)];

        let (result, asked) = scene.fetch(answers);

        result.unwrap();
        assert_eq!(fs::read(scene.path()).unwrap(), FILE);
        assert_eq!(asked, ["", "range: bytes=10-", "range: bytes=15-"]);
    }

    #[test]
    fn a_later_call_goes_on_and_says_so() {
        let mut scene = Scene::new();
        let (broken, _) = scene.fetch(vec![whole(FILE, 10), rest(FILE, 10, 10)]);
        assert!(format!("{:#}", broken.unwrap_err()).contains("broke off"));
        assert!(!scene.path().exists());

        let (result, asked) = scene.fetch(vec![rest(FILE, 10, 26)]);

        result.unwrap();
        assert_eq!(asked, ["range: bytes=10-"]);
        assert!(scene.announced[1].contains("the rest of"), "{:?}", scene.announced);
        assert_eq!(fs::read(scene.path()).unwrap(), FILE);
    }

    #[test]
    fn a_server_that_does_not_go_on_begins_again() {
        let mut scene = Scene::new();
        let (broken, _) = scene.fetch(vec![whole(FILE, 10), rest(FILE, 10, 10)]);
        assert!(broken.is_err());

        let (result, asked) = scene.fetch(vec![whole(FILE, 26)]);

        assert_eq!(asked, ["range: bytes=10-"]);
        result.unwrap();
        assert_eq!(fs::read(scene.path()).unwrap(), FILE);
    }

    #[test]
    fn two_trainers_do_not_write_one_file() {
        let mut scene = Scene::new();
        fs::create_dir_all(scene.path().parent().unwrap()).unwrap();
        let other = own(&beside(&scene.path())).unwrap();

        let (result, _) = scene.fetch(vec![whole(FILE, 26)]);

        assert!(result.unwrap_err().to_string().contains("another trainer"));
        drop(other);
        scene.fetch(vec![whole(FILE, 26)]).0.unwrap();
    }

    #[test]
    fn another_file_is_refused_and_not_kept() {
        let upper = FILE.to_ascii_uppercase();
        let longer = FILE.repeat(2);
        let end = || b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n".to_vec();
        let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
        for (answers, expected) in [
            (vec![whole(&upper, 26)], "its checksum differs"),
            (vec![whole(&longer, 52)], "is larger than the 26 bytes published"),
            (vec![whole(&FILE[..20], 20), end()], "no download from"),
            (vec![missing], "404"),
        ] {
            let mut scene = Scene::new();
            let (result, _) = scene.fetch(answers);
            let error = format!("{:#}", result.unwrap_err());
            assert!(error.contains(expected), "{error}");
            assert!(!scene.path().exists());
        }
    }
}
