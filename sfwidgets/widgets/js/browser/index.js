import "./style.css";
import { Channel } from "../lib/channel.js";
import { followTheme, h, keepKeys } from "../lib/dom.js";
import { Browser } from "./browser.js";

/** @param {{ model: import("../lib/channel.js").Model, el: HTMLElement }} given */
function render({ model, el }) {
  const channel = new Channel(model);
  const browser = new Browser(model, channel);
  const root = h("div", { class: "sf sf-browser" }, browser.element);
  el.append(root);
  keepKeys(root);
  const unfollow = followTheme(root);
  return () => {
    unfollow();
    browser.close();
    channel.close();
  };
}

export default { render };
