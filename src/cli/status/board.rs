//! The migration board for people.

use std::fmt::Write as _;

use crate::reconcile::{Board, Place, Row};

pub(super) fn render(board: &Board) -> String {
    let mut text = String::new();
    let Board { task, source, destination, .. } = board;
    let arrow = if board.bidirectional { '↔' } else { '→' };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "task {task}: {source} {arrow} {destination}, {} services", board.services.len());
    for (place, count) in &board.counts {
        if *place == Place::Unknown && *count == 0 {
            continue;
        }
        let _ = writeln!(text, "{count:>5}  {}", heading(*place, board));
        for row in board.services.iter().filter(|row| row.place == *place) {
            let _ = writeln!(text, "         {}", line(row, board));
        }
    }
    for doubt in &board.doubts {
        let _ = writeln!(text, "in doubt: {doubt}");
    }
    let _ = writeln!(text, "{}", conclusion(board));
    text
}

fn heading(place: Place, board: &Board) -> String {
    let Board { source, destination, .. } = board;
    match place {
        Place::Unknown => "not known at present".to_owned(),
        Place::AtSource => format!("native in {source} only"),
        Place::Copied => format!("native in {source}, copied to {destination}"),
        Place::AtBoth => format!("native in both {source} and {destination}"),
        Place::Held => format!("gone from {source}, copies still kept in {destination}"),
        Place::AtDestination => format!("native in {destination} only: {source} may go"),
    }
}

fn line(row: &Row, board: &Board) -> String {
    let Board { source, destination, .. } = board;
    let name = row.name.as_ref().filter(|name| **name != row.service);
    let name = name.map(|name| format!(" ({name} in {destination})")).unwrap_or_default();
    let counts = &row.counts;
    let told = [
        (counts.native_at_source, format!("native in {source}")),
        (counts.copies_at_destination, format!("copied to {destination}")),
        (counts.native_at_destination, format!("native in {destination}")),
        (counts.copies_at_source, format!("copied back to {source}")),
    ];
    let told =
        told.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let reason = row.reason.iter().cloned();
    format!("{}{name}: {}", row.service, told.chain(reason).collect::<Vec<_>>().join(", "))
}

fn conclusion(board: &Board) -> String {
    let Board { source, services, .. } = board;
    let staying = services.iter().filter(|row| row.place != Place::AtDestination).count();
    match (board.moved, services.is_empty(), staying) {
        (true, ..) => format!("all have moved: as far as this task goes, {source} may be switched off"),
        (false, true, _) => "no service of the task is native anywhere".to_owned(),
        (false, false, 0) => "none is left, but that is in doubt".to_owned(),
        (false, false, staying) => format!("not all have moved: {staying} of {} have not", services.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        serde_json::from_str(include_str!("../../../tests/data/copies/board.json")).unwrap()
    }

    #[test]
    fn a_board_is_told_place_by_place() {
        let text = render(&board());
        assert_eq!(text, include_str!("../../../tests/data/copies/board.txt"));
        assert!(
            include_str!("../../../docs/registry-to-registry.md").contains(&text),
            "the page shows what it says"
        );
    }

    #[test]
    fn it_concludes_no_more_than_is_known() {
        let mut board = board();
        board.services.retain(|row| row.place == Place::AtDestination);
        board.doubts = vec!["registry nacos: connection refused".to_owned()];
        let text = render(&board);
        assert!(
            text.ends_with(
                "in doubt: registry nacos: connection refused\nnone is left, but that is in doubt\n"
            )
        );
        board.doubts.clear();
        board.moved = true;
        let text = render(&board);
        assert!(
            text.ends_with("all have moved: as far as this task goes, nacos may be switched off\n"),
            "{text}"
        );
        (board.moved, board.services) = (false, Vec::new());
        assert!(render(&board).ends_with("no service of the task is native anywhere\n"));
    }
}
