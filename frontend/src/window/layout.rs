//! Where the picture is in the window: as large as can be, in the shape that it has on a monitor.

/// A rectangle of pixels of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// Any size, in the exact shape.
    #[default]
    Smooth,
    /// Each pixel of the guest is so many of the host wide and so many high: in nearly the right shape.
    Whole,
}

/// How far whole numbers may depart from the right shape, in percent: text of 720 by 400 may have square pixels.
const DEPARTURE: usize = 36;

/// Places a picture of `size`, `aspect.0` wide and `aspect.1` high on a monitor, in the middle of `area`.
pub fn place(area: (usize, usize), size: (usize, usize), aspect: (usize, usize), scaling: Scaling) -> Rect {
    let whole = || whole(area, size, aspect);
    let (width, height) = match scaling {
        Scaling::Whole => whole().unwrap_or_else(|| fitted(area, aspect)),
        Scaling::Smooth => fitted(area, aspect),
    };
    Rect { x: (area.0 - width) / 2, y: (area.1 - height) / 2, width, height }
}

/// The largest size of this shape.
fn fitted(area: (usize, usize), aspect: (usize, usize)) -> (usize, usize) {
    let (across, down) = (aspect.0.max(1), aspect.1.max(1));
    let width = area.0.min(area.1 * across / down);
    (width, (width * down / across).min(area.1))
}

/// The largest size by whole numbers that is near enough to the shape, of equals the nearest; none fits a window
/// smaller than the picture.
fn whole(area: (usize, usize), size: (usize, usize), aspect: (usize, usize)) -> Option<(usize, usize)> {
    let (columns, rows) = (area.0 / size.0.max(1), area.1 / size.1.max(1));
    let sizes = (1..=columns).flat_map(|x| (1..=rows).map(move |y| (x * size.0, y * size.1)));
    let departure = |(width, height): (usize, usize)| {
        let (is, should) = (width * aspect.1, height * aspect.0);
        is.abs_diff(should) * 100 / is.min(should).max(1)
    };
    let near = sizes.filter(|&size| departure(size) <= DEPARTURE);
    near.max_by_key(|&size| (size.0 * size.1, std::cmp::Reverse(departure(size))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUBE: (usize, usize) = (4, 3);

    #[test]
    fn smooth_keeps_the_shape_of_the_tube() {
        let rect = place((1000, 600), (720, 400), TUBE, Scaling::Smooth);
        assert_eq!(rect, Rect { x: 100, y: 0, width: 800, height: 600 });
        let rect = place((400, 600), (320, 200), TUBE, Scaling::Smooth);
        assert_eq!(rect, Rect { x: 0, y: 150, width: 400, height: 300 });
    }

    #[test]
    fn whole_numbers_come_near_it() {
        let size = |area, size, aspect| {
            let rect = place(area, size, aspect, Scaling::Whole);
            (rect.width, rect.height)
        };
        assert_eq!(size((1600, 1200), (320, 200), TUBE), (1600, 1200), "five by six is exact");
        assert_eq!(size((1440, 1080), (720, 400), TUBE), (1440, 800));
        assert_eq!(size((1920, 1200), (720, 400), TUBE), (1440, 1200));
        assert_eq!(size((1300, 1000), (640, 480), TUBE), (1280, 960));
        assert_eq!(size((1024, 768), (1024, 768), TUBE), (1024, 768));
        assert_eq!(size((1920, 1080), (1280, 1024), (5, 4)), (1280, 1024));
        assert_eq!(size((600, 450), (640, 480), TUBE), (600, 450), "smaller than the picture");
    }

    #[test]
    fn nothing_is_too_small() {
        for scaling in [Scaling::Smooth, Scaling::Whole] {
            for area in [(0, 0), (1, 1), (1, 1000), (1000, 1)] {
                let rect = place(area, (720, 400), TUBE, scaling);
                assert!(rect.x + rect.width <= area.0 && rect.y + rect.height <= area.1);
            }
            place((100, 100), (0, 0), (0, 0), scaling);
        }
    }
}
