//! A rater on the way through a study.

use std::collections::BTreeSet;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;
use shared::ratings::{
    Answer, Background, Consent, End, Header, LONGEST_LOOK, Line, SCHEMA, Session, rater_id,
};
use shared::study::{Item, Shown, Study};
use wasm_bindgen_futures::spawn_local;

use super::store::{AnswerStore, NotKept};
use super::{hand_over, only_tab};
use crate::session::LoadedStudy;

/// How far a rater is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The browser is asked what it has.
    Opening,
    /// Another tab has the study.
    Elsewhere,
    /// This browser has answers to an earlier version of the study, or none that can be read.
    Outdated,
    /// This browser has a session that was begun.
    Return,
    /// What the rater agrees to.
    Consent,
    /// The rater did not agree.
    Left,
    /// What is to be done.
    Instructions,
    /// The items.
    Items,
    /// The last questions.
    Closing,
    /// The answers are handed over, all of them or those there are.
    Finish,
    /// Everything is erased.
    Erased,
}

/// What of the answers is on the disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// The answers at these places.
    Saved(BTreeSet<usize>),
    /// Nothing more is kept, and why.
    Memory(String),
}

/// What is said of the item on the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Which line does not belong; 0 is "cannot tell".
    pub intruder: Option<u8>,
    /// How clear a single idea is.
    pub clarity: Option<u8>,
    /// How sure the rater is.
    pub confidence: Option<u8>,
    /// What it is.
    pub label: String,
    /// Whether a pointer was used.
    pub pointed: bool,
}

/// A rater on the way through a study. Signals only, so that it is copied freely.
#[derive(Clone, Copy, Debug)]
pub struct Rating {
    /// The study and its checksum.
    pub study: StoredValue<Arc<LoadedStudy>>,
    /// How far the rater is.
    pub stage: RwSignal<Stage>,
    /// What was said.
    pub session: RwSignal<Session>,
    /// What is asked.
    pub sequence: RwSignal<Vec<Shown>>,
    /// Which of it is on the page.
    pub at: RwSignal<usize>,
    /// What is said of it.
    pub draft: RwSignal<Draft>,
    /// What is on the disk.
    pub kept: RwSignal<Kept>,
    block: Option<usize>,
    /// What the browser has if that is no session.
    unread: StoredValue<String>,
    store: StoredValue<Option<AnswerStore>, LocalStorage>,
    began: StoredValue<f64>,
}

impl Rating {
    /// Looks at what this browser has of the study. `block` is what the invitation says, and the study
    /// has it.
    pub fn open(study: Arc<LoadedStudy>, block: Option<usize>) -> Self {
        let rating = Self {
            study: StoredValue::new(study),
            stage: RwSignal::new(Stage::Opening),
            session: RwSignal::default(),
            sequence: RwSignal::default(),
            at: RwSignal::new(0),
            draft: RwSignal::default(),
            kept: RwSignal::new(Kept::Saved(BTreeSet::new())),
            block,
            unread: StoredValue::default(),
            store: StoredValue::new_local(None),
            began: StoredValue::new(0.0),
        };
        rating.look();
        rating
    }

    fn look(self) {
        // The turn may come when the page of the study was left long ago.
        spawn_local_scoped_with_cancellation(async move {
            let name = self.with_study(|study| study.name.clone());
            if !only_tab::is_mine(&name).await {
                self.stage.set(Stage::Elsewhere);
                only_tab::turn(&name).await;
            }
            let stage = match self.read(&name).await {
                Ok(stage) => stage,
                Err(error) => {
                    self.kept.set(Kept::Memory(error.to_string()));
                    Stage::Consent
                }
            };
            self.stage.set(stage);
        });
    }

    async fn read(self, name: &str) -> Result<Stage, NotKept> {
        let store = AnswerStore::open(name).await?;
        let lines = store.all().await?;
        self.store.set_value(Some(store));
        if lines.is_empty() {
            return Ok(Stage::Consent);
        }
        let sha256 = self.study.with_value(|loaded| loaded.sha256.clone());
        let text = lines.join("\n") + "\n";
        let Ok(session) = Session::read(text.as_bytes()) else {
            self.unread.set_value(text);
            return Ok(Stage::Outdated);
        };
        if self.with_study(|study| session.check(study, &sha256)).is_err() {
            // Whoever has the study as it was can use the answers.
            self.session.set(session);
            return Ok(Stage::Outdated);
        }
        let places = session.answers.iter().map(|answer| answer.pos).collect();
        self.kept.set(Kept::Saved(places));
        let stage = if session.end.is_some() { Stage::Finish } else { Stage::Return };
        self.enter(session);
        Ok(stage)
    }

    /// What the study says.
    pub fn with_study<T>(self, look: impl FnOnce(&Study) -> T) -> T {
        self.study.with_value(|loaded| look(&loaded.study))
    }

    fn enter(self, session: Session) {
        let Header { block, rater, .. } = &session.header;
        let sequence = self.with_study(|study| study.sequence(*block, rater));
        let last = sequence.len().saturating_sub(1);
        self.sequence.set(sequence);
        self.session.set(session);
        self.show(self.first_open().unwrap_or(last));
    }

    /// The rater agrees: a session begins.
    pub fn agree(self, publish: bool, text_sha256: String) {
        let rater = rater_id(hand_over::random_bits());
        let own = self.with_study(|study| study.block_of(&rater));
        let header = Header {
            schema: SCHEMA,
            study: self.with_study(|study| study.name.clone()),
            study_sha256: self.study.with_value(|loaded| loaded.sha256.clone()),
            app: env!("CARGO_PKG_VERSION").into(),
            block: self.block.unwrap_or(own),
            rater,
            consent: Consent { text_sha256, at: hand_over::today(), publish },
            background: Background::default(),
            screen: hand_over::screen(),
        };
        self.enter(Session { header, ..Session::default() });
        self.stage.set(Stage::Instructions);
        // The browser may refuse; then a full disk may cost what it has.
        let _ = window().navigator().storage().persist();
    }

    /// The items begin.
    pub fn start(self, background: Background) {
        self.session.update(|session| session.header.background = background);
        let header = self.session.with_untracked(|session| session.header.clone());
        self.keep("0".into(), Line::Header(header), None);
        self.go_on();
    }

    /// To the first item without an answer, or to the last questions.
    pub fn go_on(self) {
        let open = self.first_open();
        self.stage.set(if open.is_some() { Stage::Items } else { Stage::Closing });
        self.show(open.unwrap_or(self.at.get_untracked()));
    }

    fn first_open(self) -> Option<usize> {
        let mut places = 0..self.sequence.with_untracked(Vec::len);
        places.find(|place| self.answer_at(*place).is_none())
    }

    /// Puts the item at `place` on the page, with what was said of it.
    fn show(self, place: usize) {
        let said = self.answer_at(place).map(|answer| Draft {
            intruder: Some(answer.intruder),
            clarity: Some(answer.clarity),
            confidence: Some(answer.confidence),
            label: answer.label.unwrap_or_default(),
            pointed: !answer.keys,
        });
        self.at.set(place);
        self.draft.set(said.unwrap_or_default());
        self.began.set_value(now());
    }

    fn answer_at(self, place: usize) -> Option<Answer> {
        let found = |session: &Session| {
            session.answers.iter().find(|answer| answer.pos == place + 1).cloned()
        };
        self.session.with_untracked(found)
    }

    /// The item on the page.
    pub fn item(self) -> Option<Item> {
        let id = self.sequence.with(|all| Some(all.get(self.at.get())?.item.clone()))?;
        self.with_study(|study| study.item(&id).cloned())
    }

    /// Which questions are still open.
    pub fn open_questions(self) -> Vec<&'static str> {
        let draft = self.draft.get();
        let questions = [
            (draft.intruder.is_none(), "which line does not belong"),
            (draft.clarity.is_none(), "how clear the idea is"),
            (draft.confidence.is_none(), "how sure you are"),
        ];
        questions.into_iter().filter(|(open, _)| *open).map(|(_, name)| name).collect()
    }

    /// Takes the answer to the item on the page, keeps it and goes on; false if it is not whole.
    pub fn next(self) -> bool {
        let place = self.at.get_untracked();
        let Some(answer) = self.answer(place) else { return false };
        self.session.update(|session| {
            session.answers.retain(|other| other.pos != answer.pos);
            session.answers.push(answer.clone());
            session.answers.sort_by_key(|answer| answer.pos);
        });
        self.keep(format!("1 {:04}", answer.pos), Line::Answer(answer), Some(place + 1));
        if place + 1 < self.sequence.with_untracked(Vec::len) {
            self.show(place + 1);
        } else {
            self.go_on();
        }
        true
    }

    fn answer(self, place: usize) -> Option<Answer> {
        let draft = self.draft.get_untracked();
        let shown = self.sequence.with_untracked(|all| all.get(place).cloned())?;
        let before = self.answer_at(place);
        let (intruder, clarity) = (draft.intruder?, draft.clarity?);
        // The first word counts for whoever asks for it.
        let first = |before: Option<(u8, Option<u8>)>, now: u8| {
            let (last, first) = before?;
            first.or((last != now).then_some(last))
        };
        let seconds = (now() - self.began.get_value()) / 1000.0
            + before.as_ref().map_or(0.0, |answer| answer.seconds);
        let label = draft.label.trim();
        Some(Answer {
            item: shown.item,
            pos: place + 1,
            repeat: shown.repeat,
            intruder,
            clarity,
            first_intruder: first(
                before.as_ref().map(|b| (b.intruder, b.first_intruder)),
                intruder,
            ),
            first_clarity: first(before.as_ref().map(|b| (b.clarity, b.first_clarity)), clarity),
            confidence: draft.confidence?,
            label: (!label.is_empty()).then(|| label.to_string()),
            seconds: (seconds.clamp(0.0, LONGEST_LOOK) * 10.0).round() / 10.0,
            keys: !draft.pointed,
        })
    }

    /// Back to the item before.
    pub fn back(self) {
        let place = self.at.get_untracked();
        match self.stage.get_untracked() {
            Stage::Closing => {
                self.stage.set(Stage::Items);
                self.show(place);
            }
            _ if place > 0 => self.show(place - 1),
            _ => (),
        }
    }

    /// The rater is done.
    pub fn finish(self, difficulty: Option<u8>, comment: &str) {
        let asked = self.sequence.with_untracked(Vec::len);
        let n = self.session.with_untracked(|session| session.answers.len());
        let comment = (!comment.trim().is_empty()).then(|| comment.trim().to_string());
        let end = End { n, complete: n == asked, difficulty, comment };
        self.session.update(|session| session.end = Some(end.clone()));
        self.keep("2".into(), Line::End(end), None);
        self.stage.set(Stage::Finish);
    }

    /// Writes a line through; `place` is then one of those that are saved.
    fn keep(self, key: String, line: Line, place: Option<usize>) {
        let Some(store) = self.store.get_value() else { return };
        // An answer that was changed is not saved until it is again.
        self.kept.update(|kept| {
            if let (Kept::Saved(places), Some(place)) = (kept, place) {
                places.remove(&place);
            }
        });
        spawn_local(async move {
            let put = store.put(&key, &line.to_json()).await;
            // If the page of the study was left meanwhile, nobody needs to know.
            let _ = self.kept.try_update(|kept| match (put, kept) {
                (Ok(()), Kept::Saved(places)) => places.extend(place),
                (Err(error), kept) => *kept = Kept::Memory(error.to_string()),
                (Ok(()), Kept::Memory(_)) => (),
            });
        });
    }

    /// Forgets everything that this browser has of the study, then shows `after`.
    pub fn erase(self, after: Stage) {
        let store = self.store.get_value();
        spawn_local(async move {
            if let Some(store) = store
                && let Err(error) = store.clear().await
            {
                return self.kept.set(Kept::Memory(format!("it was not erased: {error}")));
            }
            let rater = self.session.with_untracked(|session| session.header.rater.clone());
            let header = Header { rater, ..Header::default() };
            self.session.set(Session { header, ..Session::default() });
            self.unread.set_value(String::new());
            if matches!(self.kept.get_untracked(), Kept::Saved(_)) {
                self.kept.set(Kept::Saved(BTreeSet::new()));
            }
            self.stage.set(after);
        });
    }

    /// The name of the file that is handed over, and the session in it.
    pub fn file(self) -> (String, String) {
        let unread = self.unread.get_value();
        if !unread.is_empty() {
            return ("csae-unread.jsonl".into(), unread);
        }
        let session = self.session.get_untracked();
        let Header { study, rater, .. } = &session.header;
        (format!("csae-{study}-{rater}.jsonl"), session.to_jsonl())
    }
}

fn now() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}
