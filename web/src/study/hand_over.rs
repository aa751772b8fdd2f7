//! What stands beside answers that are handed over: a random id, the screen, the day.

use js_sys::{Function, Math, Reflect, Uint8Array};
use leptos::prelude::window;
use shared::ratings::Screen;
use wasm_bindgen::JsCast;

/// 128 random bits.
pub fn random_bits() -> [u8; 16] {
    let drawn = || -> Option<[u8; 16]> {
        let crypto = Reflect::get(&window(), &"crypto".into()).ok()?;
        let fill: Function =
            Reflect::get(&crypto, &"getRandomValues".into()).ok()?.dyn_into().ok()?;
        let bytes = Uint8Array::new_with_length(16);
        fill.call1(&crypto, &bytes).ok()?;
        bytes.to_vec().try_into().ok()
    };
    // An id tells raters apart and guards nothing, so a weaker source will do.
    drawn().unwrap_or_else(|| std::array::from_fn(|_| (Math::random() * 256.0) as u8))
}

/// How wide the page is.
pub fn screen() -> Screen {
    let width = window().inner_width().ok().and_then(|width| width.as_f64()).unwrap_or(0.0);
    match width {
        narrow if narrow < 640.0 => Screen::Phone,
        middle if middle < 1024.0 => Screen::Tablet,
        _ => Screen::Desktop,
    }
}

/// The day, as in `2026-11-23`.
pub fn today() -> String {
    let now: String = js_sys::Date::new_0().to_iso_string().into();
    now.chars().take(10).collect()
}
