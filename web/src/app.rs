//! The frame around every page: header, notices, the page itself, help.

use std::sync::Arc;

use leptos::prelude::*;
use shared::site::RunIndex;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlSelectElement};

use crate::engine_chip::EngineChip;
use crate::engine_link::EngineLink;
use crate::keys::{self, KEYS};
use crate::pages;
use crate::place::Place;
use crate::route::{Page, Theme};
use crate::session::Loaded;
use crate::shown::shown;
use crate::take_along::CopyAddress;

/// Puts the explorer in the place of the plain text.
pub fn mount() {
    std::panic::set_hook(Box::new(|panic| {
        web_sys::console::error_1(&panic.to_string().into());
        tell_the_end(&panic.to_string());
    }));
    let Some(root) = document().get_element_by_id("app") else { return };
    if let Some(plain) = document().get_element_by_id("plain") {
        plain.remove();
    }
    mount_to(root.unchecked_into(), App).forget();
}

/// The page cannot go on: says so on the page itself.
fn tell_the_end(reason: &str) {
    let Some(body) = document().body() else { return };
    let Ok(bar) = document().create_element("div") else { return };
    bar.set_class_name("card problem end");
    let _ = bar.set_attribute("role", "alert");
    bar.set_text_content(Some(&format!(
        "The explorer broke; please reload the page. This is a mistake in csae: {reason}"
    )));
    let _ = body.prepend_with_node_1(&bar);
}

/// The whole explorer.
#[component]
pub fn App() -> impl IntoView {
    let place = Place::enter();
    provide_context(place);
    provide_context(EngineLink::new(place));
    let help = RwSignal::new(false);
    let keys_are_on = RwSignal::new(true);
    keys::listen(place, help, keys_are_on);
    Effect::new(move |_| {
        let theme = place.theme().name();
        let root = document().document_element();
        let _ = root.map(|root| root.set_attribute("data-theme", theme));
    });
    let page = Memo::new(move |_| place.page());
    Effect::new(move |before: Option<Page>| {
        let page = page.get();
        document().set_title(&format!("{} · csae explorer", title(page)));
        if before.is_some_and(|before| before != page) {
            focus_heading();
        }
        page
    });
    view! {
        <a class="skip" href="#main" on:click=skip>"Skip to the content"</a>
        <Show when=move || page.get() != Page::Study>
            <Header help />
        </Show>
        <main id="main" tabindex="-1">
            <Notices />
            {move || draw(page.get())}
        </main>
        <Show when=move || page.get() != Page::Study>
            <footer>
                <p>
                    "Nothing leaves this page: every number is computed here or comes from files beside \
                     it. "
                    {move || place.run.get().map(|run| format!("Data version {}.", run.version))}
                </p>
            </footer>
        </Show>
        <Help help keys_are_on />
    }
}

/// The address after `#` is taken, so the skip link moves the focus itself.
fn skip(event: leptos::ev::MouseEvent) {
    event.prevent_default();
    let main = document().get_element_by_id("main");
    let _ = main.and_then(|main| main.dyn_into::<HtmlElement>().ok()).map(|main| main.focus());
}

fn draw(page: Page) -> AnyView {
    match page {
        Page::Overview => view! { <pages::overview::Overview /> }.into_any(),
        Page::Features => view! { <pages::features::Features /> }.into_any(),
        Page::Feature(number) => view! { <pages::feature::Feature number /> }.into_any(),
        Page::Combinations => view! { <pages::combinations::Combinations /> }.into_any(),
        Page::Combination(number) => {
            view! { <pages::combination::CombinationPage number /> }.into_any()
        }
        Page::Text => view! { <pages::text::Text /> }.into_any(),
        Page::Compare => view! { <pages::compare::Compare /> }.into_any(),
        Page::About => view! { <pages::about::About /> }.into_any(),
        Page::Study => view! { <pages::study::Study /> }.into_any(),
    }
}

fn title(page: Page) -> String {
    match page {
        Page::Overview => "Overview".into(),
        Page::Features => "Features".into(),
        Page::Feature(number) => format!("Feature {number}"),
        Page::Combinations => "Combinations".into(),
        Page::Combination(number) => format!("Combination {number}"),
        Page::Text => "Text".into(),
        Page::Compare => "Compare runs".into(),
        Page::About => "About".into(),
        Page::Study => "Study".into(),
    }
}

/// Who uses a screen reader hears where they are.
pub fn focus_heading() {
    request_animation_frame(|| {
        let heading = document().query_selector("main h1").ok().flatten();
        if let Some(heading) = heading.and_then(|heading| heading.dyn_into::<HtmlElement>().ok()) {
            let _ = heading.set_attribute("tabindex", "-1");
            let _ = heading.focus();
        }
        window().scroll_to_with_x_and_y(0.0, 0.0);
    });
}

#[component]
fn Header(
    /// Whether the help is open.
    help: RwSignal<bool>,
) -> impl IntoView {
    let place = Place::here();
    let link = move |page: Page, name: &'static str, also: fn(Page) -> bool| {
        let current = move || (place.page() == page || also(place.page())).then_some("page");
        view! { <li><a href=move || place.to(page) aria-current=current>{name}</a></li> }
    };
    let has_others = move || place.manifest.value().is_some_and(|list| list.runs.len() > 1);
    let is_dark = move || place.theme() == Theme::Dark;
    view! {
        <header class="top">
            <a class="brand" href=move || place.to(Page::Overview)>"csae"</a>
            <nav aria-label="Pages">
                <ul>
                    {link(Page::Overview, "Overview", |_| false)}
                    {link(Page::Text, "Text", |_| false)}
                    {link(Page::Features, "Features", |page| matches!(page, Page::Feature(_)))}
                    {link(
                        Page::Combinations,
                        "Combinations",
                        |page| matches!(page, Page::Combination(_)),
                    )}
                    {move || has_others().then(|| link(Page::Compare, "Compare", |_| false))}
                    {link(Page::About, "About", |_| false)}
                </ul>
            </nav>
            <div class="tools">
                <RunPicker />
                <EngineChip />
                <CopyAddress />
                <button
                    class="icon"
                    data-testid="theme"
                    aria-label=move || if is_dark() { "Light theme" } else { "Dark theme" }
                    on:click=move |_| keys::turn(place)
                >
                    {move || if is_dark() { "☀" } else { "☾" }}
                </button>
                <button class="icon opener" aria-label="Keys" on:click=move |_| help.set(true)>"?"</button>
            </div>
        </header>
    }
}

#[component]
fn RunPicker() -> impl IntoView {
    let place = Place::here();
    let choose = move |event: leptos::ev::Event| {
        let select = event.target().and_then(|target| target.dyn_into::<HtmlSelectElement>().ok());
        let Some(name) = select.map(|select| select.value()) else { return };
        let short = name.strip_prefix("run_").unwrap_or(&name).to_string();
        place.look(|view| view.run = Some(short));
    };
    move || {
        let manifest = place.manifest.value()?;
        let shown = place.run.get()?.name;
        let options = manifest.runs.iter().map(|run| {
            let is_shown = run.name == shown;
            view! { <option value=run.name.clone() selected=is_shown>{run.name.clone()}</option> }
        });
        Some(view! {
            <select aria-label="Run" data-testid="run" on:change=choose>
                {options.collect_view()}
            </select>
        })
    }
}

#[component]
fn Notices() -> impl IntoView {
    let place = Place::here();
    move || {
        let mut notices = place.notices.get();
        if !place.online.get() {
            notices.push(
                "This machine is offline. What was loaded stays; the rest comes when the network is \
                 back."
                    .into(),
            );
        }
        (!notices.is_empty()).then(|| {
            let lines = notices.into_iter().map(|notice| view! { <li>{notice}</li> });
            view! { <ul class="card notice" role="status">{lines.collect_view()}</ul> }
        })
    }
}

#[component]
fn Help(
    /// Whether it is open.
    help: RwSignal<bool>,
    /// Whether single keys do something.
    keys_are_on: RwSignal<bool>,
) -> impl IntoView {
    let dialog = NodeRef::<leptos::html::Dialog>::new();
    let close = NodeRef::<leptos::html::Button>::new();
    // The browser holds the focus inside while it is open, and puts it back where it was.
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        match (help.get(), dialog.open()) {
            (true, false) => {
                let _ = dialog.show_modal();
                let _ = close.get_untracked().map(|button| button.focus());
            }
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    // What is in the dialog lies above it: a click on itself is one beside it.
    let close_beside = move |event: leptos::ev::MouseEvent| {
        if event.target() == event.current_target() {
            help.set(false);
        }
    };
    let lines =
        KEYS.map(|(key, what)| view! { <div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div> });
    view! {
        <dialog
            node_ref=dialog
            class="help"
            aria-labelledby="help-title"
            on:click=close_beside
            on:close=move |_| help.set(false)
        >
            <div class="card">
                <h2 id="help-title">"Keys"</h2>
                <dl>{lines.into_iter().collect_view()}</dl>
                <label>
                    <input
                        type="checkbox"
                        prop:checked=move || keys_are_on.get()
                        on:change=move |event| keys_are_on.set(event_target_checked(&event))
                    />
                    " Single keys are on"
                </label>
                <p><button node_ref=close on:click=move |_| help.set(false)>"Close"</button></p>
            </div>
        </dialog>
    }
}

/// The shown run's index, drawn when it is here; without the list of runs, what became of the list.
pub fn with_index(
    draw: impl Fn(Arc<RunIndex>) -> AnyView + Send + Sync + 'static,
) -> impl IntoView {
    let place = Place::here();
    let draw = Arc::new(draw);
    let has_no_list =
        Memo::new(move |_| place.manifest.state.with(|list| matches!(list, Loaded::Failed(_))));
    move || {
        let draw = draw.clone();
        match has_no_list.get() {
            true => shown(place.manifest, |_| ().into_any()).into_any(),
            false => shown(place.index, move |index| draw(index)).into_any(),
        }
    }
}
