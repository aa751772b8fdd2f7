//! run_4: the whole model without one of its parts at a time.

use shared::{AttentionConfig, UnitsConfig, UnitsPrinciple};

use super::{CsaeTrial, Plan, Relation, Rival, Trial, csae, full, refitted, rival};

/// The trial that lacks nothing.
const FULL: &str = "full";

/// Each trial differs in one respect from `full`, whose learning rate it takes, or chooses its own where that
/// is too high a rate for it. Coefficient attention takes that of attention, which was its best of six, too:
/// each of its trainings takes as long as ten others. `moving_size` also looks for combinations three times in place of once,
/// because sizes that grow need something to grow in.
pub(super) fn run_4() -> Plan {
    let full = full();
    let without = |principle| {
        let units = UnitsConfig::new().with_without(Some(principle));
        CsaeTrial { units: Some(units), ..full.clone() }
    };
    let ungated = UnitsConfig::new();
    let ungated = ungated.clone().with_speaking(ungated.n_units);
    let attention =
        CsaeTrial { attention: Some(AttentionConfig::new()), units: None, ..full.clone() };
    let at_its_rate = [
        csae("no_completion", CsaeTrial { completed: false, ..full.clone() }),
        csae("no_composition", CsaeTrial { units: None, ..full.clone() }),
        csae("no_orthogonality", without(UnitsPrinciple::Orthogonality)),
        csae("no_detachment", without(UnitsPrinciple::Detachment)),
        csae("no_gate", CsaeTrial { units: Some(ungated), ..full.clone() }),
        csae("random_parts", CsaeTrial { random_parts: true, ..full.clone() }),
        csae("moving_k", CsaeTrial { graduated: true, ..full.clone() }),
        csae("moving_size", CsaeTrial { curriculum: true, ..full.clone() }),
        csae("diversity", CsaeTrial { diversity_weight: 0.1, ..full.clone() }),
        csae("topk_refit", refitted()),
    ];
    let at_its_rate = at_its_rate.map(|trial| Trial { rate_of: Some(FULL.into()), ..trial });
    let at_their_own = [
        csae("no_refit", CsaeTrial { refit_steps: 0, ..full.clone() }),
        csae("no_residual", without(UnitsPrinciple::Residual)),
        csae("attention", attention.clone()),
        Trial {
            against: Some("attention"),
            rate_of: Some("attention".into()),
            ..csae("attention_entropy", CsaeTrial { entropy_weight: 0.01, ..attention })
        },
        Trial {
            rate_of: Some("attention".into()),
            ..rival("coefficient_attention", Rival::CoefficientAttention)
        },
        rival("literal", Rival::Literal),
    ];
    let ablations = at_its_rate.into_iter().chain(at_their_own);
    let ablations = ablations.map(|trial| Trial { exported: false, ..trial });
    Plan {
        name: "run_4",
        question: "What is each part of the model good for?",
        trials: [csae(FULL, full)].into_iter().chain(ablations).collect(),
        every_text: false,
        relation: Relation::Against(FULL),
        curve: None,
        costly: true,
        transcoder: None,
    }
}
