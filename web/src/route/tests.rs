use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    fn text(&mut self) -> String {
        const CHARACTERS: [char; 16] =
            ['a', 'Z', '0', ' ', '\n', '&', '=', '%', '#', '?', '/', '+', 'é', '日', '🎭', '\0'];
        let length = self.below(9);
        (0..length).map(|_| CHARACTERS[self.below(CHARACTERS.len())]).collect()
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| value(self))
    }

    fn route(&mut self) -> Route {
        let number = self.below(1_000);
        let page = [
            Page::Overview,
            Page::Features,
            Page::Feature(number),
            Page::Combinations,
            Page::Combination(number),
            Page::Text,
            Page::Compare,
            Page::About,
            Page::Study,
        ][self.below(9)];
        let view = View {
            run: self.maybe(|dice| ["1", "run_x", "b-2"][dice.below(3)].to_string()),
            sort: self.maybe(|dice| Sort {
                column: Column::ALL[dice.below(8)].0,
                descending: dice.below(2) == 0,
            }),
            search: self.text(),
            least: self.maybe(|dice| dice.below(1_000) as f64 / 7.0),
            size: self.maybe(|dice| dice.below(5)),
            text: self.maybe(Self::text),
            example: self.maybe(|dice| dice.below(6)),
            at: self.maybe(|dice| dice.below(256)),
            feature: self.maybe(|dice| dice.below(256)),
            measure: self.maybe(|dice| Measure::ALL[dice.below(4)].0),
            study: self.maybe(|dice| ["pilot", "a-b"][dice.below(2)].to_string()),
            block: self.maybe(|dice| dice.below(9)),
            theme: self.maybe(|dice| [Theme::Light, Theme::Dark][dice.below(2)]),
            unknown: (0..self.below(3))
                .map(|_| (format!("future{}", self.text()), self.text()))
                .collect(),
        };
        Route { page, view }
    }
}

#[test]
fn every_address_comes_back_as_it_was() {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(1));
    for _ in 0..5_000 {
        let route = dice.route();

        let (parsed, notices) = Route::parse(&route.to_string());

        assert_eq!(parsed, route, "{route}");
        assert!(notices.is_empty(), "{route}: {notices:?}");
    }
}

#[test]
fn any_text_is_some_address() {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(2));
    for _ in 0..5_000 {
        let noise = format!("#/f/{}?{}={}&{}", dice.text(), dice.text(), dice.text(), dice.text());

        let (route, _) = Route::parse(&noise);

        assert_eq!(Route::parse(&route.to_string()).0, route, "{noise:?}");
    }
}

#[test]
fn addresses_read_as_documented() {
    fn check(fragment: &str, page: Page) -> View {
        let (route, notices) = Route::parse(fragment);
        assert_eq!(route.page, page, "{fragment}");
        assert!(notices.is_empty(), "{notices:?}");
        route.view
    }

    check("", Page::Overview);
    check("#/", Page::Overview);
    assert_eq!(check("#/f/17?run=1", Page::Feature(17)).run.as_deref(), Some("1"));
    let view = check("#/features?sort=-density&min=0.01&q=ab%20c", Page::Features);
    assert_eq!(view.sort, Some(Sort { column: Column::Density, descending: true }));
    assert_eq!((view.least, view.search.as_str()), (Some(0.01), "ab c"));
    assert_eq!(check("#/text?t=VG8gYmU", Page::Text).text.as_deref(), Some("To be"));
    assert_eq!(check("#/compare?by=l0", Page::Compare).measure, Some(Measure::Active));
    assert_eq!(check("#/c/5?v=1", Page::Combination(5)).unknown, [("v".into(), "1".into())]);
}

#[test]
fn bad_values_fall_back_and_are_told() {
    fn check(fragment: &str, page: Page) {
        let (route, notices) = Route::parse(fragment);
        assert_eq!(route, Route { page, view: View::default() });
        assert_eq!(notices.len(), 1, "{notices:?}");
    }

    check("#/nowhere", Page::Overview);
    check("#/f/x", Page::Overview);
    check("#/f/1/2", Page::Overview);
    check("#/features?min=NaN", Page::Features);
    check("#/features?sort=colour", Page::Features);
    check("#/text?t=!!", Page::Text);
    check("#/compare?by=beauty", Page::Compare);
    check("#/?run=../../etc", Page::Overview);
}

#[test]
fn another_page_keeps_run_and_theme_alone() {
    let (route, _) = Route::parse("#/features?run=2&q=x&theme=dark&future=1");

    assert_eq!(Page::Feature(3).with(&route.view).to_string(), "#/f/3?run=2&theme=dark");
}
