//! Where answers are kept in this browser: IndexedDB, one record per line of the session, each
//! written through to the disk before it counts as saved.
//!
//! The keys sort like the lines, so all records in a row are the session's file.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbObjectStore, IdbRequest, IdbTransaction};

const RECORDS: &str = "records";

/// The records of one study.
#[derive(Clone, Debug)]
pub struct AnswerStore {
    database: IdbDatabase,
}

/// Why something was not kept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct NotKept(String);

impl NotKept {
    fn because(error: &JsValue) -> Self {
        let message = Reflect::get(error, &"message".into()).ok();
        let text = message.and_then(|text| text.as_string()).filter(|text| !text.is_empty());
        Self(text.unwrap_or_else(|| "this browser stores nothing here".into()))
    }
}

impl AnswerStore {
    /// Opens what this browser has of the study called `name`.
    ///
    /// # Errors
    /// The browser has no store, as in some private windows, or does not open it.
    pub async fn open(name: &str) -> Result<Self, NotKept> {
        let none = || NotKept("this browser has no store".into());
        let window = web_sys::window().ok_or_else(none)?;
        let factory = window.indexed_db().map_err(|error| NotKept::because(&error))?;
        let factory = factory.ok_or_else(none)?;
        let name = format!("csae.study.{name}");
        let request = factory.open_with_u32(&name, 1).map_err(|error| NotKept::because(&error))?;
        let opening = request.clone();
        let make = Closure::once_into_js(move || {
            let database = opening.result().map(JsCast::unchecked_into::<IdbDatabase>);
            // A failure here makes the opening fail, which is told.
            let _ = database.and_then(|database| database.create_object_store(RECORDS));
        });
        request.set_onupgradeneeded(Some(make.unchecked_ref()));
        let database = answer(&request).await?.unchecked_into();
        Ok(Self { database })
    }

    /// All records, in the order of their keys.
    ///
    /// # Errors
    /// The browser does not read them.
    pub async fn all(&self) -> Result<Vec<String>, NotKept> {
        let (_, records) = self.records("readonly")?;
        let request = records.get_all().map_err(|error| NotKept::because(&error))?;
        let values: Array = answer(&request).await?.unchecked_into();
        Ok(values.iter().filter_map(|value| value.as_string()).collect())
    }

    /// Keeps `record` under `key`; when this returns, it is on the disk.
    ///
    /// # Errors
    /// The browser does not keep it, as when the disk is full.
    pub async fn put(&self, key: &str, record: &str) -> Result<(), NotKept> {
        let (transaction, records) = self.records("readwrite")?;
        let put = records.put_with_key(&record.into(), &key.into());
        put.map_err(|error| NotKept::because(&error))?;
        complete(&transaction).await
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// The browser does not.
    pub async fn clear(&self) -> Result<(), NotKept> {
        let (transaction, records) = self.records("readwrite")?;
        records.clear().map_err(|error| NotKept::because(&error))?;
        complete(&transaction).await
    }

    /// A transaction with strict durability: Chromium otherwise calls complete what only the system's
    /// memory has.
    fn records(&self, mode: &str) -> Result<(IdbTransaction, IdbObjectStore), NotKept> {
        let options = Object::new();
        let open = || -> Result<(IdbTransaction, IdbObjectStore), JsValue> {
            Reflect::set(&options, &"durability".into(), &"strict".into())?;
            let begin: Function =
                Reflect::get(&self.database, &"transaction".into())?.dyn_into()?;
            let begun = begin.call3(&self.database, &RECORDS.into(), &mode.into(), &options)?;
            let transaction: IdbTransaction = begun.dyn_into()?;
            let records = transaction.object_store(RECORDS)?;
            Ok((transaction, records))
        };
        open().map_err(|error| NotKept::because(&error))
    }
}

/// What a request gives.
async fn answer(request: &IdbRequest) -> Result<JsValue, NotKept> {
    let waiting = Promise::new(&mut |done, failed| {
        let (one, other) = (request.clone(), request.clone());
        let good = Closure::once_into_js(move || {
            done.call1(&JsValue::NULL, &one.result().unwrap_or(JsValue::UNDEFINED))
        });
        let bad = Closure::once_into_js(move || {
            let error = other.error().ok().flatten().map_or(JsValue::NULL, JsValue::from);
            failed.call1(&JsValue::NULL, &error)
        });
        request.set_onsuccess(Some(good.unchecked_ref()));
        request.set_onerror(Some(bad.unchecked_ref()));
    });
    JsFuture::from(waiting).await.map_err(|error| NotKept::because(&error))
}

/// Waits until a transaction is committed.
async fn complete(transaction: &IdbTransaction) -> Result<(), NotKept> {
    let waiting = Promise::new(&mut |done, failed| {
        let aborted = transaction.clone();
        let bad = Closure::once_into_js(move || {
            let error = aborted.error().map_or(JsValue::NULL, JsValue::from);
            failed.call1(&JsValue::NULL, &error)
        });
        transaction.set_oncomplete(Some(&done));
        // An error that nobody handles aborts.
        transaction.set_onabort(Some(bad.unchecked_ref()));
    });
    JsFuture::from(waiting).await.map(|_| ()).map_err(|error| NotKept::because(&error))
}
