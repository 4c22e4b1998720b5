/**
 * Make an element: `h("button", { class: "sf-primary", onclick: go, "aria-label": "Play" }, "▶")`.
 * A property that begins with `on` is a listener, one that is an attribute becomes it (true: empty; false or null: none),
 * and text is always text, never markup.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) =>
    child instanceof Node ? child : String(child)));
  return element;
}

/**
 * Make a widget's root follow the page's theme: JupyterLab's where it says one, else the system's. Returns what ends that.
 * @param {HTMLElement} root An element of the class `sf`.
 * @param {() => void} [changed] Called after every change: what is drawn on a canvas must be drawn again.
 */
export function followTheme(root, changed = () => {}) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const take = () => {
    const lab = document.body.dataset.jpThemeLight;
    const theme = lab === undefined ? (system.matches ? "dark" : "light") : lab === "false" ? "dark" : "light";
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    changed();
  };
  const watch = new MutationObserver(take);
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", take);
  take();
  return () => {
    watch.disconnect();
    system.removeEventListener("change", take);
  };
}

/**
 * Keep the keys that a widget uses from reaching JupyterLab's shortcuts (Space, L, 1 to 6, Shift+letters).
 * @param {HTMLElement} root
 */
export function keepKeys(root) {
  root.dataset.lmSuppressShortcuts = "true";
}
