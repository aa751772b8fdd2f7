//! Manifests of models that cannot be.

use std::collections::BTreeMap;

use super::{AutoencoderInfo, Manifest};
use crate::CsaeConfig;
use crate::composition::units::MOST_PARTS;
use crate::report::Combination;

impl Manifest {
    /// Refuses shapes that no model has, or none with so few `numbers`, before memory is asked for
    /// them.
    pub(super) fn check(&self, numbers: usize) -> Result<(), String> {
        let lm = &self.lm;
        let matrix = |name: &str, rows: usize, columns: usize| match rows.checked_mul(columns) {
            Some(size) if size <= numbers => Ok(()),
            _ => Err(format!("{name}: {rows} x {columns}, with {numbers} numbers in all")),
        };
        small("vocab_size", lm.vocab_size)?;
        small("n_layers", lm.n_layers)?;
        small("block_size", lm.block_size)?;
        divides("lm.n_heads", lm.n_heads, "d_model", lm.d_model)?;
        matrix("block_size x d_model", lm.block_size, lm.d_model)?;
        matrix("n_layers x d_model", lm.n_layers, lm.d_model)?;
        matrix("d_model x d_model", lm.d_model, lm.d_model)?;
        if lm.vocab_size != self.vocab.len() {
            return Err(format!("{} characters, vocab_size {}", self.vocab.len(), lm.vocab_size));
        }
        at_most("layer", self.layer, "n_layers", lm.n_layers)?;
        for (name, AutoencoderInfo { config, .. }) in &self.autoencoders {
            if config.d_model != lm.d_model {
                return Err(format!(
                    "{name} explains rows of {}, not {}",
                    config.d_model, lm.d_model
                ));
            }
            check_autoencoder(config, &|rows, columns| matrix(name, rows, columns))?;
        }
        Ok(())
    }

    /// Refuses combinations of features that the autoencoders do not have.
    pub(super) fn check_combinations(
        &self,
        combinations: &BTreeMap<String, Vec<Combination>>,
    ) -> Result<(), String> {
        for (name, combinations) in combinations {
            let info = self.autoencoders.get(name);
            let n_features = info.ok_or(format!("no autoencoder {name:?}"))?.config.n_features;
            for one in combinations {
                let ascending = one.parts.windows(2).all(|pair| pair[0] < pair[1]);
                let known = one.parts.iter().all(|part| *part < n_features);
                if !ascending || !known || !(2..=MOST_PARTS).contains(&one.parts.len()) {
                    return Err(format!("{name}: {:?} is no combination", one.parts));
                }
            }
        }
        Ok(())
    }
}

/// Refuses the shape of an autoencoder; `matrix` refuses one that is larger than all numbers together.
fn check_autoencoder(
    config: &CsaeConfig,
    matrix: &dyn Fn(usize, usize) -> Result<(), String>,
) -> Result<(), String> {
    small("n_features", config.n_features)?;
    at_most("sparsity_k", config.sparsity_k, "n_features", config.n_features)?;
    matrix(config.n_features, config.d_model)?;
    if let Some(attention) = &config.attention {
        divides("n_heads", attention.n_heads, "d_compose", attention.d_compose)?;
        small("rounds", attention.rounds)?;
        matrix(config.n_features, attention.d_compose)?;
        matrix(attention.d_compose, attention.d_compose)?;
        let size = attention.combination_size;
        at_most("combination_size", size, "sparsity_k", config.sparsity_k)?;
    }
    if let Some(units) = &config.units {
        divides("n_heads", units.n_heads, "n_units", units.n_units)?;
        matrix(config.n_features, units.n_units)?;
    }
    Ok(())
}

fn small(name: &str, value: usize) -> Result<(), String> {
    match value {
        1..=65_536 => Ok(()),
        _ => Err(format!("{name} is {value}")),
    }
}

fn at_most(name: &str, value: usize, limit_name: &str, limit: usize) -> Result<(), String> {
    small(name, value)?;
    match value <= limit {
        true => Ok(()),
        false => Err(format!("{name} is {value}, {limit_name} only {limit}")),
    }
}

fn divides(name: &str, part: usize, whole_name: &str, whole: usize) -> Result<(), String> {
    at_most(name, part, whole_name, whole)?;
    small(whole_name, whole)?;
    match whole % part {
        0 => Ok(()),
        _ => Err(format!("{name} is {part}, which does not divide {whole_name}, {whole}")),
    }
}
