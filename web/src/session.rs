//! Everything that is fetched: the site's files, and why one could not be had.

use std::sync::Arc;

use js_sys::{Reflect, Uint8Array};
use leptos::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::digest::sha256;
use shared::reading::Reading;
use shared::report::{Combination, FeatureStats};
use shared::site::{INDEX, MANIFEST, RunIndex, SCHEMA, SiteManifest, SiteRun};
use shared::study::Study;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{ReadableStreamDefaultReader, RequestCache, RequestInit, Response};

/// Why a file could not be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// This machine has no network.
    #[error(
        "{0} could not be loaded: this machine is offline. What was loaded before still works; this \
         is tried again when the network is back"
    )]
    Offline(String),
    /// Nobody answered.
    #[error("{0} could not be loaded: no answer. Is the network there?")]
    Unanswered(String),
    /// The server has an answer, but no file.
    #[error("{file} could not be loaded: the server says {status}")]
    Refused {
        /// Which file.
        file: String,
        /// The HTTP status.
        status: u16,
    },
    /// The file is damaged or something else.
    #[error("{file} is damaged or not a file of csae: {reason}")]
    Foreign {
        /// Which file.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// The file was made by a newer csae.
    #[error(
        "{file} has the form {found}; this explorer reads forms up to {SCHEMA}. Use a newer \
         explorer, or write the data again with this version's trainer site"
    )]
    Newer {
        /// Which file.
        file: String,
        /// The version of its form.
        found: u32,
    },
    /// The page asks for what the run does not have.
    #[error("{0}")]
    Absent(String),
}

/// What was asked for, as far as it has come.
#[derive(Debug)]
pub enum Loaded<T> {
    /// It is on its way.
    Loading,
    /// It is here.
    Ready(Arc<T>),
    /// It will not come.
    Failed(Problem),
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Loading => Self::Loading,
            Self::Ready(value) => Self::Ready(value.clone()),
            Self::Failed(problem) => Self::Failed(problem.clone()),
        }
    }
}

/// Something that is fetched, and fetched again when what it depends on changes.
#[derive(Debug)]
pub struct Resource<T: Send + Sync + 'static> {
    /// How far it has come.
    pub state: RwSignal<Loaded<T>>,
    again: RwSignal<u32>,
}

impl<T: Send + Sync + 'static> Clone for Resource<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Resource<T> {}

impl<T: Send + Sync + 'static> Resource<T> {
    /// Fetches with what `fetch` returns; `None` while it cannot know yet what to fetch. Signals that
    /// `fetch` reads are what it depends on. An answer that comes too late is dropped.
    pub fn new<F>(fetch: impl Fn() -> Option<F> + 'static) -> Self
    where
        F: Future<Output = Result<T, Problem>> + 'static,
    {
        let state = RwSignal::new(Loaded::Loading);
        let again = RwSignal::new(0);
        let latest = StoredValue::new(0_u32);
        Effect::new(move |_| {
            again.track();
            let Some(answer) = fetch() else { return };
            latest.update_value(|latest| *latest += 1);
            let mine = latest.get_value();
            state.set(Loaded::Loading);
            spawn_local(async move {
                let answer = answer.await;
                if latest.try_get_value() == Some(mine) {
                    let loaded = match answer {
                        Ok(value) => Loaded::Ready(Arc::new(value)),
                        Err(problem) => Loaded::Failed(problem),
                    };
                    state.try_set(loaded);
                }
            });
        });
        Self { state, again }
    }

    /// What is here, if it is here.
    pub fn value(&self) -> Option<Arc<T>> {
        match self.state.get() {
            Loaded::Ready(value) => Some(value),
            Loaded::Loading | Loaded::Failed(_) => None,
        }
    }

    /// What is here, without following it.
    pub fn value_untracked(&self) -> Option<Arc<T>> {
        match self.state.get_untracked() {
            Loaded::Ready(value) => Some(value),
            Loaded::Loading | Loaded::Failed(_) => None,
        }
    }

    /// Fetches once more.
    pub fn retry(&self) {
        self.again.update(|again| *again += 1);
    }
}

/// The list of runs.
pub async fn manifest() -> Result<SiteManifest, Problem> {
    let file = format!("data/{MANIFEST}");
    // The other files carry a version in their address; this one is asked for anew.
    parse(&file, &bytes(&file, RequestCache::NoCache, |_| ()).await?)
}

/// A run as a whole.
pub async fn index(run: SiteRun) -> Result<RunIndex, Problem> {
    run_file(&run, INDEX).await
}

/// The statistics of a feature.
pub async fn feature(run: SiteRun, number: usize) -> Result<FeatureStats, Problem> {
    run_file(&run, &format!("f/{number}.json")).await
}

/// A combination.
pub async fn combination(run: SiteRun, number: usize) -> Result<Combination, Problem> {
    run_file(&run, &format!("c/{number}.json")).await
}

/// What the models make of a stored text.
pub async fn reading(run: SiteRun, number: usize) -> Result<Reading, Problem> {
    run_file(&run, &format!("t/{number}.json")).await
}

/// A study and the checksum by which answers know it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedStudy {
    /// The study.
    pub study: Study,
    /// The SHA-256 of its file.
    pub sha256: String,
}

/// The study called `name`.
pub async fn study(name: &str) -> Result<LoadedStudy, Problem> {
    let file = format!("data/study/{name}.json");
    let bytes = match bytes(&file, RequestCache::NoCache, |_| ()).await {
        Err(Problem::Refused { status: 404, .. }) => {
            let what =
                format!("This site has no study called {name}; please look at the invitation.");
            return Err(Problem::Absent(what));
        }
        bytes => bytes?,
    };
    let study = Study::read(&bytes).map_err(|error| Problem::Absent(format!("{file}: {error}")))?;
    Ok(LoadedStudy { study, sha256: sha256(&bytes) })
}

/// The files of the run's bundle by name; `progress` hears how many bytes have come.
pub async fn model(
    run: &SiteRun,
    progress: impl Fn(u64),
) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let mut files = vec![];
    let mut before = 0;
    for name in ["bundle.json", "features.json", "weights.safetensors"] {
        let address = address(run, &format!("model/{name}"));
        let file = bytes(&address, RequestCache::Default, |count| progress(before + count)).await?;
        before += file.len() as u64;
        files.push((name.to_string(), file));
    }
    Ok(files)
}

fn address(run: &SiteRun, name: &str) -> String {
    format!("data/{}/{name}?v={}", run.name, run.version)
}

async fn run_file<T: DeserializeOwned>(run: &SiteRun, name: &str) -> Result<T, Problem> {
    let address = address(run, name);
    parse(&address, &bytes(&address, RequestCache::Default, |_| ()).await?)
}

/// What every file with a version has.
#[derive(Deserialize)]
struct Header {
    schema: Option<u32>,
}

fn parse<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, Problem> {
    let file = file.split('?').next().unwrap_or(file).to_string();
    if let Ok(Header { schema: Some(found) }) = serde_json::from_slice(bytes)
        && found > SCHEMA
    {
        return Err(Problem::Newer { file, found });
    }
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::Foreign { file, reason: error.to_string() })
}

async fn bytes(
    file: &str,
    cache: RequestCache,
    progress: impl Fn(u64),
) -> Result<Vec<u8>, Problem> {
    let shown = file.split('?').next().unwrap_or(file).to_string();
    let options = RequestInit::new();
    options.set_cache(cache);
    let unanswered = |_: JsValue| match window().navigator().on_line() {
        true => Problem::Unanswered(shown.clone()),
        false => Problem::Offline(shown.clone()),
    };
    let answer = window().fetch_with_str_and_init(file, &options);
    let response: Response = JsFuture::from(answer).await.map_err(unanswered)?.unchecked_into();
    if !response.ok() {
        return Err(Problem::Refused { file: shown, status: response.status() });
    }
    let Some(body) = response.body() else { return Ok(vec![]) };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = vec![];
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(unanswered)?;
        let part = |name: &str| Reflect::get(&chunk, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if part("done").is_truthy() {
            return Ok(bytes);
        }
        bytes.extend(Uint8Array::new(&part("value")).to_vec());
        progress(bytes.len() as u64);
    }
}
