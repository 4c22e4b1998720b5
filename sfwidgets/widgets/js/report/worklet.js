/**
 * Lets a page from a file have an audio thread: Chromium loads no blob: into it there ("Not allowed to load local resource"),
 * but the same module from a data: address.
 */
export function loadWorkletsFromFile() {
  if (!location.protocol.startsWith("file") || typeof AudioWorklet === "undefined") return;
  const load = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (url, options) {
    const module = await (await fetch(url)).text();
    return load.call(this, `data:text/javascript;charset=utf-8,${encodeURIComponent(module)}`, options);
  };
}
