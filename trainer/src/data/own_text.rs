//! Texts of the user's own: any folder of texts with an `input.txt` in it, chosen by its name.

use std::path::{Component, Path, PathBuf, absolute};

use super::text_files::{
    DataError, DataSettings, Missing, names_in, not_in_given, read_if_there, unusable,
};

/// A text of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnText {
    /// All of it.
    pub bytes: Vec<u8>,
    /// The file it was read from.
    pub path: PathBuf,
    /// What a reader of the results must know about it.
    pub note: Option<String>,
}

/// Finds the text called `name` in the folder the user gave, else in the folder beside.
///
/// # Errors
/// There is none, it is empty, or its name is not that of a folder.
pub fn find(name: &str, settings: &DataSettings) -> Result<OwnText, DataError> {
    let folder = settings.given.as_ref().unwrap_or(&settings.beside);
    let path = folder.join(name).join("input.txt");
    let path = absolute(&path).unwrap_or(path);
    let mut parts = Path::new(name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        let problem = format!("CSAE_TEXT={name:?} is not the name of a folder");
        let there = names_in(folder);
        return Err(unusable(folder, problem, format!("one of {}", there.join(", "))));
    }
    let Some(bytes) = read_if_there(&path)? else {
        if let Some(folder) = &settings.given {
            return Err(not_in_given(name, folder, &path));
        }
        let reason = "it is not among the texts that can be downloaded, which are \
                      shakespeare_char, enwik8 and text8";
        let (name, looked_in) = (name.to_owned(), vec![path]);
        return Err(Missing { name, looked_in, reason: reason.into() }.into());
    };
    if bytes.is_empty() {
        return Err(unusable(&path, "is empty", "put a text there, or choose another"));
    }
    let note = excerpt_of(name).map(|whole| {
        format!("{name} is not {whole}: results do not compare with results published for {whole}")
    });
    Ok(OwnText { bytes, path, note })
}

/// The large text of whose bytes a folder of this name holds some.
pub fn excerpt_of(name: &str) -> Option<&'static str> {
    ["enwik8", "text8"].into_iter().find(|whole| name.starts_with(whole))
}
