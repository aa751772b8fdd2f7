//! Which text a run reads: the real one where it can be had, else a generated language.

use std::path::Path;

use anyhow::Result;

use super::languages::{AnnotatedText, Language, Split};
use super::{Corpus, DataError, DataSettings, PublishedText, downloader, find};
use crate::complaint::Complaint;
use crate::console::Console;
use crate::plan::{Profile, ProfileName};
use crate::settings::Settings;

/// Of the generated language.
const SEED: u64 = 1;

/// The text of a run, and what a reader of the results must know about it.
#[derive(Clone, Debug)]
pub struct ChosenText {
    /// The text.
    pub corpus: Corpus,
    /// What was left out, and why, by data set.
    pub left_out: Vec<(String, String)>,
    /// How it differs from what its name promises.
    pub remark: Option<String>,
    /// What is behind every character to validate on, if the text is of a generated language.
    pub hidden: Option<AnnotatedText>,
}

/// The text for a run of this size.
///
/// # Errors
/// The text that the user gave cannot be used.
pub fn corpus_for(
    profile: &Profile,
    settings: &Settings,
    cache: &Path,
    console: &Console,
) -> Result<ChosenText> {
    if let Some(language) = settings.language {
        return generated(profile, language);
    }
    let published = PublishedText::shakespeare_char();
    let places = DataSettings {
        given: settings.data.clone(),
        beside: "data".into(),
        cache: cache.join("data"),
        agent: downloader(),
    };
    match find(&published, &places, &mut |text| console.say(text)) {
        Ok(found) => {
            console.say(&format!("text: {}", found.path.display()));
            let origin = found.path.display().to_string();
            if let Some(note) = &found.note {
                console.say(note);
            }
            let corpus = corpus(profile, &published.name, &found.text, &origin)?;
            Ok(ChosenText { corpus, left_out: vec![], remark: found.note, hidden: None })
        }
        Err(DataError::Missing(missing)) => {
            console.say(&missing.to_string());
            console.say("going on with a generated language, arithmetic");
            let left_out = vec![(missing.name, missing.reason)];
            Ok(ChosenText { left_out, ..generated(profile, Language::Arithmetic)? })
        }
        Err(unusable) => Err(Complaint::usage(unusable.to_string()).into()),
    }
}

/// A text of a generated language; no line to validate on is trained on.
fn generated(profile: &Profile, language: Language) -> Result<ChosenText> {
    let lines = if profile.name == ProfileName::Smoke { 2_000 } else { 100_000 };
    let train = language.generate(SEED, Split::Train, lines);
    let validation = language.generate(SEED, Split::Validation, lines / 8);
    let texts = [&train.text[..], &validation.text];
    let corpus = Corpus::from_parts(language.name(), texts, profile.lm.block_size + 1)
        .map_err(|error| Complaint::failed(error.to_string()))?;
    Ok(ChosenText { corpus, left_out: vec![], remark: None, hidden: Some(validation) })
}

fn corpus(profile: &Profile, name: &str, text: &str, origin: &str) -> Result<Corpus, Complaint> {
    let limit = profile.text_limit.unwrap_or(usize::MAX);
    let end = text.char_indices().nth(limit).map_or(text.len(), |(place, _)| place);
    let minimum = Corpus::minimum_characters(profile.lm.block_size);
    Corpus::from_text(name, &text[..end], origin, minimum)
        .map_err(|error| Complaint::usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_text(text: &[u8]) -> Result<ChosenText> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shakespeare_char/input.txt");
        crate::files::write_whole(&file, text).unwrap();
        let settings = Settings { data: Some(folder.path().into()), ..Settings::default() };
        let profile = Profile::named(ProfileName::Smoke);
        corpus_for(&profile, &settings, folder.path(), &Console::new())
    }

    #[test]
    fn a_given_text_is_read_up_to_the_limit_of_the_profile() {
        let text = "To be, or not to be. ".repeat(5_000);

        let ChosenText { corpus, left_out, remark, .. } = with_text(text.as_bytes()).unwrap();

        assert_eq!(corpus.train.len() + corpus.validation.len(), 64_000);
        assert!(left_out.is_empty());
        assert!(remark.is_some(), "this is not Shakespeare");
    }

    #[test]
    fn texts_that_cannot_be_used_are_refused_with_what_to_do() {
        for text in [&b""[..], b"aaaaaaaaaaaaaaaa", b"too short", b"\xff\xfe not UTF-8"] {
            let error = with_text(text).unwrap_err();
            let complaint = error.downcast_ref::<Complaint>().unwrap();
            assert_eq!(complaint.code(), 2);
            let text = complaint.to_string();
            assert!(text.contains("input.txt") && text.contains("fix: "), "{text}");
        }
    }
}
