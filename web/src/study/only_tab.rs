//! One tab at a time answers a study: two would write over each other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

thread_local! {
    /// The studies that this document has hold of, so that it does not wait for itself.
    static HELD: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
    /// The studies that this document waits for: who asks again waits for the same turn.
    static TURNS: RefCell<BTreeMap<String, Promise>> = const { RefCell::new(BTreeMap::new()) };
}

/// Takes hold of the study called `name` until the tab is closed; false if another tab has it. Where
/// a browser has no locks, or refuses them as to sandboxed frames, every tab gets it.
pub async fn is_mine(name: &str) -> bool {
    let is_held = || HELD.with_borrow(|held| held.contains(name));
    // Asked twice at once, the browser gives it to the first: whoever was refused looks again.
    is_held() || heard(ask(name, true)).await || is_held()
}

/// Waits until the tab that has the study called `name` is closed, then has hold of it as
/// [`is_mine`] does.
pub async fn turn(name: &str) {
    let turn = TURNS.with_borrow_mut(|turns| {
        turns.entry(name.to_string()).or_insert_with(|| ask(name, false)).clone()
    });
    heard(turn).await;
}

async fn heard(asked: Promise) -> bool {
    JsFuture::from(asked).await.is_ok_and(|has| has.is_truthy())
}

/// Asks the browser; the answer is whether this document has the study. `at_once` is for now or not at
/// all.
fn ask(name: &str, at_once: bool) -> Promise {
    Promise::new(&mut |told, _| {
        let Some(locks) = locks() else {
            let _ = told.call1(&JsValue::NULL, &true.into());
            return;
        };
        let refused = told.bind1(&JsValue::NULL, &true.into());
        let study = name.to_string();
        let hear = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            let has = !lock.is_null() && !lock.is_undefined();
            if has {
                HELD.with_borrow_mut(|held| held.insert(study));
            }
            // Who asked is told at once; a promise that stays open holds the lock.
            let _ = told.call1(&JsValue::NULL, &JsValue::from_bool(has));
            match has {
                true => Promise::new(&mut |_, _| ()).into(),
                false => JsValue::UNDEFINED,
            }
        });
        let options = Object::new();
        let _ = Reflect::set(&options, &"ifAvailable".into(), &at_once.into());
        let request = || -> Result<JsValue, JsValue> {
            let request: Function = Reflect::get(&locks, &"request".into())?.dyn_into()?;
            let name = format!("csae.study.{name}").into();
            let asking = request.call3(&locks, &name, &options, &hear)?;
            let catch: Function = Reflect::get(&asking, &"catch".into())?.dyn_into()?;
            catch.call1(&asking, &refused)
        };
        if request().is_err() {
            let _ = refused.call0(&JsValue::NULL);
        }
    })
}

fn locks() -> Option<JsValue> {
    let navigator = web_sys::window()?.navigator();
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    locks.is_object().then_some(locks)
}
