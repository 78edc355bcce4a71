// Loaded into npm when it runs on an older Node. npm leaves out an optional package whose `engines` refuse
// the Node that npm itself runs on, and native parts of our tools are such packages (Debian 12: Node 18).
// They will run on the Node 24 of the lockfile, so npm is told that version. Nothing else changes.
const { CORTEX_RUNTIME_VERSION: version } = process.env;
if (version !== undefined && Number.parseInt(process.versions.node, 10) < Number.parseInt(version, 10)) {
  Object.defineProperty(process, 'version', { value: `v${version}`, enumerable: true, configurable: true });
}
