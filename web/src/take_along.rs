//! What a visitor takes along when asking for it: a file, or text on the clipboard.

use js_sys::{Array, Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// Offers `text` as a file called `name`; `kind` is its media type.
///
/// # Errors
/// The browser makes no file of it.
pub fn download(name: &str, kind: &str, text: &str) -> Result<(), JsValue> {
    let properties = BlobPropertyBag::new();
    properties.set_type(kind);
    let parts = Array::of1(&text.into());
    let blob = Blob::new_with_str_sequence_and_options(&parts, &properties)?;
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

/// A button that offers a table as a file.
#[component]
pub fn CsvButton(
    /// The file's name without its ending.
    name: &'static str,
    /// The table as it is at the moment.
    text: impl Fn() -> String + Send + Sync + 'static,
) -> impl IntoView {
    let place = crate::place::Place::here();
    let offer = move |_| {
        let run = place.run.get_untracked().map_or(String::new(), |run| run.name + "_");
        if let Err(error) = download(&format!("{run}{name}.csv"), "text/csv", &text()) {
            let said = format!("The browser makes no file of the table: {error:?}.");
            place.notices.set(vec![said]);
        }
    };
    view! {
        <button class="small" data-testid="csv" title="These lines as a file for other programs" on:click=offer>
            "CSV"
        </button>
    }
}

/// A button that puts the address of what is shown on the clipboard.
#[component]
pub fn CopyAddress() -> impl IntoView {
    let place = crate::place::Place::here();
    let said = RwSignal::new("");
    let copy = move |_| {
        let address = window().location().href().unwrap_or_default();
        let has_text = place.route.with_untracked(|route| route.view.text.is_some());
        spawn_local(async move {
            said.set(match (copy(&address).await, has_text) {
                (true, false) => "Address copied",
                (true, true) => "Address copied; your text is in it",
                (false, _) => "Not allowed here: please copy it from the address bar",
            });
            set_timeout(move || said.set(""), std::time::Duration::from_secs(3));
        });
    };
    view! {
        <span class="copy">
            <button
                class="icon"
                data-copy
                data-testid="copy"
                aria-label="Copy the address"
                title="Copy the address of what is shown"
                on:click=copy
            >
                <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
                    <path d="M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1" />
                </svg>
            </button>
            <span class="said" role="status" data-testid="copied">{move || said.get()}</span>
        </span>
    }
}
