//! Finds the word that was probably meant.

/// The `limit` of `candidates` most like `word`, best first, without those that share too little with it.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, limit: usize) -> Vec<&'a str> {
    let wanted: Vec<char> = word.to_lowercase().chars().collect();
    // A third of the word may be wrong; of very short words, one letter.
    let tolerated = (wanted.len() / 3).max(1);
    let mut scored: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let chars: Vec<char> = candidate.to_lowercase().chars().collect();
            let edits = distance(&wanted, &chars);
            // A word that starts with the other one is meant as well, such as `storage` for `storageGB`.
            let is_prefix =
                wanted.len() > 2 && chars.len() > 2 && (chars.starts_with(&wanted) || wanted.starts_with(&chars));
            (edits <= tolerated || is_prefix).then_some((edits, candidate))
        })
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().take(limit).map(|(_, candidate)| candidate).collect()
}

/// Levenshtein's distance: how many letters to insert, delete or replace.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_levenshteins() {
        let check = |a: &str, b: &str, expected| {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&a, &b), expected);
            assert_eq!(distance(&b, &a), expected);
        };
        check("", "", 0);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("databse", "database", 1);
    }

    #[test]
    fn the_likeliest_word_comes_first_and_strangers_do_not_come() {
        let check = |word, expected: &[&str]| {
            assert_eq!(nearest(word, ["database", "databases", "storageGB", "engine", "id"], 2), expected, "{word}");
        };
        check("Databse", &["database", "databases"]);
        check("storage", &["storageGB"]);
        check("engin", &["engine"]);
        check("queue", &[]);
        check("if", &["id"]);
    }
}
