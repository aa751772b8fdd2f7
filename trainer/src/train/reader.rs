//! The gradients of all parameters, from autodiff.

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::Gradients;
use shared::weights::{Weight, Weights, to_vec};

/// Reads the gradients of a module by name.
pub(super) struct Reader {
    gradients: Gradients,
    path: Vec<String>,
    pub(super) found: Weights,
}

impl Reader {
    pub(super) fn of(gradients: Gradients) -> Self {
        Self { gradients, path: vec![], found: Weights::new() }
    }
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(&self.gradients) {
            let shape = gradient.dims().to_vec();
            self.found.insert(self.path.join("."), Weight { shape, values: to_vec(gradient) });
        }
    }
}
