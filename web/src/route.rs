//! Addresses: what the part after `#` says, and back. Pure, so that it is tested without a browser.
//!
//! `#/f/17?run=1&theme=dark`. Unknown keys are kept, bad values fall back and are told.

mod text_code;

use std::fmt;

use text_code::{decode_text, encode_text, escape, unescape};

use crate::comparison::Measure;

/// An address of the explorer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Which page.
    pub page: Page,
    /// How it is looked at.
    pub view: View,
}

/// The pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// What was found.
    #[default]
    Overview,
    /// The table of features.
    Features,
    /// One feature.
    Feature(usize),
    /// The table of combinations.
    Combinations,
    /// One combination.
    Combination(usize),
    /// What the models make of a text.
    Text,
    /// All runs side by side.
    Compare,
    /// What this is.
    About,
    /// A study, for raters.
    Study,
}

/// How a page is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The run without `run_`, as in `1`; the first if not given.
    pub run: Option<String>,
    /// How a table is sorted.
    pub sort: Option<Sort>,
    /// What a table's lines must contain.
    pub search: String,
    /// The least density of a feature in the table.
    pub least: Option<f64>,
    /// The size of the combinations in the table.
    pub size: Option<usize>,
    /// Own text.
    pub text: Option<String>,
    /// The stored text of that number.
    pub example: Option<usize>,
    /// The selected character.
    pub at: Option<usize>,
    /// The feature by which characters are coloured.
    pub feature: Option<usize>,
    /// What of the runs is compared.
    pub measure: Option<Measure>,
    /// The name of a study.
    pub study: Option<String>,
    /// Which block of the study an invitation gives.
    pub block: Option<usize>,
    /// Light or dark; what the system says if not given.
    pub theme: Option<Theme>,
    /// Keys that this version does not know.
    pub unknown: Vec<(String, String)>,
}

/// By what a table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: Column,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink.
    Light,
    /// Light ink.
    Dark,
}

/// The columns by which tables are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The number of the feature or combination.
    Number,
    /// How often.
    Density,
    /// How strongly on average.
    Mean,
    /// How strongly at most.
    Max,
    /// In how many combinations.
    Reuse,
    /// How strongly parts interact.
    Interaction,
    /// In how many rows.
    Support,
    /// How much more often than by chance.
    Lift,
}

impl Column {
    /// All columns with their names in addresses.
    pub const ALL: [(Self, &str); 8] = [
        (Self::Number, "number"),
        (Self::Density, "density"),
        (Self::Mean, "mean"),
        (Self::Max, "max"),
        (Self::Reuse, "reuse"),
        (Self::Interaction, "interaction"),
        (Self::Support, "support"),
        (Self::Lift, "lift"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(column, _)| *column == self).map_or("number", |(_, name)| name)
    }
}

impl Theme {
    /// As in addresses and in the page's `data-theme`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Page {
    /// This page of the run that `view` shows.
    pub fn with(self, view: &View) -> Route {
        let View { run, theme, .. } = view.clone();
        Route { page: self, view: View { run, theme, ..View::default() } }
    }
}

impl Route {
    /// The address in `fragment`, with or without `#`, and what is wrong with it.
    pub fn parse(fragment: &str) -> (Self, Vec<String>) {
        let fragment = fragment.strip_prefix('#').unwrap_or(fragment);
        let (path, query) = fragment.split_once('?').unwrap_or((fragment, ""));
        let mut notices = vec![];
        let page = page_of(path).unwrap_or_else(|| {
            notices.push(format!("There is no page {path:?}; this is the overview."));
            Page::Overview
        });
        let mut view = View::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !view.set(&unescape(key), unescape(value)) {
                notices.push(format!("{pair:?} in the address means nothing and was left out."));
            }
        }
        (Self { page, view }, notices)
    }

    /// The same page looked at in another way.
    pub fn change(&self, change: impl FnOnce(&mut View)) -> Self {
        let mut route = self.clone();
        change(&mut route.view);
        route
    }
}

fn page_of(path: &str) -> Option<Page> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let page = match (parts.next(), parts.next()) {
        (None, _) => Page::Overview,
        (Some("features"), None) => Page::Features,
        (Some("f"), Some(number)) => Page::Feature(number.parse().ok()?),
        (Some("combinations"), None) => Page::Combinations,
        (Some("c"), Some(number)) => Page::Combination(number.parse().ok()?),
        (Some("text"), None) => Page::Text,
        (Some("compare"), None) => Page::Compare,
        (Some("about"), None) => Page::About,
        (Some("study"), None) => Page::Study,
        _ => return None,
    };
    parts.next().is_none().then_some(page)
}

impl View {
    /// Sets what `key` names; false if `value` is none of its values.
    fn set(&mut self, key: &str, value: String) -> bool {
        fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
            let is_some = value.is_some();
            *place = value.or(place.take());
            is_some
        }
        match key {
            "run" => put(&mut self.run, run_name(&value)),
            "sort" => put(&mut self.sort, sort_of(&value)),
            "q" => {
                self.search = value;
                true
            }
            "min" => {
                let least = value.parse().ok().filter(|least: &f64| least.is_finite());
                put(&mut self.least, least)
            }
            "size" => put(&mut self.size, value.parse().ok()),
            "t" => put(&mut self.text, decode_text(&value)),
            "x" => put(&mut self.example, value.parse().ok()),
            "at" => put(&mut self.at, value.parse().ok()),
            "f" => put(&mut self.feature, value.parse().ok()),
            "by" => put(&mut self.measure, Measure::named(&value)),
            "s" => put(&mut self.study, run_name(&value)),
            "block" => put(&mut self.block, value.parse().ok()),
            "theme" => put(
                &mut self.theme,
                [Theme::Light, Theme::Dark].into_iter().find(|theme| theme.name() == value),
            ),
            _ => {
                self.unknown.push((key.to_string(), value));
                true
            }
        }
    }

    /// Keys and values in the order in which they are written.
    fn pairs(&self) -> Vec<(&str, String)> {
        let mut pairs = vec![];
        let mut put = |key: &'static str, value: Option<String>| {
            pairs.extend(value.map(|value| (key, value)));
        };
        put("run", self.run.clone());
        put("sort", self.sort.map(|sort| sort.to_string()));
        put("q", Some(self.search.clone()).filter(|search| !search.is_empty()));
        put("min", self.least.map(|least| least.to_string()));
        put("size", self.size.map(|size| size.to_string()));
        put("t", self.text.as_deref().map(encode_text));
        put("x", self.example.map(|example| example.to_string()));
        put("at", self.at.map(|at| at.to_string()));
        put("f", self.feature.map(|feature| feature.to_string()));
        put("by", self.measure.map(|measure| measure.name().to_string()));
        put("s", self.study.clone());
        put("block", self.block.map(|block| block.to_string()));
        put("theme", self.theme.map(|theme| theme.name().to_string()));
        pairs.extend(self.unknown.iter().map(|(key, value)| (key.as_str(), value.clone())));
        pairs
    }
}

/// The name of a run or a study may be any but one that leaves its folder.
fn run_name(value: &str) -> Option<String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    (!value.is_empty() && value.chars().all(is_plain)).then(|| value.to_string())
}

fn sort_of(value: &str) -> Option<Sort> {
    let (name, descending) = match value.strip_prefix('-') {
        Some(name) => (name, true),
        None => (value, false),
    };
    let (column, _) = Column::ALL.into_iter().find(|(_, known)| *known == name)?;
    Some(Sort { column, descending })
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.column.name())
    }
}

/// The fragment, `#` included.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.page {
            Page::Overview => write!(f, "#/"),
            Page::Features => write!(f, "#/features"),
            Page::Feature(number) => write!(f, "#/f/{number}"),
            Page::Combinations => write!(f, "#/combinations"),
            Page::Combination(number) => write!(f, "#/c/{number}"),
            Page::Text => write!(f, "#/text"),
            Page::Compare => write!(f, "#/compare"),
            Page::About => write!(f, "#/about"),
            Page::Study => write!(f, "#/study"),
        }?;
        for (place, (key, value)) in self.view.pairs().into_iter().enumerate() {
            let sign = if place == 0 { '?' } else { '&' };
            write!(f, "{sign}{}={}", escape(key), escape(&value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
