//! What a rater sends back: JSON lines, a header, one line per answer, and an end.
//!
//! ```text
//! {"kind":"header","schema":1,"study":"pilot","study_sha256":"..","rater":"..",..}
//! {"kind":"answer","item":"i07","pos":12,"intruder":3,"clarity":4,"confidence":2,..}
//! {"kind":"end","n":28,"complete":true}
//! ```
//!
//! A file without an end is a session that was not finished. The page writes and the trainer reads
//! with the same structs; whatever else a file says, it is refused with its line.

pub mod code;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::study::{LINES, Study};

/// The version of the form; a reader refuses a newer one.
pub const SCHEMA: u32 = 1;
/// How many bytes a file has at most.
pub const LONGEST_FILE: usize = 1_000_000;
/// How many bytes a line has at most.
pub const LONGEST_LINE: usize = 10_000;
/// How many characters say in a few words what an item is.
pub const LONGEST_LABEL: usize = 80;
/// How many characters a comment has at most.
pub const LONGEST_COMMENT: usize = 1_000;
/// Longer than this, in seconds, nobody looks at an item: they were away.
pub const LONGEST_LOOK: f64 = 600.0;

/// All that a rater said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// Who and of which study.
    pub header: Header,
    /// In the order in which they were asked.
    pub answers: Vec<Answer>,
    /// Absent if the rater stopped before the end.
    pub end: Option<End>,
}

/// The first line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the form.
    pub schema: u32,
    /// The name of the study.
    pub study: String,
    /// The SHA-256 of the study's file.
    pub study_sha256: String,
    /// The version of the page.
    pub app: String,
    /// 128 random bits in base32.
    pub rater: String,
    /// Which block of the study, counted from 0.
    pub block: usize,
    /// To what the rater agreed.
    pub consent: Consent,
    /// What the rater said of themselves.
    #[serde(default)]
    pub background: Background,
    /// What the page was looked at with, roughly.
    pub screen: Screen,
}

/// To what a rater agreed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The SHA-256 of the text.
    pub text_sha256: String,
    /// The day, as in `2026-11-23`.
    pub at: String,
    /// Whether the answers may be published without the id.
    pub publish: bool,
}

/// What a rater said of themselves; nothing of it must be said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Experience with machine learning: none, some, much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experience: Option<String>,
    /// Whether English is a language they grew up with: yes, no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_english: Option<String>,
    /// Whether they see colours as most people do: yes, no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour_vision: Option<String>,
}

/// How wide the page was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Screen {
    /// Below 640 pixels.
    Phone,
    /// Below 1,024 pixels.
    Tablet,
    /// Wider.
    #[default]
    Desktop,
}

/// What a rater said of one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The item's id.
    pub item: String,
    /// The how-manieth it was, from 1.
    pub pos: usize,
    /// Whether it was asked for the second time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeat: bool,
    /// Which line does not belong, from 1; 0 is "cannot tell".
    pub intruder: u8,
    /// How clear a single idea is, 1 to 5.
    pub clarity: u8,
    /// What was said of the intruder first, if it was changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_intruder: Option<u8>,
    /// What was said of the clarity first, if it was changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_clarity: Option<u8>,
    /// How sure, 1 to 3.
    pub confidence: u8,
    /// What it is, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How long it was looked at, to a tenth of a second, [`LONGEST_LOOK`] at most.
    pub seconds: f64,
    /// Whether the answer was given by keys alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keys: bool,
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many answers there are.
    pub n: usize,
    /// Whether everything was answered.
    pub complete: bool,
    /// How difficult it was, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<u8>,
    /// Whatever the rater wanted to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// The first.
    Header(Header),
    /// Those between.
    Answer(Answer),
    /// The last.
    End(End),
}

impl Line {
    /// The line without its end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain structs are always JSON")
    }
}

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// 128 bits as a rater's id: base32 without padding (RFC 4648, section 6).
pub fn rater_id(bits: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(bits);
    // 26 digits have 130 bits; the last two are 0.
    let digit = |place: u32| match place {
        25 => bits << 2 & 31,
        _ => bits >> (123 - 5 * place) & 31,
    };
    (0..26).map(|place| char::from(BASE32[digit(place) as usize])).collect()
}

impl Session {
    /// The session as JSON lines.
    pub fn to_jsonl(&self) -> String {
        let header = Line::Header(self.header.clone());
        let answers = self.answers.iter().cloned().map(Line::Answer);
        let lines = std::iter::once(header).chain(answers).chain(self.end.clone().map(Line::End));
        lines.map(|line| line.to_json() + "\n").collect()
    }

    /// The session in a file of JSON lines. Line ends of other systems and empty lines at the end,
    /// as mail programs make them, do no harm.
    ///
    /// # Errors
    /// The first line that is not what a session has there.
    pub fn read(bytes: &[u8]) -> Result<Self, BadLine> {
        if bytes.len() > LONGEST_FILE {
            let reason = format!("the file has more than {LONGEST_FILE} bytes");
            return Err(BadLine { line: 1, reason });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        while lines.last().is_some_and(|line| line.trim_ascii().is_empty()) {
            lines.pop();
        }
        let mut session = None;
        for (place, line) in lines.into_iter().enumerate() {
            let bad = |reason| BadLine { line: place + 1, reason };
            session = Some(Self::with(session, line).map_err(bad)?);
        }
        session.ok_or(BadLine { line: 1, reason: "the file is empty".into() })
    }

    /// The session so far with one more line.
    fn with(session: Option<Self>, line: &[u8]) -> Result<Self, String> {
        let line = parse(line)?;
        let Some(mut session) = session else {
            let Line::Header(header) = line else {
                return Err("a session begins with its header".into());
            };
            header.check()?;
            return Ok(Self { header, ..Self::default() });
        };
        match line {
            _ if session.end.is_some() => return Err("there is more after the end".into()),
            Line::Header(_) => return Err("there is a second header".into()),
            Line::Answer(answer) => {
                answer.check()?;
                if session.answers.last().is_some_and(|last| last.pos >= answer.pos) {
                    return Err(format!("pos {} does not come after the last", answer.pos));
                }
                session.answers.push(answer);
            }
            Line::End(end) => {
                end.check(session.answers.len())?;
                session.end = Some(end);
            }
        }
        Ok(session)
    }

    /// Whether everything was answered.
    pub fn is_complete(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.complete)
    }

    /// Checks that the session is of this study, whose file has this SHA-256, and that each item
    /// was asked where the study asks it.
    ///
    /// # Errors
    /// The first line that does not fit.
    pub fn check(&self, study: &Study, study_sha256: &str) -> Result<(), BadLine> {
        let bad = |line, reason| Err(BadLine { line, reason });
        if self.header.study_sha256 != study_sha256 {
            let (found, name) = (&self.header.study, &study.name);
            return bad(1, format!("it answers {found:?} in another version than this {name:?}"));
        }
        let sequence = study.sequence(self.header.block, &self.header.rater);
        if sequence.is_empty() {
            return bad(1, format!("the study has no block {}", self.header.block));
        }
        let mut seen = BTreeSet::new();
        for (place, answer) in self.answers.iter().enumerate() {
            let asked = sequence.get(answer.pos - 1);
            let fits =
                asked.is_some_and(|one| one.item == answer.item && one.repeat == answer.repeat);
            if !fits || !seen.insert(answer.pos) {
                let reason = format!("{:?} was not asked at {}", answer.item, answer.pos);
                return bad(place + 2, reason);
            }
        }
        if self.is_complete() && self.answers.len() != sequence.len() {
            let reason = format!("it has {} answers of {}", self.answers.len(), sequence.len());
            return bad(self.answers.len() + 2, format!("it says complete, but {reason}"));
        }
        Ok(())
    }
}

fn parse(line: &[u8]) -> Result<Line, String> {
    #[derive(Deserialize)]
    struct Head {
        schema: Option<u32>,
    }
    if line.len() > LONGEST_LINE {
        return Err(format!("it has more than {LONGEST_LINE} bytes"));
    }
    if let Ok(Head { schema: Some(found) }) = serde_json::from_slice(line)
        && found > SCHEMA
    {
        return Err(format!("it has the form {found}; this csae reads forms up to {SCHEMA}"));
    }
    serde_json::from_slice(line).map_err(|error| format!("it is no line of a session: {error}"))
}

impl Header {
    fn check(&self) -> Result<(), String> {
        let is_rater =
            self.rater.len() == 26 && self.rater.bytes().all(|byte| BASE32.contains(&byte));
        let Background { experience, native_english, colour_vision } = &self.background;
        let words = [experience, native_english, colour_vision].into_iter().flatten();
        let consent = [&self.consent.at, &self.consent.text_sha256];
        for text in words.chain(consent).chain([&self.study, &self.app]) {
            check_text(text, LONGEST_LABEL)?;
        }
        if is_rater { Ok(()) } else { Err(format!("{:?} is no rater's id", self.rater)) }
    }
}

impl Answer {
    fn check(&self) -> Result<(), String> {
        let is_line = |line: u8| usize::from(line) <= LINES;
        let is_step = |step: u8| (1..=5).contains(&step);
        let fits = self.pos > 0
            && is_line(self.intruder)
            && self.first_intruder.is_none_or(is_line)
            && is_step(self.clarity)
            && self.first_clarity.is_none_or(is_step)
            && (1..=3).contains(&self.confidence)
            && (0.0..=LONGEST_LOOK).contains(&self.seconds);
        if !fits {
            return Err("a number is none that can be answered".into());
        }
        check_text(&self.item, LONGEST_LABEL)?;
        self.label.as_ref().map_or(Ok(()), |label| check_text(label, LONGEST_LABEL))
    }
}

impl End {
    fn check(&self, answers: usize) -> Result<(), String> {
        if self.n != answers {
            return Err(format!("it counts {} answers, there are {answers}", self.n));
        }
        if self.difficulty.is_some_and(|step| !(1..=5).contains(&step)) {
            return Err("a number is none that can be answered".into());
        }
        self.comment.as_ref().map_or(Ok(()), |comment| check_text(comment, LONGEST_COMMENT))
    }
}

/// Text as raters type it: short, and no signs that steer a terminal or a table.
fn check_text(text: &str, longest: usize) -> Result<(), String> {
    match text.chars().count() > longest || text.chars().any(char::is_control) {
        true => Err(format!("a text is longer than {longest} or has control characters")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
