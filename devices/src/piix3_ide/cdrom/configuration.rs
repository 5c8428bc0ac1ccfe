//! GET CONFIGURATION and GET EVENT STATUS NOTIFICATION: MMC-3, 5.2 "Features" and 6.7.

use super::packet::Packet;
use super::sense::Sense;
use super::tray::{Event, Profile, Tray};

/// The class of media events, as a number and as a bit.
const MEDIA: u8 = 4;
const MEDIA_BIT: u8 = 1 << MEDIA;

/// One feature: code, version and flags, data.
struct Feature {
    code: u16,
    current: bool,
    persistent: bool,
    data: Vec<u8>,
}

fn features(profile: Option<Profile>) -> [Feature; 6] {
    let (cd, dvd) = (profile == Some(Profile::CdRom), profile == Some(Profile::DvdRom));
    let feature =
        |code, current, data: &[u8]| Feature { code, current, persistent: false, data: data.to_vec() };
    let always = |code, data: &[u8]| Feature { persistent: true, ..feature(code, true, data) };
    let profiles = [0, Profile::DvdRom as u8, dvd.into(), 0, 0, Profile::CdRom as u8, cd.into(), 0];
    [
        always(0x0000, &profiles),
        // Core: ATAPI.
        always(0x0001, &[0, 0, 0, 2]),
        // Removable medium: tray, eject, lock.
        always(0x0003, &[0x29, 0, 0, 0]),
        // Random readable: blocks of 2048, one at a time.
        feature(0x0010, cd || dvd, &[0, 0, 8, 0, 0, 1, 0, 0]),
        feature(0x001E, cd, &[0, 0, 0, 0]),
        feature(0x001F, dvd, &[]),
    ]
}

pub(super) fn get_configuration(packet: &Packet, profile: Option<Profile>) -> Result<Vec<u8>, Sense> {
    let (request, from) = (packet.byte(1) & 3, packet.u16(2));
    let wanted = |feature: &Feature| match request {
        0 => feature.code >= from,
        1 => feature.code >= from && feature.current,
        _ => feature.code == from,
    };
    if request == 3 {
        return Err(Sense::INVALID_FIELD);
    }
    let mut reply = vec![0, 0, 0, 0, 0, 0];
    reply.extend(profile.map_or(0, |profile| profile as u16).to_be_bytes());
    for Feature { code, current, persistent, data } in features(profile).into_iter().filter(wanted) {
        reply.extend(code.to_be_bytes());
        reply.push(u8::from(persistent) << 1 | u8::from(current));
        reply.push(u8::try_from(data.len()).unwrap_or(0));
        reply.extend(data);
    }
    let len = u32::try_from(reply.len() - 4).unwrap_or(0);
    reply[..4].copy_from_slice(&len.to_be_bytes());
    Ok(reply)
}

/// Tells of the event once.
pub(super) fn event_status(packet: &Packet, tray: &mut Tray) -> Result<Vec<u8>, Sense> {
    // Only polled operation.
    if !packet.bit(1, 0) {
        return Err(Sense::INVALID_FIELD);
    }
    if packet.byte(4) & MEDIA_BIT == 0 {
        return Ok(vec![0, 2, 0x80, MEDIA_BIT]);
    }
    let event = std::mem::replace(&mut tray.event, Event::None);
    let status = u8::from(tray.disc.is_some() && !tray.open) << 1 | u8::from(tray.open);
    Ok(vec![0, 6, MEDIA, MEDIA_BIT, event as u8, status, 0, 0])
}
