import "./style.css";
import { Channel } from "../lib/channel.js";
import { followTheme, h, keepKeys } from "../lib/dom.js";
import { Panel } from "./panel.js";

/** @param {{ model: import("../lib/channel.js").Model, el: HTMLElement }} given */
function render({ model, el }) {
  const channel = new Channel(model);
  const panel = new Panel(model, channel);
  const root = h("div", { class: "sf sf-importing" }, panel.element);
  el.append(root);
  keepKeys(root);
  const unfollow = followTheme(root);
  return () => {
    unfollow();
    panel.close();
    channel.close();
  };
}

export default { render };
