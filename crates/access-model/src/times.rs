//! When a rule applies.

/// Days, and hours of them. A window that ends before it begins lasts over midnight, and belongs to the day on
/// which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// At least one.
    pub days: Vec<Weekday>,
    /// Minutes since midnight, 0 to 1439.
    pub from_minute: u16,
    /// 1 to 1440; the first minute that is outside.
    pub to_minute: u16,
    /// Minutes by which the clocks of the place are ahead of UTC. Zones with summer time are not known here: an
    /// operator writes two rules, or a window that is right all year.
    pub offset_minutes: i16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// All must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// Seconds since 1970 (UTC).
    pub from: Option<i64>,
    /// The first second that is outside.
    pub until: Option<i64>,
    /// One of them, where there are any.
    pub windows: Vec<Window>,
}

const DAY: i64 = 24 * 60;

impl Weekday {
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The day with this number since 1970-01-01, which was a Thursday.
    fn of_day(day: i64) -> Self {
        let place = usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
        Self::ALL.get(place).copied().unwrap_or(Self::Monday)
    }
}

impl Window {
    /// The second at which it ends, if `now` is inside.
    fn end(&self, now: i64) -> Option<i64> {
        let offset = i64::from(self.offset_minutes) * 60;
        let minute_now = now.checked_add(offset)?.div_euclid(60);
        let today = minute_now.div_euclid(DAY);
        let (from, mut to) = (i64::from(self.from_minute), i64::from(self.to_minute));
        if to <= from {
            to += DAY;
        }
        // The window of yesterday may last into today.
        [today - 1, today].into_iter().find_map(|day| {
            let (from, to) = (day * DAY + from, day * DAY + to);
            let inside = from <= minute_now && minute_now < to;
            if inside && self.days.contains(&Weekday::of_day(day)) {
                to.checked_mul(60)?.checked_sub(offset)
            } else {
                None
            }
        })
    }

    pub(crate) fn is_possible(&self) -> bool {
        const FARTHEST: i16 = 14 * 60;
        !self.days.is_empty()
            && i64::from(self.from_minute) < DAY
            && (1..=DAY).contains(&i64::from(self.to_minute))
            && (-FARTHEST..=FARTHEST).contains(&self.offset_minutes)
    }
}

impl Times {
    /// Whether `now` is inside, and if so the second at which it no longer is; `i64::MAX` for never.
    pub(crate) fn end(&self, now: i64) -> Option<i64> {
        let Self { from, until, windows } = self;
        let until = until.unwrap_or(i64::MAX);
        if from.is_some_and(|from| now < from) || now >= until {
            return None;
        }
        if windows.is_empty() {
            return Some(until);
        }
        let end_of = |moment| windows.iter().filter_map(|window| window.end(moment)).max();
        let mut end = end_of(now)?;
        // Where a window ends, another may have begun. Weeks are all the same, so that what goes on for more than
        // one goes on for ever.
        while end < until {
            match end_of(end) {
                Some(_) if end.saturating_sub(now) > 8 * 24 * 3_600 => return Some(until),
                Some(next) => end = next,
                None => break,
            }
        }
        Some(end.min(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday 2026-03-02, 00:00 UTC.
    const MONDAY: i64 = 1_772_409_600;
    const HOUR: i64 = 3_600;

    fn window(days: &[Weekday], hours: (u16, u16), offset_minutes: i16) -> Times {
        let (from, to) = hours;
        let window = Window {
            days: days.to_vec(),
            from_minute: from * 60,
            to_minute: to * 60,
            offset_minutes,
        };
        assert!(window.is_possible());
        Times { windows: vec![window], ..Times::default() }
    }

    #[test]
    fn a_window_holds_its_first_second_and_not_its_last() {
        let times = window(&[Weekday::Monday], (9, 17), 0);
        let (nine, five) = (MONDAY + 9 * HOUR, MONDAY + 17 * HOUR);
        let ends = [nine - 1, nine, five - 1, five, nine + 24 * HOUR].map(|now| times.end(now));
        assert_eq!(ends, [None, Some(five), Some(five), None, None]);
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let times = window(&[Weekday::Monday], (22, 6), 0);
        let six = MONDAY + 30 * HOUR;
        let ends = [MONDAY + 5 * HOUR, MONDAY + 23 * HOUR, six - 1, six].map(|now| times.end(now));
        assert_eq!(ends, [None, Some(six), Some(six), None]);
    }

    #[test]
    fn days_and_hours_are_those_of_the_place() {
        // In India it is Tuesday, 04:30, when it is Monday, 23:00, in UTC.
        let times = window(&[Weekday::Tuesday], (4, 5), 330);
        assert_eq!(times.end(MONDAY + 23 * HOUR), Some(MONDAY + 23 * HOUR + HOUR / 2));
        // In New York it is Sunday still.
        let times = window(&[Weekday::Sunday], (0, 24), -300);
        assert_eq!(times.end(MONDAY + 4 * HOUR), Some(MONDAY + 5 * HOUR));
    }

    #[test]
    fn a_date_ends_a_window() {
        let mut times = window(&Weekday::ALL, (0, 24), 0);
        times.until = Some(MONDAY + HOUR);
        assert_eq!(times.end(MONDAY), Some(MONDAY + HOUR));
        assert_eq!(times.end(MONDAY + HOUR), None);
        times.from = Some(MONDAY + 1);
        assert_eq!(times.end(MONDAY), None);
    }

    #[test]
    fn windows_that_touch_are_one() {
        let workdays = &Weekday::ALL[..5];
        let times = window(workdays, (0, 24), 0);
        assert_eq!(times.end(MONDAY), Some(MONDAY + 5 * 24 * HOUR));
        assert_eq!(window(&Weekday::ALL, (0, 24), 0).end(MONDAY), Some(i64::MAX));
        assert_eq!(window(&Weekday::ALL, (6, 6), 60).end(MONDAY), Some(i64::MAX));
    }

    #[test]
    fn times_before_1970_and_at_the_ends_of_time_are_times() {
        let times = window(&Weekday::ALL, (0, 24), 840);
        assert_eq!(times.end(-1), Some(i64::MAX));
        assert_eq!(times.end(i64::MAX), None);
        assert!(times.end(i64::MIN / 2).is_some());
    }
}
