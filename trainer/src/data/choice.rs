//! Which text a run reads: the real one where it can be had, else a generated language.

use std::path::Path;

use anyhow::Result;

use super::languages::{AnnotatedText, Language, Split};
use super::large_text::LargeText;
use super::own_text::{self, OwnText};
use super::{Corpus, DataError, DataSettings, PublishedText, downloader, find};
use crate::complaint::Complaint;
use crate::console::Console;
use crate::interrupt;
use crate::plan::{Plan, Profile, ProfileName};
use crate::settings::Settings;

/// Of the generated language.
const SEED: u64 = 1;
/// How many bytes of a large text two processor cores learn from.
const PREFIX: usize = 4_000_000;

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

impl ChosenText {
    /// The language that the text is of, if it was generated.
    pub fn language(&self) -> Option<Language> {
        self.hidden.as_ref()?;
        Language::ALL.into_iter().find(|language| language.name() == self.corpus.name)
    }
}

/// The texts for a plan at this size, the chosen one first. A plan for every text also gets the generated
/// languages and those large texts that are at hand, unless the user has chosen one.
///
/// # Errors
/// The text that the user gave or chose cannot be used, or a large text that is at hand.
pub fn texts_for(
    plan: &Plan,
    profile: &Profile,
    settings: &Settings,
    cache: &Path,
    console: &Console,
) -> Result<Vec<ChosenText>> {
    let mut first = corpus_for(profile, settings, cache, console)?;
    if !plan.every_text || settings.text.is_some() || settings.language.is_some() {
        return Ok(vec![first]);
    }
    let mut further = vec![];
    for language in Language::ALL {
        if language.name() != first.corpus.name {
            further.push(generated(profile, language)?);
        }
    }
    let places = places(settings, cache);
    for name in LargeText::NAMES {
        match LargeText::named(name).is_some_and(|text| text.is_at_hand(&places)) {
            true => further.push(chosen(profile, name, &places, console)?),
            false => {
                let reason = format!("it is not at hand; CSAE_TEXT={name} downloads it");
                first.left_out.push((name.into(), reason));
            }
        }
    }
    Ok([vec![first], further].concat())
}

/// The text for a run of this size.
///
/// # Errors
/// The text that the user gave or chose cannot be used.
pub fn corpus_for(
    profile: &Profile,
    settings: &Settings,
    cache: &Path,
    console: &Console,
) -> Result<ChosenText> {
    if let Some(language) = settings.language {
        if let Some(text) = &settings.text {
            let what = format!("both a text, {text}, and a language, {}", language.name());
            return Err(Complaint::usage(what).fix("unset CSAE_TEXT or CSAE_LANGUAGE").into());
        }
        return generated(profile, language);
    }
    let places = places(settings, cache);
    let published = PublishedText::shakespeare_char();
    if let Some(name) = settings.text.as_deref().filter(|name| *name != published.name) {
        return chosen(profile, name, &places, console);
    }
    match find(&published, &places, &mut |text| console.say(text)) {
        Ok(found) => {
            let origin = found.path.display().to_string();
            say_found(console, &origin, found.note.as_deref());
            let corpus = corpus(profile, &published.name, &found.text, &origin)?;
            Ok(ChosenText { corpus, left_out: vec![], remark: found.note, hidden: None })
        }
        Err(DataError::Missing(missing)) if settings.text.is_none() => {
            console.say(&missing.to_string());
            console.say("going on with a generated language, arithmetic");
            let left_out = vec![(missing.name, missing.reason)];
            Ok(ChosenText { left_out, ..generated(profile, Language::Arithmetic)? })
        }
        Err(unusable) => Err(Complaint::usage(unusable.to_string()).into()),
    }
}

/// Where texts are looked for.
fn places(settings: &Settings, cache: &Path) -> DataSettings {
    DataSettings {
        given: settings.data.clone(),
        beside: "data".into(),
        cache: cache.join("data"),
        agent: downloader(),
    }
}

fn say_found(console: &Console, origin: &str, note: Option<&str>) {
    console.say(&format!("text: {origin}"));
    if let Some(note) = note {
        console.say(note);
    }
}

/// The text that the user chose by its name. Nothing else will do.
fn chosen(
    profile: &Profile,
    name: &str,
    places: &DataSettings,
    console: &Console,
) -> Result<ChosenText> {
    let refused = |error: DataError| match interrupt::requested() {
        true => interrupt::stopped(),
        false => Complaint::usage(error.to_string()),
    };
    let minimum = profile.lm.block_size + 1;
    if let Some(text) = LargeText::named(name) {
        let parts = text
            .find(large_limit(profile), places, &mut |text| console.say(text))
            .map_err(refused)?;
        let origin = parts.path.display().to_string();
        say_found(console, &origin, parts.note.as_deref());
        let corpus = Corpus::from_bytes(name, [&parts.train, &parts.validation], &origin, minimum)
            .map_err(|error| Complaint::usage(error.to_string()))?;
        return Ok(ChosenText { corpus, left_out: vec![], remark: parts.note, hidden: None });
    }
    let OwnText { bytes, path, note } = own_text::find(name, places).map_err(refused)?;
    let origin = path.display().to_string();
    say_found(console, &origin, note.as_deref());
    let corpus = match own_text::excerpt_of(name) {
        Some(_) => {
            let length = profile.text_limit.map_or(bytes.len(), |limit| limit.min(bytes.len()));
            let parts = bytes[..length].split_at(length / 10 * 9);
            Corpus::from_bytes(name, parts.into(), &origin, minimum)
                .map_err(|error| Complaint::usage(error.to_string()))?
        }
        None => {
            let text = String::from_utf8(bytes).map_err(|error| {
                let place = error.utf8_error().valid_up_to();
                Complaint::usage(format!("{origin}: is not UTF-8 at byte {place}"))
                    .fix("save the text as UTF-8")
            })?;
            corpus(profile, name, &text, &origin)?
        }
    };
    Ok(ChosenText { corpus, left_out: vec![], remark: note, hidden: None })
}

/// How many bytes of a large text a run of this size keeps; all of them if not given.
fn large_limit(profile: &Profile) -> Option<usize> {
    profile.text_limit.or((profile.name == ProfileName::Cpu).then_some(PREFIX))
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

    /// What is chosen among texts with this name and content.
    fn among(texts: &[(&str, &[u8])], chosen: Option<&str>) -> Result<ChosenText> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in texts {
            let file = folder.path().join(name).join("input.txt");
            crate::files::write_whole(&file, text).unwrap();
        }
        let text = chosen.map(String::from);
        let settings = Settings { data: Some(folder.path().into()), text, ..Settings::default() };
        let profile = Profile::named(ProfileName::Smoke);
        corpus_for(&profile, &settings, folder.path(), &Console::new())
    }

    fn with_text(text: &[u8]) -> Result<ChosenText> {
        among(&[("shakespeare_char", text)], None)
    }

    fn refusal(texts: &[(&str, &[u8])], chosen: &str) -> String {
        let error = among(texts, Some(chosen)).unwrap_err();
        assert_eq!(error.downcast_ref::<Complaint>().unwrap().code(), 2);
        error.to_string()
    }

    #[test]
    fn a_text_is_chosen_by_its_name() {
        let bible = "In the beginning God created the heaven and the earth. ".repeat(100);
        let texts: [(&str, &[u8]); 2] =
            [("shakespeare_char", b"To be, or not"), ("kjv_bible", bible.as_bytes())];

        let ChosenText { corpus, remark, .. } = among(&texts, Some("kjv_bible")).unwrap();

        assert_eq!((corpus.name.as_str(), remark), ("kjv_bible", None));
        assert_eq!(corpus.train.len(), 55 * 90);
    }

    #[test]
    fn an_excerpt_is_bytes_and_is_never_called_by_the_whole_ones_name() {
        let text = "<page> caf\u{e9} </page> ".repeat(4_000);
        let name = "enwik8_excerpt_4MB";

        let ChosenText { corpus, remark, .. } =
            among(&[(name, text.as_bytes())], Some(name)).unwrap();

        assert_eq!(corpus.name, name);
        assert!(corpus.vocab.id('\u{c3}').is_some() && corpus.vocab.id('\u{e9}').is_none());
        assert_eq!((corpus.train.len(), corpus.validation.len()), (57_600, 6_400));
        assert!(remark.unwrap().contains("enwik8_excerpt_4MB is not enwik8"));
        let refused = refusal(&[("enwik8", text.as_bytes())], "enwik8");
        assert!(refused.contains("CSAE_TEXT=enwik8_excerpt"), "{refused}");
    }

    #[test]
    fn texts_that_are_not_there_are_refused_with_those_that_are() {
        let texts: [(&str, &[u8]); 2] = [("kjv_bible", b"In the beginning"), ("sonnets", b"")];

        let refused = refusal(&texts, "kjv");
        assert!(refused.contains("kjv/input.txt") && refused.contains("kjv_bible"), "{refused}");
        let refused = refusal(&texts, "shakespeare_char");
        assert!(refused.contains("CSAE_TEXT: kjv_bible, sonnets"), "{refused}");
        assert!(refusal(&texts, "../kjv_bible").contains("not the name of a folder"));
        assert!(refusal(&texts, "sonnets").contains("is empty"));
        assert!(refusal(&[("x", b"\xff")], "x").contains("not UTF-8 at byte 0"));
        assert!(refusal(&texts, "kjv_bible").contains("too short"));
    }

    #[test]
    fn a_plan_for_every_text_gets_the_languages_unless_one_text_is_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shakespeare_char/input.txt");
        crate::files::write_whole(&file, "To be, or not to be. ".repeat(100).as_bytes()).unwrap();
        let profile = Profile::named(ProfileName::Smoke);
        let names = |plan: &str, settings: Settings| -> Vec<String> {
            let plan = crate::plan::named(plan).unwrap();
            let settings = Settings { data: Some(folder.path().into()), ..settings };
            let texts = texts_for(&plan, &profile, &settings, folder.path(), &Console::new());
            texts.unwrap().into_iter().map(|text| text.corpus.name).collect()
        };
        let text = |text: &str| Settings { text: Some(text.into()), ..Settings::default() };
        let boolean = Settings { language: Some(Language::Boolean), ..Settings::default() };

        let all = ["shakespeare_char", "arithmetic", "boolean", "grammar"];
        assert_eq!(names("run_0", Settings::default()), all);
        assert_eq!(names("run_1", Settings::default()), all[..1]);
        assert_eq!(names("run_0", text(all[0])), all[..1]);
        assert_eq!(names("run_0", boolean), all[2..3]);
    }

    #[test]
    fn a_large_text_that_is_not_at_hand_is_told_and_a_wrong_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let text = "To be, or not to be. ".repeat(100);
            crate::files::write_whole(&folder.path().join(name), text.as_bytes()).unwrap();
        };
        put("shakespeare_char/input.txt");
        let profile = Profile::named(ProfileName::Smoke);
        let settings = Settings { data: Some(folder.path().into()), ..Settings::default() };
        let plan = crate::plan::named("run_0").unwrap();
        let texts = || texts_for(&plan, &profile, &settings, folder.path(), &Console::new());

        let left_out = texts().unwrap()[0].left_out.clone();
        put("text8/text8");
        let refused = texts().unwrap_err().to_string();

        assert_eq!(left_out.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), LargeText::NAMES);
        assert!(refused.contains("is not text8: it has 2100 bytes"), "{refused}");
    }

    #[test]
    fn a_text_and_a_language_at_once_are_refused() {
        let settings = Settings {
            text: Some("kjv_bible".into()),
            language: Some(Language::Boolean),
            ..Settings::default()
        };
        let profile = Profile::named(ProfileName::Smoke);

        let error = corpus_for(&profile, &settings, Path::new("x"), &Console::new()).unwrap_err();

        assert!(error.to_string().contains("kjv_bible") && error.is::<Complaint>(), "{error}");
    }

    #[test]
    fn two_cores_read_four_megabytes_of_a_large_text_and_a_graphics_card_all() {
        let limit = |name| large_limit(&Profile::named(name));

        assert_eq!(limit(ProfileName::Smoke), Some(64_000));
        assert_eq!(limit(ProfileName::Cpu), Some(4_000_000));
        assert_eq!(limit(ProfileName::Full), None);
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
