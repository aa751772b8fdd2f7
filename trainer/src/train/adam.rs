//! Adam with decoupled weight decay, over a module's parameters by name.
//!
//! Kingma and Ba (arXiv 1412.6980), Loshchilov and Hutter (arXiv 1711.05101). As in nanoGPT only
//! matrices decay, and the gradient is cut by the length of all parameters' gradients together.

use std::collections::BTreeMap;

use anyhow::Result;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::Gradients;
use shared::weights::{self, Weight, Weights, to_vec};

use super::Misfit;

/// The settings of an [`Adam`].
#[derive(Clone, Debug)]
pub struct AdamConfig {
    /// Memory of gradients.
    pub beta1: f64,
    /// Memory of squared gradients.
    pub beta2: f64,
    /// Added to the root of the squared gradients.
    pub epsilon: f64,
    /// Decay of matrices, times the learning rate.
    pub weight_decay: f64,
    /// The length to which a longer gradient is cut.
    pub clip: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, clip: None }
    }
}

/// The optimizer with its memory.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    time: i32,
    moments: BTreeMap<String, Moments>,
}

/// Running means of a parameter's gradient and of its square, laid flat.
#[derive(Debug)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

impl Adam {
    /// An optimizer without memory.
    pub fn new(config: AdamConfig) -> Self {
        Self { config, time: 0, moments: BTreeMap::new() }
    }

    /// Moves the parameters of `module` one step against their `gradients`.
    pub fn step<M: Module>(&mut self, rate: f64, module: M, gradients: Gradients) -> M {
        self.time += 1;
        let shorten = self.config.clip.map(|clip| {
            let mut squares = Squares { gradients: &gradients, sum: None };
            module.visit(&mut squares);
            squares.sum.map(|sum| ((sum.sqrt() + 1e-6).recip() * clip).clamp_max(1.0))
        });
        let mut stepper =
            Stepper { adam: self, rate, gradients, shorten: shorten.flatten(), path: vec![] };
        module.map(&mut stepper)
    }

    /// Forgets what it knows of the parameter called `name`, which has become another.
    pub fn forget(&mut self, name: &str) {
        self.moments.remove(name);
    }

    /// Writes the memory into `weights`, under `first.` and `second.`.
    pub fn save(&self, weights: &mut Weights) {
        for (name, moments) in &self.moments {
            for (kind, tensor) in [("first", &moments.first), ("second", &moments.second)] {
                let weight =
                    Weight { shape: tensor.dims().to_vec(), values: to_vec(tensor.clone()) };
                weights.insert(format!("{kind}.{name}"), weight);
            }
        }
    }

    /// Reads the memory after `steps` steps out of `weights`.
    ///
    /// # Errors
    /// One of the two memories of a parameter is missing or of another length than the parameter.
    pub fn load(&mut self, weights: &Weights, steps: u64, device: &Device) -> Result<()> {
        self.time = i32::try_from(steps)?;
        for (name, first) in weights::part(weights, "first.") {
            let length = |kind: &str| {
                weights.get(&format!("{kind}.{name}")).map(|weight| weight.values.len())
            };
            let Some(second) = weights.get(&format!("second.{name}")) else {
                return Err(Misfit(format!("no tensor \"second.{name}\"")).into());
            };
            if length("model") != Some(first.values.len()) || length("model") != length("second") {
                return Err(Misfit(format!("the memory of {name} has another length")).into());
            }
            let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, device);
            let moments = Moments { first: tensor(&first.values), second: tensor(&second.values) };
            self.moments.insert(name, moments);
        }
        Ok(())
    }
}

/// The sum of the squares of all gradients.
struct Squares<'a> {
    gradients: &'a Gradients,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let square = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

struct Stepper<'a> {
    adam: &'a mut Adam,
    rate: f64,
    gradients: Gradients,
    shorten: Option<Tensor<1>>,
    path: Vec<String>,
}

impl ModuleMapper for Stepper<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad_remove(&mut self.gradients) else {
            return param;
        };
        let size = gradient.shape().num_elements();
        let mut gradient = gradient.reshape([size]);
        if let Some(shorten) = &self.shorten {
            gradient = gradient * shorten.clone();
        }
        let change = self.change(self.path.join("."), gradient);
        let decay = if D > 1 { self.adam.config.weight_decay } else { 0.0 };
        let (rate, keep) = (self.rate, 1.0 - self.rate * decay);
        param.map(|old| {
            let shape = old.dims();
            let old = old.without_autodiff();
            let old = if keep < 1.0 { old * keep } else { old };
            let new = old - change.reshape(shape) * rate;
            Tensor::from_inner(new).require_grad()
        })
    }
}

impl Stepper<'_> {
    /// In which direction the parameter called `name` goes; updates its memory.
    fn change(&mut self, name: String, gradient: Tensor<1>) -> Tensor<1> {
        let Adam { config, time, moments } = &mut *self.adam;
        let square = gradient.clone().square() * (1.0 - config.beta2);
        let gradient = gradient * (1.0 - config.beta1);
        let moments = match moments.remove(&name) {
            None => Moments { first: gradient, second: square },
            Some(old) => Moments {
                first: old.first * config.beta1 + gradient,
                second: old.second * config.beta2 + square,
            },
        };
        let unbiased = |beta: f64| 1.0 / (1.0 - beta.powi(*time));
        let first = moments.first.clone() * unbiased(config.beta1);
        let second = (moments.second.clone() * unbiased(config.beta2)).sqrt();
        self.adam.moments.insert(name, moments);
        first / (second + self.adam.config.epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::weights::param;

    #[derive(Module, Debug)]
    struct Line {
        slope: Param<Tensor<2>>,
        offset: Param<Tensor<1>>,
    }

    fn line() -> Line {
        let device = Device::flex().autodiff();
        Line {
            slope: param(vec![1.0, -2.0], [2, 1], &device),
            offset: param(vec![0.5], [1], &device),
        }
    }

    fn gradients(line: &Line) -> Gradients {
        let offset = line.offset.val().powi_scalar(2).sum() * 3.0;
        (line.slope.val().powi_scalar(2).sum() + offset).backward()
    }

    fn slope(line: &Line) -> Vec<f32> {
        weights::of(line)["slope"].values.clone()
    }

    #[test]
    fn the_first_step_moves_every_parameter_by_the_learning_rate() {
        let before = line();

        let mut adam = Adam::new(AdamConfig::default());
        let after = adam.step(0.1, before.clone(), gradients(&before));

        // m / sqrt(v) is the gradient's sign at first, whatever its size.
        assert_eq!(slope(&after), [0.9, -1.9]);
        assert_eq!(weights::of(&after)["offset"].values, [0.4]);
    }

    #[test]
    fn only_matrices_decay() {
        let config = AdamConfig { weight_decay: 0.5, ..AdamConfig::default() };
        let before = line();

        let after = Adam::new(config).step(0.1, before.clone(), gradients(&before));

        assert_eq!(slope(&after), [1.0 * 0.95 - 0.1, -2.0 * 0.95 + 0.1]);
        assert_eq!(weights::of(&after)["offset"].values, [0.4]);
    }

    #[test]
    fn a_long_gradient_is_cut_by_its_length_over_all_parameters() {
        let config = AdamConfig { clip: Some(1.0), ..AdamConfig::default() };
        let model = line();
        let mut adam = Adam::new(config);

        adam.step(0.1, model.clone(), gradients(&model));

        let mut memory = Weights::new();
        adam.save(&mut memory);
        // Gradients (2, -4) and (3): the root of 29 long.
        let cut = memory["first.offset"].values[0] * 10.0;
        assert!((cut - 3.0 / 29.0_f32.sqrt()).abs() < 1e-5, "{cut}");
    }

    #[test]
    fn an_optimizer_read_back_goes_on_bit_by_bit() {
        let mut adam = Adam::new(AdamConfig::default());
        let start = line();
        let once = adam.step(0.1, start.clone(), gradients(&start));
        let mut memory = Weights::new();
        weights::put(&mut memory, "model.", weights::of(&once));
        adam.save(&mut memory);

        let mut again = Adam::new(AdamConfig::default());
        again.load(&memory, 1, &Device::flex()).unwrap();
        let resumed = again.step(0.1, once.clone(), gradients(&once));
        let straight = adam.step(0.1, once.clone(), gradients(&once));

        assert_eq!(weights::of(&resumed), weights::of(&straight));
    }
}
