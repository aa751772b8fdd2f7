//! Single keys: `g f` goes to the features, `j` to the next line, `?` shows what there is.
//!
//! Off while something is typed, and switched off altogether in the help (WCAG 2.1.4).

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};

use crate::place::Place;
use crate::route::{Page, Theme};

/// What the keys do, for the help.
pub const KEYS: [(&str, &str); 10] = [
    ("?", "this help"),
    ("/", "search"),
    ("g o", "overview"),
    ("g f", "features"),
    ("g c", "combinations"),
    ("g t", "text"),
    ("j  k", "next and previous line or example"),
    ("[  ]", "previous and next feature or combination"),
    ("c", "copy the address"),
    ("d", "light or dark"),
];

/// Listens to single keys as long as the page lives.
pub fn listen(place: Place, help: RwSignal<bool>, are_on: RwSignal<bool>) {
    let goes = StoredValue::new(false);
    let handle = window_event_listener(leptos::ev::keydown, move |event| {
        // Sooner than the dialog tells that it was closed.
        if event.key() == "Escape" {
            help.set(false);
        }
        // Raters have keys of their own.
        let is_study = place.route.with_untracked(|route| route.page == Page::Study);
        if is_study || !are_on.get_untracked() || is_typing(&event) {
            return;
        }
        let key = event.key();
        let before = goes.get_value();
        goes.set_value(key == "g");
        if press(place, help, &key, before) {
            event.prevent_default();
        }
    });
    // Dropping the handle does not stop it; it listens as long as the page lives.
    let _ = handle;
}

fn is_typing(event: &KeyboardEvent) -> bool {
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return true;
    }
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some_and(|target| {
        ["INPUT", "TEXTAREA", "SELECT"].contains(&target.tag_name().as_str())
            || target.is_content_editable()
    })
}

/// Does what a key means; false if it means nothing. `goes` says that `g` was pressed before it.
fn press(place: Place, help: RwSignal<bool>, key: &str, goes: bool) -> bool {
    match (key, goes) {
        ("?", _) => help.update(|help| *help = !*help),
        // The page lies below the help.
        _ if help.get_untracked() => return false,
        ("o", true) => place.go(Page::Overview),
        ("f", true) => place.go(Page::Features),
        ("c", true) => place.go(Page::Combinations),
        ("t", true) => place.go(Page::Text),
        ("/", _) => return focus("[data-search]"),
        ("c", _) => return click("[data-copy]"),
        ("d", _) => turn(place),
        ("j", _) => return step(1),
        ("k", _) => return step(-1),
        ("[", _) => return click("[data-previous]"),
        ("]", _) => return click("[data-next]"),
        _ => return false,
    }
    true
}

/// Light becomes dark.
pub fn turn(place: Place) {
    let theme = match place.theme() {
        Theme::Light => Theme::Dark,
        Theme::Dark => Theme::Light,
    };
    place.look(|view| view.theme = Some(theme));
}

fn element(selector: &str) -> Option<HtmlElement> {
    let found = document().query_selector(selector).ok().flatten()?;
    found.dyn_into().ok()
}

fn focus(selector: &str) -> bool {
    element(selector).is_some_and(|element| element.focus().is_ok())
}

fn click(selector: &str) -> bool {
    element(selector).map(|element| element.click()).is_some()
}

/// Moves the focus to the next or previous line of a list.
fn step(by: i32) -> bool {
    let Ok(lines) = document().query_selector_all("[data-line]") else { return false };
    let active = document().active_element();
    let at = (0..lines.length()).find(|place| {
        let line = lines.get(*place);
        line.is_some_and(|line| {
            active.as_ref().is_some_and(|active| line.is_same_node(Some(active)))
        })
    });
    let last = lines.length() as i32 - 1;
    let next = at.map_or(0, |at| (at as i32 + by).clamp(0, last));
    let line = lines.get(next as u32).and_then(|line| line.dyn_into::<HtmlElement>().ok());
    line.is_some_and(|line| line.focus().is_ok())
}
