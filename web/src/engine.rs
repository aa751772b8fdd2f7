//! The engine: holds the models in a worker and reads texts. Talks in messages.
//!
//! It hears `{kind: "load", autoencoder, names, buffers, warm_up}` and `{kind: "read", text}`; it says
//! `started`, `warming` before it reads the text to warm up with, if there is one, `ready`,
//! `{kind: "reading", json, milliseconds}`, `{kind: "refused", reason}` for a text, and
//! `{kind: "failed", reason}` when it cannot go on. The worker's own `adapter` comes before all.

use std::cell::RefCell;
use std::rc::Rc;

use burn::prelude::Device;
use js_sys::{Array, Object, Reflect, Uint8Array};
use shared::bundle::{Bundle, Files};
use shared::reader::{ReadError, Reader};
use shared::reading::Reading;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

/// Computes on `device` until the page ends the worker.
pub fn serve(device: Device) {
    let reader: Rc<RefCell<Option<Rc<Reader>>>> = Rc::default();
    let ear = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        let (message, reader, device) = (event.data(), reader.clone(), device.clone());
        spawn_local(async move { answer(&message, &reader, &device).await });
    });
    scope().set_onmessage(Some(ear.as_ref().unchecked_ref()));
    ear.forget(); // it listens until the page ends the worker
    say(&[("kind", "started".into())]);
}

/// A panic ends the engine; the page hears why.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| fail(&panic.to_string())));
}

/// Tells the page that the engine cannot go on.
pub fn fail(reason: &str) {
    say(&[("kind", "failed".into()), ("reason", reason.into())]);
}

async fn answer(message: &JsValue, reader: &RefCell<Option<Rc<Reader>>>, device: &Device) {
    let field = |name: &str| Reflect::get(message, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let text = |name: &str| field(name).as_string().unwrap_or_default();
    match text("kind").as_str() {
        "load" => {
            let files = files(&field("names").into(), &field("buffers").into());
            let loaded = Bundle::models_of_files(&files)
                .and_then(|bundle| Reader::new(&bundle, &text("autoencoder"), device));
            match loaded {
                Ok(loaded) => {
                    let loaded = Rc::new(loaded);
                    *reader.borrow_mut() = Some(loaded.clone());
                    make_ready(&loaded, &text("warm_up")).await;
                }
                Err(error) => fail(&error.to_string()),
            }
        }
        "read" => {
            let loaded = reader.borrow().clone();
            match loaded {
                Some(reader) => tell(&reader, &text("text")).await,
                None => fail("a text came before the models"),
            }
        }
        unknown => fail(&format!("the page sent {unknown:?}, which this engine does not know")),
    }
}

/// A graphics card compiles its programs with the first text.
async fn make_ready(reader: &Reader, warm_up: &str) {
    if !warm_up.is_empty() {
        say(&[("kind", "warming".into())]);
        if read(reader, warm_up).await.is_none() {
            return;
        }
    }
    say(&[("kind", "ready".into())]);
}

async fn tell(reader: &Reader, text: &str) {
    let began = now();
    let Some(reading) = read(reader, text).await else { return };
    let milliseconds = now() - began;
    match serde_json::to_string(&reading) {
        Ok(json) => say(&[
            ("kind", "reading".into()),
            ("json", json.into()),
            ("milliseconds", milliseconds.into()),
        ]),
        Err(error) => fail(&error.to_string()),
    }
}

/// What the models make of `text`; without that, the page hears why.
async fn read(reader: &Reader, text: &str) -> Option<Reading> {
    match reader.read(text).await {
        Ok(reading) => return Some(reading),
        Err(error @ ReadError::Text(_)) => {
            say(&[("kind", "refused".into()), ("reason", error.to_string().into())]);
        }
        Err(error) => fail(&error.to_string()),
    }
    None
}

fn files(names: &Array, buffers: &Array) -> Files {
    let bytes = |place: u32| Uint8Array::new(&buffers.get(place)).to_vec();
    (0..names.length())
        .filter_map(|place| Some((names.get(place).as_string()?, bytes(place))))
        .collect()
}

fn now() -> f64 {
    scope().performance().map_or(0.0, |clock| clock.now())
}

fn say(fields: &[(&str, JsValue)]) {
    let message = Object::new();
    for (name, value) in fields {
        // A new object takes every field, and the page is there as long as its worker.
        let _ = Reflect::set(&message, &(*name).into(), value);
    }
    let _ = scope().post_message(&message);
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}
