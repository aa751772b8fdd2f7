//! The parameters of a module by name: as numbers, as a safetensors file, and back into the module.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::DType;
use half::f16;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

/// Numbers of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// The length along each axis.
    pub shape: Vec<usize>,
    /// The values, the last axis running fastest.
    pub values: Vec<f32>,
}

/// The parameters of a module under the names of its fields, as in `blocks.0.norm.gamma`.
pub type Weights = BTreeMap<String, Weight>;

/// How exactly the numbers stand in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits: what training had, bit by bit.
    #[default]
    F32,
    /// 16 bits: half the size, three significant digits.
    F16,
}

/// Why numbers do not fit a module, or bytes are no weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not a safetensors file, or only a part of one.
    #[error("not a complete safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// A tensor holds numbers of a kind that no export of ours has.
    #[error("tensor {name:?} holds {found:?} numbers where F32 or F16 is expected")]
    Kind {
        /// The tensor's name.
        name: String,
        /// Its kind of numbers.
        found: Dtype,
    },
    /// The module has a parameter that the weights lack.
    #[error("the weights have no tensor {0:?}")]
    Missing(String),
    /// The weights have a tensor that the module does not know.
    #[error("the weights have a tensor {0:?} that the model does not know")]
    Unknown(String),
    /// A tensor has another shape than the module's parameter.
    #[error("tensor {name:?} has the shape {found:?} where the model has {expected:?}")]
    Shape {
        /// The parameter's name.
        name: String,
        /// The shape in the weights.
        found: Vec<usize>,
        /// The shape in the module.
        expected: Vec<usize>,
    },
}

/// Reads all parameters of `module`. Waits for the device; not for the browser's WebGPU.
pub fn of(module: &impl Module) -> Weights {
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.weights
}

/// Puts `weights` into `module`.
///
/// # Errors
/// A tensor is missing, unknown or of another shape; `module` is lost then.
pub fn load<M: Module>(module: M, weights: &Weights) -> Result<M, WeightsError> {
    let mut writer = Writer { path: vec![], weights, used: 0, error: None };
    let module = module.map(&mut writer);
    let used = writer.used;
    if let Some(error) = writer.error {
        return Err(error);
    }
    if used < weights.len() {
        let known = of(&module);
        let unknown = weights.keys().find(|name| !known.contains_key(*name));
        return Err(WeightsError::Unknown(unknown.cloned().unwrap_or_default()));
    }
    Ok(module)
}

/// The tensors whose names begin with `prefix`, without it.
pub fn part(weights: &Weights, prefix: &str) -> Weights {
    weights
        .iter()
        .filter_map(|(name, weight)| {
            let name = name.strip_prefix(prefix)?;
            Some((name.to_string(), weight.clone()))
        })
        .collect()
}

/// Puts `part` into `weights` with `prefix` before each name.
pub fn put(weights: &mut Weights, prefix: &str, part: Weights) {
    weights.extend(part.into_iter().map(|(name, weight)| (format!("{prefix}{name}"), weight)));
}

/// The bytes of a safetensors file with these weights. `note` is kept beside them under the key
/// `csae`. The same weights give the same bytes.
///
/// # Errors
/// A shape does not fit its values.
pub fn to_bytes(
    weights: &Weights,
    precision: Precision,
    note: Option<String>,
) -> Result<Vec<u8>, WeightsError> {
    let encoded: Vec<(&String, &Weight, Vec<u8>)> = weights
        .iter()
        .map(|(name, weight)| (name, weight, encode(&weight.values, precision)))
        .collect();
    let kind = match precision {
        Precision::F32 => Dtype::F32,
        Precision::F16 => Dtype::F16,
    };
    let views = encoded
        .iter()
        .map(|(name, weight, bytes)| {
            Ok((*name, TensorView::new(kind, weight.shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let note = note.map(|note| HashMap::from([("csae".to_string(), note)]));
    Ok(safetensors::serialize(views, note)?)
}

/// The weights in the bytes of a safetensors file, and the note beside them.
///
/// # Errors
/// The bytes are truncated or foreign, or hold other numbers than [`Precision`] knows.
pub fn from_bytes(bytes: &[u8]) -> Result<(Weights, Option<String>), WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let note = header.metadata().as_ref().and_then(|notes| notes.get("csae").cloned());
    let mut weights = Weights::new();
    for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
        let values = match view.dtype() {
            Dtype::F32 => view.data().chunks_exact(4).map(f32_of).collect(),
            Dtype::F16 => view.data().chunks_exact(2).map(f16_of).collect(),
            found => {
                let name = name.to_string();
                return Err(WeightsError::Kind { name, found });
            }
        };
        let shape = view.shape().to_vec();
        weights.insert(name.to_string(), Weight { shape, values });
    }
    Ok((weights, note))
}

fn encode(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Precision::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
    }
}

fn f32_of(bytes: &[u8]) -> f32 {
    f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn f16_of(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    weights: Weights,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().without_autodiff();
        let shape = tensor.dims().to_vec();
        let values = to_vec(tensor);
        self.weights.insert(self.path.join("."), Weight { shape, values });
    }
}

struct Writer<'a> {
    path: Vec<String>,
    weights: &'a Weights,
    used: usize,
    error: Option<WeightsError>,
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let expected = param.val().dims();
        let Some(weight) = self.weights.get(&name) else {
            self.error.get_or_insert(WeightsError::Missing(name));
            return param;
        };
        let size: usize = expected.iter().product();
        if weight.shape != expected || weight.values.len() != size {
            self.error.get_or_insert(WeightsError::Shape {
                name,
                found: weight.shape.clone(),
                expected: expected.to_vec(),
            });
            return param;
        }
        self.used += 1;
        param.map(|old| {
            let required = old.is_require_grad();
            let data = TensorData::new(weight.values.clone(), expected);
            Tensor::from_data(data, &old.device()).set_require_grad(required)
        })
    }
}

/// The values of a tensor as `f32`, the last axis running fastest. Waits for the device.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_dtype(DType::F32).try_into_vec().expect("the data was just made f32")
}

/// The values of a tensor of integers, the last axis running fastest. Waits for the device.
pub fn to_ints<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i32> {
    tensor.into_data_dtype(DType::I32).try_into_vec().expect("the data was just made i32")
}

/// A parameter with these values, which training may change.
pub fn param<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Module, Debug)]
    struct Pair {
        left: Param<Tensor<1>>,
        right: Param<Tensor<2>>,
    }

    fn pair(value: f32) -> Pair {
        let device = Device::flex();
        Pair {
            left: param(vec![value; 2], [2], &device),
            right: param(vec![value; 2], [1, 2], &device),
        }
    }

    #[test]
    fn what_comes_out_goes_back_in() {
        let weights = of(&pair(3.0));

        let loaded = load(pair(0.0), &weights).unwrap();

        assert_eq!(of(&loaded), weights);
        assert_eq!(weights.keys().collect::<Vec<_>>(), ["left", "right"]);
    }

    #[test]
    fn foreign_weights_are_refused_by_name() {
        let mut missing = of(&pair(1.0));
        missing.remove("left");
        let mut unknown = of(&pair(1.0));
        unknown.insert("middle".into(), unknown["left"].clone());
        let mut shape = of(&pair(1.0));
        shape.insert("right".into(), shape["left"].clone());

        let error = |weights| load(pair(0.0), weights).unwrap_err().to_string();
        assert!(error(&missing).contains("no tensor \"left\""));
        assert!(error(&unknown).contains("\"middle\" that the model does not know"));
        assert!(error(&shape).contains("\"right\" has the shape [2] where the model has [1, 2]"));
    }

    #[test]
    fn a_file_keeps_the_numbers_and_the_note() {
        let mut weights = of(&pair(0.1));

        let bytes = to_bytes(&weights, Precision::F32, Some("why".into())).unwrap();

        assert_eq!(from_bytes(&bytes).unwrap(), (weights.clone(), Some("why".into())));
        let half = to_bytes(&weights, Precision::F16, None).unwrap();
        for weight in weights.values_mut() {
            weight.values.fill(f16::from_f32(0.1).to_f32());
        }
        assert_eq!(from_bytes(&half).unwrap(), (weights, None));
    }

    #[test]
    fn truncated_and_foreign_files_are_errors() {
        let bytes = to_bytes(&of(&pair(0.1)), Precision::F32, None).unwrap();

        for length in 0..bytes.len() {
            assert!(from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(from_bytes(b"PK a zip, not a model").is_err());
    }
}
