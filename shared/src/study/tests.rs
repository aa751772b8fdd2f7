use super::*;

fn study(items: usize, repeats: usize) -> Study {
    let line = StudyLine { text: "a\nb".into(), at: 1, levels: "080".into() };
    let id = |number| format!("i{number:02}");
    Study {
        schema: SCHEMA,
        name: "pilot".into(),
        items: (0..items).map(|at| Item { id: id(at), lines: vec![line.clone(); 5] }).collect(),
        blocks: vec![Block {
            items: (0..items).map(id).collect(),
            repeats: (0..repeats).map(id).collect(),
        }],
        ..Study::default()
    }
}

fn read(study: &Study) -> Result<Study, StudyError> {
    Study::read(&serde_json::to_vec(study).unwrap())
}

#[test]
fn a_study_comes_back_as_it_was() {
    let study = study(3, 1);

    assert_eq!(read(&study), Ok(study));
}

#[test]
fn studies_that_cannot_be_shown_are_refused() {
    type Spoil = fn(&mut Study);
    let spoils: [Spoil; 8] = [
        |study| study.name = "../other".into(),
        |study| study.items[0].id = "i01".into(),
        |study| study.items[0].lines.truncate(4),
        |study| study.items[0].lines[2].at = 3,
        |study| study.items[0].lines[2].levels = "09".into(),
        |study| study.items[0].lines[2].levels = "0x0".into(),
        |study| study.blocks[0].items[0] = "i77".into(),
        |study| study.blocks.clear(),
    ];
    for (place, spoil) in spoils.iter().enumerate() {
        let mut study = study(3, 1);
        spoil(&mut study);

        assert!(matches!(read(&study), Err(StudyError::Foreign(_))), "{place}");
    }
    assert_eq!(Study::read(br#"{"schema":2}"#), Err(StudyError::Newer(2)));
    assert!(matches!(Study::read(b"\x00\x01"), Err(StudyError::Foreign(_))));
}

#[test]
fn every_rater_is_asked_everything_once_and_repeats_again_later() {
    let study = study(26, 2);
    for rater in ["AAAA", "AAAB", "77ZZ", ""] {
        let shown = study.sequence(0, rater);

        assert_eq!(shown, study.sequence(0, rater));
        assert_eq!(shown.len(), 28);
        for id in &study.blocks[0].items {
            let place = |repeat| shown.iter().position(|s| s.item == *id && s.repeat == repeat);
            let is_repeated = study.blocks[0].repeats.contains(id);
            assert_eq!(place(true).is_some(), is_repeated);
            let first = place(false).unwrap();
            assert!(place(true).is_none_or(|again| again >= first + 6), "{shown:?}");
        }
    }
    assert_ne!(study.sequence(0, "AAAA"), study.sequence(0, "AAAB"));
    assert!(study.sequence(1, "AAAA").is_empty());
}
