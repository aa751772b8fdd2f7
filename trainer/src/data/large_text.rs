//! enwik8 and text8: a hundred million bytes each, of which a run keeps as much as its size allows.
//!
//! Bytes are the characters. As those who publish results on these texts do it, the first 90 % are to
//! train on, the next 5 % to validate; the last 5 % are left alone. A file is read once from its
//! beginning to its end, unpacked on the way if it is a zip, and known by its SHA-256; only what a run
//! asks for stays in memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf, absolute};

use sha2::{Digest, Sha256};
use shared::bundle::hex;

use super::download::Download;
use super::text_files::{DataError, DataSettings, Missing, not_in_given, unusable};
use super::zip_member;

/// How much is held in memory on the way.
const AT_ONCE: usize = 64 * 1024;

/// A large text that everybody can download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeText {
    /// What results and folders call it, and the only file of its archive.
    pub name: String,
    /// Its archive.
    pub zip: Download,
    /// How many bytes the text has.
    pub bytes: usize,
    /// Their SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// What was read of a large text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The beginning of what is to train on.
    pub train: Vec<u8>,
    /// The beginning of what is to validate.
    pub validation: Vec<u8>,
    /// The file that it was read from.
    pub path: PathBuf,
    /// What a reader of the results must know about it.
    pub note: Option<String>,
}

impl LargeText {
    /// All of them.
    pub const NAMES: [&str; 2] = ["enwik8", "text8"];

    /// Whether there is a file of it where it is looked for, so that none need be downloaded.
    pub fn is_at_hand(&self, settings: &DataSettings) -> bool {
        let folders = match &settings.given {
            Some(folder) => vec![folder],
            None => vec![&settings.beside, &settings.cache],
        };
        folders.into_iter().any(|folder| self.file_in(folder).is_some())
    }

    /// The large text of that name. Checksums: those that the programs who use these texts pin, such as
    /// TensorFlow's data sets (`enwik8.zip`) and gluon-nlp (`text8`).
    pub fn named(name: &str) -> Option<Self> {
        let (zip_bytes, zip_sha256, sha256) = match name {
            "enwik8" => (
                36_445_475,
                "547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc",
                "2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8",
            ),
            "text8" => (
                31_344_016,
                "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
                "6e890197040d37d85beb962ae1f041ff1d9a9ca8d20c7d99c85027eebf51dca7",
            ),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            zip: Download {
                url: format!("http://mattmahoney.net/dc/{name}.zip"),
                bytes: zip_bytes,
                sha256: zip_sha256.to_owned(),
            },
            bytes: 100_000_000,
            sha256: sha256.to_owned(),
        })
    }

    /// Reads the text from the folder the user gave and from nowhere else; without one, from the folder
    /// beside, from the cache, from the web. Of `limit` bytes, nine tenths are to train on.
    ///
    /// # Errors
    /// It is nowhere, or what the user gave is another text.
    pub fn find(
        &self,
        limit: Option<usize>,
        settings: &DataSettings,
        announce: &mut dyn FnMut(&str),
    ) -> Result<Parts, DataError> {
        if let Some(folder) = &settings.given {
            let Some(path) = self.file_in(folder) else {
                return Err(not_in_given(&self.name, folder, &self.places(folder)[0]));
            };
            return self.read(&path, limit);
        }
        if let Some(path) = self.file_in(&settings.beside) {
            return self.read(&path, limit);
        }
        let cached = &self.places(&settings.cache)[2];
        // Whatever else is there, a download replaces.
        if cached.exists()
            && let Ok(parts) = self.read(cached, limit)
        {
            return Ok(parts);
        }
        self.zip.fetch(&settings.agent, cached, announce).map_err(|error| Missing {
            name: self.name.clone(),
            looked_in: [&settings.beside, &settings.cache]
                .iter()
                .flat_map(|folder| self.places(folder))
                .collect(),
            reason: format!("{error:#}"),
        })?;
        self.read(cached, limit)
    }

    /// Where the text may be in a folder of texts.
    fn places(&self, folder: &Path) -> [PathBuf; 4] {
        let name = &self.name;
        let inside = folder.join(name);
        let zip = format!("{name}.zip");
        [inside.join(name), inside.join("input.txt"), inside.join(&zip), folder.join(&zip)]
            .map(|path| absolute(&path).unwrap_or(path))
    }

    fn file_in(&self, folder: &Path) -> Option<PathBuf> {
        self.places(folder).into_iter().find(|path| path.exists())
    }

    fn read(&self, path: &Path, limit: Option<usize>) -> Result<Parts, DataError> {
        let is_zip = path.extension().is_some_and(|end| end == "zip");
        let opened = match is_zip {
            true => zip_member::open(path, &self.name),
            false => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
        };
        let [train, validation] = self.wanted(limit);
        let read = opened.and_then(|mut from| {
            Taken::from(&mut from, [0..train, self.train()..self.train() + validation])
        });
        let fix =
            format!("remove it to have {} downloaded, or put the published one there", self.name);
        let taken =
            read.map_err(|error| unusable(path, format!("cannot be read: {error}"), &fix))?;
        if taken.count != self.bytes as u64 || taken.sha256 != self.sha256 {
            return Err(self.another(path, &taken));
        }
        let [train, validation] = taken.parts;
        let note = limit.is_some().then(|| {
            format!(
                "of {} the first {} bytes are read to train on and the first {} of those to validate: \
                 results do not compare with results published for it",
                self.name,
                train.len(),
                validation.len()
            )
        });
        Ok(Parts { train, validation, path: path.to_owned(), note })
    }

    /// How many bytes are to train on.
    fn train(&self) -> usize {
        self.bytes / 10 * 9
    }

    /// How many bytes are kept of what is to train on and of what is to validate.
    fn wanted(&self, limit: Option<usize>) -> [usize; 2] {
        let limit = limit.unwrap_or(usize::MAX);
        [(limit / 10 * 9).min(self.train()), (limit / 10).min(self.bytes / 20)]
    }

    fn another(&self, path: &Path, taken: &Taken) -> DataError {
        let name = &self.name;
        let problem = match taken.count == self.bytes as u64 {
            true => format!("is not {name}: its SHA-256 is {}", taken.sha256),
            false => format!("is not {name}: it has {} bytes, not {}", taken.count, self.bytes),
        };
        let fix = format!(
            "put the published file there; if it is an excerpt, save it under a name of its own, as \
             {name}_excerpt/input.txt, and set CSAE_TEXT={name}_excerpt"
        );
        unusable(path, problem, &fix)
    }
}

/// Parts of a stream that was read to its end.
struct Taken {
    parts: [Vec<u8>; 2],
    count: u64,
    sha256: String,
}

impl Taken {
    fn from(from: &mut dyn Read, wanted: [std::ops::Range<usize>; 2]) -> io::Result<Self> {
        let (mut parts, mut digest) = ([vec![], vec![]], Sha256::new());
        let (mut at, mut some) = (0, vec![0; AT_ONCE]);
        loop {
            let count = match from.read(&mut some) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            if count == 0 {
                let sha256 = hex(&digest.finalize());
                return Ok(Self { parts, count: at as u64, sha256 });
            }
            digest.update(&some[..count]);
            for (part, range) in parts.iter_mut().zip(&wanted) {
                let first = range.start.saturating_sub(at).min(count);
                let last = range.end.saturating_sub(at).min(count);
                part.extend_from_slice(&some[first..last]);
            }
            at += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::corpus::sha256_hex;
    use super::super::download::tests::{server, whole};
    use super::super::published::tests::direct;
    use super::super::zip_member::tests::archive;
    use super::*;

    /// 200,000 bytes, more than are held at once, with all 256 of them.
    fn content() -> Vec<u8> {
        (0..200_000_u32).map(|i| (i * i / 7 + i / 300) as u8).collect()
    }

    struct Scene {
        folder: TempDir,
        text: LargeText,
        settings: DataSettings,
        announced: Vec<String>,
    }

    impl Scene {
        fn new(answers: Vec<Vec<u8>>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let zip = archive("enwik8", &content(), true);
            let (url, _) = server(answers);
            let text = LargeText {
                name: "enwik8".into(),
                zip: Download { url, bytes: zip.len() as u64, sha256: sha256_hex(&zip) },
                bytes: 200_000,
                sha256: sha256_hex(&content()),
            };
            let settings = DataSettings {
                given: None,
                beside: folder.path().join("data"),
                cache: folder.path().join("cache"),
                agent: direct(),
            };
            Self { folder, text, settings, announced: vec![] }
        }

        fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            path
        }

        fn find(&mut self, limit: Option<usize>) -> Result<Parts, DataError> {
            self.text.find(limit, &self.settings, &mut |line| self.announced.push(line.into()))
        }
    }

    #[test]
    fn the_published_texts_have_published_names_and_sizes() {
        for name in ["enwik8", "text8"] {
            let text = LargeText::named(name).unwrap();

            assert_eq!(text.wanted(None), [90_000_000, 5_000_000]);
            assert_eq!(text.wanted(Some(4_000_000)), [3_600_000, 400_000]);
            assert!(text.zip.url.ends_with(&format!("/dc/{name}.zip")));
            assert!(text.sha256.len() == 64 && text.zip.sha256.len() == 64);
        }
        assert!(LargeText::named("enwik9").is_none());
    }

    #[test]
    fn plain_files_and_archives_give_the_same_parts() {
        let content = content();
        for (name, bytes) in [
            ("data/enwik8/enwik8", content.clone()),
            ("data/enwik8/input.txt", content.clone()),
            ("data/enwik8/enwik8.zip", archive("enwik8", &content, true)),
            ("data/enwik8.zip", archive("enwik8", &content, false)),
        ] {
            let mut scene = Scene::new(vec![]);
            let path = scene.put(name, &bytes);

            let whole = scene.find(None).unwrap();
            let some = scene.find(Some(100_000)).unwrap();

            assert_eq!((&whole.train[..], &whole.path), (&content[..180_000], &path));
            assert_eq!(whole.validation, content[180_000..190_000]);
            assert_eq!(whole.note, None);
            assert_eq!(some.train, content[..90_000]);
            assert_eq!(some.validation, content[180_000..190_000]);
            let note = some.note.unwrap();
            assert!(
                note.contains("first 90000 bytes") && note.contains("do not compare"),
                "{note}"
            );
        }
    }

    #[test]
    fn an_excerpt_under_the_whole_ones_name_is_refused() {
        let content = content();
        let mut other = content.clone();
        other[5] ^= 1;
        let cut = archive("enwik8", &content, true);
        for (name, bytes, expected) in [
            ("given/enwik8/enwik8", &content[..500], "it has 500 bytes, not 200000"),
            ("given/enwik8/enwik8", &other[..], "its SHA-256 is "),
            ("given/enwik8/enwik8.zip", &cut[..cut.len() / 2], "only a part"),
        ] {
            let mut scene = Scene::new(vec![]);
            scene.settings.given = Some(scene.folder.path().join("given"));
            let path = scene.put(name, bytes);

            let message = scene.find(None).unwrap_err().to_string();

            assert!(message.starts_with(&path.display().to_string()), "{message}");
            assert!(message.contains(expected) && message.contains("\n  fix: "), "{message}");
        }
    }

    #[test]
    fn a_folder_given_without_it_is_an_error() {
        let mut scene = Scene::new(vec![]);
        scene.settings.given = Some(scene.folder.path().join("given"));

        let message = scene.find(None).unwrap_err().to_string();

        assert!(message.contains("given/enwik8/enwik8: not found"), "{message}");
    }

    #[test]
    fn it_is_downloaded_once_and_read_from_the_cache_then() {
        let zip = archive("enwik8", &content(), true);
        let mut scene = Scene::new(vec![whole(&zip, zip.len())]);
        scene.put("cache/enwik8/enwik8.zip", b"damaged");

        let parts = scene.find(Some(1_000)).unwrap();

        assert_eq!(parts.train, content()[..900]);
        assert_eq!(scene.find(Some(1_000)).unwrap(), parts, "the server answers once");
        assert_eq!(scene.announced.len(), 1);
    }

    #[test]
    fn without_the_web_it_is_missing() {
        let mut scene = Scene::new(vec![]);

        let error = scene.find(None).unwrap_err();

        assert!(matches!(error, DataError::Missing(_)), "{error}");
        assert!(error.to_string().contains("data/enwik8/enwik8"), "{error}");
    }
}
