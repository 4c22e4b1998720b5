/** The signs on the buttons, drawn by hand on a grid of 16. */
const PATHS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  start: "M3 3h2v10H3zM13 3v10L6 8z",
  loop: "M4 5h6V2.8L13.6 6 10 9.2V7H4.6v2.2H2.6V6.4A1.4 1.4 0 0 1 4 5zm8 6H6v2.2L2.4 10 6 6.8",
  click: "M6.2 2h3.6l2.6 12H3.6zM7.6 4 6 12h4l-.6-3L12.8 4",
  plus: "M7 3h2v4h4v2H9v4H7V9H3V7h4z",
  minus: "M3 7h10v2H3z",
  fit: "M2 4h2v8H2zM12 4h2v8h-2zM5 8l2.4-2.4v1.6h1.2V5.6L11 8l-2.4 2.4V8.8H7.4v1.6z",
  save: "M7 2h2v6h2.6L8 11.8 4.4 8H7zM2.5 12h2v1.5h7V12h2v3.5h-11z",
  pencil: "M11.2 2.2l2.6 2.6-8 8L2.5 13.5l.7-3.3zM10 4.8 4.4 10.4l-.3 1.5 1.5-.3L11.2 6z",
  remove: "M4.2 3 8 6.8 11.8 3 13 4.2 9.2 8l3.8 3.8-1.2 1.2L8 9.2 4.2 13 3 11.8 6.8 8 3 4.2z",
};

const SVG = "http://www.w3.org/2000/svg";

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "sf-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}
