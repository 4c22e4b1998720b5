/** The colours that are drawn with: the tokens, as they are in the present theme. */

const KNOWN = ["mixture", "vocals", "drums", "bass", "other", "guitar", "piano"];
const SPARE = ["guitar", "piano", "other"];

/** The token of a stem's type; of an unknown one always the same. @param {string} type @returns {string} Like `vocals`. */
export function tokenOf(type) {
  if (KNOWN.includes(type)) return type;
  let sum = 0;
  for (const letter of type) sum += letter.charCodeAt(0);
  return SPARE[sum % SPARE.length];
}

/** @param {HTMLElement} root @returns {(token: string) => string} Token → colour: `vocals` → `#0072b2`. */
export function palette(root) {
  const style = getComputedStyle(root);
  /** @type {Map<string, string>} */
  const known = new Map();
  return (token) => {
    let colour = known.get(token);
    if (colour === undefined) {
      colour = style.getPropertyValue(`--sf-${token}`).trim() || "#888888";
      known.set(token, colour);
    }
    return colour;
  };
}

const FORM = ["vocals", "drums", "bass", "other", "guitar", "piano"];

/** The token of each section's colour: the same label, the same colour, in order of appearance.
 * @param {{ label: string }[]} sections @returns {Map<string, string>} */
export function sectionTokens(sections) {
  const labels = [...new Set(sections.map((section) => section.label))];
  return new Map(labels.map((label, i) => [label, FORM[i % FORM.length]]));
}

/** What a lane is called: `no_vocals` → `No vocals`. @param {string} name */
export function laneTitle(name) {
  const words = name.replace(/[_-]+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : name;
}
