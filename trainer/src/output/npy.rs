//! Numpy files: `all_results.npy`, a pickled dictionary as `np.save` writes one, and matrices.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use shared::report::{DatasetInfo, FinalInfo, Metric};

use crate::experiment::Experiment;
use crate::results::{Results, TrainingResult};

/// The harness's dictionary: the final results on each text, and losses on the way.
///
/// # Errors
/// A value cannot be pickled.
pub fn all_results(explained: &[(Experiment, Results)], infos: &FinalInfo) -> Result<Vec<u8>> {
    let mut all = BTreeMap::new();
    for (experiment, results) in explained {
        let dataset = &experiment.text.corpus.name;
        all.extend(of_text(dataset, results, infos.get(dataset)));
    }
    object_array(&all)
}

fn of_text(
    dataset: &str,
    results: &Results,
    info: Option<&DatasetInfo>,
) -> BTreeMap<String, Value> {
    let of_metrics = |entry: fn(&Metric) -> Option<Value>| -> Value {
        results.lm.metrics.iter().filter_map(entry).collect()
    };
    let on_training = of_metrics(|metric| {
        Some(json!({"iter": metric.step, "loss": metric.values.get("train")?}))
    });
    let on_both = of_metrics(|metric| {
        let (train, val) = (metric.values.get("train")?, metric.values.get("val")?);
        Some(json!({"iter": metric.step, "train/loss": train, "val/loss": val}))
    });
    let without_mean = |(name, value): (&String, &f64)| {
        (name.strip_suffix("_mean").unwrap_or(name).to_string(), *value)
    };
    let means: Option<BTreeMap<String, f64>> =
        info.map(|info| info.means.iter().map(without_mean).collect());
    let training = |training: &TrainingResult| {
        let TrainingResult { trial, learning_rate, seed, metrics, .. } = training;
        (format!("{dataset}_{trial}_lr={learning_rate}_seed={seed}"), json!(metrics))
    };
    let mut all: BTreeMap<String, Value> = results.trainings.iter().map(training).collect();
    all.insert(format!("{dataset}_0_final_info"), json!(means));
    all.insert(format!("{dataset}_0_train_info"), on_training);
    all.insert(format!("{dataset}_0_val_info"), on_both);
    all
}

/// A numpy file with a matrix of 32-bit numbers, of this `[rows, columns]`.
pub fn matrix(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<u8> {
    let shape = format!("({rows}, {columns})");
    let mut bytes = header("<f4", &shape);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// A numpy file with an array of no dimensions that holds `value`: `np.load(f).item()` gives it.
fn object_array(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = header("|O", "()");
    bytes.extend(pickled_array(&pickle_body(value)?));
    Ok(bytes)
}

/// The beginning of a numpy file of numbers of this `kind`, up to the first of them.
fn header(kind: &str, shape: &str) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version, length and header fill a multiple of 64 bytes.
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}

/// The operations that put `value` on a pickle machine's stack, without its frame.
fn pickle_body(value: &impl Serialize) -> Result<Vec<u8>> {
    let pickle = serde_pickle::to_vec(value, serde_pickle::SerOptions::new())?;
    let body = pickle.strip_prefix(b"\x80\x03").and_then(|rest| rest.strip_suffix(b"."));
    Ok(body.ok_or_else(|| anyhow::anyhow!("serde_pickle writes another protocol than 3"))?.to_vec())
}

/// numpy's own reduction of an array: `_reconstruct(ndarray, (0,), b'b')`, then its state
/// `(1, (), dtype('O'), False, [value])`.
fn pickled_array(value: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x80\x03".to_vec();
    bytes.extend(b"cnumpy.core.multiarray\n_reconstruct\n");
    bytes.extend(b"cnumpy\nndarray\n");
    bytes.extend(b"K\x00\x85"); // (0,)
    bytes.extend(b"C\x01b\x87R"); // b'b'; a tuple of three; call
    bytes.extend(b"(K\x01)"); // mark, 1, ()
    bytes.extend(b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R"); // dtype('O8', False, True)
    // Its state: (3, '|', None, None, None, -1, -1, 63).
    bytes.extend(b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb");
    bytes.extend(b"\x89]"); // False, an empty list
    bytes.extend(value);
    bytes.extend(b"atb."); // append; a tuple back to the mark; build; stop
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_numpy_writes() {
        let bytes = object_array(&json!({"a": 1})).unwrap();

        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
        assert_eq!((10 + length) % 64, 0);
        assert_eq!(bytes[10 + length - 1], b'\n');
        assert_eq!(&bytes[10 + length..][..2], b"\x80\x03");
        assert_eq!(bytes.last(), Some(&b'.'));
    }

    #[test]
    fn a_matrix_is_its_shape_and_its_numbers() {
        let bytes = matrix(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [3, 2]);

        assert_eq!(bytes.len(), 128 + 6 * 4);
        let header = String::from_utf8_lossy(&bytes[10..128]);
        assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)"));
        assert_eq!(bytes[128 + 8..][..4], 3.0_f32.to_le_bytes());
    }

    #[test]
    fn the_value_stands_in_the_pickle_as_it_is() {
        let bytes = object_array(&json!({"loss": 1.5})).unwrap();

        let text = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(text(b"loss"));
        assert!(text(&1.5_f64.to_be_bytes()));
    }
}
