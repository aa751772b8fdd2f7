//! Where the visitor is: the address bar and the signal that follows it.

use leptos::prelude::*;
use shared::site::{RunIndex, SiteManifest, SiteRun};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::HtmlElement;

use crate::route::{Page, Route, Theme, View};
use crate::session::{self, Problem, Resource};

/// What every page knows. Signals only, so that it is copied freely.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The address.
    pub route: RwSignal<Route>,
    /// What was wrong with it.
    pub notices: RwSignal<Vec<String>>,
    /// Whether the browser has a network at all.
    pub online: RwSignal<bool>,
    /// The list of runs.
    pub manifest: Resource<SiteManifest>,
    /// The run that is shown, once the list is here.
    pub run: Memo<Option<SiteRun>>,
    /// The shown run as a whole.
    pub index: Resource<RunIndex>,
}

impl Place {
    /// Reads the address bar and follows it.
    pub fn enter() -> Self {
        let (route, notices) = Route::parse(&fragment());
        let (route, notices) = (RwSignal::new(route), RwSignal::new(notices));
        let follow = Closure::<dyn Fn()>::new(move || {
            let (now, wrong) = Route::parse(&fragment());
            if route.with_untracked(|route| *route != now) {
                notices.set(wrong);
                route.set(now);
            }
        });
        for event in ["hashchange", "popstate"] {
            let _ =
                window().add_event_listener_with_callback(event, follow.as_ref().unchecked_ref());
        }
        follow.forget(); // it follows as long as the page lives
        let online = RwSignal::new(window().navigator().on_line());
        follow_network(online);
        let manifest = Resource::new(|| Some(session::manifest()));
        let run = Memo::new(move |_| {
            let manifest = manifest.value()?;
            let asked = route.with(|route| route.view.run.clone());
            find(&manifest, asked.as_deref()).cloned()
        });
        let index = Resource::new(move || {
            let manifest = manifest.value()?;
            let found = run.get();
            Some(async move {
                match found {
                    Some(run) => session::index(run).await,
                    None => Err(absent(&manifest)),
                }
            })
        });
        Self { route, notices, online, manifest, run, index }
    }

    /// The one that [`Place::enter`] gave to all pages.
    pub fn here() -> Self {
        expect_context()
    }

    /// The page now shown.
    pub fn page(&self) -> Page {
        self.route.with(|route| route.page)
    }

    /// How it is looked at.
    pub fn view(&self) -> View {
        self.route.with(|route| route.view.clone())
    }

    /// Looks at the same page in another way; Back does not come here.
    pub fn look(&self, change: impl FnOnce(&mut View)) {
        let route = self.route.get_untracked().change(change);
        let address = route.to_string();
        if let Ok(history) = window().history() {
            let _ = history.replace_state_with_url(&"".into(), "", Some(&address));
        }
        self.notices.set(vec![]);
        self.route.set(route);
    }

    /// Goes to another page; Back comes here.
    pub fn go(&self, page: Page) {
        let address = self.route.with_untracked(|route| page.with(&route.view)).to_string();
        let _ = window().location().set_hash(&address);
    }

    /// The address of a page of the shown run, for links.
    pub fn to(&self, page: Page) -> String {
        self.route.with(|route| page.with(&route.view)).to_string()
    }

    /// Light or dark, as the address or else the system says.
    pub fn theme(&self) -> Theme {
        let prefers_dark = || {
            let query = window().match_media("(prefers-color-scheme: dark)");
            query.ok().flatten().is_some_and(|query| query.matches())
        };
        let asked = self.route.with(|route| route.view.theme);
        asked.unwrap_or(if prefers_dark() { Theme::Dark } else { Theme::Light })
    }
}

/// What failed for want of a network is tried again when there is one.
fn follow_network(online: RwSignal<bool>) {
    let follow = Closure::<dyn Fn()>::new(move || {
        let is_there = window().navigator().on_line();
        online.set(is_there);
        let failed = document().query_selector_all("[data-again]");
        if let (true, Ok(buttons)) = (is_there, failed) {
            let buttons = (0..buttons.length()).filter_map(|place| buttons.get(place));
            buttons.for_each(|button| button.unchecked_into::<HtmlElement>().click());
        }
    });
    for event in ["online", "offline"] {
        let _ = window().add_event_listener_with_callback(event, follow.as_ref().unchecked_ref());
    }
    follow.forget(); // it follows as long as the page lives
}

fn fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// The run called `asked` or `run_asked`; without a wish the first.
fn find<'a>(manifest: &'a SiteManifest, asked: Option<&str>) -> Option<&'a SiteRun> {
    let Some(asked) = asked else { return manifest.runs.first() };
    let is_asked =
        |run: &&SiteRun| run.name == asked || run.name.strip_prefix("run_") == Some(asked);
    manifest.runs.iter().find(is_asked)
}

fn absent(manifest: &SiteManifest) -> Problem {
    let names: Vec<&str> = manifest.runs.iter().map(|run| run.name.as_str()).collect();
    Problem::Absent(match names.as_slice() {
        [] => "This site has no runs yet: trainer site --runs=run_1 writes one.".into(),
        names => format!("This site does not have that run; it has {}.", names.join(", ")),
    })
}
