//! The way of a colour: attribute palette, colour select, PEL mask, DAC.

use super::Vga;

impl Vga {
    /// What the DAC shows for an 8-bit colour.
    fn dac_colour(&self, colour: u8) -> u32 {
        let [red, green, blue] = self.dac.colour(colour & self.dac.mask);
        u32::from_be_bytes([0, red, green, blue])
    }

    /// 256 colours, past the attribute palette. IBM Video Subsystem, "Attribute Mode Control", bit 6.
    pub(super) fn dac_colours(&self) -> Vec<u32> {
        (0..=u8::MAX).map(|colour| self.dac_colour(colour)).collect()
    }

    /// The 16 colours of the attribute controller.
    pub(super) fn palette_colours(&self) -> Vec<u32> {
        let select = self.attribute.colour_select();
        let colour = |attribute: u8| {
            let entry = self.attribute.palette(attribute & self.attribute.plane_enable());
            // "Attribute Mode Control", bit 7: bits 5 and 4 come from the colour select register too.
            let low =
                if self.attribute.selects_colour_bits() { entry & 0xF | (select & 3) << 4 } else { entry };
            self.dac_colour(low | (select & 0xC) << 4)
        };
        (0..16).map(colour).collect()
    }
}
