/**
 * Which lanes sound, and how loud: the same law as `Mix` in Python, which renders exports by it.
 *
 * @typedef {{ volume: number, pan: number, muted: boolean, soloed: boolean }} Lane
 * @typedef {{ name: string, group: string }} LaneOf
 */

/** The group whose lanes are heard as they are: the mixer's settings are those of the stems. */
export const MIXTURE = "mixture";

/** @returns {Lane} */
export function restingLane() {
  return { volume: 1, pan: 0, muted: false, soloed: false };
}

/**
 * Left and right gain of every lane: `[l0, r0, l1, r1, …]`, without the master volume.
 * @param {LaneOf[]} lanes
 * @param {Map<string, Lane>} settings
 * @param {string} group The group that sounds.
 */
export function gains(lanes, settings, group) {
  const sounding = lanes.filter((lane) => lane.group === group);
  const soloed = sounding.some(({ name }) => settings.get(name)?.soloed);
  const out = new Float32Array(lanes.length * 2);
  lanes.forEach((lane, index) => {
    if (lane.group !== group) return;
    const { volume, pan, muted, soloed: solo } = group === MIXTURE ? restingLane() : settings.get(lane.name) ?? restingLane();
    if (group !== MIXTURE && (muted || (soloed && !solo))) return;
    out[2 * index] = volume * Math.min(1, 1 - pan);
    out[2 * index + 1] = volume * Math.min(1, 1 + pan);
  });
  return out;
}
