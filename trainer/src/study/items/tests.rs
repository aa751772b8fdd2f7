use super::*;

const ROWS: usize = 6_000;

fn text() -> RowText {
    let characters = (0..ROWS + 16).map(|place| char::from(b'a' + (place * place % 23) as u8));
    RowText { characters: characters.collect(), first: 8, rows: ROWS }
}

/// A unit that fires every 50 rows, beginning with its number, more and more strongly.
fn unit(number: usize) -> Unit {
    let rows = (number..ROWS).step_by(50);
    Unit {
        name: format!("f{number}"),
        sign: None,
        firings: rows.map(|row| (row, 1.0 + row as f32)).collect(),
    }
}

fn conditions() -> Vec<Condition> {
    let condition = |name, units: Vec<Unit>| {
        let reason = "there are none".to_string();
        Condition { name, units, reason }
    };
    vec![
        condition("feature", (0..12).map(unit).collect()),
        condition("combination", vec![]),
        condition(GOLD, (20..30).map(unit).collect()),
    ]
}

#[test]
fn an_item_has_a_line_of_each_quarter_and_a_foreign_one() {
    let made = make(&conditions(), &text(), &Design { seed: 0, items: 6, blocks: 2 });

    assert_eq!(made.items.len(), 6 + CHECKS);
    for item in &made.items {
        let key = &made.key[&item.id];
        let number: usize = key.unit[1..].parse().unwrap();
        let mut quarters = vec![];
        for (place, (line, row)) in item.lines.iter().zip(&key.rows).enumerate() {
            let is_own = row % 50 == number;
            assert_eq!(is_own, place + 1 != usize::from(key.intruder), "{key:?}");
            assert_eq!(line.text.chars().nth(line.at), Some(text().characters[8 + row]));
            assert_eq!(line.levels.chars().nth(line.at), Some('8'));
            quarters.extend(is_own.then_some(row * 4 / ROWS));
        }
        quarters.sort_unstable();
        assert_eq!(quarters, [0, 1, 2, 3]);
    }
}

#[test]
fn blocks_are_balanced_and_repeat_what_is_no_check() {
    let made = make(&conditions(), &text(), &Design { seed: 1, items: 6, blocks: 2 });

    let of = |id: &String| made.key[id].condition.as_str();
    for block in &made.blocks {
        let features = block.items.iter().filter(|id| of(id) == "feature").count();
        assert_eq!((features, block.items.len()), (3, 3 + CHECKS));
        assert_eq!(block.repeats.len(), CHECKS);
        assert!(block.repeats.iter().all(|id| of(id) != GOLD && block.items.contains(id)));
    }
    let expected = LeftOut { condition: "combination".into(), reason: "there are none".into() };
    assert_eq!(made.left_out, [expected]);
}

#[test]
fn every_block_has_the_same_plain_items_however_many_blocks_there_are() {
    let made = make(&conditions(), &text(), &Design { seed: 1, items: 6, blocks: 6 });

    let is_gold = |id: &&String| made.key[*id].condition == GOLD;
    let gold = |block: &Block| block.items.iter().filter(is_gold).cloned().collect::<Vec<_>>();
    assert_eq!(gold(&made.blocks[0]).len(), CHECKS);
    for block in &made.blocks {
        assert_eq!((gold(block), block.items.len()), (gold(&made.blocks[0]), 1 + CHECKS));
    }
}

#[test]
fn the_same_seed_makes_the_same_study_and_another_seed_another() {
    let make = |seed| make(&conditions(), &text(), &Design { seed, items: 6, blocks: 1 });

    assert_eq!(make(3).items, make(3).items);
    assert_ne!(make(3).items, make(4).items);
}
