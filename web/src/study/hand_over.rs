//! How answers leave the page, only when the rater says so: as a file, or as letters to be pasted.

use js_sys::{Array, Function, Math, Promise, Reflect, Uint8Array};
use leptos::prelude::{document, window};
use shared::ratings::Screen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// Offers `text` as a file called `name`.
///
/// # Errors
/// The browser makes no file of it.
pub fn download(name: &str, text: &str) -> Result<(), JsValue> {
    let kind = BlobPropertyBag::new();
    kind.set_type("application/x-ndjson");
    let parts = Array::of1(&text.into());
    let blob = Blob::new_with_str_sequence_and_options(&parts, &kind)?;
    let address = Url::create_object_url_with_blob(&blob)?;
    let anchor: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    anchor.set_href(&address);
    anchor.set_download(name);
    anchor.click();
    // The address is let go only with the page: a browser may read it late.
    Ok(())
}

/// Puts `text` on the clipboard; false if the browser does not let us.
pub async fn copy(text: &str) -> bool {
    let write = || -> Option<Promise> {
        let clipboard = Reflect::get(&window().navigator(), &"clipboard".into()).ok()?;
        let write: Function =
            Reflect::get(&clipboard, &"writeText".into()).ok()?.dyn_into().ok()?;
        write.call1(&clipboard, &text.into()).ok()?.dyn_into().ok()
    };
    match write() {
        Some(writing) => JsFuture::from(writing).await.is_ok(),
        None => false,
    }
}

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
