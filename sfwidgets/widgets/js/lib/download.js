/** Fetches a file that Python made for this page (`handover.Handover`), and gives it to the person as a download. */

/**
 * @param {import("./channel.js").Channel} channel
 * @param {{ token: string, name: string, size: number }} handed What `hand_over` returned.
 * @param {(share: number) => void} [progress] Called with the share that is here, 0 to 1.
 */
export async function download(channel, { token, name, size }, progress = () => {}) {
  /** @type {BlobPart[]} */
  const parts = [];
  let offset = 0;
  while (offset < size) {
    const { buffers } = await channel.ask("handed", { token, offset });
    const part = buffers[0];
    if (!part || part.byteLength === 0) throw new Error("The file ended early. Export it again.");
    parts.push(new Blob([/** @type {ArrayBufferView<ArrayBuffer>} */ (/** @type {unknown} */ (part))]));
    offset += part.byteLength;
    progress(offset / size);
  }
  save(new Blob(parts), name);
  channel.ask("taken", { token }).catch(() => {});
}

/** @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
