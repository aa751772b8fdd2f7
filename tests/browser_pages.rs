//! Components in a browser: what they put on the page.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used)] // what fails here is a failed test

use leptos::mount::mount_to;
use leptos::prelude::*;
use shared::report::Example;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web::session::{Problem, Resource};
use web::shown::{Passage, shown};
use web::study::store::AnswerStore;
use web_sys::HtmlElement;

wasm_bindgen_test_configure!(run_in_browser);

fn place() -> HtmlElement {
    let place = document().create_element("div").unwrap();
    document().body().unwrap().append_child(&place).unwrap();
    place.unchecked_into()
}

#[wasm_bindgen_test]
async fn a_passage_boxes_where_the_feature_fires() {
    let place = place();
    let text = "ab\nc d".to_string();
    let example = Example { text, at: 2, values: vec![0.0, 1.0, 4.0, 0.0, 0.0, 0.0] };

    mount_to(place.clone(), move || view! { <Passage example /> }).forget();

    let here = place.query_selector(".here").unwrap().unwrap();
    assert_eq!(here.text_content().unwrap(), "⏎");
    assert_eq!((here.tag_name().as_str(), here.class_name().as_str()), ("MARK", "mark lit8 here"));
    assert_eq!(place.text_content().unwrap(), "ab⏎c d");
    assert_eq!(place.query_selector_all(".mark").unwrap().length(), 2);
}

#[wasm_bindgen_test]
async fn what_fails_is_told_and_can_be_tried_again() {
    let place = place();
    let tries = StoredValue::new(0);
    mount_to(place.clone(), move || {
        let resource = Resource::new(move || {
            tries.update_value(|tries| *tries += 1);
            let is_first = tries.get_value() == 1;
            Some(async move {
                match is_first {
                    true => Err(Problem::Absent("It was not there.".into())),
                    false => Ok("here it is".to_string()),
                }
            })
        });
        shown(resource, |text| view! { <p>{text.to_string()}</p> }.into_any())
    })
    .forget();

    leptos::task::tick().await;
    leptos::task::tick().await;
    assert!(place.text_content().unwrap().contains("It was not there."));
    let button = place.query_selector("button").unwrap().unwrap();
    button.unchecked_into::<HtmlElement>().click();
    leptos::task::tick().await;
    leptos::task::tick().await;

    assert_eq!(place.text_content().unwrap(), "here it is");
}

#[wasm_bindgen_test]
async fn what_a_rater_said_is_kept_in_the_order_of_its_keys_until_it_is_erased() {
    let store = AnswerStore::open("browser-test").await.unwrap();
    for (key, record) in [("1 0002", "b"), ("0", "header"), ("1 0001", "a"), ("1 0002", "c")] {
        store.put(key, record).await.unwrap();
    }

    let again = AnswerStore::open("browser-test").await.unwrap();

    assert_eq!(again.all().await.unwrap(), ["header", "a", "c"]);
    again.clear().await.unwrap();
    assert!(store.all().await.unwrap().is_empty());
}
