//! Durations and sizes as people write them: `90s`, `8h`, `16MiB`.

use std::time::Duration;

const DURATIONS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: &[(&str, u64)] = &[("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A whole number and one unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    scaled(text, DURATIONS).map(Duration::from_millis)
}

/// Bytes: a whole number, alone or with one unit.
pub(super) fn size(text: &str) -> Option<u64> {
    scaled(text, SIZES)
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        let read =
            ["250ms", "90s", "10m", "8h", "7d", "90", "1.5h", "h", "-1s", "1 s"].map(duration);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let wrong = [None; 5];
        let right = [
            Some(Duration::from_millis(250)),
            seconds(90),
            seconds(600),
            seconds(28_800),
            seconds(604_800),
        ];
        assert_eq!(read[..5], right);
        assert_eq!(read[5..], wrong);
        assert_eq!(
            ["7", "4KiB", "1GiB", "1KB", "99999999999999999999"].map(size),
            [Some(7), Some(4096), Some(1 << 30), None, None]
        );
    }
}
