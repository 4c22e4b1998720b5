/** A module that build.mjs bundles on its own and hands over as text: what an AudioWorklet loads. */
declare module "*?source" {
  const source: string;
  export default source;
}
declare module "*.css";
