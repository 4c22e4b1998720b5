/**
 * The player's face, for any page: `mountPlayer(root, session)` draws a `Session`, which a page without a kernel makes of
 * `new Session(localModel({ track, mix, cues: [], time: 0, playing: false }), { source, peaks, analysis })`.
 */
import { h, keepKeys } from "../lib/dom.js";
import { exportDialog } from "./exporting.js";
import { keysDialog, listenToKeys } from "./keys.js";
import { lanes } from "./lanes.js";
import { overview } from "./overview.js";
import { places } from "./places.js";
import { ruler } from "./ruler.js";
import { status } from "./status.js";
import { transport } from "./transport.js";
import { View } from "./view.js";
import "./style.css";

export { localModel } from "./localmodel.js";
export { Session } from "./session.js";

/**
 * @param {HTMLElement} parent @param {import("./session.js").Session} session
 * @returns {() => void} What takes it away again; the session goes on.
 */
export function mountPlayer(parent, session) {
  const root = h("div", { class: "sf sf-player", role: "region", "aria-label": "Stem player" });
  keepKeys(root);
  const view = new View(root, session);
  const keys = keysDialog();
  const openKeys = () => keys.showModal();
  const exporting = session.backing.exporting ? exportDialog(session) : null;
  const parts = [
    status(view),
    transport(view, { openExport: exporting ? exporting.open : null, openKeys }),
    overview(view),
    ruler(view),
    lanes(view),
    places(view),
  ];
  const [top, buttons, ...timeline] = parts.map((part) => part.element);
  const lists = /** @type {HTMLElement} */ (timeline.pop());
  root.append(top, buttons, h("div", { class: "sf-timeline" }, ...timeline), lists, keys);
  if (exporting) root.append(exporting.dialog);
  listenToKeys(view, { openKeys });
  parent.append(root);
  view.begin(parts);
  return () => {
    view.close();
    root.remove();
  };
}
