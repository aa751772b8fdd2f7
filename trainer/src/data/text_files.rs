//! Where the file of a text is looked for, and what may be in it.

use std::path::{Path, PathBuf, absolute};
use std::{fmt, fs, io};

use ureq::Agent;

use super::published::PublishedText;

/// Where texts are looked for: in each folder, the file is `<name>/input.txt`.
#[derive(Clone, Debug)]
pub struct DataSettings {
    /// The folder the user asked for (`CSAE_DATA`). If there is one, nothing else will do.
    pub given: Option<PathBuf>,
    /// The folder `data` where the trainer was started, for texts of the user's.
    pub beside: PathBuf,
    /// The folder that keeps downloads.
    pub cache: PathBuf,
    /// Who downloads, usually [`downloader`](super::downloader).
    pub agent: Agent,
}

/// A text that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The whole text.
    pub text: String,
    /// The file it was read from.
    pub path: PathBuf,
    /// What a reader of the results must know about it.
    pub note: Option<String>,
}

/// Why there is no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// It is nowhere, so that a run may go on without it.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// What the user asked for or put there cannot be used, so that a run must not go on.
    #[error("{path}: {problem}\n  fix: {fix}", path = path.display())]
    Unusable {
        /// The file that was looked at.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        fix: String,
    },
}

/// A text that is in no folder and could not be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What the text is called.
    pub name: String,
    /// The files that were looked for.
    pub looked_in: Vec<PathBuf>,
    /// Why there was no download.
    pub reason: String,
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { name, looked_in, reason } = self;
        let paths: Vec<String> = looked_in.iter().map(|path| path.display().to_string()).collect();
        write!(f, "{name} not found; {reason}\n  looked in: {}", paths.join("\n             "))?;
        write!(f, "\n  fix: save the text as the first of these, or set CSAE_DATA to a folder ")?;
        write!(f, "that holds {name}/input.txt")
    }
}

/// Looks for `text` in the folder the user gave and nowhere else; without one, in the folder
/// beside, in the cache, on the web. `announce` is told of a download before it begins.
pub fn find(
    text: &PublishedText,
    settings: &DataSettings,
    announce: &mut dyn FnMut(&str),
) -> Result<Found, DataError> {
    if let Some(folder) = &settings.given {
        let path = file_in(folder, text);
        let Some(bytes) = read_if_there(&path)? else {
            return Err(not_in_given(&text.name, folder, &path));
        };
        return accept(text, &path, bytes);
    }
    let beside = file_in(&settings.beside, text);
    if let Some(bytes) = read_if_there(&beside)? {
        return accept(text, &beside, bytes);
    }
    let cached = file_in(&settings.cache, text);
    // Whatever else is there, a download replaces.
    if let Ok(bytes) = fs::read(&cached)
        && text.is(&bytes)
    {
        return accept(text, &cached, bytes);
    }
    announce(&text.announcement(&cached));
    let bytes = text.download(&settings.agent, &cached).map_err(|error| Missing {
        name: text.name.clone(),
        looked_in: vec![beside, cached.clone()],
        reason: format!("{error:#}"),
    })?;
    accept(text, &cached, bytes)
}

/// The file of `text` in `folder`, as the exact path that messages name.
fn file_in(folder: &Path, text: &PublishedText) -> PathBuf {
    let path = folder.join(&text.name).join("input.txt");
    absolute(&path).unwrap_or(path)
}

/// The bytes of a file, or `None` if there is no such file.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DataError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => {
                let problem = format!("cannot be read: {error}");
                Err(unusable(path, problem, "make it a file that you may read, or remove it"))
            }
        },
    }
}

/// The folder that the user gave lacks the text called `name`; `path` is where it would be.
pub(super) fn not_in_given(name: &str, folder: &Path, path: &Path) -> DataError {
    let problem = match folder.metadata() {
        Err(_) => "not found: there is no such folder as CSAE_DATA says",
        Ok(metadata) if metadata.is_file() => "not found: CSAE_DATA is a file, not a folder",
        Ok(_) => "not found in the folder that CSAE_DATA says",
    };
    let file = path.file_name().unwrap_or_default().display();
    let mut fix = format!(
        "set CSAE_DATA to the folder that holds {name}/{file}, or unset it to have the text looked \
         for in ./data and downloaded"
    );
    let others = names_in(folder);
    if !others.is_empty() {
        fix += &format!("; or choose a text that is there by CSAE_TEXT: {}", others.join(", "));
    }
    unusable(path, problem, fix)
}

/// The texts in a folder of texts, by name.
pub(super) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("input.txt").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Takes any text, as users may bring their own, and notes if it is not the published one.
fn accept(text: &PublishedText, path: &Path, bytes: Vec<u8>) -> Result<Found, DataError> {
    if bytes.is_empty() {
        return Err(unusable(path, "is empty", "put a text there, or remove the file"));
    }
    let PublishedText { name, url, .. } = text;
    let note = (!text.is(&bytes)).then(|| {
        format!(
            "the text differs from the one published as {name} at {url}: its results do not compare \
             with results published for {name}"
        )
    });
    let text = String::from_utf8(bytes).map_err(|error| {
        let problem = format!("is not UTF-8 at byte {}", error.utf8_error().valid_up_to());
        unusable(path, problem, "save the text as UTF-8")
    })?;
    let path = path.to_owned();
    Ok(Found { text, path, note })
}

/// What the user put at `path` cannot be used.
pub(super) fn unusable(
    path: &Path,
    problem: impl Into<String>,
    fix: impl Into<String>,
) -> DataError {
    DataError::Unusable { path: path.to_owned(), problem: problem.into(), fix: fix.into() }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::published::tests::{TEXT, direct, ok, out_of_reach, served};
    use super::*;

    /// A machine with places for three folders, and a web with one text.
    struct Scene {
        text: PublishedText,
        settings: DataSettings,
        announced: Vec<String>,
        folder: TempDir,
    }

    impl Scene {
        fn new(text: PublishedText) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let settings = DataSettings {
                given: None,
                beside: folder.path().join("data"),
                cache: folder.path().join("cache"),
                agent: direct(),
            };
            Self { text, settings, announced: Vec::new(), folder }
        }

        fn offline() -> Self {
            Self::new(out_of_reach())
        }

        fn of_a_user(folder: &str, bytes: &[u8]) -> (Self, PathBuf) {
            let mut scene = Self::offline();
            let path = scene.put(folder, bytes);
            if folder == "given" {
                scene.settings.given = Some(scene.folder.path().join(folder));
            }
            (scene, path)
        }

        fn put(&self, folder: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
            let path = self.path(folder);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            path
        }

        fn path(&self, folder: &str) -> PathBuf {
            self.folder.path().join(folder).join("play/input.txt")
        }

        fn find(&mut self) -> Result<Found, DataError> {
            find(&self.text, &self.settings, &mut |line| self.announced.push(line.to_owned()))
        }
    }

    fn as_published(path: PathBuf) -> Found {
        let text = TEXT.to_owned();
        Found { text, path, note: None }
    }

    #[test]
    fn reads_the_folder_given_before_all_others() {
        let (mut scene, path) = Scene::of_a_user("given", TEXT.as_bytes());
        scene.put("data", "another");

        let found = scene.find().unwrap();

        assert_eq!(found, as_published(path));
    }

    #[test]
    fn reads_the_folder_beside_before_the_cache_and_the_cache_before_the_web() {
        let mut scene = Scene::offline();

        let cached = scene.put("cache", TEXT);
        assert_eq!(scene.find().unwrap().path, cached);
        let beside = scene.put("data", TEXT);
        assert_eq!(scene.find().unwrap().path, beside);

        assert!(scene.announced.is_empty());
    }

    #[test]
    fn uses_a_text_of_the_users_and_notes_that_it_is_another() {
        for folder in ["given", "data"] {
            let (mut scene, path) = Scene::of_a_user(folder, b"my own play");

            let found = scene.find().unwrap();

            let note = found.note.unwrap();
            assert_eq!(found.text, "my own play");
            assert!(note.contains("differs from the one published as play"), "{note}");
            assert_eq!(found.path, path);
        }
    }

    #[test]
    fn a_folder_given_without_the_text_is_an_error_though_the_text_is_elsewhere() {
        fn check(scene: &mut Scene, expected: &str) {
            let message = scene.find().unwrap_err().to_string();
            let start = format!("{}: {expected}\n  fix: ", scene.path("given").display());
            assert!(message.starts_with(&start), "{message}");
        }
        let mut scene = Scene::offline();
        scene.put("data", TEXT);
        let given = scene.folder.path().join("given");
        scene.settings.given = Some(given.clone());

        check(&mut scene, "not found: there is no such folder as CSAE_DATA says");
        fs::write(&given, TEXT).unwrap();
        check(&mut scene, "not found: CSAE_DATA is a file, not a folder");
        fs::remove_file(&given).unwrap();
        fs::create_dir(&given).unwrap();
        check(&mut scene, "not found in the folder that CSAE_DATA says");
    }

    #[test]
    fn a_broken_file_of_the_users_is_an_error() {
        fn check(bytes: &[u8], expected: &str) {
            for folder in ["given", "data"] {
                let (mut scene, path) = Scene::of_a_user(folder, bytes);
                scene.put("cache", TEXT);

                let message = scene.find().unwrap_err().to_string();

                let start = format!("{}: {expected}\n  fix: ", path.display());
                assert!(message.starts_with(&start), "{message}");
            }
        }

        check(b"", "is empty");
        check(b"caf\xe9 noir", "is not UTF-8 at byte 3");
    }

    #[test]
    fn a_folder_in_the_files_place_is_an_error() {
        let mut scene = Scene::offline();
        fs::create_dir_all(scene.path("data")).unwrap();

        let error = scene.find().unwrap_err();

        assert!(matches!(error, DataError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains("input.txt: cannot be read: "), "{error}");
    }

    #[test]
    fn downloads_once_after_saying_what_and_from_where() {
        let mut scene = Scene::new(served(ok(TEXT.len(), TEXT)));
        let path = scene.put("cache", "damaged");

        let found = scene.find().unwrap();

        assert_eq!(found, as_published(path.clone()));
        let again = scene.find().unwrap();
        assert_eq!(again, found, "from the cache, as the server answers once");
        assert_eq!(scene.announced, [scene.text.announcement(&path)]);
        assert!(scene.announced[0].starts_with("downloading play (0.0 MB) from http://127.0.0.1"));
    }

    #[test]
    fn without_the_web_the_text_is_missing_and_no_folder_is_made() {
        let mut scene = Scene::offline();

        let error = scene.find().unwrap_err();

        let DataError::Missing(missing) = &error else { panic!("{error}") };
        assert_eq!(missing.looked_in, [scene.path("data"), scene.path("cache")]);
        assert!(missing.reason.starts_with("no download from http://127.0.0.1"), "{error}");
        assert!(error.to_string().contains("\n  fix: save the text as "), "{error}");
        assert!(!scene.folder.path().join("cache").exists());
    }
}
