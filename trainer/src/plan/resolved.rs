//! What the sizes of an experiment make of the user's settings, and of a trial.

use super::{
    AutoencoderTraining, CompositionTraining, ModelConfig, Plan, Profile, Schedule, Seeds, Trial,
    TrialModel,
};
use crate::complaint::Complaint;
use crate::settings::Settings;

/// When units look for combinations whose size grows: from three tenths of the training on, with a third
/// of what is left for each size.
const GROWING: [f64; 3] = [0.3, 0.3 + 0.7 / 3.0, 0.3 + 1.4 / 3.0];

impl Profile {
    /// The sizes for a plan: a costly one gets fewer steps, and fewer rows to look into.
    pub fn for_plan(mut self, plan: &Plan) -> Self {
        if plan.costly {
            let training = &mut self.autoencoder_training;
            training.warmup = training.warmup * self.costly_steps / training.steps;
            training.steps = self.costly_steps;
            training.composition.rows = training.composition.rows.min(self.costly_rows);
            self.completion.rows = self.completion.rows.min(self.costly_rows);
        }
        self
    }

    /// The sizes with what the user has set in their place.
    ///
    /// # Errors
    /// The language model has no such layer.
    pub fn with(mut self, settings: &Settings) -> Result<Self, Complaint> {
        if let Some(layer) = settings.layer {
            let layers = self.lm.n_layers;
            if layer > layers {
                return Err(Complaint::usage(format!("there is no layer {layer}"))
                    .fix(format!("set layer to 1 .. {layers}: the model has {layers} blocks")));
            }
            self.layer = layer;
        }
        if let Some(seeds) = settings.seeds {
            (self.seeds, self.many_seeds) = (seeds, seeds);
        }
        self.autoencoder_training.steps = settings.steps.unwrap_or(self.autoencoder_training.steps);
        self.rows = settings.rows.unwrap_or(self.rows);
        Ok(self)
    }

    /// How many features are active on a row of `trial`.
    pub fn k(&self, trial: &Trial) -> usize {
        trial.sparsity_k.unwrap_or(self.sparsity_k)
    }

    /// How often `trial` is trained at its learning rate.
    pub fn seeds(&self, trial: &Trial) -> u64 {
        match trial.seeds {
            Seeds::One => 1,
            Seeds::Several => self.seeds,
            Seeds::Many => self.many_seeds,
        }
    }

    /// The shape of what `trial` trains.
    pub fn model(&self, trial: &Trial) -> ModelConfig {
        let (d_model, k) = (self.lm.d_model, self.k(trial));
        match &trial.model {
            TrialModel::Csae(csae) => ModelConfig::Csae(csae.config(d_model, k)),
            TrialModel::Rival(rival) => ModelConfig::Rival(rival.config(d_model, k)),
        }
    }

    /// How `trial` is trained.
    pub fn training(&self, trial: &Trial) -> AutoencoderTraining {
        let training = self.autoencoder_training.clone();
        let Some(csae) = trial.csae() else { return training };
        let (at, before) = match csae.curriculum && csae.units.is_some() {
            true => (GROWING[2], GROWING[..2].to_vec()),
            false => (training.composition.at, vec![]),
        };
        let random_parts = csae.random_parts;
        AutoencoderTraining {
            completion: csae.completed.then(|| self.completion.clone()),
            composition: CompositionTraining { at, before, random_parts, ..training.composition },
            diversity_weight: csae.diversity_weight,
            entropy_weight: csae.entropy_weight,
            ..training
        }
    }

    /// What changes while `trial` is trained.
    pub fn schedule(&self, trial: &Trial) -> Schedule {
        trial.csae().map_or(Schedule::default(), |csae| Schedule {
            sparsity_from: csae.graduated.then_some(self.graduated_from),
            curriculum: csae.curriculum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ProfileName, named};

    #[test]
    fn what_the_user_sets_takes_the_place_of_the_profiles_numbers() {
        let (seeds, layer, steps, rows) = (Some(7), Some(3), Some(11), Some(13));
        let settings = Settings { seeds, layer, steps, rows, ..Settings::default() };

        let profile = Profile::named(ProfileName::Cpu).with(&settings).unwrap();

        assert_eq!((profile.seeds, profile.many_seeds, profile.layer), (7, 7, 3));
        assert_eq!((profile.autoencoder_training.steps, profile.rows), (11, 13));
        let too_deep = Profile::named(ProfileName::Smoke).with(&settings).unwrap_err();
        assert!(too_deep.to_string().contains("there is no layer 3"), "{too_deep}");
    }

    #[test]
    fn costly_plans_take_fewer_steps_with_the_same_shares() {
        let smoke = || Profile::named(ProfileName::Smoke);

        let costly = smoke().for_plan(&named("run_4").unwrap()).autoencoder_training;
        let usual = smoke().for_plan(&named("run_3").unwrap()).autoencoder_training;

        assert_eq!((costly.steps, usual.steps), (smoke().costly_steps, 200));
        assert_eq!(costly.warmup * usual.steps, usual.warmup * costly.steps);
    }

    #[test]
    fn switches_of_a_trial_become_its_training_and_those_of_others_do_not() {
        let profile = Profile::named(ProfileName::Cpu);
        let plan = named("run_4").unwrap().at(&profile);
        let training = |name: &str| {
            let trial = plan.trials.iter().find(|trial| trial.name == name).unwrap();
            (profile.training(trial), profile.schedule(trial))
        };
        let usual = training("full");

        let grows = training("moving_size").0.composition;
        assert_eq!((grows.before.len(), usual.0.composition.before.len()), (2, 0));
        assert!(grows.at < usual.0.composition.at && grows.before.is_sorted());
        assert_eq!(training("moving_k").1.sparsity_from, Some(128));
        assert_eq!(training("moving_k").0, usual.0);
        assert!(training("random_parts").0.composition.random_parts);
        assert_eq!(training("diversity").0.diversity_weight, 0.1);
        assert_eq!(training("attention_entropy").0.entropy_weight, 0.01);
        assert!(training("no_completion").0.completion.is_none());
        for name in ["no_gate", "no_detachment", "no_residual", "no_refit", "attention"] {
            assert_eq!(training(name), usual, "{name}");
        }
    }
}
