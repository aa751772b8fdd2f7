//! The page's end of the engine: starts the worker on demand, sends texts, hears what became of them.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use js_sys::{Array, Object, Reflect, Uint8Array};
use leptos::prelude::*;
use shared::reading::Reading;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::place::Place;
use crate::session;

/// On what the engine computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// The processor.
    Cpu,
    /// A graphics card.
    Gpu,
}

/// How far the engine is.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineState {
    /// Not asked for: stored texts only.
    Off,
    /// Its own file is on its way.
    Starting,
    /// The model is on its way, this much per cent.
    Loading(u8),
    /// The graphics card compiles its programs.
    WarmingUp,
    /// It can read, on the processor.
    OnCpu {
        /// What went wrong with the graphics card that was asked for.
        why_not_gpu: Option<String>,
    },
    /// It can read, on the graphics card of that name.
    OnGpu(String),
    /// It cannot be had.
    Failed(String),
}

/// What the engine made of the last text.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing was asked.
    None,
    /// It computes.
    Waiting,
    /// Here it is, and how many milliseconds it took.
    Read(std::sync::Arc<Reading>, f64),
    /// The text cannot be read.
    Refused(String),
}

/// The page's end of the engine. Signals only, so that it is copied freely.
#[derive(Clone, Copy, Debug)]
pub struct EngineLink {
    /// How far it is.
    pub state: RwSignal<EngineState>,
    /// What it made of the last text.
    pub answer: RwSignal<Answer>,
    place: Place,
    /// The text to be read as soon as the engine can.
    wish: StoredValue<Option<String>>,
    why_not_gpu: StoredValue<Option<String>>,
    /// The graphics card's name.
    adapter: StoredValue<String>,
    /// How many workers were started or ended for another run: what belongs to an earlier one is late.
    starts: StoredValue<u32>,
}

/// A graphics card that needs longer for its first text gives way to the processor.
const WARM_UP: Duration = Duration::from_secs(3);

/// A worker and what hears it.
struct Listened {
    worker: Worker,
    ear: Closure<dyn Fn(MessageEvent)>,
    alarm: Closure<dyn Fn(JsValue)>,
}

thread_local! {
    /// The worker, and the page's ears. A worker is no value that signals hold.
    static WORKER: RefCell<Option<Listened>> = const { RefCell::new(None) };
}

impl fmt::Display for EngineState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => write!(f, "examples only"),
            Self::Starting => write!(f, "starting"),
            Self::Loading(percent) => write!(f, "loading {percent} %"),
            Self::WarmingUp => write!(f, "warming up"),
            Self::OnGpu(adapter) => write!(f, "WebGPU: {adapter}"),
            Self::OnCpu { why_not_gpu: Some(_) } => write!(f, "CPU, WebGPU off"),
            Self::OnCpu { why_not_gpu: None } => write!(f, "CPU"),
            Self::Failed(_) => write!(f, "engine failed"),
        }
    }
}

impl EngineState {
    /// Whether a text can be read.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::OnCpu { .. } | Self::OnGpu(_))
    }

    /// Whether it will be ready without being asked again.
    pub fn is_coming(&self) -> bool {
        matches!(self, Self::Starting | Self::Loading(_) | Self::WarmingUp)
    }
}

impl EngineLink {
    /// A link to an engine that has not been asked for. Another run needs another engine.
    pub fn new(place: Place) -> Self {
        let link = Self {
            state: RwSignal::new(EngineState::Off),
            answer: RwSignal::new(Answer::None),
            place,
            wish: StoredValue::new(None),
            why_not_gpu: StoredValue::new(None),
            adapter: StoredValue::default(),
            starts: StoredValue::new(0),
        };
        Effect::new(move |before: Option<Option<String>>| {
            let version = place.run.get().map(|run| run.version);
            if before.flatten().is_some_and(|before| Some(before) != version) {
                end_worker();
                link.starts.update_value(|starts| *starts += 1);
                link.state.set(EngineState::Off);
                link.answer.set(Answer::None);
            }
            version
        });
        link
    }

    /// The one that all pages share.
    pub fn here() -> Self {
        expect_context()
    }

    /// Reads `text`, with an engine on the processor if there is none yet.
    pub fn read(self, text: String) {
        self.answer.set(Answer::Waiting);
        if self.state.with_untracked(EngineState::is_ready) {
            self.send_text(&text);
            self.wish.set_value(Some(text));
            return;
        }
        self.wish.set_value(Some(text));
        // The page asks again when another run is here.
        let has_run = self.place.index.value_untracked().is_some();
        if has_run && !self.state.with_untracked(EngineState::is_coming) {
            self.start(EngineKind::Cpu);
        }
    }

    /// Starts the engine that the visitor chose; one that runs ends.
    pub fn choose(self, kind: EngineKind) {
        self.why_not_gpu.set_value(None);
        self.start(kind);
    }

    fn start(self, kind: EngineKind) {
        end_worker();
        self.starts.update_value(|starts| *starts += 1);
        self.state.set(EngineState::Starting);
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = match Worker::new_with_options(&address(kind), &options) {
            Ok(worker) => worker,
            Err(error) => return self.fail(kind, &written(&error)),
        };
        let ear = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            self.hear(kind, &event.data());
        });
        worker.set_onmessage(Some(ear.as_ref().unchecked_ref()));
        let alarm = Closure::<dyn Fn(JsValue)>::new(move |_| {
            let is_starting = self.state.with_untracked(|state| *state == EngineState::Starting);
            self.fail(
                kind,
                if is_starting { "its worker could not be started" } else { "its worker stopped" },
            );
        });
        worker.set_onerror(Some(alarm.as_ref().unchecked_ref()));
        WORKER.with(|slot| *slot.borrow_mut() = Some(Listened { worker, ear, alarm }));
    }

    fn hear(self, kind: EngineKind, message: &JsValue) {
        let field = |name: &str| Reflect::get(message, &name.into()).unwrap_or(JsValue::UNDEFINED);
        let text = |name: &str| field(name).as_string().unwrap_or_default();
        match text("kind").as_str() {
            "started" => {
                self.state.set(EngineState::Loading(0));
                spawn_local(self.send_model(kind, self.starts.get_value()));
            }
            "adapter" => self.adapter.set_value(text("name")),
            "warming" => self.wait_for_warmth(kind),
            "ready" => {
                self.state.set(match kind {
                    EngineKind::Cpu => {
                        EngineState::OnCpu { why_not_gpu: self.why_not_gpu.get_value() }
                    }
                    EngineKind::Gpu => EngineState::OnGpu(self.adapter.get_value()),
                });
                if let Some(text) = self.wish.get_value() {
                    self.send_text(&text);
                }
            }
            "reading" => match serde_json::from_str::<Reading>(&text("json")) {
                // A text that was typed since is on its way.
                Ok(reading) if self.wish.get_value().as_ref() != Some(&reading.text) => {}
                Ok(reading) => {
                    let milliseconds = field("milliseconds").as_f64().unwrap_or(0.0);
                    self.answer.set(Answer::Read(reading.into(), milliseconds));
                }
                Err(error) => self.answer.set(Answer::Refused(error.to_string())),
            },
            "refused" => self.answer.set(Answer::Refused(text("reason"))),
            _ => self.fail(kind, &text("reason")),
        }
    }

    fn wait_for_warmth(self, kind: EngineKind) {
        self.state.set(EngineState::WarmingUp);
        let mine = self.starts.get_value();
        let patience = software_patience().unwrap_or(WARM_UP);
        let look = move || {
            let is_mine = self.starts.get_value() == mine;
            if is_mine && self.state.get_untracked() == EngineState::WarmingUp {
                let seconds = patience.as_secs_f64();
                self.fail(kind, &format!("its warm-up took more than {seconds} s"));
            }
        };
        set_timeout(look, patience);
    }

    /// Loads the model for the worker that was started as number `mine`.
    async fn send_model(self, kind: EngineKind, mine: u32) {
        let (Some(run), Some(index)) =
            (self.place.run.get_untracked(), self.place.index.value_untracked())
        else {
            return self.fail(kind, "no run is loaded");
        };
        let total = run.model_bytes.max(1);
        let is_late = || self.starts.get_value() != mine;
        let progress = |count: u64| {
            if !is_late() {
                self.state.set(EngineState::Loading((count * 100 / total).min(100) as u8));
            }
        };
        let loaded = session::model(&run, progress).await;
        if is_late() {
            return;
        }
        let files = match loaded {
            Ok(files) => files,
            Err(problem) => return self.fail(kind, &problem.to_string()),
        };
        let (names, buffers) = (Array::new(), Array::new());
        for (name, bytes) in files {
            names.push(&name.into());
            buffers.push(&Uint8Array::from(bytes.as_slice()).buffer());
        }
        let warm_up = match kind {
            EngineKind::Cpu => "",
            EngineKind::Gpu => index.texts.first().map_or("", String::as_str),
        };
        let message = object(&[
            ("kind", "load".into()),
            ("warm_up", warm_up.into()),
            ("autoencoder", index.model.as_str().into()),
            ("names", names.into()),
            ("buffers", buffers.clone().into()),
        ]);
        post(|worker| worker.post_message_with_transfer(&message, &buffers));
    }

    fn send_text(self, text: &str) {
        let message = object(&[("kind", "read".into()), ("text", text.into())]);
        post(|worker| worker.post_message(&message));
    }

    /// A graphics card that fails gives way to the processor, once; the processor has nothing below it.
    fn fail(self, kind: EngineKind, reason: &str) {
        end_worker();
        match kind {
            EngineKind::Gpu => {
                self.why_not_gpu.set_value(Some(reason.to_string()));
                self.start(EngineKind::Cpu);
            }
            EngineKind::Cpu => {
                self.state.set(EngineState::Failed(reason.to_string()));
                self.answer.set(Answer::None);
            }
        }
    }
}

fn post(send: impl FnOnce(&Worker) -> Result<(), JsValue>) {
    WORKER.with(|slot| {
        if let Some(listened) = slot.borrow().as_ref()
            && let Err(error) = send(&listened.worker)
        {
            web_sys::console::error_1(&error);
        }
    });
}

fn end_worker() {
    // The ear may be the one that now hears: it is dropped after this turn.
    let ended = WORKER.with(|slot| slot.borrow_mut().take());
    if let Some(Listened { worker, ear, alarm }) = ended {
        worker.set_onmessage(None);
        worker.set_onerror(None);
        worker.terminate();
        spawn_local(async move { drop((ear, alarm)) });
    }
}

/// The commit in the address keeps visitors from an older engine in a cache.
fn address(kind: EngineKind) -> String {
    let name = match kind {
        EngineKind::Cpu => "engine_cpu",
        EngineKind::Gpu => "engine_gpu",
    };
    let switch = if software_patience().is_some() { "&software" } else { "" };
    format!("worker.js?engine={name}&v={}{switch}", env!("CSAE_COMMIT"))
}

/// A switch for tests, which no address can set: the seconds that `csaeSoftwareAdapter` gives to the
/// adapter that the processor imitates. Without it, that one is not used.
fn software_patience() -> Option<Duration> {
    let seconds = Reflect::get(&window(), &"csaeSoftwareAdapter".into()).ok()?.as_f64()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // A new object takes every field.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

fn written(error: &JsValue) -> String {
    error.as_string().unwrap_or_else(|| format!("{error:?}"))
}
