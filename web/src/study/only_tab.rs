//! One tab at a time answers a study: two would write over each other.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Takes hold of the study called `name` until the tab is closed; false if another tab has it. Where
/// a browser has no locks, every tab gets it.
pub async fn is_mine(name: &str) -> bool {
    let Some(locks) = locks() else { return true };
    let asked = Promise::new(&mut |told, _| {
        let hear = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            let has = !lock.is_null() && !lock.is_undefined();
            // Who asked is told at once; a promise that stays open holds the lock.
            let _ = told.call1(&JsValue::NULL, &JsValue::from_bool(has));
            match has {
                true => Promise::new(&mut |_, _| ()).into(),
                false => JsValue::UNDEFINED,
            }
        });
        let options = Object::new();
        let _ = Reflect::set(&options, &"ifAvailable".into(), &true.into());
        let request = Reflect::get(&locks, &"request".into());
        let request = request.ok().and_then(|request| request.dyn_into::<Function>().ok());
        let name = format!("csae.study.{name}").into();
        let _ = request.map(|request| request.call3(&locks, &name, &options, &hear));
    });
    JsFuture::from(asked).await.is_ok_and(|has| has.is_truthy())
}

fn locks() -> Option<JsValue> {
    let navigator = web_sys::window()?.navigator();
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    locks.is_object().then_some(locks)
}
